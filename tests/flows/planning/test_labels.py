"""Which takes of a film have its label, and what a label leaves as it was."""

from __future__ import annotations

from pathlib import Path

from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.saved import differences, load_plan, save_plan
from tests.flows.planning.histories import plan_of

FILM = """\
storyboard: 1
title: Rooms
defaults: {provider: apiyi}
shots:
  - {shot: 1A, action: One., takes: 2}
  - {shot: 1B, action: Two., providers: [apiyi, animatic]}
  - {shot: 1C, action: Three., provider: animatic}
  - {card: The end}
"""
LABEL = "label: AI generated\n"
ALL = "label: {visible: AI generated, on: all}\n"


def labelled(plan: Plan) -> dict[str, list[str | None]]:
    """The services by whose clips a shot is labelled."""
    found: dict[str, list[str | None]] = {}
    for take in plan.takes:
        ways = [way.request.provider for way in take.candidates if take.label_of(way)]
        found.setdefault(take.shot, []).extend(ways)
    return found


def test_shots_that_a_model_made_have_it_and_with_all_drawn_ones_too_but_no_card(tmp_path: Path) -> None:
    assert not any(labelled(plan_of(tmp_path, FILM)).values())
    of_models = {"1A": ["apiyi", "apiyi"], "1B": ["apiyi"], "1C": [], "card-1": []}
    assert labelled(plan_of(tmp_path, FILM + LABEL)) == of_models, "a fallback that draws has none"
    drawn = {"1B": ["apiyi", "animatic"], "1C": ["animatic"]}
    assert labelled(plan_of(tmp_path, FILM + ALL)) == of_models | drawn
    chosen = plan_of(tmp_path, FILM + LABEL, selection=["1A"])
    assert labelled(chosen) == {"1A": ["apiyi", "apiyi"], "1B": [], "1C": [], "card-1": []}


def test_no_take_changes_and_a_saved_plan_tells_it(tmp_path: Path) -> None:
    before = plan_of(tmp_path, FILM)
    save_plan(before, tmp_path / "plan.json", RunRequest(storyboard=tmp_path / "film.yaml"))
    after = plan_of(tmp_path, FILM + LABEL)
    assert [take.key for take in before.takes] == [take.key for take in after.takes]
    assert differences(load_plan(tmp_path / "plan.json"), after) == ["the label changed"]
    assert differences(load_plan(tmp_path / "plan.json"), plan_of(tmp_path, FILM)) == []


def test_words_over_the_label_are_told(tmp_path: Path) -> None:
    words = "titles: [{caption: The harbour, to: 3s, place: top left}]\nsubtitles: burn_in\n"
    high = LABEL.replace("AI generated", "{visible: AI generated, corner: top left}")
    told = [warning for warning in plan_of(tmp_path, FILM + high + words).warnings if "label" in warning]
    assert told == ["“The harbour” would be over the label: write another `corner` for it"]
    assert not [warning for warning in plan_of(tmp_path, FILM + LABEL + words).warnings if "label" in warning]
