from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from storyreel.specs.cut import Cut, Event
from storyreel.specs.timing import FrameRate
from storyreel.tasks.media.contact_sheet import WIDTH, Grid, draw_page, shot_picture, write_pages
from storyreel.tasks.media.errors import MediaError
from tests.tasks.generated_clips import make_clip

RATE = FrameRate.parse("24")


def _cut(shots: int, frames: int) -> Cut:
    return Cut(RATE, tuple(Event(f"{n}A", n * frames, frames) for n in range(shots)))


def _film(into: Path, shots: int, frames: int, size: str) -> Path:
    """Each shot has a luma of its own; its first and last frames are black."""
    edge = f"eq(mod(N,{frames}),0)+eq(mod(N,{frames}),{frames - 1})"
    return make_clip(into, frames=shots * frames, size=size, picture="color=black", sound=None,
                     filters=f"geq=lum='if({edge},16,60+20*floor(N/{frames}))':cb=128:cr=128",
                     options=("-crf", "8", "-g", "30"))  # fmt: skip


def _sheet(film: Path, cut: Cut, into: Path, title: str, ratio: float = 128 / 72) -> list[Path]:
    grid = Grid.of(len(cut.events), ratio)
    pictures = [
        shot_picture(film, event.start + event.frames // 2, event.frames, RATE, (grid.width, grid.height))
        for event in cut.events
    ]
    of_page = (pictures[number * grid.pictures :][: grid.pictures] for number in grid.pages(cut))
    pages = [draw_page(number, drawn, cut, ratio, title=title) for number, drawn in enumerate(of_page)]
    return write_pages(pages, into)


@pytest.mark.parametrize(("size", "frames"), [("128x72", 6), ("128x72", 40), ("72x128", 13)])
def test_every_shot_is_shown_by_its_middle(tmp_path: Path, size: str, frames: int) -> None:
    film, (width, height) = _film(tmp_path / "a.mp4", 7, frames, size), map(int, size.split("x"))
    pages = _sheet(film, _cut(7, frames), tmp_path / "sheet.jpg", "The Keeper", width / height)
    assert pages == [tmp_path / "sheet.jpg"]
    grid = Grid.of(7, width / height)
    with Image.open(pages[0]) as page:
        assert page.width == WIDTH
        grey = page.convert("L")
    for shot in range(7):
        x, y = grid.place(shot)
        found = grey.getpixel((x + grid.width // 2, y + grid.height // 2))
        assert isinstance(found, int)
        assert abs(found - (60 + 20 * shot - 16) * 255 / 219) < 6


def test_slates_stand_under_their_pictures(tmp_path: Path) -> None:
    film = _film(tmp_path / "a.mp4", 2, 12, "128x72")
    (page,) = _sheet(film, _cut(2, 12), tmp_path / "sheet.jpg", "Ключник " * 60)
    grid = Grid.of(2, 128 / 72)
    with Image.open(page) as picture:
        for shot in range(2):
            x, y = grid.place(shot)
            caption = picture.convert("L").crop((x, y + grid.height + 4, x + 60, y + grid.height + 40))
            assert caption.getextrema()[1] > 200
        margin = picture.convert("L").crop((WIDTH - 50, 0, WIDTH, picture.height))
        assert margin.getextrema()[1] < 40


@pytest.mark.parametrize("ratio", [16 / 9, 9 / 16, 1.0, 4 / 3])
@pytest.mark.parametrize("shots", [1, 3, 12, 90, 1000])
def test_a_page_stays_bounded_and_its_pictures_legible(ratio: float, shots: int) -> None:
    grid = Grid.of(shots, ratio)
    assert grid.width >= 240
    assert grid.place(grid.columns - 1)[0] + grid.width <= WIDTH
    assert WIDTH * grid.page_height(min(shots, grid.pictures)) <= 16_000_000
    assert grid.pictures >= min(shots, 40)


def test_many_shots_take_several_pages(tmp_path: Path) -> None:
    film = _film(tmp_path / "a.mp4", 100, 2, "128x72")
    cut = Cut(RATE, tuple(Event(f"{n}A", 2 * n, 2) for n in range(100)))
    pages = _sheet(film, cut, tmp_path / "contact-sheet.jpg", "Long")
    assert [page.name for page in pages] == ["contact-sheet.jpg", "contact-sheet-2.jpg"]
    assert all(page.exists() for page in pages)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_clip_that_ends_before_the_frame_gives_its_last_one(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=30, size="128x72", sound=None)
    beyond, last = (shot_picture(clip, frame, 60, RATE, (128, 72)) for frame in (40, 29))
    assert beyond == last


def test_a_file_without_a_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(MediaError, match=r"a\.mp4"):
        shot_picture(tmp_path / "a.mp4", 0, 12, RATE, (128, 72))
