"""Text on the frame besides the dialogue: slate, card and caption, and the shade behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import pi, sin
from typing import NamedTuple

from PIL import Image

from storyreel.tasks.media.text.layout import Block, Box, Weight, fit, one_line
from storyreel.tasks.providers.animatic.canvas import DIM, WHITE, Canvas, Palette
from storyreel.tasks.providers.animatic.figures import colour_of
from storyreel.tasks.providers.request import Board

_DOT = "  ·  "
_ROWS_OF_NAMES = 3
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
    shot, lens = (board.size, board.camera), (board.angle, board.lens)
    room = right - left
    whole = _capitals((*shot, *lens), 2 * canvas.width, canvas)
    if whole.width <= room:
        whole.draw(layer, left, safe.y, WHITE)
    else:
        _capitals(shot, room, canvas).draw(layer, left, safe.y, WHITE)
        _capitals(lens, safe.right - left, canvas).draw(layer, left, 2 * second_row - safe.y, WHITE)
    film = _DOT.join(word for word in (board.film, board.scene) if word)
    one_line(film, room, small, fonts=fonts).draw(layer, left, second_row, DIM)
    return layer


def _capitals(words: Sequence[str], width: int, canvas: Canvas) -> Block:
    """A line of the strip."""
    text = _DOT.join(word.upper() for word in words if word)
    return one_line(text, width, canvas.px(16), Weight.BOLD, canvas.fonts)


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


def story(board: Board, notes: tuple[str, ...], column: Box, canvas: Canvas, palette: Palette) -> Image.Image:
    """The text beside figures, at the foot of a column: place, action, notes, and who is seen, in their colours."""
    layer, gap, fonts = canvas.layer(), canvas.px(10), canvas.fonts
    place = one_line(board.place.upper(), column.width, canvas.px(18), Weight.BOLD, fonts)
    remarks = [one_line(note, column.width, canvas.px(16), fonts=fonts) for note in notes]
    names = tuple(_names(board, column.width, canvas))
    row = names[0].block.height
    named = row * (names[-1].row + 1)
    taken = named + gap + sum(block.height + gap for block in (place, *remarks) if block.lines)
    sizes = tuple(map(canvas.px, (30, 27, 24, 21, 18)))
    action = fit(board.action, column.width, max(1, column.height - taken), sizes, fonts=fonts)
    y = column.bottom - taken - action.height
    for block, colour in ((place, palette.accent), (action, WHITE), *((remark, DIM) for remark in remarks)):
        if block.lines:
            draw_at_side(block, layer, column, y, colour)
            y += block.height + gap
    for name in names:
        name.block.draw(layer, column.x + name.x, column.bottom - named + name.row * row, colour_of(name.number))
    return layer


class _Name(NamedTuple):
    """A name among those of a board: its row, and its left edge in the row."""

    block: Block
    number: int
    row: int
    x: int


def _names(board: Board, width: int, canvas: Canvas) -> Iterator[_Name]:
    """The names of those who are seen, in rows of this width; those that have no place in three rows are left out."""
    x = row = 0
    for name, number, _ in board.cast:
        block = one_line(name.upper(), width, canvas.px(17), Weight.BOLD, canvas.fonts)
        if x and x + block.width > width:
            x, row = 0, row + 1
        if row == _ROWS_OF_NAMES:
            return
        yield _Name(block, number, row, x)
        x += block.width + canvas.px(20)


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
