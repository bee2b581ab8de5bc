"""How like two pictures are, by what is in them: light and contrast may differ, what is to be seen may not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from operator import mul

from PIL import Image, ImageChops, ImageFilter, ImageStat

from storyreel.tasks.inspection.measure import THUMBNAIL

_LARGE = (4 * THUMBNAIL[0], 4 * THUMBNAIL[1])
"""Pixels at which a picture is kept while it is cut to many sizes."""
_MARGINS = (0.0, 0.03, 0.06, 0.09, 0.12)
"""Parts of a picture's sides that may be cut off: services crop to sizes that their models can make."""
_SAME_SHAPE = Fraction(3, 100)
"""Pictures whose ratios differ by no more are of one shape."""


def unlikeness(one: bytes, other: bytes, flat: float) -> float:
    """How little two rows of levels go up and down together: 0 alike, 1 nothing in common, 2 each other's negative.

    One less the normalised correlation, which light and contrast do not change. A row whose levels deviate by less
    than `flat` has nothing in it: it is like another of its kind, and unlike any other.
    """
    count = len(one)
    mean_one, mean_other = sum(one) / count, sum(other) / count
    spread_one = sum(map(mul, one, one)) / count - mean_one**2
    spread_other = sum(map(mul, other, other)) / count - mean_other**2
    empty = (spread_one < flat**2) + (spread_other < flat**2)
    if empty:
        return 0.0 if empty == 2 else 1.0
    together = sum(map(mul, one, other)) / count - mean_one * mean_other
    return 1 - float(together) / math.sqrt(spread_one * spread_other)


@dataclass(frozen=True, slots=True)
class Unlike:
    """How unlike a frame is to the picture that it was made from, where the two match best."""

    structure: float
    """By their outlines, see `unlikeness`. Measured on a photograph, ten drawings and four textures: at most 0.21
    for one that is cropped, moved, washed out and saved as a poor JPEG; at least 0.61 for any two."""
    colour: float
    """Mean distance of both colour differences together, in levels of 255."""


def compared(frame: Image.Image, ratio: Fraction, picture: Image.Image) -> Unlike:
    """A clip's frame, as a thumbnail, held against the picture that it was to begin with.

    `ratio` is the clip's. It may show the picture cropped, stretched or between bars, and a little off.
    """
    matches = ((view, cut) for view, whole in _views(frame, ratio, picture) for cut in _cuts(whole))
    structure, view, cut = min(
        ((unlikeness(_outlines(view), _outlines(cut), flat=1), view, cut) for view, cut in matches),
        key=lambda match: match[0],
    )
    apart = ImageStat.Stat(ImageChops.difference(view.convert("YCbCr"), cut.convert("YCbCr"))).mean
    return Unlike(structure=structure, colour=apart[1] + apart[2])


def _views(frame: Image.Image, ratio: Fraction, picture: Image.Image) -> Iterator[tuple[Image.Image, Image.Image]]:
    """The ways in which a frame could show a picture of another shape: what of the frame, and what of the picture."""
    own = Fraction(picture.width, picture.height)
    yield frame, _covering(picture, ratio / own, _LARGE)
    if abs(own / ratio - 1) <= _SAME_SHAPE:
        return
    whole = picture.resize(_LARGE, Image.Resampling.BOX)
    yield frame, whole
    yield _covering(frame, own / ratio, THUMBNAIL), whole


def _covering(picture: Image.Image, wider: Fraction, size: tuple[int, int]) -> Image.Image:
    """The middle of a picture, of a shape so many times as wide as its own, squeezed into a size."""
    width = min(Fraction(1), wider) * picture.width
    height = min(Fraction(1), 1 / wider) * picture.height
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    box = (float(left), float(top), float(left + width), float(top + height))
    return picture.resize(size, Image.Resampling.BOX, box=box)


def _cuts(picture: Image.Image) -> Iterator[Image.Image]:
    """A picture as thumbnails, with more and more cut away, evenly or more on one side."""
    for margin in _MARGINS:
        spare = (margin * picture.width, margin * picture.height)
        places = (0.0, 0.5, 1.0) if margin else (0.0,)
        for left, top in ((spare[0] * x, spare[1] * y) for x in places for y in places):
            box = (left, top, left + picture.width - spare[0], top + picture.height - spare[1])
            yield picture.resize(THUMBNAIL, Image.Resampling.BOX, box=box)


def _outlines(thumbnail: Image.Image) -> bytes:
    """What stands out of its surroundings, around a level of 128."""
    soft = thumbnail.convert("L").filter(ImageFilter.GaussianBlur(1))
    return ImageChops.subtract(soft, soft.filter(ImageFilter.BoxBlur(4)), scale=1, offset=128).tobytes()
