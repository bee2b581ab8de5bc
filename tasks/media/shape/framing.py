"""Pictures in a frame of another shape: cut, or shown whole between blurred sides or bars."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, NamedTuple, Self

import ffmpeg
from ffmpeg.nodes import FilterableStream

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.finishing.deliverables import Centre, Deliverable, is_near
from storyreel.specs.storyboard import Format
from storyreel.tasks.media.colour import SMOOTH

_VERSION = 1
"""Part of the keys of framed pictures; increased when they change and the framing does not show it."""

_COARSE = 16
"""Pixels that are one of the picture that is blurred, which takes a quarter of the time so, and looks the same."""
_SOFT = 2.5
"""Standard deviation of the blur, in these."""
_LIGHT = 0.55
"""Of the sides: darker, they do not draw the eye."""


class Box(NamedTuple):
    """A rectangle in a picture, in pixels."""

    x: int
    y: int
    width: int
    height: int


class Framing(Frozen):
    """The way in which a picture of another shape fills the frame: `crop` keeps the part around a point, `blur` shows
    all of it between blurred sides, `bars` between black ones."""

    how: Literal["crop", "blur", "bars"] = "bars"
    x: float = 0.5
    y: float = 0.5
    """The centre of what is kept, as parts of the width and the height of the picture."""

    @classmethod
    def of(cls, deliverable: Deliverable, film: Format, at: Centre | None = None) -> Self:
        """The framing of a shot in a deliverable of a film. Where it is cut, `at`, the shot's own centre, comes first.

        In the film's own shape it is as in the film.
        """
        reframe = deliverable.reframe
        if deliverable.has_shape_of(film):
            return cls()
        if reframe.way != "centre":
            return cls(how=reframe.way)
        centre = at or reframe
        return cls(how="crop", x=centre.x, y=centre.y)

    @property
    def facts(self) -> tuple[object, ...]:
        """For cache keys: all that a framed picture depends on; nothing for bars, between which it always was."""
        return () if self.how == "bars" else ("framing", _VERSION, self.how, self.x, self.y)

    def kept(self, size: tuple[int, int], ratio: Fraction, own: Fraction) -> Box | None:
        """The part that is kept of a picture of this size, shown with `ratio`, in a frame whose ratio is `own`.

        Pixels, all of them even. None if the picture is not cut.
        """
        if self.how != "crop" or is_near(ratio, own):
            return None
        width, height = size
        # What rounding takes from one side is taken from the other one, too: nothing is stretched.
        if ratio > own:
            width = max(2, 2 * int(width * own / ratio / 2))
            height = min(height // 2 * 2, even(width * ratio / own * height / size[0]))
        else:
            height = max(2, 2 * int(height * ratio / own / 2))
            width = min(width // 2 * 2, even(height * own / ratio * width / size[1]))
        return Box(_beside(self.x, width, size[0]), _beside(self.y, height, size[1]), width, height)


BARS = Framing()


def fitted(size: tuple[int, int], ratio: Fraction) -> tuple[int, int]:
    """Even width and height of a picture of this ratio inside a frame of this size."""
    width, height = size
    own = Fraction(width, height)
    if is_near(ratio, own):
        return size
    return (width, even(width / ratio)) if ratio > own else (even(height * ratio), height)


def even(pixels: Fraction) -> int:
    """The nearest even number of pixels, at least 2."""
    return max(2, 2 * round(pixels / 2))


def cut(picture: FilterableStream, box: Box) -> FilterableStream:
    """A part of a picture."""
    return picture.filter("crop", box.width, box.height, box.x, box.y)


def between_blurred_sides(picture: FilterableStream, inner: tuple[int, int], size: tuple[int, int]) -> FilterableStream:
    """A picture of the size `inner` in the middle of a frame; beside it the same picture, out of focus, fills it."""
    whole, copy = (picture.filter_multi_output("split")[n] for n in range(2))
    width, height = size
    if part := Framing(how="crop").kept(inner, Fraction(*inner), Fraction(*size)):
        copy = cut(copy, part)
    small = (max(8, width // _COARSE), max(8, height // _COARSE))
    copy = copy.filter("scale", *small, flags="area+accurate_rnd").filter("gblur", sigma=_SOFT)
    # Of luma and of chroma, or the dark sides would be more colourful than the picture.
    grey = "(minval+maxval)/2"
    chroma = f"{grey}+{_LIGHT}*(val-{grey})"
    copy = copy.filter("lutyuv", y=f"minval+{_LIGHT}*(val-minval)", u=chroma, v=chroma)
    copy = copy.filter("scale", *size, flags=SMOOTH)
    copies = copy.filter_multi_output("split")
    # Stacked, not laid over: ffmpeg's `overlay` would have the picture in other pixels, of 8 bits or with transparency.
    if inner[0] < width:
        before = (width - inner[0]) // 4 * 2
        after = width - inner[0] - before
        sides, stack = (Box(0, 0, before, height), Box(width - after, 0, after, height)), "hstack"
    else:
        before = (height - inner[1]) // 4 * 2
        after = height - inner[1] - before
        sides, stack = (Box(0, 0, width, before), Box(0, height - after, width, after)), "vstack"
    ends = [cut(copies[n], side) for n, side in enumerate(sides)]
    return ffmpeg.filter([ends[0], whole, ends[1]], stack, inputs=3)


def _beside(centre: float, kept: int, of: int) -> int:
    """The beginning of the kept part, an even number, with its centre here or as near as the picture reaches."""
    spare = of - kept
    return min(max(0, 2 * round((centre * of - kept / 2) / 2)), spare // 2 * 2)
