"""A shot that is to end with a picture turns into it, and stands on it at its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.animatic.film import end_of
from storyreel.tasks.providers.animatic.page import lay_out
from storyreel.tasks.providers.animatic.service import Animatic
from tests.tasks.providers.animatic.drawing import (
    attachment,
    board_of,
    difference,
    drawn,
    frames_of,
    landscape,
    request,
)

MIDDLE = (200, 200, 1000, 560)
"""A part of the frame that no word is on."""


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """A picture to begin with, and another to end with."""
    last = tmp_path / "last.png"
    first = landscape(tmp_path / "first.png", (1280, 720))
    with Image.open(first) as picture:
        picture.transpose(Image.Transpose.ROTATE_180).save(last)
    return first, last


def seen(clip: Path) -> list[Image.Image]:
    return [frame.crop(MIDDLE) for frame in frames_of(clip)]


def plain(picture: Path) -> Image.Image:
    with Image.open(picture) as opened:
        return opened.convert("RGB").crop(MIDDLE)


async def test_the_first_picture_mixes_into_the_last_which_then_stands(two: tuple[Path, Path], tmp_path: Path) -> None:
    frames = seen(await drawn(request(frames=12, first=two[0], last=two[1]), tmp_path / "clip.mp4"))
    away, there = ([difference(frame, plain(picture)) for frame in frames] for picture in two)
    assert len(frames) == 12
    assert max(away[:5]) < 4 and min(there[:5]) > 20
    assert max(there[8:]) < 4 and min(away[8:]) > 20
    assert away[4:9] == sorted(away[4:9]) and there[4:9] == sorted(there[4:9], reverse=True)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
async def test_however_short_the_shot_its_end_is_the_last_picture(
    two: tuple[Path, Path], tmp_path: Path, frames: int
) -> None:
    shown = seen(await drawn(request(frames=frames, first=two[0], last=two[1]), tmp_path / "clip.mp4"))
    assert len(shown) == frames
    assert difference(shown[-1], plain(two[1])) < 4
    assert frames == 1 or difference(shown[0], plain(two[0])) < 4


async def test_the_camera_moves_over_the_first_picture_until_the_last_is_there(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    frames = seen(await drawn(request(frames=12, first=two[0], last=two[1], camera="pan right"), tmp_path / "a.mp4"))
    assert difference(frames[0], frames[3]) > 2 * difference(frames[0], frames[1]) > 0
    assert difference(frames[-1], plain(two[1])) < 4 and difference(frames[-3], frames[-1]) < 1


async def test_a_shot_that_continues_it_begins_with_the_last_picture(two: tuple[Path, Path], tmp_path: Path) -> None:
    ordered = request(frames=6, first=two[0], last=two[1], camera="push in")
    assert await Animatic().write_last_frame(ordered, tmp_path / "none.mp4", tmp_path / "frame.png")
    with Image.open(tmp_path / "frame.png") as frame:
        assert frame.size == (1280, 720)
        assert difference(frame.crop(MIDDLE), plain(two[1])) == 0


def test_without_a_picture_to_begin_with_the_last_is_there_from_the_start(two: tuple[Path, Path]) -> None:
    unmade = attachment("").model_copy(update={"digest": "take:0"})
    ordered = request(last=two[1], references=[attachment(two[0])]).model_copy(update={"first_frame": unmade})
    page = lay_out(ordered, board_of(ordered))
    assert page.end is None
    assert page.panes[0].picture and page.panes[0].picture.path == two[1]
    assert end_of(page, board_of(ordered)) is not None


def test_a_last_picture_of_another_shape_is_shown_whole(two: tuple[Path, Path], tmp_path: Path) -> None:
    landscape(tmp_path / "tall.png", (300, 600))
    ordered = request(first=two[0], last=tmp_path / "tall.png")
    page = lay_out(ordered, board_of(ordered))
    assert page.end and page.end.size == (1280, 720)
    with Image.open(tmp_path / "tall.png") as tall:
        whole = tall.convert("RGB").resize((360, 720))
    assert difference(page.end.crop((460, 0, 820, 720)), whole) < 8


def test_a_remote_last_frame_is_named_on_the_card_and_never_fetched() -> None:
    far = attachment("https://pictures.invalid/end.png?token=secret")
    without, named = request(), request().model_copy(update={"last_frame": far})
    cards = [lay_out(ordered, board_of(ordered)) for ordered in (without, named)]
    assert cards[1].end is None and cards[1].view is None
    assert difference(*(card.layers[1].getchannel("A") for card in cards)) > 0


@pytest.mark.parametrize("mode", sorted(set(Mode) - {Mode.STILL, Mode.SPEECH}))
def test_the_animatic_ends_a_shot_with_a_picture_whatever_its_mode(mode: Mode) -> None:
    assert Animatic.capabilities[mode].last_frame
