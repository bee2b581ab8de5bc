"""Detect faults of a clip's picture in its thumbnails: black, frozen, a cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from statistics import median

from PIL import Image, ImageChops

from storyreel.specs.frozen import Frozen
from storyreel.tasks.inspection.measure import MeasuredFrame
from storyreel.tasks.inspection.similarity import Levels, dissimilarity


class PictureBounds(Frozen):
    """Thresholds, measured on a photograph, drawings, textures and noise at 720p, encoded by x264."""

    black_seconds: float = 0.5
    black_level: int = 10
    """Of 255, for the brightest square of a thumbnail. Black is encoded as 0 to 3; a night scene has brighter spots."""

    frozen_seconds: float = 1.5
    frozen_level: int = 3
    """Levels by which a square may differ from the first frozen frame. x264 changes a still by up to 2; a light of 16
    pixels that blinks in a corner of 720p changes its square by 19, a slow push in of 2 % some squares by 86."""
    frozen_percent: float = 0.005
    """Median movement of the frames. A still has 0.000; with grain that the encoder keeps, 0.014."""

    cut_unlike: float = 0.3
    """Dissimilarity of two frames at a cut. Cuts had 0.36 to 1.06; lightning and a lamp switched on up to 0.11."""
    cut_stands_out: float = 4
    """Ratio to the dissimilarity of frames nearby. Cuts had 5 and more; whip pans, clouds, passers-by up to 3."""
    cut_nearby: int = 4
    """Frames on each side that count as nearby. A change that is undone within them is a flash."""
    cut_flat: float = 3
    """Standard deviation, in levels, below which a frame is plain white or black: a change to or from it is no cut."""


class Span(Frozen):
    """A part of a clip, in seconds after its first frame."""

    start: float
    end: float


def find_black(frames: Sequence[MeasuredFrame], bounds: PictureBounds) -> list[Span]:
    """Spans that are black for long enough. A clip that is black throughout is one span, however short."""
    dark = [list(run) for is_black, run in groupby(frames, lambda frame: _is_black(frame, bounds)) if is_black]
    return [
        Span(start=run[0].at, end=run[-1].until)
        for run in dark
        if run[-1].until - run[0].at >= bounds.black_seconds or len(run) == len(frames)
    ]


def find_frozen(frames: Sequence[MeasuredFrame], bounds: PictureBounds) -> list[Span]:
    """Spans in which nothing moves for long enough, without black ones."""
    return [
        Span(start=run[0].at, end=run[-1].until)
        for run in _unchanged(frames, bounds)
        if run[-1].until - run[0].at >= bounds.frozen_seconds
        and median(frame.moved for frame in run[1:] or run) <= bounds.frozen_percent
        and not _is_black(run[0], bounds)
    ]


def find_cuts(frames: Sequence[MeasuredFrame], bounds: PictureBounds) -> list[float]:
    """Times of cuts, in seconds: single large changes between quiet stretches, unlike those of fast movement."""
    # Half the size of a thumbnail is enough, and four times as fast.
    levels = [Levels.of(frame.thumbnail.convert("L").reduce(2).tobytes()) for frame in frames]
    steps = [0.0] + [
        0.0 if any(one.is_flat(bounds.cut_flat) for one in pair) else dissimilarity(*pair, bounds.cut_flat)
        for pair in pairwise(levels)
    ]
    found = []
    for n, step in enumerate(steps):
        nearby = steps[max(1, n - bounds.cut_nearby) : n] + steps[n + 1 : n + 1 + bounds.cut_nearby]
        if step >= bounds.cut_unlike and step >= bounds.cut_stands_out * max(nearby, default=0.0):
            found.append(frames[n].at)
    return found


def _is_black(frame: MeasuredFrame, bounds: PictureBounds) -> bool:
    """Whether a frame is black: by the squares of its thumbnail, so that noise in the dark does not count as light."""
    return _brightest(frame.thumbnail.convert("L")) <= bounds.black_level


def _unchanged(frames: Sequence[MeasuredFrame], bounds: PictureBounds) -> Iterator[list[MeasuredFrame]]:
    """The frames in runs; all frames of a run are like its first."""
    run: list[MeasuredFrame] = []
    for frame in frames:
        if run and _brightest(ImageChops.difference(frame.thumbnail, run[0].thumbnail)) > bounds.frozen_level:
            yield run
            run = []
        run.append(frame)
    if run:
        yield run


def _brightest(picture: Image.Image) -> int:
    levels = picture.getextrema()
    return max(highest for _, highest in levels) if isinstance(levels[0], tuple) else int(levels[1])
