"""Text in pictures: wrapped, shrunk or elided to fit a box, in the DejaVu Sans that comes with the package.

A character that the font lacks is drawn as an empty box. Arabic and Hebrew are shaped and ordered by Raqm if Pillow has
it (its wheels do, if the system has FriBiDi); otherwise letters are unjoined, from left to right.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFilter, ImageFont, features

from storyreel.specs.frozen import Frozen

FONTS = Path(__file__).parent / "fonts"
"""The folder of the package's fonts. Fonts of the system are never used."""

ELLIPSIS = "…"

_VARIATIONS = frozenset(map(chr, range(0xFE00, 0xFE10)))
"""Variation selectors, which ask for a glyph variant that these fonts do not have."""

Colour = tuple[int, int, int, int]
"""Red, green, blue and opacity, 0 to 255."""


class Weight(StrEnum):
    """A font file."""

    REGULAR = "DejaVuSans.ttf"
    BOLD = "DejaVuSans-Bold.ttf"

    @property
    def path(self) -> Path:
        """The font file."""
        return FONTS / self.value


class Box(Frozen):
    """A rectangle, in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The column after the last one."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The row after the last one."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of text set in one font, ready to be drawn."""

    lines: tuple[str, ...]
    font: ImageFont.FreeTypeFont
    leading: int
    """Pixels from one line to the next."""

    @property
    def width(self) -> int:
        """Pixels of the longest line, rounded up."""
        return max((_length(line, self.font) for line in self.lines), default=0)

    @property
    def height(self) -> int:
        """Pixels from the top of the first line's tallest letter to the foot of the last line."""
        return (len(self.lines) - 1) * self.leading + sum(self.font.getmetrics()) if self.lines else 0

    def draw(
        self, layer: Image.Image, x: int, y: int, colour: Colour, align: Literal["left", "centre", "right"] = "left"
    ) -> None:
        """Draw on an RGBA layer; `x` is the left, middle or right of the lines, `y` the top of the first."""
        pen = ImageDraw.Draw(layer)
        anchor = {"left": "la", "centre": "ma", "right": "ra"}[align]
        for number, line in enumerate(self.lines):
            pen.text((x, y + number * self.leading), line, font=self.font, fill=colour, anchor=anchor)


def fit(text: str, width: int, height: int, sizes: Sequence[int], weight: Weight = Weight.REGULAR) -> Block:
    """Set a text in the first of `sizes` (descending) in which it fits; if in none, elided in the last."""
    words = readable(text)
    for size in sizes:
        font, leading = _font(weight, size), _leading(size)
        most = max(1, (height - sum(font.getmetrics())) // leading + 1)
        if _length(words, font) > 2 * width * most:
            continue  # Far too long: wrapping it would take time for nothing.
        lines = wrap(words, font, width)
        if len(lines) <= most:
            return Block(tuple(lines), font, leading)
    return Block(tuple(_shortened(words, font, width, most)), font, leading)


def one_line(text: str, width: int, size: int, weight: Weight = Weight.REGULAR) -> Block:
    """Set a text in one line, elided if it is longer than `width` pixels."""
    return fit(text, width, 1, (size,), weight)


def rows(text: str, width: int, size: int) -> Block:
    """Set a whole text at one size, in any number of lines."""
    font = _font(Weight.REGULAR, size)
    return Block(tuple(wrap(readable(text), font, width)), font, _leading(size))


def wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a text into lines of at most `width` pixels. A longer word is broken too."""
    lines: list[str] = []
    line = ""
    for word in _words(text, font, width):
        longer = f"{line} {word}" if line else word
        if not line or _length(longer, font) <= width:
            line = longer
        else:
            lines.append(line)
            line = word
    return [*lines, line] if line else lines


def readable(text: str) -> str:
    """The drawable part of a text: white space as one space, no control characters, composed letters."""
    # Raqm needs joiners and direction marks for Arabic and Persian; without it they would be drawn as boxes.
    dropped = {"Cc", "Cs"} if features.check("raqm") else {"Cc", "Cs", "Cf"}
    letters = (c for c in unicodedata.normalize("NFC", text) if c not in _VARIATIONS)
    return " ".join("".join(c for c in letters if c.isspace() or unicodedata.category(c) not in dropped).split())


def right_to_left(text: str) -> bool:
    """Whether the first letter with a direction runs from right to left, as in Arabic and Hebrew."""
    directions = (unicodedata.bidirectional(c) for c in text)
    return next((d in ("R", "AL") for d in directions if d in ("L", "R", "AL")), False)


def shadowed(layer: Image.Image, blur: float, strength: float = 1.6) -> Image.Image:
    """The layer over a soft black shadow of itself. `blur` is in pixels; `strength` deepens the shadow."""
    shade = layer.getchannel("A").filter(ImageFilter.GaussianBlur(blur)).point(lambda a: min(230, int(a * strength)))
    shadow = Image.new("RGBA", layer.size, (0, 0, 0, 0))
    shadow.putalpha(shade)
    return Image.alpha_composite(shadow, layer)


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int, most: int) -> list[str]:
    """The first `most` lines of a longer text; the last ends with an ellipsis."""
    # Hardly any letter is narrower than an i: text beyond this cannot fit.
    lines = wrap(text[: most * (2 + width // _length("i", font))], font, width)
    last = lines[:most][-1]
    while last and _length(last + ELLIPSIS, font) > width:
        last = last[:-1]
    return [*lines[:most][:-1], last.rstrip(" ,;:–—-") + ELLIPSIS]


def _words(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    """The words of a text; a word longer than a line in parts."""
    for word in text.split():
        if _length(word, font) <= width:
            yield word
            continue
        piece = ""
        for letter in word:
            # A combining mark stays with its letter.
            if piece and not unicodedata.combining(letter) and _length(piece + letter, font) > width:
                yield piece
                piece = ""
            piece += letter
        yield piece


def _length(text: str, font: ImageFont.FreeTypeFont) -> int:
    return int(font.getlength(text)) + 1 if text else 0


def _font(weight: Weight, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(weight.path), size)


def _leading(size: int) -> int:
    return round(size * 1.32)
