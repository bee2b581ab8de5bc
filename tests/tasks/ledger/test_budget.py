"""Budgets: no order exceeds one, however many runs order at once, and every order that may be charged counts."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import create_engine, text

from storyreel.specs.money import Money
from storyreel.tasks.ledger.budget import BudgetExceeded, Limit, Scope
from storyreel.tasks.ledger.ledger import Ledger, Order, State
from storyreel.tasks.ledger.purchase import GIVEN_UP
from tests.tasks.ledger.conftest import Open
from tests.tasks.ledger.ordering import CLIP, an_order, dollars, row
from tests.tasks.ledger.racing import reserved, together


def priced(key: str, price: str | Money | None = "0.50", **more: str) -> Order:
    """An order with a price, of the run `run-1`."""
    money = dollars(price) if isinstance(price, str) else price
    return an_order(key, **({"run": "run-1"} | more)).model_copy(update={"price": money})


def at_most(amount: str, scope: Scope = "run") -> tuple[Limit, ...]:
    return (Limit(scope=scope, most=dollars(amount)),)


def yuan(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="CNY")


def test_a_budget_holds_to_the_last_cent(ledger: Ledger) -> None:
    assert ledger.intend(priced("a"), at_most("1.00"))
    assert ledger.intend(priced("b"), at_most("1.00"))
    with pytest.raises(BudgetExceeded) as over:
        ledger.intend(priced("c", "0.01"), at_most("1.00"))
    assert (over.value.committed, over.value.wanted) == (dollars("1.00"), dollars("0.01"))
    assert over.value.limit.scope == "run"
    assert ledger.find("c") is None and ledger.history("c") == ()
    assert ledger.committed("run", run="run-1") == (dollars("1.00"),)
    assert ledger.intend(priced("c", "0.01"), at_most("1.01"))


@pytest.mark.parametrize(
    ("scope", "elsewhere"),
    [("run", {"run": "run-2"}), ("shot", {"slate": "1B"}), ("shot", {"film": "The Boat"}), ("month", {"film": "F"})],
)
def test_a_budget_is_of_its_scope_alone(ledger: Ledger, scope: Scope, elsewhere: dict[str, str]) -> None:
    ledger.intend(priced("a"))
    with pytest.raises(BudgetExceeded):
        ledger.intend(priced("b"), at_most("0.99", scope))
    assert ledger.intend(priced("b", **elsewhere), at_most("0.99", scope))


def test_the_budgets_of_a_shot_and_a_month_span_runs(ledger: Ledger) -> None:
    ledger.intend(priced("a", run="run-1"))
    for scope in ("shot", "month"):
        with pytest.raises(BudgetExceeded):
            ledger.intend(priced("b", run="run-2"), at_most("0.99", scope))
    assert ledger.intend(priced("b", run="run-2"), at_most("0.99", "run"))


def test_the_budget_of_a_shot_is_for_its_takes_in_other_shapes_too_and_not_for_a_sheet(ledger: Ledger) -> None:
    for slate in ("1A@web", "1A@web.still", "1A@line-12"):
        ledger.intend(priced(slate, slate=slate), at_most("1.50", "shot"))
    for slate in ("1A", "1A@square"):
        with pytest.raises(BudgetExceeded):
            ledger.intend(priced("d", slate=slate), at_most("1.99", "shot"))
    for slate in ("1A@sheet", "1a", "1AA@web"):  # a person or place may be called as a shot is
        assert ledger.intend(priced(slate, slate=slate), at_most("0.50", "shot"))
    assert ledger.committed("shot", film="The Keeper", slate="1A@web") == (dollars("1.50"),)


def test_the_budget_of_a_shot_is_for_its_stills_and_its_clip_together(ledger: Ledger) -> None:
    ledger.intend(priced("a", slate="1A@still"))
    ledger.intend(priced("b", slate="1A@last-still"), at_most("1.00", "shot"))
    for slate in ("1A", "1A@still"):
        with pytest.raises(BudgetExceeded):
            ledger.intend(priced("c", slate=slate), at_most("1.49", "shot"))
    for slate in ("1B", "1C@still", "1A@sheet"):
        assert ledger.intend(priced(slate, slate=slate), at_most("0.50", "shot"))


def test_of_several_budgets_each_holds(ledger: Ledger) -> None:
    limits = (*at_most("5", "run"), *at_most("0.75", "shot"), *at_most("5", "month"))
    assert ledger.intend(priced("a"), limits)
    with pytest.raises(BudgetExceeded) as over:
        ledger.intend(priced("b"), limits)
    assert over.value.limit.scope == "shot"


def test_a_new_month_starts_at_zero(ledger: Ledger, url: str) -> None:
    ledger.intend(priced("a"))
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    now = datetime.now(UTC)
    for before in (f"{now.year - 1}-{now:%m}-28", f"{now.year - (now.month == 1)}-{(now.month - 2) % 12 + 1:02d}-28"):
        with engine.begin() as connection:
            connection.execute(text(f"update purchases set intended = '{before}T23:59:59.999999+00:00'"))
        assert ledger.committed("month", film="The Keeper") == ()
    assert ledger.committed("shot", film="The Keeper", slate="1A") == (dollars("0.50"),)
    with engine.begin() as connection:
        connection.execute(text(f"update purchases set intended = '{now:%Y-%m}-01T00:00:00.000000+00:00'"))
    assert ledger.committed("month", film="The Keeper") == (dollars("0.50"),)
    engine.dispose()


def test_a_take_that_was_ordered_already_does_not_count_again(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(priced("a"))
    assert not open_ledger().intend(priced("a", "5"), at_most("0.10")), "whoever has it has paid for it"


def test_a_charged_cost_counts_instead_of_the_price(ledger: Ledger) -> None:
    ledger.intend(priced("a"), at_most("1.00"))
    ledger.mark_submitted("a", "task-a", dollars("0.80"))
    with pytest.raises(BudgetExceeded) as over:
        ledger.intend(priced("b"), at_most("1.00"))
    assert over.value.committed == dollars("0.80")
    ledger.mark_finished("a", CLIP, dollars("1.20"))
    assert ledger.committed("run", run="run-1") == (dollars("1.20"),)


def test_orders_without_a_charge_free_their_share_of_the_budget(ledger: Ledger) -> None:
    ledger.intend(priced("a"))
    ledger.withdraw("a")
    ledger.intend(priced("b"))
    ledger.mark_submitted("b", "task-b", None)
    ledger.mark_failed("b", "moderated")
    ledger.intend(priced("c"))
    ledger.mark_unknown("c", "reset")
    ledger.mark_never_made(row(ledger, "c"), "it is not in the list")
    assert ledger.committed("run", run="run-1") == ()
    assert ledger.intend_again(row(ledger, "b"), priced("b"), at_most("0.50"))
    assert ledger.committed("run", run="run-1") == (dollars("0.50"),), "its own failure does not count"


@pytest.mark.parametrize("currency", ["USD", "CNY"])
def test_a_failure_that_is_not_charged_gives_back_what_the_service_named_when_it_accepted_the_order(
    ledger: Ledger, currency: str
) -> None:
    held = Money(amount=Decimal("0.60"), currency=currency)
    ledger.intend(priced("a"))
    ledger.mark_submitted("a", "task-a", held)
    assert held in ledger.committed("run", run="run-1")
    ledger.mark_failed("a", "moderated", is_refunded=True)
    assert not any(money.amount for money in ledger.committed("run", run="run-1"))
    assert ledger.intend(priced("b", "1.00"), at_most("1.00"))
    assert ledger.spent().charged == () and ledger.spent().estimated == (dollars("1.00"),)
    costs = [event.cost for event in ledger.history("a")]
    assert costs[-2:] == [held, Money(amount=Decimal(0), currency=currency)], "what was held stays in the history"


def test_what_an_earlier_version_left_with_a_failure_that_is_never_charged_counts_nowhere(ledger: Ledger) -> None:
    for key in ("failed", "again", "given up"):
        ledger.intend(priced(key))
        ledger.mark_submitted(key, f"task-{key}", dollars("0.60"))
    ledger.mark_failed("failed", "moderated")
    ledger.mark_failed("again", "moderated")
    ledger.mark_unknown("given up", "forgotten")
    ledger.give_up(row(ledger, "given up"), GIVEN_UP)
    ledger.intend_again(row(ledger, "again"), priced("again", "0.70"))
    held = (dollars("1.30"),)
    assert ledger.committed("run", run="run-1") == held, "of the three 0.60 that which was given up may be charged"
    assert [one.charged for one in (ledger.spent(), *ledger.spent_by("service"))] == [(dollars("0.60"),)] * 2
    assert [row(ledger, key).cost for key in ("failed", "given up")] == [dollars("0"), dollars("0.60")]
    assert ledger.intend(priced("next", "0.70"), at_most("2.00"))


def test_a_charged_cost_counts_even_if_the_order_failed(ledger: Ledger) -> None:
    ledger.intend(priced("a", provider="dashscope"))
    ledger.mark_submitted("a", "task-a", dollars("0.60"))
    ledger.mark_failed("a", "moderated")
    with pytest.raises(BudgetExceeded) as over:
        ledger.intend_again(row(ledger, "a"), priced("a", provider="dashscope"), at_most("1.00"))
    assert over.value.committed == dollars("0.60")
    failed = row(ledger, "a")
    assert (failed.state, failed.cost) == (State.FAILED, dollars("0.60")), "nothing has changed"
    assert ledger.history("a")[-1].state is State.FAILED


def test_orders_in_state_unknown_and_given_up_orders_count(ledger: Ledger) -> None:
    ledger.intend(priced("a"))
    ledger.mark_unknown("a", "reset")
    assert ledger.committed("run", run="run-1") == (dollars("0.50"),)
    ledger.give_up(row(ledger, "a"), "buy it again")
    assert ledger.committed("run", run="run-1") == (dollars("0.50"),), "it may have been paid"
    with pytest.raises(BudgetExceeded):
        ledger.intend_again(row(ledger, "a"), priced("a"), at_most("0.99"))
    assert ledger.intend_again(row(ledger, "a"), priced("a"), at_most("1.00"))
    assert ledger.committed("shot", film="The Keeper", slate="1A") == (dollars("1.00"),)


def test_a_take_that_is_bought_again_is_paid_twice(ledger: Ledger) -> None:
    ledger.intend(priced("a"))
    ledger.mark_submitted("a", "task-a", None)
    ledger.mark_finished("a", CLIP)
    again = priced("a", "0.70", run="run-2", slate="2C")
    assert ledger.intend_again(row(ledger, "a"), again, at_most("0.70"))
    assert row(ledger, "a").order == again
    assert ledger.committed("run", run="run-1") == ledger.committed("shot", film="The Keeper", slate="1A")
    assert ledger.committed("run", run="run-1") == (dollars("0.50"),)
    assert ledger.committed("run", run="run-2") == (dollars("0.70"),)
    assert ledger.committed("month", film="The Keeper") == (dollars("1.20"),)


def test_an_order_that_was_accepted_twice_counts_twice(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(priced("a"))
    ledger.mark_unknown("a", "no answer")
    other = open_ledger()
    other.give_up(row(other, "a"), "buy it again")
    other.intend_again(row(other, "a"), priced("a"))
    other.mark_submitted("a", "task-8", None)
    assert not ledger.mark_submitted("a", "task-7", dollars("0.65"))
    assert ledger.committed("run", run="run-1") == (dollars("1.15"),), "0.65 charged, 0.50 estimated"


def test_an_order_that_is_accepted_late_after_its_repetition_was_refused_counts_once(
    ledger: Ledger, open_ledger: Open
) -> None:
    ledger.intend(priced("a", slate="1A"))
    ledger.mark_unknown("a", "no answer")
    other = open_ledger()
    other.give_up(row(other, "a"), "buy it again")
    other.intend_again(row(other, "a"), priced("a", "0.70", slate="1B"))
    other.mark_failed("a", "refused")
    assert ledger.mark_submitted("a", "task-7", None)
    assert (row(ledger, "a").task, row(ledger, "a").order.slate) == ("task-7", "1A")
    assert ledger.committed("run", run="run-1") == (dollars("0.50"),)


def test_an_order_that_was_settled_as_never_made_but_accepted_counts(ledger: Ledger, open_ledger: Open) -> None:
    ledger.intend(priced("a"))
    ledger.mark_unknown("a", "no answer")
    other = open_ledger()
    other.mark_never_made(row(other, "a"), "it is not in the list")
    other.intend(priced("a", "0.70"))
    assert not ledger.mark_submitted("a", "task-7", None)
    assert ledger.committed("run", run="run-1") == (dollars("1.20"),)
    assert other.withdraw("a")
    assert (row(ledger, "a").state, row(ledger, "a").task) == (State.SUBMITTED, "task-7"), "it is paid"
    assert ledger.committed("run", run="run-1") == (dollars("0.50"),)


def test_withdrawing_a_repeated_order_restores_the_earlier_one_in_full(ledger: Ledger) -> None:
    ledger.intend(priced("a", scene="1", brief='{"action":"rain"}'))
    ledger.mark_submitted("a", "task-a", None)
    ledger.mark_finished("a", CLIP)
    bought = row(ledger, "a")
    ledger.intend_again(bought, priced("a", "9", slate="2C", scene="2", brief="{}", run="run-2"))
    assert ledger.withdraw("a")
    again = row(ledger, "a")
    assert again.order == bought.order
    assert (again.intended, again.submitted, again.finished) == (bought.intended, bought.submitted, bought.finished)
    assert ledger.committed("shot", film="The Keeper", slate="2C") == ()


def test_of_two_repeated_orders_only_the_withdrawn_one_stops_counting(ledger: Ledger) -> None:
    ledger.intend(priced("a", "0.10"))
    ledger.mark_failed("a", "refused")
    ledger.intend_again(row(ledger, "a"), priced("a", "0.20"))
    ledger.intend_again(row(ledger, "a"), priced("a", "0.40"))
    assert ledger.withdraw("a")
    assert (row(ledger, "a").state, row(ledger, "a").order.price) == (State.FAILED, dollars("0.10"))
    assert ledger.committed("run", run="run-1") == (dollars("0.20"),)


def test_currencies_are_never_compared(ledger: Ledger) -> None:
    ledger.intend(priced("a", yuan("300")))
    assert ledger.intend(priced("b"), at_most("0.50")), "yuan are not counted against dollars"
    with pytest.raises(BudgetExceeded) as over:
        ledger.intend(priced("c", yuan("0.10")), at_most("100"))
    assert "it must be in CNY" in over.value.message and "CNY" in over.value.hint
    assert ledger.committed("run", run="run-1") == (yuan("300"), dollars("0.50"))
    assert ledger.find("c") is None


def test_an_order_that_is_charged_in_another_currency_than_its_price_still_counts(ledger: Ledger) -> None:
    """A price list of one's own may be in another currency than the service's bills."""
    for key in ("a", "b"):
        assert ledger.intend(priced(key, yuan("4")), (Limit(scope="run", most=yuan("10")),))
        ledger.mark_submitted(key, f"task-{key}", dollars("0.60"))
    with pytest.raises(BudgetExceeded):
        ledger.intend(priced("c", yuan("4")), (Limit(scope="run", most=yuan("10")),))
    assert ledger.committed("run", run="run-1") == (yuan("8"), dollars("1.20"))
    assert ledger.spent().charged == (dollars("1.20"),) and ledger.spent().estimated == ()


def test_an_order_without_a_price_is_not_bought_within_a_budget(ledger: Ledger) -> None:
    with pytest.raises(BudgetExceeded) as over:
        ledger.intend(priced("a", None), at_most("100"))
    assert "the price of The Keeper 1A take 1 is not known" in over.value.message
    assert "STORYREEL_PRICES" in over.value.hint
    assert ledger.intend(priced("a", None))
    assert ledger.committed("run", run="run-1") == ()


def test_a_free_order_is_within_every_budget(ledger: Ledger) -> None:
    ledger.intend(priced("a", "5"))
    limits = (*at_most("1"), Limit(scope="month", most=yuan("1")))
    assert ledger.intend(priced("b", "0"), limits)


def test_a_run_must_be_named_to_have_a_budget(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="names no run"):
        ledger.intend(priced("a", run=""), at_most("1"))
    assert ledger.find("a") is None
    ledger.intend(priced("a", run=""))
    assert ledger.committed("run", run="") == ()


def test_the_error_names_all_sums_and_survives_pickling(ledger: Ledger) -> None:
    ledger.intend(priced("a", "1.084"))
    with pytest.raises(BudgetExceeded) as over:
        ledger.intend(priced("b", "0.92"), at_most("2.00"))
    again = pickle.loads(pickle.dumps(over.value))
    message = (
        "The Keeper 1A take 1 would exceed the budget of this run: it costs 0.92 USD, "
        "and of 2.00 USD 1.084 USD are committed already"
    )
    for error in (over.value, again):
        assert error.message == message and str(error) == f"{message}; {error.hint}"
        assert "--budget" in error.hint
        assert (error.limit, error.committed, error.wanted) == (*at_most("2.00"), dollars("1.084"), dollars("0.92"))


@pytest.mark.parametrize("scope", ["run", "shot", "month"])
def test_ten_processes_together_never_exceed_a_budget(url: str, scope: Scope) -> None:
    Ledger(url).close()
    work = [(url, [priced(f"{who}-{turn}", "0.30") for turn in range(3)], at_most("2.00", scope)) for who in range(10)]
    each = together(reserved, work)
    assert sum(map(len, each)) == 6, each
    ledger = Ledger(url)
    assert ledger.committed(scope, film="The Keeper", slate="1A", run="run-1") == (dollars("1.80"),)
    assert {purchase.order.key for purchase in ledger.list()} == {key for keys in each for key in keys}
    ledger.close()
