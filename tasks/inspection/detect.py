"""What is wrong with a clip's picture, spotted in its thumbnails: black, frozen, cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median

from PIL import Image, ImageChops, ImageStat

from storyreel.specs.frozen import Frozen
from storyreel.tasks.inspection.measure import Moment
from storyreel.tasks.inspection.similarity import unlikeness


class PictureBounds(Frozen):
    """From where on something is wrong; measured on a photograph, drawings, textures and noise at 720p by x264."""

    black_seconds: float = 0.5
    black_level: int = 10
    """Of 255, for the brightest square of a thumbnail. Encoders leave black at 0 to 3; a night has brighter spots."""

    frozen_seconds: float = 1.5
    frozen_level: int = 3
    """Levels by which every square may differ from when it froze. x264 changes a still by up to 2; a light of 16
    pixels that blinks in a corner of 720p changes its square by 19, a camera that creeps in by 2 % some by 86."""
    frozen_percent: float = 0.005
    """Median of the frames' movement. A still has 0.000; with grain that the encoder keeps it is 0.014."""

    cut_unlike: float = 0.3
    """Unlikeness of two frames across a cut. Cuts had 0.36 to 1.06; lightning and a lamp switched on had up to 0.11."""
    cut_stands_out: float = 4
    """Times as unlike as any two frames nearby. Cuts had 5 and more; whip pans, boiling clouds, passers-by up to 3."""
    cut_nearby: int = 4
    """Frames on each side. What comes and is gone again within them is a flash."""
    cut_flat: float = 3
    """Levels by which a frame must deviate from its mean to be a picture: to and from white or black is no cut."""


class Span(Frozen):
    """A part of a clip, in seconds after its first frame."""

    start: float
    end: float


def black(moments: Sequence[Moment], bounds: PictureBounds) -> list[Span]:
    """Where the picture is black for long enough; all of a clip that is black from end to end, however short."""
    dark = [list(run) for is_black, run in groupby(moments, lambda moment: _is_black(moment, bounds)) if is_black]
    return [
        Span(start=run[0].at, end=run[-1].until)
        for run in dark
        if run[-1].until - run[0].at >= bounds.black_seconds or len(run) == len(moments)
    ]


def frozen(moments: Sequence[Moment], bounds: PictureBounds) -> list[Span]:
    """Where nothing moves at all for long enough. A static camera still has life: grain, breath, a lamp.

    What is black is not counted as frozen too.
    """
    return [
        Span(start=run[0].at, end=run[-1].until)
        for run in _unchanged(moments, bounds)
        if run[-1].until - run[0].at >= bounds.frozen_seconds
        and median(moment.moved for moment in run[1:] or run) <= bounds.frozen_percent
        and not _is_black(run[0], bounds)
    ]


def cuts(moments: Sequence[Moment], bounds: PictureBounds) -> list[float]:
    """When another picture stands there from one frame to the next, in seconds.

    A cut is a single step between two quiet stretches; in fast movement every step is large, so none stands out.
    """
    # Half a thumbnail's size is enough, and four times as fast.
    small = [moment.thumbnail.convert("L").reduce(2) for moment in moments]
    full = [ImageStat.Stat(picture).stddev[0] >= bounds.cut_flat for picture in small]
    levels = [picture.tobytes() for picture in small]
    steps = [0.0] + [
        unlikeness(levels[n - 1], levels[n], bounds.cut_flat) if full[n - 1] and full[n] else 0.0
        for n in range(1, len(levels))
    ]
    found = []
    for n, step in enumerate(steps):
        nearby = steps[max(1, n - bounds.cut_nearby) : n] + steps[n + 1 : n + 1 + bounds.cut_nearby]
        if step >= bounds.cut_unlike and step >= bounds.cut_stands_out * max(nearby, default=0.0):
            found.append(moments[n].at)
    return found


def _is_black(moment: Moment, bounds: PictureBounds) -> bool:
    """Squares, not pixels: what is noise in the dark is no light."""
    return _brightest(moment.thumbnail.convert("L")) <= bounds.black_level


def _unchanged(moments: Sequence[Moment], bounds: PictureBounds) -> Iterator[list[Moment]]:
    """A clip in runs of frames that are all like the first of their run."""
    run: list[Moment] = []
    for moment in moments:
        if run and _brightest(ImageChops.difference(moment.thumbnail, run[0].thumbnail)) > bounds.frozen_level:
            yield run
            run = []
        run.append(moment)
    if run:
        yield run


def _brightest(picture: Image.Image) -> int:
    """The highest level of any channel."""
    return max(picture.tobytes())
