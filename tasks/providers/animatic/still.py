"""The stills and sheets that an animatic draws: what its clip of a shot begins or ends with, and a page of a person."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product
from operator import mul
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageFilter

from storyreel.specs.language.slates import PictureKind, owner_of, picture_slate
from storyreel.tasks.media.stills import cover
from storyreel.tasks.media.text.layout import Box, Weight, fit, one_line, shadowed
from storyreel.tasks.providers.animatic import pictures
from storyreel.tasks.providers.animatic.canvas import DIM, WHITE, Canvas, Palette, canvas_of
from storyreel.tasks.providers.animatic.captions import draw_at_side
from storyreel.tasks.providers.animatic.figures import draw_figures, people_of
from storyreel.tasks.providers.animatic.page import MOST_PANES, Rows, card_of
from storyreel.tasks.providers.animatic.panes import (
    HEADROOM,
    Pane,
    behind,
    filling,
    fills,
    flat,
    framed,
    opaque,
    place_among,
    row,
)
from storyreel.tasks.providers.animatic.pictures import CARD, PICTURE, Picture
from storyreel.tasks.providers.animatic.scenery import empty_set
from storyreel.tasks.providers.request import Board, Request

_QUALITY = 95
"""Of JPEG, without loss that can be seen; a PNG takes twice the bytes and more."""
_MOST_OF_ONE = 4
"""Most pictures in a sheet."""

_SHARES = {
    "extreme wide": 0.45, "wide": 0.5, "full": 0.6, "medium wide": 0.7, "medium": 0.8, "medium close up": 0.9,
}  # fmt: skip
"""Height of people by the size of the shot, in heights of the safe area; of closer shots 1."""
_LIGHT = 0.72
"""Brightness of the place behind people, a little out of focus."""

_Rows = list[tuple[Picture, ...]]


class Still(NamedTuple):
    """A picture, and whether it is one of the shot or a card of words: CARD or PICTURE."""

    image: Image.Image
    mark: bytes

    def save(self, into: Path) -> None:
        """Write it as a JPEG that tells what it is. Raises OSError."""
        self.image.save(into, "JPEG", quality=_QUALITY, subsampling=0, comment=self.mark)


def still_of(request: Request, board: Board) -> Still:
    """The still that a request orders, which its board's slate tells: `1A@still`, `1A@last-still`, `mira@sheet`.

    References fill the frame or are side by side, without words; without any it is a card. Raises MediaError if a
    picture or video cannot be opened.
    """
    canvas, palette = canvas_of(request, board), Palette.of(board)
    if _is(board, "sheet"):
        return _sheet(request, board, canvas, palette)
    if not (found := pictures.references(request, canvas, MOST_PANES)):
        return _card(request, board, canvas, palette)
    if fills(found[0], board, canvas):
        pane = filling(found[0], board, canvas)
        return Still(pane.seen(pane.camera.end if _is(board, "last still") else pane.camera.start), PICTURE)
    return Still(_people(found, board, canvas), PICTURE)


def _is(board: Board, kind: PictureKind) -> bool:
    return board.slate == picture_slate(owner_of(board.slate), kind)


def _people(found: tuple[Picture, ...], board: Board, canvas: Canvas) -> Image.Image:
    """Pictures side by side, the larger the closer the shot, in front of the place if there is a picture of that."""
    shown = tuple(picture for picture in found if not fills(picture, board, canvas))
    safe, share = canvas.safe, _SHARES.get(board.size, 1)
    high = round(safe.height * share)
    box = Box(x=safe.x, y=safe.y + (safe.height - high) // 2, width=safe.width, height=high)
    ground = behind(found, canvas)
    if place := place_among(found, canvas):
        sharp = cover(opaque(place.still), canvas.width, canvas.height, HEADROOM)
        ground = sharp.filter(ImageFilter.GaussianBlur(canvas.px(5))).point(lambda level: int(level * _LIGHT))
    return _framed(row(shown, box, _static(board), canvas), ground, canvas)


def _card(request: Request, board: Board, canvas: Canvas, palette: Palette) -> Still:
    panes, layers = card_of(request, board, canvas, palette, Rows.of(board, canvas, canvas.safe.bottom))
    return Still(_with(flat(panes, canvas), *layers), CARD)


def _sheet(request: Request, board: Board, canvas: Canvas, palette: Palette) -> Still:
    """The name and the description at the left, and all pictures that are there, else a figure of the person."""
    found = tuple(pictures.all_references(request, canvas, _MOST_OF_ONE))
    safe, gap = canvas.safe, canvas.px(46)
    wide = safe.width // 3 if found or board.cast else safe.width * 2 // 3
    words = Box(x=safe.x, y=safe.y, width=wide, height=safe.height)
    written = shadowed(_written(board, words, canvas, palette), canvas.px(3))
    if not found:
        ground = empty_set(canvas.width, canvas.height, palette)
        whole = Box(x=0, y=0, width=canvas.width, height=canvas.height)
        draw_figures(ground, people_of(board), "full", whole, palette)
        return Still(_with(ground, written), CARD)
    beside = Box(x=safe.x + wide + gap, y=safe.y, width=safe.width - wide - gap, height=safe.height)
    rows = _in_rows(found, beside, canvas)
    panes = tuple(pane for shown, place in rows for pane in row(shown, place, _static(board), canvas))
    return Still(_with(_framed(panes, behind(found, canvas), canvas), written), PICTURE)


def _written(board: Board, column: Box, canvas: Canvas, palette: Palette) -> Image.Image:
    layer, gap, fonts = canvas.layer(), canvas.px(14), canvas.fonts
    film = one_line(board.film, column.width, canvas.px(16), fonts=fonts)
    name = fit(board.place, column.width, canvas.px(120), tuple(map(canvas.px, (52, 44, 36, 28))), Weight.BOLD, fonts)
    left = max(1, column.height - film.height - name.height - 2 * gap)
    told = fit(board.action, column.width, left, tuple(map(canvas.px, (28, 25, 22, 19, 16))), fonts=fonts)
    blocks = [(block, colour) for block, colour in ((film, DIM), (name, palette.accent), (told, WHITE)) if block.lines]
    y = column.y + max(0, column.height - sum(block.height + gap for block, _ in blocks)) // 2
    for block, colour in blocks:
        draw_at_side(block, layer, column, y, colour)
        y += block.height + gap
    return layer


def _in_rows(found: tuple[Picture, ...], box: Box, canvas: Canvas) -> Iterator[tuple[tuple[Picture, ...], Box]]:
    """Pictures in rows of one width, each with its place, so that they are as large as possible together."""
    gap = canvas.px(22)

    def width(rows: _Rows) -> float:
        """The width at which the rows are as high as the box, at most that of the box."""
        high = box.height - gap * (len(rows) - 1)
        high_at_no_width = sum(-gap * (len(each) - 1) / _ratio(each) for each in rows)
        return min(box.width, (high - high_at_no_width) / sum(1 / _ratio(each) for each in rows))

    def heights(rows: _Rows) -> list[float]:
        wide = width(rows)
        return [(wide - gap * (len(each) - 1)) / _ratio(each) for each in rows]

    def area(rows: _Rows) -> float:
        """0 if there is no room for a row beside the others."""
        high = heights(rows)
        return sum(map(mul, map(_ratio, rows), (each**2 for each in high))) if min(high) > 0 else 0

    rows = max(_parted(found), key=area)
    y = box.y + (box.height - sum(heights(rows)) - gap * (len(rows) - 1)) / 2
    for each, high in zip(rows, heights(rows), strict=True):
        yield each, Box(x=box.x, y=round(y), width=box.width, height=round(high))
        y += high + gap


def _ratio(pictures: tuple[Picture, ...]) -> float:
    """Width to height of pictures side by side."""
    return sum(picture.ratio for picture in pictures)


def _parted(found: tuple[Picture, ...]) -> Iterator[_Rows]:
    """All ways to part pictures into rows without changing their order."""
    for cuts in product((False, True), repeat=len(found) - 1):
        ends = [0, *(number for number, cut in enumerate(cuts, 1) if cut), len(found)]
        yield [found[first:end] for first, end in pairwise(ends)]


def _framed(panes: tuple[Pane, ...], ground: Image.Image, canvas: Canvas) -> Image.Image:
    """The panes in front of a ground, as they are at the beginning."""
    edges = framed(panes, ground, canvas)
    for pane in panes:
        ground.paste(pane.seen(pane.camera.start), (pane.x, pane.y))
    return _with(ground, edges)


def _static(board: Board) -> Board:
    return board.model_copy(update={"camera": "static"})


def _with(ground: Image.Image, *layers: Image.Image) -> Image.Image:
    picture = ground.convert("RGBA")
    for layer in layers:
        picture = Image.alpha_composite(picture, layer)
    return picture.convert("RGB")
