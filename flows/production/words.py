"""The words over the picture of a film, each at its frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PIL import Image

from storyreel.specs.cut import Cut
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.text.typefaces import Fonts


class DrawnWords(NamedTuple):
    """Words over the frames `[start, end)` of the film. They are drawn when the first clip beneath is there."""

    start: int
    end: int
    fades: tuple[int, int]
    """Frames in which they come and go."""
    draw: Callable[[], tuple[Image.Image, tuple[int, int]]]
    """Returns an RGBA picture, and the place of its left upper corner in the film's picture."""


def words_over(film: Storyboard, cut: Cut, house: HouseFormat, fonts: Fonts) -> list[DrawnWords]:
    """All words over the picture of a film, the lower first."""
    return []
