"""Sets text in balanced lines of one size, and draws it with a shadow that keeps it legible on any picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal, NamedTuple

from PIL import Image, ImageFilter

from storyreel.tasks.media.text.layout import Block, Colour, Style, Weight, readable, right_to_left, wrap
from storyreel.tasks.media.text.line_breaks import pieces
from storyreel.tasks.media.text.typefaces import Fonts

Align = Literal["left", "centre", "right"]

_SMALLEST = 0.022
"""Size of the smallest words, as a part of the picture's shorter side."""
_STEP = 0.92
"""From one size to the next smaller one."""
_LIGHT = 110
"""Luma, of 255, from which words are light, and their shadow dark."""


class Placed(NamedTuple):
    """A transparent picture, and the place of its left upper corner in the film's picture, in pixels."""

    image: Image.Image
    at: tuple[int, int]


def set_text(
    text: str, width: int, height: int, size: int, shorter: int, fonts: Fonts, weight: Weight = Weight.REGULAR
) -> Block:
    """A text in lines of about one length, none longer than `width` pixels, in the largest size up to `size` in which
    they are no higher than `height` and no word is broken.

    `shorter` is the picture's shorter side. Line breaks in the text are kept. In the smallest size a text is set whole
    even if it is higher.
    """
    paragraphs = [words for part in text.splitlines() if (words := readable(part))]
    for each in _sizes(size, max(1, round(shorter * _SMALLEST))):
        style = Style.of(" ".join(paragraphs), fonts, weight, each)
        most = max(1, (height - style.ascent - style.descent) // style.leading + 1)
        if sum(map(style.length, paragraphs)) > width * most or _longest_piece(paragraphs, style) > width:
            continue
        lines = [wrap(words, style, width) for words in paragraphs]
        if sum(map(len, lines)) <= most:
            break
    else:
        lines = [wrap(words, style, width) for words in paragraphs]
    balanced = (_balanced(words, each, style, width) for words, each in zip(paragraphs, lines, strict=True))
    return Block(tuple(chain.from_iterable(balanced)), style)


def set_lines(lines: Sequence[str], width: int, size: int, shorter: int, fonts: Fonts, weight: Weight) -> Block:
    """Lines as they are, in the largest size up to `size` in which none is longer than `width` pixels."""
    words = [readable(line) for line in lines]
    for each in _sizes(size, max(1, round(shorter * _SMALLEST))):
        block = Block(tuple(words), Style.of(" ".join(words), fonts, weight, each))
        if block.width <= width:
            break
    return block


def runs_from_right(text: str) -> bool:
    """Whether a text is read from right to left."""
    return right_to_left(readable(text))


def _sizes(largest: int, smallest: int) -> Iterator[int]:
    size = float(largest)
    while size > smallest:
        yield round(size)
        size *= _STEP
    yield smallest


def _longest_piece(paragraphs: Sequence[str], style: Style) -> float:
    return max((style.length(piece.rstrip()) for words in paragraphs for piece in pieces(words)), default=0)


def _balanced(words: str, lines: list[str], style: Style, width: int) -> list[str]:
    """As many lines as these, of about one length."""
    # Not narrower than the longest word, which would be broken.
    narrow, wide = max(width // max(1, len(lines)), math.ceil(_longest_piece([words], style))), width
    while len(lines) > 1 and wide - narrow > style.size // 4:
        middle = (narrow + wide) // 2
        tried = wrap(words, style, middle)
        if len(tried) == len(lines):
            lines, wide = tried, middle
        else:
            narrow = middle
    return lines


def with_shadow(layer: Image.Image, colour: Colour, shorter: int) -> Image.Image:
    """The layer over a soft shadow of itself: dark below light words, light below dark ones."""
    is_light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] >= _LIGHT
    alpha = layer.getchannel("A")
    # A narrow one for the edges of the letters, and a wide one for the picture behind them.
    near = alpha.filter(ImageFilter.GaussianBlur(shorter * 0.0034)).point(lambda a: min(205, int(a * 1.7)))
    far = alpha.filter(ImageFilter.GaussianBlur(shorter * 0.016)).point(lambda a: min(175, int(a * 1.6)))
    far.paste(255, mask=near)
    shadow = Image.new("RGBA", layer.size, (0, 0, 0, 0) if is_light else (255, 255, 255, 0))
    shadow.putalpha(far.point(lambda a: min(230, a)))
    return Image.alpha_composite(shadow, layer)


def reach_of_shadow(shorter: int) -> int:
    """Pixels that a shadow reaches beyond its words."""
    return 2 + round(shorter * 0.045)
