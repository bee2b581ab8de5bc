"""Drafts: other takes than the film's, with its seeds, beside it in the plan; and what the verdicts on them select."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.selection import NothingSelected
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.tasks.ledger.ledger import Ledger, NewVerdict, State, Word
from tests.flows.planning.histories import NOTHING, PRICES, history_of, rows_of

FILM = """\
storyboard: 1
title: The Keeper
format: {resolution: 1080p}
draft: {resolution: 720p}
defaults: {provider: apiyi, duration: 2s}
shots:
  - {shot: 1A, action: She climbs., takes: 2}
  - {shot: 1B, action: She waits., continues: 1A, seed: 7}
  - {shot: 1C, action: Black., provider: animatic}
"""


def plan_at(file: Path, *select: str, draft: bool = False) -> Plan:
    return Planner.of(RunRequest(storyboard=file, selection=select, draft=draft)).plan()


def take_of(plan: Plan, shot: str, number: int = 1) -> PlannedTake:
    return next(take for take in plan.takes if (take.shot, take.take) == (shot, number))


def say(ledger: Ledger, take: PlannedTake, word: Word, action: str = "") -> None:
    named = {"film": "The Keeper", "slate": take.shot, "take": take.take}
    ledger.add_verdicts([NewVerdict(key=take.key, word=word, action=action, **named)])


def bought(plan: Plan) -> list[tuple[str, int]]:
    return [(take.shot, take.take) for take in plan.bought]


def test_a_draft_has_the_seeds_of_its_film_and_keys_of_its_own(file: Path) -> None:
    film, draft = plan_at(file), plan_at(file, draft=True)
    assert (film.is_draft, draft.is_draft) == (False, True)
    assert not {take.key for take in film.takes} & {take.key for take in draft.takes}
    for take in draft.takes:
        assert (take.request.resolution == "720p" and take.request.board is not None) or (
            take.request.seed == take_of(film, take.shot, take.take).request.seed
        )
    assert take_of(draft, "1B").continues == take_of(draft, "1A", 2).identity


def test_a_film_whose_draft_is_written_or_changed_keeps_the_keys_of_its_takes(file: Path) -> None:
    keys = [take.key for take in plan_at(file).takes]
    for draft in ("", "draft: {provider: dashscope}\n"):
        file.write_text(FILM.replace("draft: {resolution: 720p}\n", draft))
        assert [take.key for take in plan_at(file).takes] == keys


def test_the_plan_has_both_prices_side_by_side(file: Path) -> None:
    for draft, name in ((False, "draft"), (True, "film")):
        plan, beside = plan_at(file, draft=draft), plan_at(file, draft=not draft)
        told = plan.as_json()
        assert plan.totals and plan.totals != beside.totals
        assert told[name]["totals"] == beside.as_json()["totals"]
        assert [shot[name]["price"] for shot in told["shots"]] == [shot["price"] for shot in beside.as_json()["shots"]]
        assert [shot[name]["key"] for shot in told["shots"]] == [take.key for take in beside.takes]


def test_an_approved_draft_selects_its_final_and_approves_nothing_else(file: Path, ledger: Ledger) -> None:
    with pytest.raises(NothingSelected, match="no draft of the film's takes is approved"):
        plan_at(file, "draft:approved")
    say(ledger, take_of(plan_at(file, draft=True), "1A"), Word.APPROVED)
    film = plan_at(file)
    assert [take.review for take in film.takes] == [None] * 4 and film.other
    assert [take.review for take in film.other.takes] == ["approved", "todo", "todo", None]
    assert bought(plan_at(file, "draft:approved")) == [("1A", 1)]
    (note,) = film.warnings
    # The shot that continues 1A would begin with another take.
    assert note.endswith(f"next: storyreel retake {file} 1A --circle 1")

    say(ledger, take_of(film, "1B"), Word.APPROVED)
    assert take_of(plan_at(file, draft=True), "1B").review == "todo", "nor is a draft approved by its film"
    with pytest.raises(NothingSelected, match="`draft:approved` is for the finals"):
        plan_at(file, "draft:approved", draft=True)


@pytest.mark.parametrize("action", ["", "She falls."])
def test_an_approved_draft_that_the_film_has_no_take_for_is_told(file: Path, ledger: Ledger, action: str) -> None:
    file.write_text(FILM.replace(", takes: 2", ""))
    say(ledger, take_of(plan_at(file, draft=True), "1A"), Word.RETAKE, action)
    again = plan_at(file, draft=True)
    say(ledger, take_of(again, "1A", 1 if action else 2), Word.APPROVED)
    (note,) = plan_at(file).warnings
    assert ("--action 'She falls.'" if action else "--takes 1") in note
    with pytest.raises(NothingSelected):
        plan_at(file, "draft:approved")
    # What the note says gives the approved draft its final.
    file.write_text(file.read_text().replace("She climbs.", action) if action else FILM)
    assert bought(plan_at(file, "draft:approved")) == [("1A", 1 if action else 2)]
    assert bought(plan_at(file, draft=True)) == bought(again)


def test_a_draft_that_no_service_can_make_is_a_problem_of_the_draft_alone(file: Path) -> None:
    file.write_text(FILM.replace("draft: {resolution: 720p}", "draft: {model: wan9}"))
    with pytest.raises(StoryboardError, match=r"film.yaml:4:16: in the draft: apiyi has no model `wan9`"):
        plan_at(file, draft=True)
    film = plan_at(file)
    assert film.other is None and film.bought and "the draft cannot be made" in film.warnings[0]
    with pytest.raises(StoryboardError):
        plan_at(file, "draft:approved")


def test_a_draft_that_asks_for_the_same_as_the_film_is_refused_and_for_some_shots_told(file: Path) -> None:
    same = FILM.replace("draft: {resolution: 720p}", "draft: {provider: apiyi}")
    file.write_text(same)
    with pytest.raises(StoryboardError, match="4:8: the draft asks the services for the same as the film"):
        plan_at(file, draft=True)
    file.write_text(same.replace("seed: 7", "seed: 7, provider: dashscope"))
    assert any("1A is made as in the film, and is bought once for both" in note for note in plan_at(file).warnings)


def test_what_has_changed_is_told_by_the_last_draft_of_a_draft_and_the_last_final_of_a_final(file: Path) -> None:
    film = read(file)
    draft = make_plan(film, NOTHING, prices=PRICES, draft=True)
    file.write_text(FILM.replace("climbs", "falls"))
    past = history_of(rows_of(draft, ("1A", State.FINISHED)))
    changed = read(file)
    assert take_of(make_plan(changed, past, prices=PRICES, draft=True), "1A").reason == "changed: action"
    assert take_of(make_plan(changed, past, prices=PRICES), "1A").reason == "never made before"


def test_a_shot_that_goes_on_from_a_clip_has_one_price_and_one_draft_in_both_plans(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    with_clip = FILM.replace("continues: 1A, seed: 7", "continues: {shot: 1A, with: clip}")
    file.write_text(with_clip.replace("provider: apiyi", "provider: dashscope"))
    film, draft = plan_at(file), plan_at(file, draft=True)
    assert film.other and draft.other
    assert [take.key for take in draft.other.takes] == [take.key for take in film.takes]
    assert [take.key for take in film.other.takes] == [take.key for take in draft.takes]
    goes_on = take_of(film, "1B")
    assert goes_on.request.first_clip and goes_on.request.seconds == 4
    begins = take_of(draft, "1B")
    assert begins.request.first_frame and begins.request.seconds == 2
    assert begins.request.seed == goes_on.request.seed, "a draft has the seeds of its film"
