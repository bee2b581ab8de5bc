"""Camera moves of an animatic: a window that moves over a picture, the stage, which is larger than the frame.

ffmpeg's `perspective` crops at fractions of a pixel, so that a slow move does not tremble as it does with `zoompan`,
which crops at whole pixels.
"""

from __future__ import annotations

import hashlib
from math import tau

from ffmpeg.nodes import FilterableStream

from storyreel.specs.frozen import Frozen
from storyreel.tasks.providers.animatic.canvas import Canvas, even
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
_ROLL = 0.005
"""Amplitude of its roll, in radians."""


class Window(Frozen):
    """The part of a stage that is shown, in pixels of the stage."""

    x: float
    y: float
    width: float
    height: float


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
    def of(cls, move: str, canvas: Canvas, ratio: float | None = None, detail: float = 1) -> Camera:
        """The camera for a move, one of the storyboard's `camera`, over a picture of a ratio (width to height).

        Without a ratio the stage has the shape that the move needs. `detail` is the number of stage pixels per frame
        pixel: fewer are faster, and enough for a picture without fine lines.
        """
        long = _length_of_travel(move, canvas, ratio)
        wide, high = {
            "push in": (PUSH, PUSH), "pull out": (PUSH, PUSH), "handheld": (ROOM, ROOM),
            "pan left": (long, 1.0), "pan right": (long, 1.0), "tilt up": (1.0, long), "tilt down": (1.0, long),
        }.get(move, (1.0, 1.0))  # fmt: skip
        if (wide, high) == (1.0, 1.0):
            detail = 1
        width, height = even(canvas.width * wide * detail), even(canvas.height * high * detail)
        whole = Window(x=0, y=0, width=width, height=height)
        spare_x, spare_y = width - canvas.width * detail, height - canvas.height * detail

        def frame_at(x: float, y: float) -> Window:
            return Window(x=x, y=y, width=canvas.width * detail, height=canvas.height * detail)

        near = frame_at(spare_x / 2, spare_y * HEADS)
        first, last = frame_at(0, 0), frame_at(spare_x, spare_y)
        start, end = {
            "push in": (whole, near), "pull out": (near, whole),
            "pan right": (first, last), "tilt down": (first, last),
            "pan left": (last, first), "tilt up": (last, first),
        }.get(move, (near, near))  # fmt: skip
        return cls(canvas=canvas, width=width, height=height, start=start, end=end, sways=move == "handheld")

    @property
    def moves(self) -> bool:
        """Whether the window moves."""
        return self.sways or self.start != self.end

    def over(self, stage: FilterableStream, board: Board) -> FilterableStream:
        """The filters that show the window at the frame's size. The input repeats the stage for each frame.

        The move eases in and out, and reaches its end at the last frame.
        """
        if not self.moves:
            return stage
        x, y, width, height = self._track(board)
        roll = f"({_ROLL}*{_sway(board, 'lean')})" if self.sways else "0"
        corners = {
            f"{axis}{number}": f"{middle}{side}"
            for number, (right, down) in enumerate(((-1, -1), (1, -1), (-1, 1), (1, 1)))
            for axis, middle, side in (
                ("x", f"{x}+{width}/2", f"{right:+}*{width}/2-{roll}*({down})*{height}/2"),
                ("y", f"{y}+{height}/2", f"{down:+}*{height}/2+{roll}*({right})*{width}/2"),
            )
        }
        window = stage.filter("perspective", **corners, interpolation="linear", eval="frame")
        return window.filter("scale", self.canvas.width, self.canvas.height, flags="bicubic")

    def _track(self, board: Board) -> tuple[str, str, str, str]:
        """The window's left, top, width and height as ffmpeg expressions."""
        # `perspective` counts the frames from 1.
        time = f"min(1,(on-1)/{max(1, board.frames - 1)})"
        eased = f"({time}*{time}*(3-2*{time}))"

        def along(first: float, last: float) -> str:
            return f"({first:.4f}{last - first:+.4f}*{eased})" if first != last else f"({first:.4f})"

        start, end = self.start, self.end
        x, y = along(start.x, end.x), along(start.y, end.y)
        if self.sways:
            x = f"({x}+{_DRIFT * start.width:.3f}*{_sway(board, 'x')})"
            y = f"({y}+{_DRIFT * start.height:.3f}*{_sway(board, 'y')})"
        return x, y, along(start.width, end.width), along(start.height, end.height)


def _sway(board: Board, axis: str) -> str:
    """An ffmpeg expression that wanders slowly between -1 and 1, differently in each shot."""
    begin = int.from_bytes(hashlib.sha256(f"{board.slate} {axis}".encode()).digest()[:4], "big") / 2**32
    seconds = f"(on-1)/{float(board.rate.exact):.6f}"
    # Breath, step and tremor: no frequency is a multiple of another, so that nothing repeats.
    swings = ((0.31, 0.55, begin), (0.73, 0.3, begin * 3), (1.67, 0.15, begin * 7))
    terms = (f"{part}*sin({tau * hertz:.5f}*{seconds}+{phase * tau:.5f})" for hertz, part, phase in swings)
    return f"({'+'.join(terms)})"


def _length_of_travel(move: str, canvas: Canvas, ratio: float | None) -> float:
    """Length of the stage along a pan or tilt, in lengths of the frame."""
    if ratio is None:
        return TRAVEL
    frame = canvas.width / canvas.height
    more = ratio / frame if move.startswith("pan") else frame / ratio
    return min(LONGEST_TRAVEL, max(TRAVEL, more))
