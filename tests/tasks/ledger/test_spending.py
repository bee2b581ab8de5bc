"""Sums by film, scene, service and month: exact, one a currency, charged costs apart from estimates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import create_engine, text

from storyreel.specs.money import Money
from storyreel.tasks.ledger.ledger import Ledger, Order, Spend, State
from tests.tasks.ledger.ordering import CLIP, an_order, dollars, row


def yuan(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="CNY")


def bought(ledger: Ledger, key: str, price: Money | None, cost: Money | None = None, **more: str) -> Order:
    order = an_order(key, **more).model_copy(update={"price": price})
    ledger.intend(order)
    ledger.mark_submitted(key, f"task-{key}", cost)
    ledger.mark_finished(key, CLIP)
    return order


@pytest.fixture
def films(ledger: Ledger) -> Ledger:
    """Two films, of which one has an animatic too."""
    bought(ledger, "a1", dollars("0.50"), dollars("0.65"), film="Keeper", scene="2", slate="2A")
    bought(ledger, "a2", dollars("0.50"), film="Keeper", scene="2", slate="2B")
    bought(ledger, "a3", yuan("3.00"), film="Keeper", scene="10", slate="10A", provider="dashscope")
    bought(ledger, "a4", None, film="Keeper", scene="10", slate="10B", provider="freepik")
    bought(ledger, "a5", dollars("0"), film="Keeper", scene="10", slate="10C", provider="animatic")
    bought(ledger, "b1", dollars("0.084"), film="Boat", scene="1", slate="1A")
    ledger.intend(an_order("b2", film="Boat", scene="1").model_copy(update={"price": dollars("7")}))
    ledger.mark_failed("b2", "moderated")
    return ledger


def test_by_film(films: Ledger) -> None:
    assert films.spent_by("film") == (
        Spend(film="Boat", takes=1, estimated=(dollars("0.084"),)),
        Spend(
            film="Keeper", takes=4, charged=(dollars("0.65"),), estimated=(yuan("3.00"), dollars("0.50")), unpriced=1
        ),
    )  # fmt: skip


def test_by_scene_in_the_order_of_their_numbers(films: Ledger) -> None:
    assert films.spent_by("scene", film="Keeper") == (
        Spend(film="Keeper", scene="2", takes=2, charged=(dollars("0.65"),), estimated=(dollars("0.50"),)),
        Spend(film="Keeper", scene="10", takes=2, estimated=(yuan("3.00"),), unpriced=1),
    )


def test_by_service(films: Ledger) -> None:
    spent = films.spent_by("service")
    assert [(spend.service, spend.takes) for spend in spent] == [("aimlapi", 3), ("dashscope", 1), ("freepik", 1)]
    assert spent[0].charged == (dollars("0.65"),) and spent[0].estimated == (dollars("0.584"),)
    assert spent[2] == Spend(service="freepik", takes=1, unpriced=1)


def test_by_month(films: Ledger, url: str) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        change = "update purchases set intended = '2025-12-31T23:59:59.999999+00:00' where key like 'a%'"
        connection.execute(text(change))
    engine.dispose()
    months = [(spend.month, spend.takes) for spend in films.spent_by("month")]
    assert months == [("2025-12", 4), (f"{films.now():%Y-%m}", 1)]


def test_all_together(films: Ledger) -> None:
    everything = films.spent()
    assert everything == Spend(
        takes=5, charged=(dollars("0.65"),), estimated=(yuan("3.00"), dollars("0.584")), unpriced=1
    )  # fmt: skip
    assert not everything.is_free
    assert films.spent(film="Nobody's") == Spend()
    assert films.spent_by("film", film="Nobody's") == ()


def test_only_orders_that_match_the_filter_are_summed(films: Ledger) -> None:
    assert films.spent(provider="dashscope").estimated == (yuan("3.00"),)
    assert films.spent(slate="1A").estimated == (dollars("0.084"),)
    assert films.spent(key="a1").charged == (dollars("0.65"),)
    assert films.spent(since=datetime.now(UTC) + timedelta(hours=1)) == Spend()
    assert films.spent_by("film", state=State.FAILED) == ()


def test_free_takes_are_counted_if_there_are_no_others(films: Ledger) -> None:
    (free,) = films.spent_by("service", provider="animatic")
    assert (free.takes, free.is_free, free.unpriced) == (1, True, 0)
    assert not any(money.amount for money in (*free.charged, *free.estimated))


def test_a_take_that_was_bought_twice_is_one_take_and_two_costs(films: Ledger) -> None:
    again = row(films, "b1").order.model_copy(update={"price": dollars("0.09"), "scene": "1A"})
    films.intend_again(row(films, "b1"), again)
    films.mark_submitted("b1", "task-9", None)
    assert films.spent(film="Boat") == Spend(takes=1, estimated=(dollars("0.174"),))
    assert [(spend.scene, spend.takes, spend.estimated) for spend in films.spent_by("scene", film="Boat")] == [
        ("1", 1, (dollars("0.084"),)),
        ("1A", 1, (dollars("0.09"),)),
    ], "each order where it was made"


def test_many_small_amounts_add_up_exactly(ledger: Ledger) -> None:
    for number in range(30):
        ledger.intend(an_order(f"k{number}").model_copy(update={"price": dollars("0.100001")}))
    assert ledger.spent().estimated == (dollars("3.00003"),)


def test_what_was_charged_is_compared_with_what_was_quoted_by_service_model_and_currency(films: Ledger) -> None:
    bought(films, "c1", dollars("0.50"), dollars("0.50"), film="Keeper")
    bought(films, "c2", dollars("1.00"), dollars("1.02"), film="Keeper", model="other")
    bought(films, "c3", dollars("1.00"), yuan("7"), film="Keeper", provider="dashscope")
    bought(films, "c4", None, dollars("1"), film="Keeper", provider="freepik")
    bought(films, "c5", dollars("0"), dollars("1"), film="Keeper", provider="freepik")
    films.intend(an_order("c6").model_copy(update={"price": dollars("9")}))
    films.mark_submitted("c6", "task-c6", dollars("9"))
    films.mark_failed("c6", "moderated", is_refunded=True)
    found = {(one.service, one.model): one for one in films.charges()}
    same = found["aimlapi", "wan"]
    assert (same.orders, same.quoted, same.charged, same.difference) == (
        2, dollars("1.00"), dollars("1.15"), Decimal("0.15")
    )  # fmt: skip
    assert {(service, model): one.is_off for (service, model), one in found.items()} == {
        ("aimlapi", "wan"): True,
        ("aimlapi", "other"): False,
        ("dashscope", "wan"): True,
        ("freepik", "wan"): True,
    }
    assert found["dashscope", "wan"].difference is None and found["freepik", "wan"].difference is None
    assert [one.service for one in films.charges(film="Keeper", provider="aimlapi")] == ["aimlapi", "aimlapi"]
    assert films.charges(film="Boat") == ()


@pytest.mark.parametrize(("cost", "is_off"), [("0.98", False), ("1.02", False), ("0.979999", True), ("1.020001", True)])
def test_a_charge_may_differ_by_two_percent(ledger: Ledger, cost: str, is_off: bool) -> None:
    bought(ledger, "a", dollars("1"), dollars(cost))
    (charge,) = ledger.charges()
    assert charge.is_off == is_off


def test_an_earlier_order_of_a_take_is_compared_too(ledger: Ledger) -> None:
    first = bought(ledger, "a", dollars("1"), dollars("2"))
    ledger.give_up(row(ledger, "a"), "its clip is lost")
    assert ledger.intend_again(row(ledger, "a"), first) and ledger.mark_submitted("a", "second", dollars("1"))
    (charge,) = ledger.charges()
    assert (charge.orders, charge.charged) == (1, dollars("1")), "one without a clip says nothing of the price of one"
