"""The ledger: one row a purchase, whoever asks and however often."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from specs.money import Money
from tasks.store.ledger import Ledger, Order, State
from tasks.store.owner import Owner, this_process


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(url)
    yield opened
    opened.close()


def an_order(key: str = "k") -> Order:
    return Order(key=key, provider="aimlapi", model="wan", request="{}", film="The Keeper", slate="1A", take=1)


def test_whoever_notes_an_order_first_is_the_only_one(ledger: Ledger) -> None:
    assert ledger.intend(an_order())
    assert not ledger.intend(an_order())


def test_of_many_who_order_at_once_one_does(url: str) -> None:
    won: list[bool] = []
    start = threading.Barrier(8)

    def order() -> None:
        mine = Ledger(url)
        start.wait()
        won.append(mine.intend(an_order()))
        mine.close()

    Ledger(url).close()
    threads = [threading.Thread(target=order) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_a_purchase_is_read_as_it_was_written(ledger: Ledger) -> None:
    ledger.intend(an_order())
    ledger.submitted("k", "task-7", Money(amount=Decimal("1.95"), currency="USD"))
    ledger.finished("k", "d" * 64)
    purchase = ledger.find("k")
    assert purchase is not None
    assert purchase.order == an_order()
    assert (purchase.state, purchase.task, purchase.clip) == (State.FINISHED, "task-7", "d" * 64)
    assert purchase.cost == Money(amount=Decimal("1.95"), currency="USD"), "a cost told at create is not lost later"
    assert purchase.owner == this_process()


def test_an_intent_that_nobody_accepted_can_be_taken_back(ledger: Ledger) -> None:
    ledger.intend(an_order())
    ledger.withdraw("k")
    assert ledger.find("k") is None
    assert ledger.intend(an_order())


def test_what_was_accepted_is_never_taken_back(ledger: Ledger) -> None:
    ledger.intend(an_order())
    ledger.submitted("k", "task-7", None)
    ledger.withdraw("k")
    purchase = ledger.find("k")
    assert purchase is not None and purchase.state is State.SUBMITTED


def test_only_one_run_goes_on_with_what_another_left(ledger: Ledger) -> None:
    ledger.intend(an_order())
    ledger.failed("k", "refused")
    seen = ledger.find("k")
    assert seen is not None
    assert ledger.intend_again(seen)
    assert not ledger.intend_again(seen), "the row has moved since it was seen"


def test_more_keys_than_one_question_can_hold_are_all_found(ledger: Ledger) -> None:
    for number in range(1201):
        ledger.intend(an_order(f"k{number}"))
    assert len(ledger.find_all(f"k{number}" for number in range(1300))) == 1201


def test_a_move_of_a_purchase_that_is_not_there_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(LookupError, match="no purchase"):
        ledger.finished("nobody", "d" * 64)


def test_a_process_that_ended_is_known_to_be_gone() -> None:
    say = "from tasks.store.owner import this_process; print(this_process().model_dump_json())"
    child = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    gone = Owner.model_validate_json(child.stdout)
    assert gone.is_here()
    assert not gone.is_alive()
    assert this_process().is_alive()


def test_a_later_process_of_the_same_id_is_another() -> None:
    mine = this_process()
    assert not mine.model_copy(update={"started": mine.started - 60}).is_alive()
