"""Draws credits: as cards one after the other, or as one strip that rolls through the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from PIL import Image

from storyreel.specs.language.titles import Credit, Credits, Lettering
from storyreel.tasks.media.text.layout import Block, Box, Colour
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.titles.cards import ground
from storyreel.tasks.titles.lettering import Styled, Typeface, safe_area, styled
from storyreel.tasks.titles.typeset import Align, runs_from_right, set_text

_NAME, _ROLE = 0.044, 0.037
"""Sizes, in the picture's shorter sides."""
_GUTTER, _GAP = 0.045, 0.05
"""Between roles and names, and between entries."""
_WIDE = 1.2
"""Width to height of a picture in which roles stand beside names; in others they stand above them."""
_FULL = 0.88
"""Part of the height of a card that is filled."""
_LONGEST = 12
"""Most names of one entry on one card; more go on on the next."""


class Cell(NamedTuple):
    """A block of text in the strip of credits."""

    block: Block
    colour: Colour
    x: int
    """The left, middle or right of its lines."""
    align: Align
    y: int
    """Pixels below the top of its entry."""


class Entry(NamedTuple):
    """An entry as it is set."""

    cells: tuple[Cell, ...]
    height: int
    names: int

    def draw(self, picture: Image.Image, y: int) -> None:
        """Draw with its top at row `y`."""
        for cell in self.cells:
            cell.block.draw(picture, cell.x, y + cell.y, cell.colour, cell.align)


class Page(NamedTuple):
    """A card of the credits, RGB, and its share of their time."""

    image: Image.Image
    share: int


class Roll(NamedTuple):
    """A strip, RGB, that is shown from its top on: each frame begins `step` rows below the one before."""

    strip: Image.Image
    step: int


def draw_pages(credits: Credits, lettering: Lettering, size: tuple[int, int], fonts: Fonts) -> list[Page]:
    """Credits on cards of `size`; `fonts.display` is the file that `lettering` names. Raises MediaError."""
    look, area = styled(lettering, fonts, credits.style, credits.colour), _area(credits, lettering, size)
    gap = round(min(size) * _GAP)
    entries = list(_set(_shortened(credits.entries), look, area, size))
    pages = []
    for shown in _spread(entries, round(area.height * _FULL), gap):
        picture = ground(look, credits.background, size).convert("RGBA")
        y = area.y + (area.height - _height(shown, gap)) // 2
        for entry in shown:
            entry.draw(picture, y)
            y += entry.height + gap
        pages.append(Page(picture.convert("RGB"), sum(entry.names + 1 for entry in shown)))
    return pages


def draw_roll(credits: Credits, lettering: Lettering, size: tuple[int, int], frames: int, fonts: Fonts) -> Roll:
    """Credits that roll from below the picture to above it in so many frames, by whole pixels a frame.

    The gaps between the entries are as wide as that takes. Raises MediaError for a broken font.
    """
    look, area = styled(lettering, fonts, credits.style, credits.colour), _area(credits, lettering, size)
    entries = list(_set(credits.entries, look, area, size))
    least, height = round(min(size) * _GAP), size[1]
    # The first frame shows the picture below which they begin, the last one the picture above which they end.
    moves = max(1, frames - 1)
    needed = height + _height(entries, least)
    step = max(1, round(needed / moves), -(-(height + _height(entries, least // 2)) // moves))
    spare = step * moves - height - sum(entry.height for entry in entries)
    gaps = len(entries) - 1
    gap = min(spare // gaps, 3 * least) if gaps else 0
    strip = ground(look, credits.background, (size[0], step * moves + height))
    y, around = height + (spare - gap * gaps) // 2, least // 4
    for entry in entries:
        # Entry by entry: with transparency a long strip would take twice the memory.
        part = ground(look, credits.background, (size[0], entry.height + 2 * around)).convert("RGBA")
        entry.draw(part, around)
        strip.paste(part.convert("RGB"), (0, y - around))
        y += entry.height + gap
    return Roll(strip, step)


def _area(credits: Credits, lettering: Lettering, size: tuple[int, int]) -> Box:
    return safe_area(size, credits.style or lettering.style)


def _shortened(entries: Sequence[Credit]) -> Iterator[Credit]:
    """The entries, of which none has more names than a card."""
    for entry in entries:
        for first in range(0, len(entry.names), _LONGEST):
            yield entry.model_copy(update={"names": entry.names[first : first + _LONGEST]})


def _set(
    entries: Sequence[Credit] | Iterator[Credit], look: Styled, area: Box, size: tuple[int, int]
) -> Iterator[Entry]:
    set_entry = _beside if size[0] > _WIDE * size[1] else _above
    return (set_entry(entry, look, area, min(size)) for entry in entries)


def _beside(entry: Credit, look: Styled, area: Box, shorter: int) -> Entry:
    """The role at one side of the middle, the names at the other; a text without a role in the middle."""
    if not entry.role:
        return _above(entry, look, area, shorter)
    middle, half = area.x + area.width // 2, round(shorter * _GUTTER / 2)
    width = area.width // 2 - half
    role = _text(entry.role, width, look, look.look.plain, _ROLE, shorter)
    names = [_text(name, width, look, look.look.strong, _NAME, shorter) for name in entry.names]
    # On one base line, whatever their sizes.
    lower = max(0, names[0].style.ascent - role.style.ascent)
    rtl = runs_from_right(entry.role)
    at_role, at_names = (middle + half, middle - half) if rtl else (middle - half, middle + half)
    sides: tuple[Align, Align] = ("left", "right") if rtl else ("right", "left")
    cells = [Cell(role, look.accent, at_role, sides[0], lower)]
    y = 0
    for block in names:
        cells.append(Cell(block, look.colour, at_names, sides[1], y))
        y += block.height
    return Entry(tuple(cells), max(y, lower + role.height), len(names))


def _above(entry: Credit, look: Styled, area: Box, shorter: int) -> Entry:
    """All lines in the middle, the role above the names."""
    middle, cells, y = area.x + area.width // 2, list[Cell](), 0
    if entry.role:
        role = _text(entry.role, area.width, look, look.look.plain, _ROLE, shorter)
        cells.append(Cell(role, look.accent, middle, "centre", 0))
        y = role.height
    for name in entry.names:
        block = _text(name, area.width, look, look.look.strong, _NAME, shorter)
        cells.append(Cell(block, look.colour, middle, "centre", y))
        y += block.height
    return Entry(tuple(cells), y, len(entry.names))


def _text(text: str, width: int, look: Styled, face: Typeface, part: float, shorter: int) -> Block:
    fonts, weight = look.set_in(face)
    return set_text(text, width, shorter, round(part * shorter), shorter, fonts, weight)


def _height(entries: Sequence[Entry], gap: int) -> int:
    return sum(entry.height for entry in entries) + gap * (len(entries) - 1)


def _spread(entries: Sequence[Entry], height: int, gap: int) -> list[list[Entry]]:
    """The entries on as few cards as they need, all about equally full."""
    pages = _filled(entries, height, gap)
    low, high = _height(entries, gap) // len(pages), height
    while high - low > gap:
        middle = (low + high) // 2
        tried = _filled(entries, middle, gap)
        if len(tried) == len(pages):
            pages, high = tried, middle
        else:
            low = middle
    return pages


def _filled(entries: Sequence[Entry], height: int, gap: int) -> list[list[Entry]]:
    pages: list[list[Entry]] = [[]]
    for entry in entries:
        if pages[-1] and _height([*pages[-1], entry], gap) > height:
            pages.append([])
        pages[-1].append(entry)
    return pages
