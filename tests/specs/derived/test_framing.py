"""A centre that cannot be kept, or that nothing is cut around, is told before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.specs.derived.draft import draft_of
from storyreel.specs.derived.framing import framing_warnings
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Storyboard

TALL = '{name: tall, format: {aspect_ratio: "9:16"}}'
SQUARE = '{name: square, format: {aspect_ratio: "1:1"}}'


def _film(
    folder: Path, deliverables: str, *centres: str, more: str = "", key: str = "provider: dashscope"
) -> Storyboard:
    shots = "".join(
        f"  - {{shot: 1{letter}, action: x, {key}, frame_at: {centre}}}\n"
        for letter, centre in zip("ABCDEFG", centres, strict=False)
    )
    text = f"storyboard: 1\ntitle: Film\n{more}deliverables: {deliverables}\nshots:\n{shots}"
    (folder / "film.yaml").write_text(text if deliverables else text.replace("deliverables: \n", ""), encoding="utf-8")
    return read(folder / "film.yaml")


def test_a_centre_that_a_picture_can_be_cut_around_is_not_spoken_of(tmp_path: Path) -> None:
    # Of 16:9 a frame of 9:16 keeps 0.3164 of the width, one of 1:1 0.5625.
    film = _film(tmp_path, f"[{TALL}]", "{x: 0.16}", "{x: 0.84}", "{x: 0.5, y: 0.9}", "null")
    assert not list(framing_warnings(film))
    higher = _film(tmp_path, f"[{SQUARE}]", "{y: 0.3}", more='format: {aspect_ratio: "9:16"}\n')
    assert not list(framing_warnings(higher))


def test_a_centre_near_an_edge_is_told_with_the_one_that_is_used_for_each_deliverable(tmp_path: Path) -> None:
    film = _film(tmp_path, f"[{TALL}, {SQUARE}]", "{x: 0.2}", "{x: 0.2}", "{x: 1}", "{x: 0.5}")
    end = "the picture ends before what is kept of it in {} has its centre at `x: {}`; it is at {}"
    assert list(framing_warnings(film)) == [
        f"1A, 1B: {end.format('square', '0.2', '0.281')}",
        f"1C: {end.format('tall', '1', '0.842')}",
        f"1C: {end.format('square', '1', '0.719')}",
    ]
    of_all = _film(tmp_path, '[{name: tall, format: {aspect_ratio: "9:16"}, reframe: {x: 0.1}}]', "null")
    assert list(framing_warnings(of_all)) == [f"`reframe`: {end.format('tall', '0.1', '0.158')}"]


def test_a_way_to_reframe_pictures_of_the_same_shape_is_told(tmp_path: Path) -> None:
    film = _film(tmp_path, f"[{{name: web, format: {{resolution: 1080p}}, reframe: blur}}, {TALL}]", "null")
    assert list(framing_warnings(film)) == ["`reframe` of web changes nothing: it has the shape of the film"]


@pytest.mark.parametrize(
    ("deliverables", "key", "why"),
    [
        ("", "provider: dashscope", "the film has no `deliverables`"),
        ("[{name: web, codec: h265}]", "provider: dashscope", "no deliverable is cut from the film's pictures"),
        (f"[{TALL.replace('}}', '}, reframe: blur}')}]", "provider: dashscope", "no deliverable is cut"),
        (f"[{TALL}]", "provider: animatic", "drawn shots are drawn in the shape of each deliverable"),
        (f"[{TALL.replace('}}', '}, shoot: true}')}]", "provider: dashscope", "they are made again in the shape"),
        ('[{name: flat, format: {size: 1920x800}}]', "provider: dashscope", "cut at the top and bottom, write `y`"),
    ],
)  # fmt: skip
def test_a_centre_that_nothing_is_cut_around_is_told_with_the_reason(
    tmp_path: Path, deliverables: str, key: str, why: str
) -> None:
    (told,) = framing_warnings(_film(tmp_path, deliverables, "{x: 0.4}", "{x: 0.6}", key=key))
    assert told.startswith("`frame_at` of 1A, 1B changes nothing: ") and why in told


def test_a_draft_has_no_deliverables_and_says_nothing_of_centres(tmp_path: Path) -> None:
    film = _film(tmp_path, "", "{x: 0.4}", more="draft: {resolution: 480p}\n")
    assert list(framing_warnings(film)) and not list(framing_warnings(draft_of(film)))
