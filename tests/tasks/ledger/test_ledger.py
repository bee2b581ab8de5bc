"""The ledger: one row a purchase, however many runs order it and however often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from storyreel.specs.money import Money
from storyreel.tasks.ledger.ledger import DuplicateTask, Ledger, Order, Purchase, State
from storyreel.tasks.ledger.transaction import Transaction
from tests.properties import one_in
from tests.tasks.ledger.conftest import Open
from tests.tasks.ledger.ordering import CLIP, OTHER_CLIP, an_order, dollars, row

CHARGES = "dashscope"
"""A service that may charge for what fails; of AIMLAPI a failure counts nothing."""


def test_the_first_run_to_store_an_order_is_the_only_one(ledger: Ledger, open_ledger: Open) -> None:
    assert ledger.intend(an_order())
    assert not ledger.intend(an_order())
    assert not open_ledger().intend(an_order())


def test_a_purchase_is_read_as_it_was_written(ledger: Ledger) -> None:
    ledger.intend(an_order())
    ledger.mark_submitted("k", "task-7", dollars("1.95"))
    ledger.mark_finished("k", CLIP)
    purchase = row(ledger)
    assert purchase.order == an_order()
    assert (purchase.state, purchase.task, purchase.clip) == (State.FINISHED, "task-7", CLIP)
    assert purchase.cost == dollars("1.95"), "a cost reported at submission is not lost"
    assert purchase.is_ours()
    assert purchase.intended and purchase.submitted and purchase.finished
    assert purchase.created <= purchase.intended <= purchase.submitted <= purchase.finished <= purchase.changed


def test_two_runs_in_one_process_are_two(ledger: Ledger, open_ledger: Open) -> None:
    other = open_ledger()
    ledger.intend(an_order())
    assert row(ledger).is_ours()
    assert not row(other).is_ours(), "or both would send the order"
    assert not row(other).is_abandoned()


def test_an_intent_that_was_not_accepted_can_be_withdrawn(ledger: Ledger) -> None:
    ledger.intend(an_order())
    assert ledger.withdraw("k")
    assert ledger.find("k") is None
    assert ledger.intend(an_order())


def test_an_accepted_order_is_never_withdrawn(ledger: Ledger) -> None:
    ledger.intend(an_order())
    ledger.mark_submitted("k", "task-7", None)
    assert not ledger.withdraw("k")
    assert row(ledger).state is State.SUBMITTED


def test_an_intent_of_another_run_cannot_be_withdrawn(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    assert not open_ledger().withdraw("k")
    assert row(ledger).state is State.INTENDED


def test_withdrawing_a_repeated_order_restores_the_finished_one(ledger: Ledger) -> None:
    ledger.intend(an_order())
    ledger.mark_submitted("k", "task-7", dollars("1.95"))
    ledger.mark_finished("k", CLIP)
    bought = row(ledger)
    assert ledger.intend_again(bought, an_order()), "its clip is gone from the store"
    assert row(ledger).cost is None, "what the new order costs nobody has said"
    assert ledger.withdraw("k")
    again = row(ledger)
    assert (again.state, again.task, again.clip, again.cost) == (State.FINISHED, "task-7", CLIP, dollars("1.95"))
    assert again.changed == bought.changed, "nothing new has become of it"
    assert ledger.intend_again(again, an_order())
    assert ledger.withdraw("k")
    assert row(ledger).state is State.FINISHED


def test_only_one_run_repeats_a_failed_order(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    ledger.mark_failed("k", "refused")
    seen, other = row(ledger), open_ledger()
    assert ledger.intend_again(seen, an_order())
    assert not other.intend_again(seen, an_order()), "the row has moved since it was seen"


def test_an_order_that_another_run_is_placing_is_not_repeated(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    other = open_ledger()
    assert not other.intend_again(row(other), an_order())


def test_an_order_in_state_unknown_is_not_repeated_before_it_is_settled(ledger: Ledger) -> None:
    ledger.intend(an_order())
    ledger.mark_unknown("k", "reset")
    with pytest.raises(ValueError, match="settled"):
        ledger.intend_again(row(ledger), an_order())


def test_finishing_twice_is_the_same_as_once(ledger: Ledger) -> None:
    ledger.intend(an_order())
    ledger.mark_submitted("k", "task-7", None)
    assert ledger.mark_finished("k", CLIP)
    once = row(ledger)
    assert ledger.mark_finished("k", CLIP)
    assert row(ledger).changed == once.changed
    assert len(ledger.history("k")) == 3


def test_a_clip_that_was_downloaded_again_has_its_new_digest(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    ledger.mark_submitted("k", "task-7", None)
    ledger.mark_finished("k", CLIP)
    assert open_ledger().mark_finished("k", OTHER_CLIP)
    assert row(ledger).clip == OTHER_CLIP
    assert [event.clip for event in ledger.history("k")] == [None, None, CLIP, OTHER_CLIP]


def test_a_finished_purchase_stays_finished(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    ledger.mark_submitted("k", "task-7", None)
    ledger.mark_finished("k", CLIP)
    for late in (ledger, open_ledger()):
        assert not late.mark_failed("k", "late verdict")
        assert not late.mark_unknown("k", "late doubt")
        assert late.mark_submitted("k", "task-7", None), "the same id is no news"
    assert row(ledger).state is State.FINISHED


@pytest.mark.parametrize("state", ["submitted", "unknown", "failed", "given up", "missing"])
def test_a_clip_that_is_there_finishes_its_order_whatever_state_that_is_in(
    ledger: Ledger, open_ledger: Open, state: str
) -> None:
    killed = open_ledger()
    if state != "missing":
        killed.intend(an_order())
        killed.mark_submitted("k", "task-7", None)
    if state == "failed":
        killed.mark_failed("k", "refused")
    killed.close()
    if state in ("unknown", "given up"):
        ledger.mark_unknown("k", "forgotten")
    if state == "given up":
        ledger.give_up(row(ledger), "by hand")
    for _ in range(2):
        assert ledger.mark_finished("k", CLIP, dollars("1.95"), task="task-7", order=an_order())
        found = row(ledger)
        assert (found.state, found.task, found.clip, found.cost) == (State.FINISHED, "task-7", CLIP, dollars("1.95"))
        assert found.finished and found.owed and not found.reason
    assert ledger.history("k")[-1].state is State.FINISHED
    assert ledger.spent().charged == (dollars("1.95"),)


@pytest.mark.parametrize("present", [State.SUBMITTED, State.FINISHED, State.FAILED, State.UNKNOWN])
def test_a_clip_of_an_earlier_order_is_noted_with_that_order(ledger: Ledger, open_ledger: Open, present: State) -> None:
    ledger.intend(an_order(provider=CHARGES))
    ledger.mark_submitted("k", "task-7", dollars("1"))
    ledger.mark_failed("k", "refused")
    newer = open_ledger()
    assert newer.intend_again(row(ledger), an_order(provider=CHARGES))
    newer.mark_submitted("k", "task-8", dollars("2"))
    if present is State.FINISHED:
        newer.mark_finished("k", OTHER_CLIP)
    if present is State.FAILED:
        newer.mark_failed("k", "refused too")
    if present is State.UNKNOWN:
        newer.mark_unknown("k", "forgotten")
    noted = ledger.mark_finished("k", CLIP, dollars("1.5"), task="task-7", order=an_order(provider=CHARGES))
    found = row(ledger)
    assert noted == (present is not State.SUBMITTED), "the run that awaits the newer order is left alone"
    if present in (State.SUBMITTED, State.FINISHED):
        assert (found.state, found.task) == (present, "task-8")
    else:
        assert (found.state, found.task, found.clip) == (State.FINISHED, "task-7", CLIP)
    assert ledger.spent().charged == (dollars("3.5" if noted else "3"),), "both orders were accepted, and count"


def test_of_two_runs_that_collect_one_task_either_may_finish_it(ledger: Ledger, open_ledger: Open) -> None:
    first = open_ledger("far-away")
    first.intend(an_order())
    first.mark_submitted("k", "task-7", None)
    first.close()
    assert ledger.take_over(row(ledger))
    assert not first.mark_finished("k", CLIP), "it is no longer its row; the clip is in the store all the same"
    assert row(ledger).state is State.SUBMITTED
    assert ledger.mark_finished("k", CLIP)
    assert first.mark_finished("k", CLIP)
    assert row(ledger).state is State.FINISHED


def test_an_answer_after_the_row_was_marked_unknown_is_stored(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    ledger.mark_unknown("k", "no answer")
    assert ledger.mark_submitted("k", "task-7", dollars("1"))
    assert (row(ledger).state, row(ledger).task) == (State.SUBMITTED, "task-7")


def test_an_answer_after_the_row_was_deleted_inserts_it_again(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    ledger.mark_unknown("k", "no answer")
    other = open_ledger()
    assert other.mark_never_made(row(other), "it is not in the list")
    assert other.find("k") is None
    assert ledger.mark_submitted("k", "task-7", dollars("1"))
    assert (row(other).order, row(other).task, row(other).cost) == (an_order(), "task-7", dollars("1"))


def test_an_order_that_was_accepted_twice_is_in_the_history(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order())
    ledger.mark_unknown("k", "no answer")
    other = open_ledger()
    other.give_up(row(other), "buy it again")
    assert other.intend_again(row(other), an_order())
    other.mark_submitted("k", "task-8", dollars("2"))
    assert not ledger.mark_submitted("k", "task-7", dollars("1")), "the row has another order by now"
    assert row(ledger).task == "task-8"
    stray = ledger.history("k")[-1]
    assert (stray.task, stray.cost) == ("task-7", dollars("1")) and "twice" in stray.reason
    assert ledger.spent().charged == (dollars("3"),)
    assert ledger.claimed("aimlapi", ["task-7", "task-8", "task-9"]) == {"task-7", "task-8"}


def test_one_task_for_two_orders_is_a_fault_of_the_service_that_is_told(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(an_order("a"))
    ledger.mark_submitted("a", "task-7", dollars("1"))
    other = open_ledger()
    other.intend(an_order("b", slate="1B"))
    with pytest.raises(DuplicateTask, match="task-7, which is that of The Keeper 1A take 1") as caught:
        other.mark_submitted("b", "task-7", dollars("1"))
    assert caught.value.next == "storyreel reconcile --key b"
    assert row(ledger, "a").state is State.SUBMITTED
    second = row(ledger, "b")
    assert (second.state, second.task, second.cost) == (State.UNKNOWN, "task-7", dollars("1")), "paid, and kept"
    assert "The Keeper 1A take 1" in second.reason
    assert not ledger.attach(second, "task-7", "by hand"), "it is another's"
    assert ledger.spent().charged == (dollars("2"),)


def test_an_order_that_was_given_up_without_an_id_is_remembered(ledger: Ledger) -> None:
    """The service may have accepted it, so that a task in its list may be of it, also after it was ordered again."""
    for key in ("k", "refused", "known"):
        ledger.intend(an_order(key))
    ledger.mark_failed("refused", "too dark")
    ledger.mark_submitted("known", "task-1", None)
    ledger.mark_unknown("k", "the connection was reset")
    assert ledger.given_up("aimlapi") == ()
    sent = row(ledger).sent_between
    ledger.give_up(row(ledger), "buy it again")
    (present,) = ledger.given_up("aimlapi")
    assert (present.order.key, present.sent_between[0]) == ("k", sent[0])
    ledger.intend_again(row(ledger), an_order())
    (earlier,) = ledger.given_up("aimlapi")
    assert (earlier.order.key, earlier.state, earlier.sent_between[0]) == ("k", State.FAILED, sent[0])
    assert ledger.given_up("freepik") == ()


def test_the_id_of_an_accepted_order_is_kept_when_another_run_inserts_its_row_at_the_same_time(
    ledger: Ledger, open_ledger: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.intend(an_order())
    ledger.mark_unknown("k", "the connection was reset")
    ledger.mark_never_made(row(ledger), "by hand")
    insert = Transaction.insert

    def just_too_late(tx: Transaction, order: Order) -> Purchase:
        monkeypatch.setattr(Transaction, "insert", insert)
        raise IntegrityError("insert", {}, Exception("another run has inserted it"))

    monkeypatch.setattr(Transaction, "insert", just_too_late)
    assert ledger.mark_submitted("k", "task-7", None)
    assert row(ledger).task == "task-7"


def test_the_ids_of_two_services_may_be_equal(ledger: Ledger) -> None:
    ledger.intend(an_order("a"))
    ledger.intend(an_order("b", provider="freepik"))
    assert ledger.mark_submitted("a", "7", None) and ledger.mark_submitted("b", "7", None)
    assert ledger.claimed("freepik", ["7"]) == {"7"} and not ledger.claimed("dashscope", ["7"])


def test_a_task_that_was_ever_of_another_order_is_no_id(ledger: Ledger) -> None:
    ledger.intend(an_order("a"))
    ledger.mark_submitted("a", "task-7", None)
    ledger.mark_failed("a", "refused")
    ledger.intend_again(row(ledger, "a"), an_order("a"))
    ledger.mark_submitted("a", "task-8", None)
    ledger.intend(an_order("b"))
    with pytest.raises(DuplicateTask):
        ledger.mark_submitted("b", "task-7", None)


def test_of_many_orders_that_get_one_task_at_once_one_has_it(open_ledger: Open) -> None:
    runs = [open_ledger() for _ in range(6)]

    def order(number: int) -> bool:
        runs[number].intend(an_order(f"k{number}"))
        try:
            return runs[number].mark_submitted(f"k{number}", "task-7", None)
        except DuplicateTask:
            return False

    with ThreadPoolExecutor(len(runs)) as pool:
        assert sum(pool.map(order, range(len(runs)))) == 1
    states = [row(runs[0], f"k{number}").state for number in range(len(runs))]
    assert sorted(states) == [State.SUBMITTED, *[State.UNKNOWN] * (len(runs) - 1)]


def test_every_change_is_in_the_history(ledger: Ledger) -> None:
    ledger.intend(an_order(provider=CHARGES))
    ledger.mark_submitted("k", "task-7", dollars("1"))
    ledger.mark_failed("k", "moderated")
    ledger.intend_again(row(ledger), an_order(provider=CHARGES))
    ledger.withdraw("k")
    ledger.intend_again(row(ledger), an_order(provider=CHARGES))
    ledger.mark_submitted("k", "task-8", dollars("1.5"))
    ledger.mark_finished("k", CLIP, dollars("1.75"))
    history = ledger.history("k")
    assert [(event.state, event.task, event.cost) for event in history] == [
        (State.INTENDED, None, None),
        (State.SUBMITTED, "task-7", dollars("1")),
        (State.FAILED, "task-7", dollars("1")),
        (State.INTENDED, None, None),
        (None, None, None),
        (State.FAILED, "task-7", dollars("1")),
        (State.INTENDED, None, None),
        (State.SUBMITTED, "task-8", dollars("1.5")),
        (State.FINISHED, "task-8", dollars("1.75")),
    ]
    assert history[2].reason == "moderated"
    assert ledger.spent().charged == (dollars("2.75"),), "each task by what was said of it last"


def test_more_keys_than_one_query_can_hold_are_all_found(ledger: Ledger) -> None:
    for number in range(520):
        ledger.intend(an_order(f"k{number}"))
    assert len(ledger.find_all(f"k{number}" for number in range(1300))) == 520


def test_an_outcome_of_an_unknown_key_is_an_error(ledger: Ledger) -> None:
    for move in (
        lambda: ledger.mark_finished("nobody", CLIP),
        lambda: ledger.mark_failed("nobody", "no"),
        lambda: ledger.mark_unknown("nobody", "no"),
        lambda: ledger.mark_submitted("nobody", "task-7", None),
    ):
        with pytest.raises(LookupError, match="no purchase"):
            move()


def test_purchases_are_listed_by_filter(ledger: Ledger) -> None:
    ledger.intend(an_order("a1", film="One"))
    ledger.intend(an_order("a2", film="Two", slate="2A"))
    before = ledger.now()
    ledger.intend(an_order("b1", film="Two", provider="freepik"))
    ledger.mark_submitted("a1", "task-7", None)

    def keys(**wanted: object) -> list[str]:
        return [purchase.order.key for purchase in ledger.list(**wanted)]  # type: ignore[arg-type]

    assert keys() == ["a1", "b1", "a2"], "what changed last first"
    assert keys(limit=1) == ["a1"]
    assert keys(film="Two") == ["b1", "a2"]
    assert keys(film="Two", slate="2A") == ["a2"]
    assert keys(provider="freepik") == ["b1"]
    assert keys(state=State.SUBMITTED) == ["a1"]
    assert keys(key="a") == ["a1", "a2"]
    assert keys(key="%") == [], "a sign that the database reads otherwise"
    assert keys(since=before) == ["a1", "b1"]
    assert keys(since=ledger.now() + timedelta(hours=1)) == []


def test_each_currency_is_summed_alone(ledger: Ledger) -> None:
    costs = [("1", "CNY", "a"), ("0.10", "USD", "b"), ("0.20", "USD", "c"), ("2", "CNY", "d")]
    for amount, currency, key in costs:
        ledger.intend(an_order(key, film="One" if key != "d" else "Two"))
        ledger.mark_submitted(key, f"task-{key}", Money(amount=Decimal(amount), currency=currency))
    assert [str(money) for money in ledger.spent().charged] == ["3.00 CNY", "0.30 USD"]
    assert [str(money) for money in ledger.spent(film="Two").charged] == ["2.00 CNY"]
    assert ledger.spent(film="Three").charged == ()


def test_past_durations_are_those_of_the_models_finished_purchases(ledger: Ledger) -> None:
    assert ledger.past_durations("aimlapi", "wan") is None
    for key in "abc":
        ledger.intend(an_order(key))
        ledger.mark_submitted(key, f"task-{key}", None)
        ledger.mark_finished(key, CLIP)
    ledger.intend(an_order("d"))
    ledger.mark_submitted("d", "task-d", None)
    took = ledger.past_durations("aimlapi", "wan")
    rows = [row(ledger, key) for key in "abc"]
    seconds = sorted((r.finished - r.submitted).total_seconds() for r in rows if r.finished and r.submitted)
    assert took is not None and (took.fastest, took.median) == (seconds[0], seconds[1])
    assert ledger.past_durations("aimlapi", "another") is None


@one_in(10)
@given(
    moves=st.lists(st.sampled_from(["again", "withdraw", "submit", "finish", "fail", "unknown", "never"]), max_size=9)
)
def test_the_history_always_ends_with_the_values_of_the_row(ledger: Ledger, moves: list[str]) -> None:
    key = f"h{ledger.now().timestamp()}"
    ledger.intend(an_order(key, provider=CHARGES))
    for number, move in enumerate(moves):
        purchase = ledger.find(key)
        match move:
            case _ if purchase is None:
                assert ledger.intend(an_order(key, provider=CHARGES))
            case "again" if purchase.state is not State.UNKNOWN:
                ledger.intend_again(purchase, an_order(key, provider=CHARGES))
            case "withdraw":
                ledger.withdraw(key)
            case "submit":
                ledger.mark_submitted(key, f"{key}-{number}", dollars("1"))
            case "finish":
                ledger.mark_finished(key, CLIP)
            case "fail":
                ledger.mark_failed(key, "no")
            case "unknown":
                ledger.mark_unknown(key, "perhaps")
            case "never":
                ledger.mark_never_made(purchase, "it is not there")
    last, purchase = ledger.history(key)[-1], ledger.find(key)
    if purchase is None:
        assert last.state is None
    elif "ordered twice" not in last.reason:
        values = (last.state, last.task, last.clip, last.cost, last.reason)
        assert values == (purchase.state, purchase.task, purchase.clip, purchase.cost, purchase.reason)
