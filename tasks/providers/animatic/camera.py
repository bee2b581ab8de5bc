"""Camera moves of an animatic: a window that moves over a picture, the stage, which is larger than the frame."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from math import sin, tau

from storyreel.specs.frozen import Frozen
from storyreel.tasks.providers.animatic.canvas import Canvas, even
from storyreel.tasks.providers.animatic.window import ROOM as EDGE
from storyreel.tasks.providers.animatic.window import Window
from storyreel.tasks.providers.request import Board

PUSH = 1.14
"""Magnification at the end of a push in."""
TRAVEL = 1.2
"""Shortest stage along a pan or tilt, in lengths of the frame."""
LONGEST_TRAVEL = 1.6
"""Longest stage along a pan or tilt: the camera does not race across a panorama."""
ROOM = 1.08
"""Size of the stage of a handheld camera, in frames."""
HEADS = 0.42
"""Vertical position that a push in aims at, from the top: heads are rarely in the middle."""

_DRIFT = 0.013
"""Amplitude of a handheld camera, in frames; it must stay within `ROOM`."""
DETAIL = 1.27
"""Stage pixels per frame pixel of a picture that a camera moves over. With a ratio near 1 or a simple one, such as 5/4,
too few windows between two pixels are met."""


class Camera(Frozen):
    """One camera move over one stage."""

    canvas: Canvas
    width: int
    height: int
    """Size of the stage in pixels, both even."""
    start: Window
    end: Window
    sways: bool = False

    @classmethod
    def of(cls, move: str, canvas: Canvas, ratio: float | None = None, detail: float = DETAIL) -> Camera:
        """The camera for a move, one of the storyboard's `camera`, over a picture of a ratio (width to height).

        Without a ratio the stage has the shape that the move needs. `detail` is the number of stage pixels per frame
        pixel, if the camera moves: fewer are faster, and enough for a picture without fine lines.
        """
        long = _length_of_travel(move, canvas, ratio)
        wide, high = {
            "push in": (PUSH, PUSH), "pull out": (PUSH, PUSH), "handheld": (ROOM, ROOM),
            "pan left": (long, 1.0), "pan right": (long, 1.0), "tilt up": (1.0, long), "tilt down": (1.0, long),
        }.get(move, (1.0, 1.0))  # fmt: skip
        if (wide, high) == (1.0, 1.0):
            detail = 1
        width, height = even(canvas.width * wide * detail), even(canvas.height * high * detail)
        edge = 0 if (wide, high) == (1.0, 1.0) else EDGE
        whole = Window(x=edge, y=edge, width=width, height=height)
        spare_x, spare_y = width - canvas.width * detail, height - canvas.height * detail

        def frame_at(x: float, y: float) -> Window:
            return Window(x=edge + x, y=edge + y, width=canvas.width * detail, height=canvas.height * detail)

        near = frame_at(spare_x / 2, spare_y * HEADS)
        first, last = frame_at(0, 0), frame_at(spare_x, spare_y)
        start, end = {
            "push in": (whole, near), "pull out": (near, whole),
            "pan right": (first, last), "tilt down": (first, last),
            "pan left": (last, first), "tilt up": (last, first),
        }.get(move, (near, near))  # fmt: skip
        size = {"width": width + 2 * edge, "height": height + 2 * edge}
        return cls(canvas=canvas, **size, start=start, end=end, sways=move == "handheld")

    @property
    def moves(self) -> bool:
        """Whether the window moves."""
        return self.sways or self.start != self.end

    def windows(self, board: Board) -> Iterator[Window]:
        """The window of each frame of a shot. A move eases in and out, and reaches its end at the last frame."""
        start, end = self.start, self.end
        for frame in range(board.frames):
            time = frame / max(1, board.frames - 1)
            eased = time * time * (3 - 2 * time)
            seconds = float(board.rate.seconds(frame))
            yield Window(
                x=start.x + (end.x - start.x) * eased + self._drift(start.width, board.slate, "x", seconds),
                y=start.y + (end.y - start.y) * eased + self._drift(start.height, board.slate, "y", seconds),
                width=start.width + (end.width - start.width) * eased,
                height=start.height + (end.height - start.height) * eased,
            )

    def _drift(self, length: float, slate: str, axis: str, seconds: float) -> float:
        return _DRIFT * length * _sway(slate, axis, seconds) if self.sways else 0


def _sway(slate: str, axis: str, seconds: float) -> float:
    """A number that wanders slowly between -1 and 1, differently in each shot."""
    begin = int.from_bytes(hashlib.sha256(f"{slate} {axis}".encode()).digest()[:4], "big") / 2**32
    # Breath, step and tremor: no frequency is a multiple of another, so that nothing repeats.
    swings = ((0.31, 0.55, begin), (0.73, 0.3, begin * 3), (1.67, 0.15, begin * 7))
    return sum(part * sin(tau * (hertz * seconds + phase)) for hertz, part, phase in swings)


def _length_of_travel(move: str, canvas: Canvas, ratio: float | None) -> float:
    """Length of the stage along a pan or tilt, in lengths of the frame."""
    if ratio is None:
        return TRAVEL
    frame = canvas.width / canvas.height
    more = ratio / frame if move.startswith("pan") else frame / ratio
    return min(LONGEST_TRAVEL, max(TRAVEL, more))
