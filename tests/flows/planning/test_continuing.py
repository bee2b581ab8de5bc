"""A shot that goes on from the end of another clip: its key, its price, its frames, and who cannot make it."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.reading import read
from storyreel.tasks.prices.price_list import PriceList
from tests.flows.planning.histories import NOTHING

FILM = """
storyboard: 1
title: Two Rooms
format: {fps: 24}
cast:
  ana: {references: ["https://x.org/ana.png"]}
shots:
  - {shot: 1A, action: Ana enters., duration: 4s}
  - {shot: 1B, action: She sits., continues: CONTINUES, duration: 3s, transition: {type: dissolve, duration: 12f}MORE}
"""


def plan(folder: Path, continues: str, more: str = "", service: str = "dashscope") -> Plan:
    file = folder / "film.yaml"
    file.write_text(FILM.replace("CONTINUES", continues).replace("MORE", more))
    beijing = PriceList.read({"DASHSCOPE_BASE_URL": "https://dashscope.aliyuncs.com"})
    return make_plan(read(file), NOTHING, service, prices=beijing)


def second(folder: Path, continues: str, more: str = "", service: str = "dashscope") -> PlannedTake:
    return next(take for take in plan(folder, continues, more, service).takes if take.shot == "1B")


CLIP = "{shot: 1A, with: clip}"


def test_its_key_holds_the_other_takes_key_and_that_it_is_the_clip(tmp_path: Path) -> None:
    frame, clip = second(tmp_path, "1A"), second(tmp_path, CLIP)
    assert frame.key == second(tmp_path, "{shot: 1A, with: frame}").key != clip.key
    assert clip.request.first_clip and not clip.request.first_frame and not frame.request.first_clip
    assert clip.request.first_clip.digest == f"take:{plan(tmp_path, CLIP).takes[0].key} last 2 s"
    assert clip.request.first_clip.digest in clip.request.canonical() and "first_clip" not in frame.request.canonical()
    assert clip.continues == frame.continues == plan(tmp_path, CLIP).takes[0].identity


def test_the_seconds_before_are_sold_and_paid_and_not_in_the_cut(tmp_path: Path) -> None:
    frame, clip = second(tmp_path, "1A"), second(tmp_path, CLIP)
    assert (frame.request.seconds, clip.request.seconds) == (3, 5)
    assert frame.price and clip.price and clip.price.amount == frame.price.amount / 3 * 5
    assert clip.chosen.price_note == "2 s of the clip that it goes on from included"
    # The dissolve begins 6 frames before the cut, in what the film shows there already.
    assert (frame.edit.first, frame.edit.hold_head) == (0, 6)
    assert (clip.edit.first, clip.edit.hold_head, clip.edit.frames) == (48 - 6, 0, 6 + 72)


def test_the_animatic_draws_both_ways_alike(tmp_path: Path) -> None:
    assert second(tmp_path, "1A", service="animatic") == second(tmp_path, CLIP, service="animatic")


def problem(folder: Path, more: str, service: str) -> Problem:
    with pytest.raises(StoryboardError) as refused:
        plan(folder, CLIP, more, service)
    (only,) = refused.value.problems
    assert only.position.line == 9
    return only


def test_a_service_that_cannot_names_those_that_can(tmp_path: Path) -> None:
    found = problem(tmp_path, "", "aimlapi")
    assert found.message == "aimlapi goes on from no clip in image-to-video"
    assert found.hint == "shoot it with apiyi or dashscope or freepik, or write `with: frame`"
    found = problem(tmp_path, ", cast: [ana]", "dashscope")
    assert found.hint == "write `mode: image-to-video`, which sends no references, or write `with: frame`"
    found = problem(tmp_path, "", "apiyi")
    assert found.message == "apiyi cannot be sent the end of 1A: in image-to-video it takes links only"


def test_more_than_is_sold_counts_with_the_seconds_before(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    file.write_text(FILM.replace("CONTINUES", CLIP).replace("MORE", "").replace("duration: 3s", "duration: 14s"))
    with pytest.raises(StoryboardError, match=r"shot 1B needs 16s, but wan2\.7-i2v makes at most 15s"):
        make_plan(read(file), NOTHING, "dashscope")
