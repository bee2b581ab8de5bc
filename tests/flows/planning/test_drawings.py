"""A paid take is never made of a drawing of the animatic; a free film is."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from tests.flows.planning.histories import NOTHING

FILM = """
storyboard: 1
title: Two Rooms
defaults: {stills: {provider: animatic}}
cast: {ana: {description: a girl in red boots, sheet: SHEET}}
shots: [{shot: 1A, action: Rain., cast: [ana], SHOT}]
"""


def plan(folder: Path, shot: str, sheet: str = "false", service: str = "dashscope") -> Plan:
    file = folder / "film.yaml"
    file.write_text(FILM.replace("SHEET", sheet).replace("SHOT", shot))
    return make_plan(read(file), NOTHING, service)


@pytest.mark.parametrize(
    ("shot", "sheet", "line", "message"),
    [
        ("still: true", "false", 6, "the clip of 1A would be bought from dashscope with a drawing of the animatic as"),
        ("first_frame: 'https://f.example/a.png', last_still: true", "false", 6, "the animatic as its picture"),
        ("mode: reference-to-video", "true", 5, "a drawing of the animatic as the sheet of `ana`"),
    ],
)
def test_a_paid_clip_is_not_made_of_a_drawing(tmp_path: Path, shot: str, sheet: str, line: int, message: str) -> None:
    with pytest.raises(StoryboardError) as refused:
        plan(tmp_path, shot, sheet)
    (problem,) = refused.value.problems
    assert problem.position.line == line and message in problem.message
    drawn = plan(tmp_path, shot, sheet, service="animatic")
    assert drawn.pictures and all(take.chosen.is_free for take in drawn.takes)


def test_a_clip_to_which_the_sheet_is_not_sent_may_be_bought_beside_it(tmp_path: Path) -> None:
    found = plan(tmp_path, "first_frame: 'https://f.example/a.png', mode: image-to-video", "true")
    (clip,) = found.clips
    assert clip.is_bought and not clip.pictures
