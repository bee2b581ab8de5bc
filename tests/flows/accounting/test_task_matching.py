"""What a service's list of tasks proves of an order that nobody had an answer to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from storyreel.flows.accounting.task_matching import SKEW, Finding, ListTerms, match_tasks
from storyreel.specs.money import Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.ledger.ledger import Order, Purchase, State
from storyreel.tasks.ledger.owner import this_process
from storyreel.tasks.providers.provider import RemoteTask

NOON = datetime(2026, 4, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=2)
MINUTE = timedelta(minutes=1)


def an_order(key: str = "k", at: datetime = NOON, model: str = "wan", task: str | None = None) -> Purchase:
    """An order sent at a time, whose answer was waited for a minute."""
    order = Order(key=key, provider="dashscope", model=model, request="{}", film="F", slate="1A", take=1)
    return Purchase(
        order=order, state=State.UNKNOWN, task=task, clip=None, cost=None, reason="reset", owner=this_process(),
        created=at, changed=at + MINUTE, intended=at, lease_until=at + MINUTE,
    )  # fmt: skip


def a_task(name: str, at: datetime | None = NOON, model: str = "wan") -> RemoteTask:
    return RemoteTask(task=name, model=model, created=at, detail="running")


def found(*orders: Purchase, tasks: tuple[RemoteTask, ...], claimed: tuple[str, ...] = (), now: datetime = LATER,
          under_way: tuple[Purchase, ...] = (), given_up: tuple[Purchase, ...] = (), complete: bool = True,
          of_the_account: bool = True, terms: ListTerms | None = None) -> list[Finding]:  # fmt: skip
    """`of_the_account`: the list also has a task of the ledger from the time of each order."""
    known = tuple(a_task(f"known {n}", order.intended) for n, order in enumerate(orders)) if of_the_account else ()
    claimed = (*claimed, *(task.task for task in known))
    return match_tasks(orders, (*known, *tasks), frozenset(claimed), under_way, given_up, now,
                       terms or ListTerms(is_complete=complete))  # fmt: skip


def verdict(*orders: Purchase, **more: object) -> tuple[str, str | None]:
    finding = found(*orders, **more)[0]  # type: ignore[arg-type]
    return finding.match, finding.task.task if finding.task else None


def test_the_only_task_of_its_time_is_the_orders() -> None:
    assert verdict(an_order(), tasks=(a_task("t", NOON + 0.5 * MINUTE),)) == ("attach", "t")


def test_a_task_that_a_purchase_has_is_not_the_orders() -> None:
    assert verdict(an_order(), tasks=(a_task("t"), a_task("u")), claimed=("t",)) == ("attach", "u")
    assert verdict(an_order(), tasks=(a_task("t"),), claimed=("t",)) == ("never made", None)


def test_a_task_of_another_mode_is_not_the_orders() -> None:
    order = an_order()
    asked = order.model_copy(update={"order": order.order.model_copy(update={"request": '{"mode":"image-to-video"}'})})
    text, image = (a_task(mode, None).model_copy(update={"mode": mode}) for mode in (Mode.TEXT, Mode.IMAGE))
    assert verdict(asked, tasks=(text, image)) == ("propose", image.task)
    assert verdict(asked, tasks=(text,)) == ("never made", None)
    # An earlier version stored no mode.
    assert verdict(order, tasks=(text,)) == ("propose", text.task)


def test_a_task_of_another_model_or_time_is_not_the_orders() -> None:
    other_model, too_early, too_late = (
        a_task("m", model="wan-i2v"),
        a_task("e", NOON - SKEW - MINUTE),
        a_task("l", NOON + MINUTE + SKEW + MINUTE),
    )
    assert verdict(an_order(), tasks=(other_model, too_early, too_late)) == ("never made", None)
    assert verdict(an_order(), tasks=(other_model, too_early, too_late, a_task("t"))) == ("attach", "t")


def test_clocks_may_differ_by_minutes() -> None:
    assert verdict(an_order(), tasks=(a_task("t", NOON - SKEW + MINUTE),)) == ("attach", "t")
    assert verdict(an_order(), tasks=(a_task("t", NOON + SKEW),)) == ("attach", "t")


def test_of_two_tasks_none_is_taken() -> None:
    (finding,) = found(an_order(), tasks=(a_task("t"), a_task("u")))
    assert (finding.match, [task.task for task in finding.candidates]) == ("open", ["t", "u"])


def test_of_two_orders_none_gets_the_one_task() -> None:
    findings = found(an_order("a"), an_order("b", NOON + MINUTE), tasks=(a_task("t"),))
    assert [finding.match for finding in findings] == ["open", "open"]


def test_orders_that_lie_apart_each_get_their_own() -> None:
    hour = NOON + timedelta(hours=1)
    findings = found(an_order("a"), an_order("b", hour), tasks=(a_task("t"), a_task("u", hour)))
    assert [finding.task.task for finding in findings if finding.task] == ["t", "u"]


def test_a_task_that_may_be_anothers_that_is_being_ordered_now_is_not_taken() -> None:
    now = NOON + 2 * MINUTE
    running = an_order("b", now).model_copy(update={"state": State.INTENDED, "lease_until": now + MINUTE})
    assert verdict(an_order(), tasks=(a_task("t", now),), under_way=(running,), now=now) == ("open", None)


def test_an_order_is_not_called_never_made_too_early() -> None:
    assert verdict(an_order(), tasks=(), now=NOON + 5 * MINUTE) == ("open", None)
    assert verdict(an_order(), tasks=(), now=NOON + 12 * MINUTE) == ("never made", None)


def test_an_order_of_yesterday_is_not_called_never_made() -> None:
    assert verdict(an_order(), tasks=(), now=NOON + timedelta(hours=26)) == ("open", None)


def test_a_list_without_times_proves_nothing() -> None:
    assert verdict(an_order(), tasks=(), complete=False) == ("open", None)
    assert verdict(an_order(), tasks=(a_task("t", None),), complete=False) == ("propose", "t")
    assert verdict(an_order(), an_order("b"), tasks=(a_task("t", None),), complete=False) == ("open", None)


def test_a_list_without_a_task_of_ours_from_the_same_time_proves_nothing() -> None:
    """The key was changed at some time: the list is of the account that ordered later."""
    later = a_task("t", NOON + timedelta(hours=1))
    assert verdict(an_order(), tasks=(later,), claimed=("t",), of_the_account=False) == ("open", None)
    then = a_task("t", NOON - MINUTE)
    assert verdict(an_order(), tasks=(then,), claimed=("t",), of_the_account=False) == ("never made", None)


def test_a_task_that_an_order_may_have_that_was_given_up_is_not_taken() -> None:
    given_up = an_order("b").model_copy(update={"state": State.FAILED})
    assert verdict(an_order("a"), tasks=(a_task("t"),), given_up=(given_up,)) == ("open", None)
    assert verdict(an_order("b"), tasks=(a_task("t"),), given_up=(given_up,)) == ("attach", "t"), "it is the same take"
    hour = timedelta(hours=1)
    assert verdict(an_order("a", NOON + hour), tasks=(a_task("t", NOON + hour),), given_up=(given_up,))[0] == "attach"


def test_what_was_accepted_and_is_forgotten_is_for_a_person() -> None:
    assert verdict(an_order(task="old"), tasks=()) == ("open", None)
    assert verdict(an_order(task="old"), tasks=(a_task("t"),)) == ("open", None)


LOG = ListTerms(is_complete=True, has_keys=True, appears=timedelta(hours=6), kept=timedelta(days=92))
NOTHING, CHARGED = Money(amount=Decimal(0), currency="USD"), Money(amount=Decimal("0.65"), currency="USD")


def a_row(name: str, key: str = "k", at: datetime | None = NOON, **more: Any) -> RemoteTask:
    """A task of a list that names keys. Its model has another name there, which says nothing."""
    return a_task(name, at, "alias").model_copy(update={"key": key, "outcome": "succeeded", "cost": CHARGED} | more)


def in_log(*orders: Purchase, tasks: tuple[RemoteTask, ...] = (), **more: Any) -> tuple[str, str | None]:
    return verdict(*orders, tasks=tasks, terms=LOG, **more)


def test_a_task_that_names_the_orders_key_is_the_orders_whatever_else_is_there() -> None:
    rows = (a_task("other program's"), a_row("theirs", "k2"), a_row("ours"))
    assert in_log(an_order(), tasks=rows) == ("attach", "ours")
    assert in_log(an_order(), an_order("b"), tasks=rows, given_up=(an_order("c"),)) == ("attach", "ours")


def test_a_task_that_names_the_orders_key_and_has_failed_settles_it_too() -> None:
    failed = a_row("ours", outcome="failed", cost=NOTHING)
    (finding,) = found(an_order(), tasks=(failed,), terms=LOG)
    assert (finding.match, finding.task) == ("failed", failed) and "was not charged" in finding.why
    assert in_log(an_order(task="ours"), tasks=(failed,), claimed=("ours",)) == ("failed", "ours")
    made = failed.model_copy(update={"outcome": "succeeded"})
    assert in_log(an_order(task="ours"), tasks=(made,), claimed=("ours",)) == ("open", None), "its clip may be gone"


def test_of_two_tasks_that_name_one_key_none_is_taken_and_none_of_another_time() -> None:
    assert in_log(an_order(), tasks=(a_row("t"), a_row("u"))) == ("open", None)
    assert in_log(an_order(), tasks=(a_row("t"), a_row("u")), claimed=("t",)) == ("attach", "u")
    assert in_log(an_order(), tasks=(a_row("t", at=NOON + timedelta(hours=1)),)) == ("open", None)
    assert in_log(an_order(), tasks=(a_row("t", at=None),)) == ("open", None)


def test_a_task_without_a_key_is_only_proposed_where_orders_have_one() -> None:
    assert in_log(an_order(), tasks=(a_task("t"),)) == ("propose", "t")


def test_a_missing_task_proves_nothing_until_the_longest_run_is_over() -> None:
    assert in_log(an_order(), now=NOON + timedelta(hours=5)) == ("open", None)
    assert in_log(an_order(), now=NOON + timedelta(hours=7)) == ("never made", None)
    assert in_log(an_order(), now=NOON + timedelta(hours=7), of_the_account=False) == ("open", None)
    assert in_log(an_order(), tasks=(a_row("t", "k2"),), now=NOON + timedelta(days=91)) == ("never made", None)
    assert in_log(an_order(), now=NOON + timedelta(days=93)) == ("open", None)


@given(
    orders=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    tasks=st.lists(st.integers(-10, 70), max_size=5),
    claimed=st.sets(st.integers(0, 4)),
)
def test_no_task_is_given_to_two_and_none_that_another_could_have(
    orders: list[int], tasks: list[int], claimed: set[int]
) -> None:
    sent = [an_order(f"k{n}", NOON + minutes * MINUTE) for n, minutes in enumerate(orders)]
    listed = tuple(a_task(f"t{n}", NOON + minutes * MINUTE) for n, minutes in enumerate(tasks))
    findings = found(*sent, tasks=listed, claimed=tuple(f"t{n}" for n in claimed))
    given_away = [finding.task.task for finding in findings if finding.task]
    assert len(given_away) == len(set(given_away))
    assert not {f"t{n}" for n in claimed} & set(given_away)
    for finding in findings:
        begin, end = finding.purchase.sent_between
        near = [
            task.task
            for task in listed
            if task.created and begin - SKEW <= task.created <= end + SKEW and int(task.task[1:]) not in claimed
        ]
        assert (finding.match == "never made") == (not near)
        if finding.match == "attach":
            assert finding.task and near == [finding.task.task]
