"""Pictures for comparing the colours of shots: for each scene a frame of each of its shots, side by side."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.text.layout import one_line
from storyreel.tasks.media.text.typefaces import STANDARD, Fonts, Weight
from storyreel.tasks.storage.files import replacing

_WIDTH, _MARGIN, _GAP = 1920, 48, 16
_HEADING, _CAPTION = 56, 64
_ROWS = 12
"""Most rows of shots on a page."""
_GROUND, _BRIGHT, _DIM, _ACCENT = (19, 20, 23, 255), (236, 234, 228, 255), (142, 145, 152, 255), (217, 164, 65, 255)


class ShownShot(NamedTuple):
    """A shot on a page."""

    slate: str
    frame: bytes
    """JPEG."""
    numbers: str
    differs: str
    """Its differences from its scene; empty if there are none."""


class ShownScene(NamedTuple):
    """A scene, or the part of it that is on a page."""

    heading: str
    shots: Sequence[ShownShot]


class _Grid(NamedTuple):
    """The layout of all pages, in pixels."""

    columns: int
    width: int
    height: int

    @classmethod
    def of(cls, scenes: Sequence[ShownScene], ratio: float) -> _Grid:
        columns = min(max(len(scene.shots) for scene in scenes), 5 if ratio >= 1 else 9)
        # A single shot is not as wide as the page.
        width = (_WIDTH - 2 * _MARGIN - (max(columns, 3) - 1) * _GAP) // max(columns, 3)
        return cls(columns, width, round(width / ratio))

    def rows(self, scene: ShownScene) -> list[Sequence[ShownShot]]:
        """The shots of a scene, a row each."""
        return [scene.shots[at : at + self.columns] for at in range(0, len(scene.shots), self.columns)]

    def height_of(self, scene: ShownScene) -> int:
        """The height of a scene with its heading."""
        return _HEADING + len(self.rows(scene)) * (self.height + _CAPTION)


def draw_colour_pages(
    scenes: Sequence[ShownScene], ratio: float, title: str, fonts: Fonts = STANDARD
) -> Iterator[Image.Image]:
    """The pages, each of a few rows; `ratio` is the film's. Call it in a thread."""
    grid = _Grid.of(scenes, ratio)
    rows = [ShownScene(scene.heading, row) for scene in scenes for row in grid.rows(scene)]
    for at in range(0, len(rows), _ROWS):
        parts = [
            ShownScene(heading, [shot for part in of_scene for shot in part.shots])
            for heading, of_scene in groupby(rows[at : at + _ROWS], key=lambda part: part.heading)
        ]
        yield _page(parts, grid, title, fonts)


def _page(scenes: Sequence[ShownScene], grid: _Grid, title: str, fonts: Fonts) -> Image.Image:
    page = Image.new("RGBA", (_WIDTH, 2 * _MARGIN + _HEADING + sum(map(grid.height_of, scenes))), _GROUND)
    one_line(title, _WIDTH - 2 * _MARGIN, 34, Weight.BOLD, fonts).draw(page, _MARGIN, _MARGIN - 8, _BRIGHT)
    y = _MARGIN + _HEADING
    for scene in scenes:
        one_line(scene.heading, _WIDTH - 2 * _MARGIN, 22, fonts=fonts).draw(page, _MARGIN, y + 10, _DIM)
        y += _HEADING
        for row in grid.rows(scene):
            for column, shot in enumerate(row):
                _draw_shot(page, shot, (_MARGIN + column * (grid.width + _GAP), y), grid, fonts)
            y += grid.height + _CAPTION
    return page.convert("RGB")


def _draw_shot(page: Image.Image, shot: ShownShot, place: tuple[int, int], grid: _Grid, fonts: Fonts) -> None:
    x, y = place
    with Image.open(io.BytesIO(shot.frame)) as opened:
        frame = ImageOps.contain(opened, (grid.width, grid.height))
    page.paste(frame, (x + (grid.width - frame.width) // 2, y))
    y += grid.height
    numbers = one_line(shot.numbers, grid.width * 3 // 4, 16, fonts=fonts)
    numbers.draw(page, x + grid.width, y + 8, _DIM, "right")
    slate = one_line(shot.slate, grid.width - numbers.width - 12, 18, Weight.BOLD, fonts)
    slate.draw(page, x, y + 6, _BRIGHT)
    one_line(shot.differs, grid.width, 16, fonts=fonts).draw(page, x, y + 32, _ACCENT)


def write_colour_pages(pages: Iterable[Image.Image], into: Path) -> list[Path]:
    """Write the pages as PNG, each whole or not at all; returns their files. Raises MediaError.

    The first is `into`; further ones are numbered: `name-2.png`.
    """
    files = []
    for number, page in enumerate(pages, 1):
        file = into if number == 1 else into.with_stem(f"{into.stem}-{number}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as fresh:
                page.save(fresh, "PNG")
        except OSError as error:
            hint = "check the free space on the disk, or name another file with --out"
            raise MediaError(f"{file} cannot be written: {error.strerror or error}", hint=hint) from error
        files.append(file)
    return files
