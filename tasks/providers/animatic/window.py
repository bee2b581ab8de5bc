"""Shows a part of a picture that begins and ends between two pixels, and moves without trembling.

ffmpeg's `zoompan` and `crop` know whole pixels only, and `perspective`, which knows fractions, takes longer than the
encoder (ffmpeg 9.0.2, measured on 2026-11-29). Here each frame is cropped, scaled and cropped again, all by even
numbers of pixels, and the numbers are searched of which the result is nearest to the part that is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ffmpeg.nodes import FilterableStream

from storyreel.specs.frozen import Frozen
from storyreel.specs.timing import FrameRate
from storyreel.tasks.providers.animatic.canvas import Canvas

ROOM = 32
"""Pixels of the stage around the parts that are shown: without any, a part at the edge could not be chosen freely."""
_SPARE = 32
"""Pixels that may be scaled beyond the frame's size and are cropped."""


class Window(Frozen):
    """The part of a stage that is shown, in pixels of the stage."""

    x: float
    y: float
    width: float
    height: float


class Span(NamedTuple):
    """Whole numbers of pixels, all even, that show a part of one axis."""

    first: int
    """The first pixel of the stage that is taken."""
    taken: int
    """Pixels of the stage."""
    scaled: int
    """Pixels that they are scaled to."""
    skipped: int
    """Of these, the pixels before the frame."""

    def edges(self, shown: int) -> tuple[float, float]:
        """Begin and end of the part that is shown in `shown` pixels, in pixels of the stage."""
        ratio = self.taken / self.scaled
        return self.first + ratio * self.skipped, self.first + ratio * (self.skipped + shown)


@lru_cache(maxsize=4096)
def nearest_span(begin: float, length: float, shown: int, stage: int) -> Span:
    """The span of a stage of so many pixels whose edges are nearest to a part, if it is shown in `shown` pixels."""
    ratio, middle = length / shown, begin + length / 2
    best, least = Span(0, stage, shown, 0), float("inf")
    for scaled in range(shown, shown + _SPARE + 1, 2):
        taken = min(2 * round(ratio * scaled / 2), stage)
        real = taken / scaled
        beside = abs(real - ratio) * shown / 2
        if beside >= least:
            continue
        for skipped in range(0, scaled - shown + 1, 2):
            wanted = middle - real * (skipped + shown / 2)
            first = min(max(0, 2 * round(wanted / 2)), stage - taken)
            if beside + abs(first - wanted) < least:
                best, least = Span(first, taken, scaled, skipped), beside + abs(first - wanted)
    return best


def spans(windows: Iterable[Window], frame: Canvas, stage: Canvas) -> Iterator[tuple[Span, Span]]:
    """For each window of a stage, the span across and the one down that show it at the size of `frame`."""
    for window in windows:
        yield (
            nearest_span(window.x, window.width, frame.width, stage.width),
            nearest_span(window.y, window.height, frame.height, stage.height),
        )


def shown(
    stage: FilterableStream, parts: Sequence[tuple[Span, Span]], frame: Canvas, rate: FrameRate, told: Path
) -> FilterableStream:
    """The filters that show the parts of a stage, one in each frame that it is repeated for.

    What changes from frame to frame is written to the file `told`; the filters have the name of that file.
    """
    name, (across, down) = told.stem, parts[0]
    # Half a frame early, as times are rounded.
    told.write_text("".join(
        f"{float((number - Fraction(1, 2)) / rate.exact):.6f} {_command(name, *part)};\n"
        for number, (before, part) in enumerate(pairwise(parts), 1) if part != before
    ))  # fmt: skip
    moved = stage.filter("sendcmd", f=str(told.absolute())) if told.stat().st_size else stage
    taken = moved.filter(f"crop@{name}", across.taken, down.taken, across.first, down.first)
    scaled = taken.filter(f"scale@{name}", across.scaled, down.scaled, flags="bicubic")
    return scaled.filter(f"crop@{name}out", frame.width, frame.height, across.skipped, down.skipped)


def _command(name: str, across: Span, down: Span) -> str:
    return (
        f"crop@{name} w {across.taken}, crop@{name} h {down.taken}, "
        f"crop@{name} x {across.first}, crop@{name} y {down.first}, "
        f"scale@{name} w {across.scaled}, scale@{name} h {down.scaled}, "
        f"crop@{name}out x {across.skipped}, crop@{name}out y {down.skipped}"
    )
