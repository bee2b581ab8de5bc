"""No text that comes from outside, of a service or of a person, can keep a row from being written, or be lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.foreign_text import exact, kept, printable
from storyreel.tasks.ledger.ledger import Ledger, NewVerdict, Order, State, Word
from tests.properties import one_in

ANY = st.text(st.characters(exclude_categories=()) | st.sampled_from("\0\x1b\ud83d\u202e\\'\""), max_size=30)
NUMBERS: Iterator[int] = itertools.count()


def order(**changes: str) -> Order:
    fields = {"provider": "dashscope", "model": "wan2.7-t2v", "request": "{}", "film": "F", "slate": "1A"}
    return Order(key=f"{next(NUMBERS):064x}", take=1, **(fields | changes))


@given(task=ANY.filter(bool), reason=ANY, film=ANY)
@one_in(4)
def test_any_id_reason_and_title_is_stored_and_the_id_is_given_back_exactly(
    ledger: Ledger, task: str, reason: str, film: str
) -> None:
    placed = order(film=film, scene=film, brief=film, provider=f"service-{next(NUMBERS)}")
    assert ledger.intend(placed)
    assert ledger.mark_submitted(placed.key, kept(task), None)
    assert ledger.mark_failed(placed.key, reason)
    found = ledger.find(placed.key)
    assert found is not None and found.state is State.FAILED and found.task is not None
    assert exact(found.task) == task
    assert printable(found.reason) == found.reason
    assert [one.order.key for one in ledger.list(film=film, key=placed.key)] == [placed.key]


@given(note=ANY, by=ANY)
@one_in(10)
def test_any_note_of_a_reviewer_is_stored(ledger: Ledger, note: str, by: str) -> None:
    verdict = NewVerdict(key="a" * 64, film="F", slate="1A", take=1, word=Word.APPROVED, note=note, action=note, by=by)
    ledger.add_verdicts([verdict])
    assert printable(ledger.verdicts(["a" * 64])["a" * 64].note) == printable(note)


def test_an_id_of_any_length_that_a_service_may_give_can_be_stored_and_woken(ledger: Ledger) -> None:
    # Of letters that no database compresses.
    task, placed = "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(333)), order()
    assert ledger.intend(placed) and ledger.mark_submitted(placed.key, task, None)
    ledger.wake("dashscope", task)
    assert ledger.take_wakeup("dashscope", task)


def test_a_reason_is_bounded_and_holds_no_secret(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIYI_API_KEY", "sk-0123456789")
    placed = order(request='{"references":["https://u:pw@a.example/x?X-Amz-Signature=abc"]}')
    assert ledger.intend(placed)
    ledger.mark_unknown(placed.key, "the key sk-0123456789 " + "x" * 100_000)
    found = ledger.find(placed.key)
    assert found is not None
    assert len(found.reason) <= 4000 and "sk-0123456789" not in found.reason
    assert found.order.request == '{"references":["https://…@a.example/x?X-Amz-Signature=…"]}'
