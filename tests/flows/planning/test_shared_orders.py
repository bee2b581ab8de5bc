"""Takes with the same request are one order: told, paid and selected once, whatever shots they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.checks.budget import check_budget, fitting_shots, limits_of
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.summary import summarize_purchases
from storyreel.specs.language.models import Budget
from storyreel.specs.money import Money, parse_money
from storyreel.tasks.ledger.budget import BudgetExceeded
from tests.flows.planning.histories import plan_of

FILM = """\
storyboard: 1
title: Rooms
defaults: {provider: apiyi, duration: 5s}
shots:
  - {shot: 1A, action: The sea.}
  - {shot: 1B, action: A gull.}
  - {shot: 1C, action: The sea.}
  - {shot: 1D, action: It lands., continues: 1C}
"""
A_TAKE = parse_money("0.42 USD")


def nothing(scope: str, **of: str) -> tuple[Money, ...]:
    return ()


def shares(plan: Plan) -> dict[str, str]:
    return {take.shot: take.bought_with for take in plan.takes if take.bought_with}


def test_an_order_for_two_shots_is_told_and_counted_once(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM)
    assert shares(plan) == {"1C": "1A take 1"}
    assert [take.shot for take in plan.bought] == ["1A", "1B", "1D"]
    assert plan.totals == (parse_money("1.26 USD"),)
    assert summarize_purchases(plan.bought) == "3 takes from apiyi for 1.26 USD"
    assert [row.get("bought_with") for row in plan.as_json()["shots"]] == [None, None, "1A take 1", None]


def test_a_budget_holds_it_against_its_first_shot(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM)
    check_budget(plan, limits_of(Budget(per_run=parse_money("1.26 USD"), per_shot=A_TAKE)), nothing)
    with pytest.raises(BudgetExceeded, match="with 1D it would be exceeded"):
        check_budget(plan, limits_of(None, parse_money("1.25 USD")), nothing)
    assert fitting_shots(plan, limits_of(None, A_TAKE), nothing) == ("1A", "1C")


@pytest.mark.parametrize("selected", ["1A", "1C"])
def test_a_selection_has_all_shots_that_its_orders_are_for(tmp_path: Path, selected: str) -> None:
    plan = plan_of(tmp_path, FILM, selection=[selected])
    assert [take.shot for take in plan.takes if not take.is_stand_in] == ["1A", "1C"]
    assert plan.totals == (A_TAKE,)


def test_what_continues_a_shared_take_is_the_same_request_when_it_is_selected(tmp_path: Path) -> None:
    def last(*selection: str) -> str:
        return next(take.key for take in plan_of(tmp_path, FILM, selection=selection).takes if take.shot == "1D")

    assert last() == last("1D") == last("1A+")


def test_what_waits_for_the_same_still_is_told_once(tmp_path: Path) -> None:
    film = """\
storyboard: 1
title: Rooms
defaults: {provider: dashscope, duration: 2s, still: true}
shots:
  - {shot: 1A, action: The sea., review: {still: required}}
  - {shot: 1B, action: The sea.}
"""
    plan = plan_of(tmp_path, film)
    assert [take.shot for take in plan.bought] == ["1A@still"]
    assert [take.shot for take in plan.waiting] == ["1A"]
    assert shares(plan) == {"1B@still": "1A@still take 1", "1B": "1A take 1"}
