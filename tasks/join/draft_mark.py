"""The word that is drawn into the picture of a draft, so that it is not taken for the film."""

from __future__ import annotations

from collections.abc import Callable

import ffmpeg
from ffmpeg.nodes import FilterableStream

from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.text.typefaces import Weight

WORD = "DRAFT"
VERSION = 1
"""Increased when it looks different."""


def with_draft_mark(picture: FilterableStream, house: HouseFormat) -> FilterableStream:
    """The picture with the word at the top, in every frame; fades do not dim it."""
    size = _size(house)
    return picture.filter(
        "drawtext", fontfile=str(Weight.BOLD.path), text=WORD, fontsize=size, fontcolor="white@0.9",
        box=1, boxcolor="black@0.55", boxborderw=size // 3, x="(w-tw)/2", y=size,
    )  # fmt: skip


def below_draft_mark(
    picture: FilterableStream, house: HouseFormat, change: Callable[[FilterableStream], FilterableStream]
) -> FilterableStream:
    """A picture that bears the mark already, changed everywhere but there."""
    size = _size(house)
    # With its border the word is 4.4 sizes wide, and reaches from 0.67 to 2.06 sizes (measured).
    width, height, y = (int(part * size) // 2 * 2 for part in (4.7, 1.6, 0.6))
    x = (house.width - width) // 4 * 2
    parts = picture.filter_multi_output("split")
    mark = parts[1].filter("crop", width, height, x, y, exact=1)
    return ffmpeg.filter([change(parts[0]), mark], "overlay", x, y, format=house.pixels_overlaid)


def _size(house: HouseFormat) -> int:
    return min(house.width, house.height) // 14
