"""A budget is held against a plan before anything is bought, and what fits is named."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.flows.planning.checks.budget import check_budget, fitting_shots, limits_of, unaffordable, uncounted
from storyreel.specs.language.models import Budget
from storyreel.specs.money import Money, parse_money
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.budget import BudgetExceeded, Limit, Scope
from storyreel.tasks.ledger.ledger import Order
from tests.flows.planning.histories import plan_of
from tests.properties import one_in

FILM = """\
storyboard: 1
title: Rooms
defaults: {provider: apiyi, duration: 5s}
shots:
  - {shot: 1A, action: One.}
  - {shot: 1B, action: Two., continues: 1A, takes: 3}
  - {shot: 1C, action: Three.}
"""
A_TAKE = Decimal("0.42")
"""5 s at 0.084 USD a second."""


def nothing(scope: str, **of: str) -> tuple[Money, ...]:
    return ()


def per_run(amount: str) -> tuple[Limit, ...]:
    return limits_of(None, parse_money(amount))


def test_a_plan_that_fits_to_the_cent_passes(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM)
    assert plan.totals == (Money(amount=5 * A_TAKE, currency="USD"),)
    check_budget(plan, per_run("2.10 USD"), nothing)


def test_a_cent_too_little_is_an_error_that_names_the_shots_that_fit(tmp_path: Path) -> None:
    with pytest.raises(BudgetExceeded) as stopped:
        check_budget(plan_of(tmp_path, FILM), per_run("2.09 USD"), nothing)
    assert stopped.value.fits == ("1A", "1B")
    assert "the budget is 2.09 USD for a run, and with 1C it would be exceeded" in str(stopped.value)
    assert "nothing was bought" in str(stopped.value)


def test_a_shot_fits_only_with_what_it_continues(tmp_path: Path) -> None:
    film = FILM.replace("continues: 1A, takes: 3", "continues: 1A").replace("action: One.", "action: One., takes: 4")
    assert fitting_shots(plan_of(tmp_path, film), per_run("1.00 USD"), nothing) == ("1C",)


def test_each_shot_has_its_own_limit(tmp_path: Path) -> None:
    limits = limits_of(Budget(per_shot=parse_money("1 USD")))
    with pytest.raises(BudgetExceeded) as stopped:
        check_budget(plan_of(tmp_path, FILM), limits, nothing)
    assert stopped.value.fits == ("1A", "1C")
    assert "for a shot (1B)" in str(stopped.value)


def test_each_budget_that_would_be_exceeded_is_named(tmp_path: Path) -> None:
    """An approval of a higher amount for a run lifts all limits, so the question must name them."""
    amounts = {"per_run": "2 USD", "per_shot": "5 USD", "per_month": "1 USD"}
    limits = limits_of(Budget(**{name: parse_money(amount) for name, amount in amounts.items()}))
    with pytest.raises(BudgetExceeded) as stopped:
        check_budget(plan_of(tmp_path, FILM), limits, nothing)
    assert "2.00 USD for a run, and" in str(stopped.value) and "1.00 USD for a month, and" in str(stopped.value)
    assert "a shot" not in str(stopped.value)


def test_what_was_bought_before_counts_in_the_month(tmp_path: Path) -> None:
    limits = limits_of(Budget(per_month=parse_money("100 USD")))

    def spent(scope: str, *, film: str, slate: str, run: str) -> tuple[Money, ...]:
        assert (scope, film) == ("month", "Rooms")
        return (Money(amount=Decimal("99.00"), currency="USD"), Money(amount=Decimal(500), currency="CNY"))

    with pytest.raises(BudgetExceeded) as stopped:
        check_budget(plan_of(tmp_path, FILM), limits, spent)
    assert stopped.value.fits == ("1A", "1C")


def test_an_unknown_price_fits_no_budget(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM, provider="freepik")
    with pytest.raises(BudgetExceeded, match="price of 1A from freepik is not known"):
        check_budget(plan, per_run("1000 USD"), nothing)
    check_budget(plan, (), nothing)


@pytest.mark.parametrize(
    ("scope", "number"),
    [("month", 1), ("shot", 1), ("run", 0)],
)
def test_an_earlier_order_that_a_budget_cannot_count_is_told(
    tmp_path: Path, home: Path, scope: Scope, number: int
) -> None:
    plan = plan_of(tmp_path, FILM)
    for slate, price in (("1A", None), ("1A", Money(amount=Decimal(1), currency="USD")), ("9Z", None)):
        with closing(Home.of().ledger()) as ledger:
            film = plan.title if slate == "1A" or scope == "shot" else "Another"
            key = f"{slate}{price}"
            ledger.intend(Order(key=key, provider="freepik", model="w", request="{}", film=film, slate=slate, take=1,
                                price=price))  # fmt: skip
            limit = Limit(scope=scope, most=Money(amount=Decimal(20), currency="USD"))
            warnings = uncounted(plan, [limit], ledger.unpriced)
    assert len(warnings) == number
    assert all("20.00 USD" in warning and "1 earlier order whose cost is unknown" in warning for warning in warnings)


def test_amounts_of_two_currencies_are_never_compared(tmp_path: Path) -> None:
    with pytest.raises(BudgetExceeded, match="apiyi is paid in USD, and the budget is in CNY"):
        check_budget(plan_of(tmp_path, FILM), per_run("1000 CNY"), nothing)


def test_what_is_free_needs_no_budget(tmp_path: Path) -> None:
    check_budget(plan_of(tmp_path, FILM, provider="animatic"), per_run("0 USD"), nothing)


def test_the_budget_of_the_command_line_replaces_that_of_the_storyboard(tmp_path: Path) -> None:
    budget = Budget(per_run=parse_money("1 USD"), per_shot=parse_money("2 USD"))
    limits = limits_of(budget, parse_money("9 USD"))
    assert {(limit.scope, limit.most.amount) for limit in limits} == {("run", 9), ("shot", 2)}


@one_in(5)
@given(
    shots=st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["On.", "Up."])), min_size=1, max_size=6),
    most=st.integers(0, 900),
)
def test_the_fitting_shots_fit_and_no_other_shot_would(
    tmp_path_factory: pytest.TempPathFactory, shots: list[tuple[int, str]], most: int
) -> None:
    lines = "\n".join(f"  - {{shot: S{n}, action: {on}, takes: {takes}}}" for n, (takes, on) in enumerate(shots))
    film = f"storyboard: 1\ntitle: T\ndefaults: {{provider: apiyi}}\nshots:\n{lines}"
    folder = tmp_path_factory.mktemp("film")
    plan = plan_of(folder, film)
    amount = Decimal(most) / 100
    fits = fitting_shots(plan, limits_of(None, Money(amount=amount, currency="USD")), nothing)

    def price(*more: str) -> Decimal:
        """The price of these shots together: takes with the same request count once."""
        prices = {take.key: take.price.amount for take in plan.takes if take.shot in (*fits, *more) and take.price}
        return sum(prices.values(), Decimal(0))

    assert price() <= amount
    assert all(price(take.shot) > amount for take in plan.takes if take.shot not in fits)
    if fits:
        assert plan_of(folder, film, selection=fits).totals == (Money(amount=price(), currency="USD"),)


def test_a_clip_that_waits_for_its_still_and_will_not_fit_is_told_before_the_still_is_bought(tmp_path: Path) -> None:
    film = """\
storyboard: 1
title: Rooms
defaults: {provider: dashscope, duration: 2s, still: true, review: {still: required}}
shots:
  - {shot: 1A, action: One.}
  - {shot: 1B, action: Two.}
"""
    plan = plan_of(tmp_path, film)
    still, clip = plan.takes[0].price, plan.takes[1].price
    assert still and clip and len(plan.bought) == len(plan.waiting) == 2

    def told(budget: str, amount: Decimal) -> list[str]:
        limits = limits_of(Budget.model_validate({budget: f"{amount} CNY"}))
        check_budget(plan, limits, nothing)
        return unaffordable(plan, limits, nothing)

    for budget, fits, named in (
        ("per_shot", still.amount + clip.amount, "for a shot (1A), and with 1A it"),
        ("per_run", 2 * clip.amount, "for a run, and with 1B it"),
        ("per_month", 2 * (still.amount + clip.amount), "for a month, and with 1B it"),
    ):
        assert told(budget, fits) == []
        (warning,) = told(budget, fits - Decimal("0.01"))
        assert warning.startswith("once the stills are approved, the budget is") and named in warning
