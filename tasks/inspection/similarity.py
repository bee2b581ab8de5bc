"""Compare two pictures by their content, independent of brightness and contrast."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from operator import mul
from typing import NamedTuple

from PIL import Image, ImageChops, ImageFilter, ImageStat

from storyreel.tasks.inspection.measure import THUMBNAIL

_LARGE = (4 * THUMBNAIL[0], 4 * THUMBNAIL[1])
"""Pixels to which a picture is scaled before it is cropped in many ways."""
_MARGINS = (0.0, 0.03, 0.06, 0.09, 0.12)
"""Parts of a side that may be cropped: services crop to sizes that their models can make."""
_SAME_SHAPE = Fraction(3, 100)
"""Part by which ratios of the same shape may differ."""


class Levels(NamedTuple):
    """A row of levels, with what each comparison needs of it."""

    row: bytes
    mean: float
    spread: float
    """The square of the standard deviation."""

    @classmethod
    def of(cls, row: bytes) -> Levels:
        """The levels of a row."""
        mean = sum(row) / len(row)
        return cls(row, mean, sum(map(mul, row, row)) / len(row) - mean**2)

    def is_flat(self, flat: float) -> bool:
        """Whether the standard deviation is below `flat`."""
        return self.spread < flat**2


def dissimilarity(one: Levels, other: Levels, flat: float) -> float:
    """1 minus the normalised correlation of two rows of levels: 0 equal, 1 unrelated, 2 each other's negative.

    Brightness and contrast do not change it. A row with a standard deviation below `flat` is empty: two empty rows
    are equal, an empty one and another are unrelated.
    """
    empty = one.is_flat(flat) + other.is_flat(flat)
    if empty:
        return 0.0 if empty == 2 else 1.0
    together = sum(map(mul, one.row, other.row)) / len(one.row) - one.mean * other.mean
    return 1 - float(together) / math.sqrt(one.spread * other.spread)


class Difference(NamedTuple):
    """The difference between a frame and the picture it was made from, at their best match."""

    structure: float
    """`dissimilarity` of their outlines. Measured on a photograph, ten drawings and four textures: at most 0.21 for a
    picture that is cropped, moved, faded and saved as a poor JPEG; at least 0.61 for two different pictures."""
    colour: float
    """Sum of the mean differences of both chroma channels, in levels of 255."""


def compare(frame: Image.Image, ratio: Fraction, picture: Image.Image) -> Difference:
    """Compare a clip's first frame, as a thumbnail, with the picture that the clip should begin with.

    `ratio` is that of the clip. The frame may show the picture cropped, stretched or between bars.
    """
    matches = ((view, crop) for view, whole in _views(frame, ratio, picture) for crop in _crops(whole))
    structure, view, crop = min(
        ((dissimilarity(_outlines(view), _outlines(crop), flat=1), view, crop) for view, crop in matches),
        key=lambda match: match[0],
    )
    chroma = ImageStat.Stat(ImageChops.difference(view.convert("YCbCr"), crop.convert("YCbCr"))).mean
    return Difference(structure=structure, colour=chroma[1] + chroma[2])


def _views(frame: Image.Image, ratio: Fraction, picture: Image.Image) -> Iterator[tuple[Image.Image, Image.Image]]:
    """Pairs of a part of the frame and a part of the picture, for each way to fit one shape into another."""
    own = Fraction(picture.width, picture.height)
    yield frame, _centre(picture, ratio / own, _LARGE)
    if abs(own / ratio - 1) <= _SAME_SHAPE:
        return
    whole = picture.resize(_LARGE, Image.Resampling.BOX)
    yield frame, whole
    yield _centre(frame, own / ratio, THUMBNAIL), whole


def _centre(picture: Image.Image, wider: Fraction, size: tuple[int, int]) -> Image.Image:
    """The centre of a picture, cropped to `wider` times its ratio and scaled to a size."""
    width = min(Fraction(1), wider) * picture.width
    height = min(Fraction(1), 1 / wider) * picture.height
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    box = (float(left), float(top), float(left + width), float(top + height))
    return picture.resize(size, Image.Resampling.BOX, box=box)


def _crops(picture: Image.Image) -> Iterator[Image.Image]:
    """Thumbnails of a picture, cropped more and more, in the centre or at a side."""
    for margin in _MARGINS:
        spare = (margin * picture.width, margin * picture.height)
        places = (0.0, 0.5, 1.0) if margin else (0.0,)
        for left, top in ((spare[0] * x, spare[1] * y) for x in places for y in places):
            box = (left, top, left + picture.width - spare[0], top + picture.height - spare[1])
            yield picture.resize(THUMBNAIL, Image.Resampling.BOX, box=box)


def _outlines(thumbnail: Image.Image) -> Levels:
    """The difference of each pixel to its surroundings, around a level of 128."""
    soft = thumbnail.convert("L").filter(ImageFilter.GaussianBlur(1))
    return Levels.of(ImageChops.subtract(soft, soft.filter(ImageFilter.BoxBlur(4)), scale=1, offset=128).tobytes())
