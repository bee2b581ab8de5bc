"""Shooting a part of a film: what is meant, what it needs, and what stands in for the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.history import History
from storyreel.flows.planning.selection import NothingSelected
from storyreel.tasks.ledger.ledger import State
from tests.flows.planning.histories import NOTHING, history_with, plan_of

FILM = """\
storyboard: 1
title: Rooms
defaults: {provider: apiyi, duration: 4s}
scenes:
  - scene: 1
    shots:
      - {shot: 1A, action: One.}
      - {shot: 1B, action: Two., continues: 1A}
      - {shot: 1C, action: Three., continues: 1B}
  - scene: 2
    shots:
      - {shot: 2A, action: Four., takes: 2}
      - {shot: 2B, action: Five.}
"""


def shot(folder: Path, *terms: str, history: History = NOTHING, film: str = FILM) -> set[str]:
    """The shots that the services make when these are selected."""
    plan = plan_of(folder, film, history, selection=terms)
    assert [take.shot for take in plan.circled] == ["1A", "1B", "1C", "2A", "2B"], "the film plays at full length"
    assert all(take.request.provider == "animatic" for take in plan.takes if take.is_stand_in)
    return {take.shot for take in plan.takes if not take.is_stand_in}


@pytest.mark.parametrize(
    ("terms", "made"),
    [
        (["1A"], {"1A"}),
        (["2B,1A"], {"1A", "2B"}),
        (["2B", "1A"], {"1A", "2B"}),
        (["1A+"], {"1A", "1B", "1C"}),
        (["scene:2"], {"2A", "2B"}),
        (["scene:2", "1A"], {"1A", "2A", "2B"}),
        (["state:new"], {"1A", "1B", "1C", "2A", "2B"}),
        (["state:cached"], set()),
        (["changed"], set()),
    ],
)
def test_a_selection_selects_these_shots(tmp_path: Path, terms: list[str], made: set[str]) -> None:
    assert shot(tmp_path, *terms) == made


def test_the_shots_that_a_selected_shot_continues_are_made_too(tmp_path: Path) -> None:
    assert shot(tmp_path, "1C") == {"1A", "1B", "1C"}


def test_a_cached_shot_is_used_and_the_shots_before_it_are_not_made(tmp_path: Path) -> None:
    there = history_with(plan_of(tmp_path, FILM), ("1B", State.FINISHED))
    assert shot(tmp_path, "1C", history=there) == {"1B", "1C"}
    plan = plan_of(tmp_path, FILM, there, selection=["1C"])
    assert [take.shot for take in plan.bought] == ["1C"]


def test_an_order_under_way_is_resumed_though_not_selected(tmp_path: Path) -> None:
    ordered = history_with(plan_of(tmp_path, FILM), ("2B", State.SUBMITTED))
    assert shot(tmp_path, "1A", history=ordered) == {"1A", "2B"}


def test_changed_selects_shots_that_were_bought_in_another_form(tmp_path: Path) -> None:
    before = history_with(plan_of(tmp_path, FILM), ("1A", State.FINISHED), ("2B", State.FINISHED))
    assert shot(tmp_path, "changed", history=before, film=FILM.replace("Five.", "Six.")) == {"1A", "2B"}


def test_an_unselected_shot_shows_its_cached_take(tmp_path: Path) -> None:
    before = history_with(plan_of(tmp_path, FILM.replace(", takes: 2", "")), ("2A", State.FINISHED))
    plan = plan_of(tmp_path, FILM, before, selection=["1A"])
    (shown,) = (take for take in plan.takes if take.shot == "2A")
    assert (shown.take, shown.circled, shown.is_stand_in) == (1, True, False)


def test_all_takes_of_a_selected_shot_are_made(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM, selection=["2A"])
    assert [(take.shot, take.take) for take in plan.bought] == [("2A", 1), ("2A", 2)]
    assert plan.stand_ins == 4


def test_an_unselected_unknown_does_not_stop_the_others(tmp_path: Path) -> None:
    before = history_with(plan_of(tmp_path, FILM), ("2B", State.UNKNOWN))
    assert shot(tmp_path, "1A", history=before) == {"1A"}


@pytest.mark.parametrize(
    ("term", "told"),
    [
        ("1AA", "there is no shot `1AA`; did you mean `1A`?"),
        ("Z", "there is no shot `Z`; write a shot, `1A+`"),
        ("scene:3", "there is no scene `3`"),
        ("state:fresh", "there is no state `fresh`"),
        ("", "there is no shot ``"),
    ],
)
def test_a_term_that_matches_nothing_is_an_error_with_a_suggestion(tmp_path: Path, term: str, told: str) -> None:
    with pytest.raises(NothingSelected) as refused:
        plan_of(tmp_path, FILM, selection=[term])
    assert told in str(refused.value)
