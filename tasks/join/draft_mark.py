"""The word that is drawn into the picture of a draft, so that nobody takes it for the film."""

from __future__ import annotations

from ffmpeg.nodes import FilterableStream

from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.text.typefaces import Weight

WORD = "DRAFT"
VERSION = 1
"""Increased when it looks different."""


def with_draft_mark(picture: FilterableStream, house: HouseFormat) -> FilterableStream:
    """The picture with the word at the top, in every frame; fades do not dim it."""
    size = min(house.width, house.height) // 14
    return picture.filter(
        "drawtext", fontfile=str(Weight.BOLD.path), text=WORD, fontsize=size, fontcolor="white@0.9",
        box=1, boxcolor="black@0.55", boxborderw=size // 3, x="(w-tw)/2", y=size,
    )  # fmt: skip
