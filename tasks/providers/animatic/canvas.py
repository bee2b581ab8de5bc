"""The frame of an animatic: its size, its safe area, its colours."""

from __future__ import annotations

import colorsys
import hashlib
from math import ceil
from pathlib import Path

from PIL import Image

from storyreel.specs.frozen import Frozen
from storyreel.tasks.media.text.layout import Box, Colour, Fonts
from storyreel.tasks.providers.request import Board, Request

WHITE: Colour = (246, 246, 242, 255)
DIM: Colour = (246, 246, 242, 216)
"""For secondary text."""

SAFE = 0.05
"""Part of width and height at each edge that is kept free of text (title-safe area)."""


_HEADS = {"small": (140, 140), "large": (420, 240)}
"""Height that is left free for words of two lines, or of one with a smaller one below: in an upright frame, where
phones cover more of the head, and in a wide one."""


class Canvas(Frozen):
    """The size of a frame or of a part of one, in pixels."""

    width: int
    height: int
    fonts: Fonts = Fonts()
    """The fonts of its text."""
    head: int = 0
    """Pixels at the head of the title-safe area that are left free for what the film lays over its pictures."""

    @property
    def safe(self) -> Box:
        """The title-safe area, below its head."""
        x, y = ceil(self.width * SAFE), ceil(self.height * SAFE)
        return Box(x=x, y=y + self.head, width=self.width - 2 * x, height=self.height - 2 * y - self.head)

    @property
    def is_wide(self) -> bool:
        """Whether text and figure are side by side."""
        return self.width > 1.2 * self.height

    def px(self, size: float) -> int:
        """Convert a size designed for a short side of 720 pixels to pixels of this frame; at least 1."""
        return max(1, round(size * min(self.width, self.height) / 720))

    def layer(self) -> Image.Image:
        """An empty layer to draw on."""
        return Image.new("RGBA", (self.width, self.height), (0, 0, 0, 0))


def canvas_of(request: Request, board: Board) -> Canvas:
    """The canvas of a request, with the fonts of its board."""
    own, display = (Path(file) if file else None for file in (board.font, board.display_font))
    fonts = Fonts(own=own, display=display)
    canvas = Canvas(width=request.width, height=request.height, fonts=fonts)
    head = 0 if not board.headed else _HEADS[board.headed][canvas.is_wide]
    return canvas.model_copy(update={"head": canvas.px(head)}) if head else canvas


def even(pixels: float) -> int:
    """The nearest even number of pixels, at least 2."""
    return max(2, 2 * round(pixels / 2))


_HUES = (0.02, 0.06, 0.095, 0.3, 0.43, 0.5, 0.545, 0.59, 0.63, 0.7, 0.8, 0.93)
"""Hues that look good when dark: brick, rust, brass, moss, sea green, teal, petrol, steel, slate, dusk, plum, rose."""


class Palette(Frozen):
    """A few shades of one hue, which is that of the place."""

    hue: float
    """0 to 1 around the colour circle."""

    @classmethod
    def of(cls, board: Board) -> Palette:
        """The palette of the shot's place, else of its scene, else of its film."""
        name = board.place or board.scene or board.film
        return cls(hue=_HUES[hashlib.sha256(name.encode()).digest()[0] % len(_HUES)])

    @property
    def night(self) -> Colour:
        """The darkest shade, far from the light."""
        return self._shade(0.075, 0.34)

    @property
    def dusk(self) -> Colour:
        """The shade near the light."""
        return self._shade(0.23, 0.27)

    @property
    def glow(self) -> Colour:
        """The shade of the light itself."""
        return self._shade(0.56, 0.34, turn=0.03)

    @property
    def accent(self) -> Colour:
        """The shade for names and thin lines."""
        return self._shade(0.79, 0.55, turn=0.03)

    def _shade(self, light: float, saturation: float, turn: float = 0) -> Colour:
        red, green, blue = colorsys.hls_to_rgb((self.hue + turn) % 1, light, saturation)
        return round(red * 255), round(green * 255), round(blue * 255), 255
