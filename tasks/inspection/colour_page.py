"""A picture for comparing the colours of shots: for each scene a frame of each of its shots, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.text.layout import one_line
from storyreel.tasks.media.text.typefaces import STANDARD, Fonts, Weight
from storyreel.tasks.storage.files import replacing

_WIDTH, _MARGIN, _GAP = 1920, 48, 16
_HEADING, _CAPTION = 56, 64
_GROUND, _BRIGHT, _DIM, _ACCENT = (19, 20, 23, 255), (236, 234, 228, 255), (142, 145, 152, 255), (217, 164, 65, 255)


class ShownShot(NamedTuple):
    """A shot on the page."""

    slate: str
    frame: Image.Image
    numbers: str
    differs: str
    """In what it differs from its scene; empty if it does not."""


class ShownScene(NamedTuple):
    """A scene on the page."""

    heading: str
    shots: Sequence[ShownShot]


def draw_colour_page(scenes: Sequence[ShownScene], title: str, fonts: Fonts = STANDARD) -> Image.Image:
    """The page, as high as the scenes need. Call it in a thread."""
    ratio = max(shot.frame.width / shot.frame.height for scene in scenes for shot in scene.shots)
    columns = min(max(len(scene.shots) for scene in scenes), 5 if ratio >= 1 else 9)
    # A single shot is not as wide as the page.
    width = (_WIDTH - 2 * _MARGIN - (max(columns, 3) - 1) * _GAP) // max(columns, 3)
    height = round(width / ratio)
    rows = [[scene.shots[at : at + columns] for at in range(0, len(scene.shots), columns)] for scene in scenes]
    size = 2 * _MARGIN + _HEADING + sum(_HEADING + len(lines) * (height + _CAPTION) for lines in rows)
    page = Image.new("RGBA", (_WIDTH, size), _GROUND)
    one_line(title, _WIDTH - 2 * _MARGIN, 34, Weight.BOLD, fonts).draw(page, _MARGIN, _MARGIN - 8, _BRIGHT)
    y = _MARGIN + _HEADING
    for scene, lines in zip(scenes, rows, strict=True):
        one_line(scene.heading, _WIDTH - 2 * _MARGIN, 22, fonts=fonts).draw(page, _MARGIN, y + 10, _DIM)
        y += _HEADING
        for line in lines:
            for column, shot in enumerate(line):
                x = _MARGIN + column * (width + _GAP)
                frame = ImageOps.contain(shot.frame, (width, height))
                page.paste(frame, (x + (width - frame.width) // 2, y))
                numbers = one_line(shot.numbers, width * 3 // 4, 16, fonts=fonts)
                numbers.draw(page, x + width, y + height + 8, _DIM, "right")
                slate = one_line(shot.slate, width - numbers.width - 12, 18, Weight.BOLD, fonts)
                slate.draw(page, x, y + height + 6, _BRIGHT)
                one_line(shot.differs, width, 16, fonts=fonts).draw(page, x, y + height + 32, _ACCENT)
            y += height + _CAPTION
    return page.convert("RGB")


def write_colour_page(page: Image.Image, into: Path) -> None:
    """Write the page as PNG, whole or not at all. Raises MediaError."""
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        with replacing(into) as fresh:
            page.save(fresh, "PNG", optimize=True)
    except OSError as error:
        hint = "check the free space on the disk, or name another file with --out"
        raise MediaError(f"{into} cannot be written: {error.strerror or error}", hint=hint) from error
