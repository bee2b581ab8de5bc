"""The draft of a storyboard, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.specs.derived.draft import draft_of
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read

FILM = """\
storyboard: 1
title: Two Rooms
draft: {provider: apiyi, model: wan3.0-video, resolution: 480p}
scenes:
  - scene: 1
    defaults: {providers: [dashscope, aimlapi], model: wan2.7}
    shots: [{shot: 1A, action: Ana enters.}, {shot: 1B, action: Black., provider: animatic}]
  - scene: 2
    shots: [{shot: 2A, action: She sits.}]
"""


def written(folder: Path, draft: str) -> Path:
    file = folder / "film.yaml"
    file.write_text(f"storyboard: 1\ntitle: x\n{draft}\nshots: [{{shot: 1A, action: x}}]\n")
    return file


def test_a_draft_replaces_what_it_names_in_every_shot_that_does_not_ask_to_be_drawn(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    file.write_text(FILM)
    film = read(file)
    draft = draft_of(film)
    assert draft.format == film.format.model_copy(update={"resolution": "480p"})
    found = {shot.shot: (shot.services, shot.model) for shot in draft.all_shots}
    new = (("apiyi",), "wan3.0-video")
    assert found == {"1A": new, "1B": (("animatic",), "wan3.0-video"), "2A": new}
    assert draft.where_shot("2A", "action") == film.where_shot("2A", "action")


@pytest.mark.parametrize(
    ("draft", "problem"),
    [
        ("draft: {}", "3:8: a draft differs from its film"),
        ("draft: {resolution: 720p}", "3:8: the draft is the same as the film"),
        ("draft: {resolution: 1080p}", "3:21: the draft is larger than the film, which has 720p"),
        ("draft: {modle: wan3.0-video}", "3:9: unknown key `modle` (did you mean `model`?)"),
        ("draft: {resolution: 480}", "3:21: `resolution` is `480` (did you mean `480p`?)"),
    ],
)
def test_a_draft_that_is_none_is_a_problem_at_its_place(tmp_path: Path, draft: str, problem: str) -> None:
    with pytest.raises(StoryboardError) as raised:
        read(written(tmp_path, draft))
    assert [str(one).partition("film.yaml:")[2][: len(problem)] for one in raised.value.problems] == [problem]


def test_a_film_without_a_draft_has_none(tmp_path: Path) -> None:
    with pytest.raises(StoryboardError, match="the film has no `draft`"):
        draft_of(read(written(tmp_path, "")))
