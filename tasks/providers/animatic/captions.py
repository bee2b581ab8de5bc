"""Text on the frame besides the dialogue: slate, card and caption, and the shade behind them."""

from __future__ import annotations

from math import pi, sin
from typing import NamedTuple

from PIL import Image

from storyreel.tasks.media.text.layout import Block, Box, Weight, fit, one_line
from storyreel.tasks.providers.animatic.canvas import DIM, WHITE, Canvas, Palette
from storyreel.tasks.providers.request import Board

_SHADE = 178
"""Darkness of the shade at the frame's edge, of 255."""


class Timecode(NamedTuple):
    """Place of the running timecode: top left of its digits and font size, in pixels."""

    x: int
    y: int
    size: int


def timecode(canvas: Canvas) -> Timecode:
    """The place of the timecode, in the upper right corner of the safe area."""
    size = canvas.px(22)
    width = one_line("00:00:00:00", canvas.safe.width, size).width
    return Timecode(canvas.safe.right - width, canvas.safe.y + canvas.px(2), size)


def slate(board: Board, take: int, canvas: Canvas) -> Image.Image:
    """The strip at the top: slate, shot size and camera move, film and scene; take and length under the timecode."""
    layer, safe, gap, fonts = canvas.layer(), canvas.safe, canvas.px(14), canvas.fonts
    small, second_row = canvas.px(16), canvas.safe.y + canvas.px(26)
    length = one_line(
        f"TAKE {take}  ·  {float(board.rate.seconds(board.frames)):.1f} s", safe.width, small, fonts=fonts
    )
    length.draw(layer, safe.right, second_row, DIM, "right")
    right = min(timecode(canvas).x, safe.right - length.width) - 2 * gap

    sizes = tuple(map(canvas.px, (38, 30, 24, 18)))
    name = fit(board.slate, (right - safe.x) // 2, canvas.px(48), sizes, Weight.BOLD, fonts)
    # Capitals and digits are 0.73 of the font size high, at the foot of the ascender.
    name.draw(layer, safe.x, safe.y + (canvas.px(44) - name.height) // 2, WHITE)
    left = safe.x + name.width + gap
    shot = "  ·  ".join(word.upper() for word in (board.size, board.camera) if word)
    one_line(shot, right - left, small, Weight.BOLD, fonts).draw(layer, left, safe.y, WHITE)
    film = "  ·  ".join(word for word in (board.film, board.scene) if word)
    one_line(film, right - left, small, fonts=fonts).draw(layer, left, second_row, DIM)
    return layer


def card(board: Board, notes: tuple[str, ...], column: Box, canvas: Canvas, palette: Palette) -> Image.Image:
    """The text of a card in a column: place, action and, smaller, notes. In a wide frame it is vertically centred."""
    layer, gap = canvas.layer(), canvas.px(14)
    place = one_line(board.place.upper(), column.width, canvas.px(18), Weight.BOLD, canvas.fonts)
    remarks = [one_line(note, column.width, canvas.px(16), fonts=canvas.fonts) for note in notes]
    taken = sum(block.height + gap for block in (place, *remarks) if block.lines)
    sizes = tuple(map(canvas.px, (42, 38, 34, 30, 27, 24, 21)))
    action = fit(board.action, column.width, max(1, column.height - taken), sizes, fonts=canvas.fonts)
    y = column.y + (max(0, column.height - taken - action.height) // 2 if canvas.is_wide else 0)
    for block, colour in ((place, palette.accent), (action, WHITE), *((remark, DIM) for remark in remarks)):
        if block.lines:
            draw_at_side(block, layer, column, y, colour)
            y += block.height + gap
    return layer


def caption(board: Board, canvas: Canvas) -> Block:
    """The action in a few small lines, for a picture that is only a reference."""
    sizes = tuple(map(canvas.px, (21, 18)))
    return fit(board.action, round(canvas.safe.width * 0.86), canvas.px(56), sizes, fonts=canvas.fonts)


def draw_caption(block: Block, foot: int, canvas: Canvas) -> Image.Image:
    """The caption on an empty layer, above row `foot`."""
    layer = canvas.layer()
    draw_at_side(block, layer, canvas.safe, foot - block.height, WHITE)
    return layer


def shade(canvas: Canvas, top: int, foot: int) -> Image.Image:
    """A layer that darkens the frame from the upper edge to row `top` and from row `foot` to the lower edge."""
    mask = Image.new("L", (canvas.width, canvas.height))
    # It grows like a sine: soft at its edge and nearly full behind the text.
    ramp = Image.linear_gradient("L").point(lambda level: round(_SHADE * sin(pi / 2 * level / 255) ** 1.6))
    if top:
        mask.paste(ramp.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((canvas.width, top)), (0, 0))
    if foot < canvas.height:
        mask.paste(ramp.resize((canvas.width, canvas.height - foot)), (0, foot))
    layer = canvas.layer()
    layer.putalpha(mask)
    return layer


def draw_at_side(block: Block, layer: Image.Image, column: Box, y: int, colour: tuple[int, int, int, int]) -> None:
    """Draw at the left of a column, or at its right if the text runs from right to left."""
    if block.style.rtl:
        block.draw(layer, column.right, y, colour, "right")
    else:
        block.draw(layer, column.x, y, colour)
