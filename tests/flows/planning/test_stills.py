"""Stills and sheets in a plan: takes of their own, made and approved before what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.storyboard import Mode
from storyreel.tasks.ledger.ledger import Ledger, NewVerdict, State, Word
from tests.flows.planning.histories import history_of, plan_of, rows_of

FILM = """\
storyboard: 1
title: The Keeper
look: {prompt: 35mm film}
cast: {mira: {description: woman in her sixties, sheet: true}, tom: {description: a boy}}
defaults: {provider: dashscope, duration: 2s, stills: {model: wan2.7-image}}
shots:
  - {shot: 1A, action: Mira climbs., cast: [mira], still: true}
  - {shot: 1B, action: She waits., cast: [mira], continues: 1A}
  - {shot: 1C, action: Tom runs., cast: [tom], still: {takes: 2}, last_still: The empty stair}
"""
REVIEWED = FILM.replace("duration: 2s", "duration: 2s, review: {still: required}")
ALL = ["mira@sheet", "1A@still", "1A", "1B", "1C@still", "1C@still", "1C@last-still", "1C"]


def take_of(plan: Plan, slate: str, number: int = 1) -> PlannedTake:
    return next(take for take in plan.takes if (take.shot, take.take) == (slate, number))


def states(plan: Plan) -> dict[str, str]:
    return {take.shot: take.state for take in plan.takes}


def test_pictures_are_takes_that_stand_before_what_is_made_of_them(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM)
    assert [take.shot for take in plan.takes] == ALL
    assert [take.kind for take in plan.pictures] == ["sheet", "still", "still", "still", "last still"]
    sheet, still, last = (take_of(plan, slate) for slate in ("mira@sheet", "1A@still", "1C@last-still"))
    chosen = take_of(plan, "1C@still", 2)
    assert still.needs == (sheet.identity,)
    assert take_of(plan, "1A").needs == (still.identity,)
    assert take_of(plan, "1B").needs == (sheet.identity, take_of(plan, "1A").identity)
    assert take_of(plan, "1C").needs == (chosen.identity, last.identity), (
        "the last take of a still, unless one is circled"
    )
    assert [take.circled for take in plan.takes if take.shot == "1C@still"] == [False, True]
    assert [take.shot for take in plan.circled] == ["1A", "1B", "1C"], "pictures are in no cut"


def test_a_picture_is_asked_of_a_model_for_pictures_and_a_clip_begins_with_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM)
    still, clip = take_of(plan, "1A@still").request, take_of(plan, "1A").request
    assert (still.mode, still.model, still.seconds) == (Mode.STILL, "wan2.7-image", 0)
    assert (still.width, still.height) == (1920, 1080)
    assert "image 1 is Mira, a woman in her sixties" in still.prompt and "35mm film" in still.prompt
    assert clip.mode is Mode.IMAGE and clip.first_frame and clip.first_frame.digest.startswith("still:")
    assert take_of(plan, "1C@last-still").request.prompt.count("The empty stair") == 1
    sheet = take_of(plan, "mira@sheet").request
    assert "Mira" not in sheet.prompt, "films that describe somebody alike have one sheet, whatever her name"


def test_every_film_that_describes_somebody_alike_has_the_same_sheet(tmp_path: Path) -> None:
    other = FILM.replace("The Keeper", "Another").replace("mira:", "ada:").replace("[mira]", "[ada]")
    other = other.replace("look:", "format: {aspect_ratio: 9:16, resolution: 1080p}\nlook:")
    assert take_of(plan_of(tmp_path, FILM), "mira@sheet").key == take_of(plan_of(tmp_path, other), "ada@sheet").key


def test_a_changed_description_makes_the_sheet_its_stills_and_their_clips_stale(tmp_path: Path) -> None:
    bought = history_of(rows_of(plan_of(tmp_path, FILM), *((slate, State.FINISHED) for slate in ALL)))
    same = plan_of(tmp_path, FILM, bought)
    assert set(states(same).values()) == {"cached"}
    assert take_of(same, "mira@sheet").reason == "made before, the picture is in the store"
    changed = plan_of(tmp_path, FILM.replace("woman in her sixties", "woman of forty"), bought)
    reasons = {take.shot: take.reason for take in changed.takes if take.state == "new"}
    assert reasons == {
        "mira@sheet": "changed: description of mira",
        "1A@still": "changed: description of mira, sheet of mira",
        "1A": "changed: description of mira, still",
        "1B": "changed: description of mira, 1A, which it continues, sheet of mira",
    }


def test_another_still_makes_its_clip_stale_and_nothing_else(tmp_path: Path) -> None:
    bought = history_of(rows_of(plan_of(tmp_path, FILM), *((slate, State.FINISHED) for slate in ALL)))
    plan = plan_of(tmp_path, FILM.replace("still: true}", "still: Her boots}"), bought)
    reasons = {take.shot: take.reason for take in plan.takes if take.state == "new"}
    assert reasons == {
        "1A@still": "changed: still, action",
        "1A": "changed: still",
        "1B": "changed: 1A, which it continues",
    }


def test_a_clip_waits_for_the_approval_of_its_still_and_is_not_bought_before(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, REVIEWED)
    assert {take.shot: take.waits_for for take in plan.clips} == {
        "1A": ("1A@still",),
        "1B": ("1A@still",),
        "1C": ("1C@still", "1C@last-still"),
    }
    assert {take.kind for take in plan.bought} == {"sheet", "still", "last still"}
    assert [take.shot for take in plan.waiting] == ["1A", "1B", "1C"]
    form = plan.as_json()
    assert form["pictures"]["total"] == form["total"] and form["waiting"]["total"]["amount"] == "3.6"


def test_a_clip_that_was_bought_waits_for_nothing(tmp_path: Path) -> None:
    bought = history_of(rows_of(plan_of(tmp_path, FILM), *((slate, State.FINISHED) for slate in ALL)))
    assert not plan_of(tmp_path, REVIEWED, bought).waiting


def test_what_is_drawn_waits_for_nothing_and_nothing_is_bought(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, REVIEWED, provider="animatic")
    assert [take.shot for take in plan.takes] == ALL
    assert not plan.waiting and not plan.bought and not plan.unapproved


def test_the_animatic_moves_over_stills_that_were_bought(tmp_path: Path) -> None:
    film = plan_of(tmp_path, FILM)
    bought = history_of(rows_of(film, ("1A@still", State.FINISHED)))
    drawn = plan_of(tmp_path, FILM, bought, provider="animatic")
    assert take_of(drawn, "1A@still").key == take_of(film, "1A@still").key
    assert take_of(drawn, "1A").needs == (take_of(film, "1A@still").identity,)
    assert take_of(drawn, "1C@still").request.provider == "animatic"
    assert not drawn.bought


def test_stills_alone_can_be_selected_and_the_animatic_moves_over_them(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, REVIEWED, selection=["stills"])
    assert {take.kind for take in plan.bought} == {"sheet", "still", "last still"}
    assert all(take.is_stand_in and take.request.provider == "animatic" for take in plan.clips)
    assert take_of(plan, "1A").needs == (take_of(plan, "1A@still").identity,)
    assert not plan.waiting


def test_a_selected_clip_brings_the_pictures_that_it_is_made_of(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM, selection=["1A"])
    assert {take.shot for take in plan.bought} == {"mira@sheet", "1A@still", "1A"}
    assert take_of(plan, "1C").is_stand_in and not take_of(plan, "1C").pictures


def test_a_draft_has_the_stills_of_its_film(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FILM.replace("look:", "format: {resolution: 1080p}\ndraft: {resolution: 720p}\nlook:"))
    assert plan.other
    for slate in ("mira@sheet", "1A@still", "1C@last-still"):
        assert take_of(plan, slate).key == take_of(plan.other, slate).key
    assert take_of(plan, "1A").key != take_of(plan.other, "1A").key
    assert not plan.warnings, "that they are the same in both is no mistake"


def test_each_of_two_shots_with_the_same_still_names_its_own(tmp_path: Path) -> None:
    same = REVIEWED.replace(
        "action: Tom runs., cast: [tom], still: {takes: 2}", "action: Mira climbs., cast: [mira], still: true"
    )
    waits = {take.shot: take.waits_for for take in plan_of(tmp_path, same).clips}
    assert waits == {"1A": ("1A@still",), "1B": ("1A@still",), "1C": ("1C@still", "1C@last-still")}


def test_a_model_that_makes_no_pictures_is_told_with_those_of_its_service_that_do(tmp_path: Path) -> None:
    for model, what in (("wan2.7-i2v", "makes no pictures with"), ("happyhorse", "has no model")):
        with pytest.raises(StoryboardError) as refused:
            plan_of(tmp_path, FILM.replace("model: wan2.7-image", f"model: {model}"))
        assert f"dashscope {what} `{model}`" in str(refused.value)
        assert "wan2.7-image" in str(refused.value).split(model)[1]


def test_the_approved_take_of_a_still_is_the_one_that_the_clip_begins_with(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "film.yaml").write_text(REVIEWED)
    planner = Planner.of(RunRequest(storyboard=tmp_path / "film.yaml"))
    first, last = (take_of(planner.plan(), slate) for slate in ("1C@still", "1C@last-still"))
    assert take_of(planner.plan(), "1C").needs == (take_of(planner.plan(), "1C@still", 2).identity, last.identity)
    for take in (first, last):
        named = {"film": "The Keeper", "slate": take.shot, "take": take.take}
        ledger.add_verdicts([NewVerdict(key=take.key, word=Word.APPROVED, **named)])
    after = planner.plan()
    assert take_of(after, "1C").needs == (first.identity, last.identity)
    assert not take_of(after, "1C").waits_for and take_of(after, "1A").waits_for == ("1A@still",)


def test_a_retake_of_a_still_with_other_words_asks_for_another_picture(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "film.yaml").write_text(REVIEWED)
    planner = Planner.of(RunRequest(storyboard=tmp_path / "film.yaml"))
    still = take_of(planner.plan(), "1A@still")
    named = {"film": "The Keeper", "slate": "1A@still", "take": 1, "action": "Mira from behind."}
    ledger.add_verdicts([NewVerdict(key=still.key, word=Word.RETAKE, **named)])
    again = take_of(planner.plan(), "1A@still")
    assert "Mira from behind." in again.request.prompt and "climbs" not in again.request.prompt
    assert take_of(planner.plan(), "1A").needs == (again.identity,)
    assert "climbs" in take_of(planner.plan(), "1A").request.prompt, "the words of the clip stay"
