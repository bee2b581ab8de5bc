"""Mistakes in stills and sheets are told where they are written, with what helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from storyreel.specs.storyboard import Storyboard


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "cast: {ana: {sheet: true}}\n",
            "3:21: nothing says what the sheet of `ana` shows "
            "(give a `description` or `references`, or write words for the sheet)",
        ),
        (
            "shots: [{shot: 1A, action: x, still: true, first_frame: a.png}]\n",
            "3:38: the shot has a picture already: `first_frame` (keep `still` or `first_frame`)",
        ),
        (
            "shots: [{shot: 1A, action: x, last_still: true}]\n",
            "3:43: shot 1A has a still to end with and no picture to begin with "
            "(add `still`, `first_frame` or `continues`)",
        ),
        (
            "shots: [{shot: 1A, action: x}, {shot: 1B, action: x, continues: 1A, still: true}]\n",
            "3:76: a shot that continues another begins with its last frame, not with a still "
            "(keep `continues` or `still`)",
        ),
        (
            "shots: [{shot: 1A, action: x, still: {circled: 2}}]\n",
            "3:48: take 2 is circled, but there is 1 (circle one of them, or make more `takes`)",
        ),
        (
            "defaults: {stills: {takes: 2}}\nshots: [{shot: 1A, action: x, still: {circled: 3}}]\n",
            "4:48: take 3 is circled, but there are 2 (circle one of them, or make more `takes`)",
        ),
        (
            "cast: {ana: {description: x, sheet: {takes: 2, circled: 3}}}\n",
            "3:57: take 3 is circled, but there are 2 (circle one of them, or make more `takes`)",
        ),
        (
            "shots: [{shot: 1A, action: x, still: yes}]\n",
            "3:38: `still` is `yes`: that would be its words (write `true`, `false`, or what is seen in it)",
        ),
        (
            "shots: [{shot: 1A, action: x, still: {promt: x}}]\n",
            "3:39: unknown key `promt` (did you mean `prompt`?)",
        ),
        (
            "shots: [{shot: 1A, action: x, still: '{bob} waits'}]\n",
            "3:38: `{bob}` is neither cast nor location (describe them under `cast` or `locations`)",
        ),
        (
            "shots: [{shot: 1A, action: x, sheet: true}]\n",
            "3:31: `sheet` is a key of cast members and locations (write it where the person or place is described)",
        ),
        (
            "cast: {ana: {still: true}}\n",
            "3:14: `still` is a key of shots (of a person or a place it is a `sheet`)",
        ),
        (
            "stills: {provider: dashscope}\n",
            "3:1: `stills` is a key of shots (write it in a shot, or for all shots as `defaults: {stills: …}`)",
        ),
        (
            "defaults: {stills: {provider: freepik, providers: [dashscope]}}\n",
            "3:31: `provider` and `providers` mean the same (keep `providers`, which may name one service too)",
        ),
        ("review: stills\n", "3:9: `review` is `stills` (write `required` or `none`)"),
        (
            "shots: [{shot: 1A@still, action: x}]\n",
            "3:16: `shot` is `1A@still`, but must be letters, digits, `.`, `_` and `-`, at most 32, beginning with a "
            "letter or a digit",
        ),
    ],
)
def test_a_mistake_is_told_where_it_is_with_what_helps(
    wrong: Callable[..., list[str]], media: dict[str, Path], text: str, told: str
) -> None:
    assert wrong(text) == [told]


@pytest.mark.parametrize(
    ("film_s", "scene_s", "shot_s", "still", "first_frame"),
    [
        ("still: true", "first_frame: a.png", "", False, True),
        ("first_frame: a.png", "still: true", "", True, False),
        ("still: true", "", "first_frame: a.png", False, True),
        ("first_frame: a.png", "", "still: true", True, False),
        ("still: true", "", "still: false", False, False),
        ("first_frame: a.png", "still: true", "still: false", False, False),
        ("still: true", "still: Rain", "", True, False),
    ],
)
def test_the_nearest_of_a_given_and_a_made_picture_counts(
    film: Callable[..., Storyboard],
    media: dict[str, Path],
    film_s: str,
    scene_s: str,
    shot_s: str,
    still: bool,
    first_frame: bool,
) -> None:
    own = f", {shot_s}" if shot_s else ""
    scene = f"- scene: 1\n  defaults: {{{scene_s}}}\n  shots: [{{shot: 1A, action: x{own}}}]\n"
    told = film(f"defaults: {{{film_s}}}\nscenes:\n{scene}")
    (shot,) = told.all_shots
    assert (shot.still is not None, shot.first_frame is not None) == (still, first_frame)
