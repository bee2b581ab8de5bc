"""The parts of a shot's picture in which something happens: movement and contrast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil, floor
from statistics import median
from typing import Literal

from PIL import Image, ImageChops

from storyreel.specs.frozen import Frozen
from storyreel.tasks.media.frames import within

Axis = Literal["x", "y"]

_MEASURED = 64
"""Pixels of the longer side of what is measured; noise and grain average out."""
_MOVES = 2.0
"""Levels of 255 by which a place must differ between two frames, beyond what all of the picture differs by."""
_MOTION = 0.75
"""Part of the movement in the whole, where something moves; the rest is contrast."""
_STEPS = 100
_LESS = 0.02
"""Part of the best result that may be given up to have the interesting part in the middle of the cut."""


class Interest(Frozen):
    """The share of all interest in each column of a shot's pictures, from the left, and in each row, from above."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def share(self, axis: Axis, centre: float, kept: float) -> float:
        """The part of it all that is in a picture of which the part `kept` is kept around a centre, 0 to 1."""
        start = _within(centre, kept) - kept / 2
        return sum(weight for _, weight in _window(self._along(axis), start, kept))

    def centre(self, axis: Axis, kept: float) -> float:
        """The centre of the part in which there is most; what is in it is in its middle as far as it can be."""
        centres = [kept / 2 + (1 - kept) * n / _STEPS for n in range(_STEPS + 1)]
        best = max(centres, key=lambda one: (round(self.share(axis, one, kept), 3), -abs(one - 0.5)))
        least = self.share(axis, best, kept) - _LESS
        for _ in range(10):
            inside = list(_window(self._along(axis), best - kept / 2, kept))
            total = sum(weight for _, weight in inside)
            nearer = _within(sum(at * weight for at, weight in inside) / total, kept) if total else best
            if self.share(axis, nearer, kept) < least:
                break
            best = nearer
        return best

    def _along(self, axis: Axis) -> tuple[float, ...]:
        return self.x if axis == "x" else self.y


def interest_of(frames: Sequence[Image.Image]) -> Interest:
    """Measure frames of a shot, all of one size, in their order."""
    width, height = within(frames[0].size, _MEASURED)
    greys = [frame.convert("L").resize((width, height), Image.Resampling.BOX) for frame in frames]
    differences = [ImageChops.difference(*pair) for pair in pairwise(greys)] or [Image.new("L", (width, height))]
    moved, stands_out = _parts(_beyond(_mean(differences), _MOVES)), _parts(_beyond(_mean(map(_edges, greys)), 0))
    of_motion = _MOTION if any(moved) else 0.0
    both = [of_motion * one + (1 - of_motion) * other for one, other in zip(moved, stands_out, strict=True)]
    parts = _parts(both) if any(both) else [1 / len(both)] * len(both)
    rows = [parts[at : at + width] for at in range(0, len(parts), width)]
    return Interest(x=tuple(map(sum, zip(*rows, strict=True))), y=tuple(map(sum, rows)))


def _edges(grey: Image.Image) -> Image.Image:
    """The difference of each pixel from those beside and below it."""
    return ImageChops.add(
        ImageChops.difference(grey, _shifted(grey, 1, 0)), ImageChops.difference(grey, _shifted(grey, 0, 1))
    )


def _shifted(grey: Image.Image, right: int, down: int) -> Image.Image:
    """A picture, moved; at its edges it stays."""
    moved = grey.copy()
    moved.paste(grey, (right, down))
    return moved


def _mean(pictures: Iterable[Image.Image]) -> list[float]:
    """The mean level of each pixel."""
    levels = [picture.tobytes() for picture in pictures]
    return [sum(each) / len(each) for each in zip(*levels, strict=True)]


def _beyond(levels: Sequence[float], least: float) -> list[float]:
    """The part of each level above the usual one: noise and a moving camera change the whole picture."""
    common = median(levels) + least
    return [max(0.0, level - common) for level in levels]


def _parts(levels: Sequence[float]) -> list[float]:
    total = sum(levels)
    return [level / total for level in levels] if total else list(levels)


def _within(centre: float, kept: float) -> float:
    """The nearest centre around which so much can be kept."""
    return min(max(centre, kept / 2), 1 - kept / 2)


def _window(weights: Sequence[float], start: float, kept: float) -> Iterable[tuple[float, float]]:
    """The middles of the columns that are in a window, and how much is in them."""
    count = len(weights)
    first, last = start * count, (start + kept) * count
    for n in range(max(0, floor(first)), min(count, ceil(last))):
        inside = min(n + 1, last) - max(n, first)
        yield (n + 0.5) / count, weights[n] * inside
