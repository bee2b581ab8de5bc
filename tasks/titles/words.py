"""Draws words that lie over the film's picture: titles, lower thirds, captions and subtitles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from storyreel.specs.language.titles import Lettering, LetteringStyle, Place, Words, WordsKind
from storyreel.tasks.media.text.layout import Block, Box, Colour
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.titles.lettering import Role, Styled, safe_area, styled
from storyreel.tasks.titles.typeset import (
    Align,
    Placed,
    reach_of_shadow,
    runs_from_right,
    set_lines,
    set_text,
    with_shadow,
)

_SUBTITLES = 3.05
"""Height of the subtitles' two lines, in their size: all other words stay above them, as they may be in one picture."""
_PANELS = 0.04
"""Of the shorter side."""
_WIDE = 1.2
"""Width to height of a picture from which words at a side leave the other side free."""
_MIRRORED: dict[Place, Place] = {"left": "right", "top left": "top right", "bottom left": "bottom right"}


class Row(NamedTuple):
    """A block of a stack, with its colour."""

    block: Block
    colour: Colour


class Stack(NamedTuple):
    """Blocks below each other."""

    rows: tuple[Row, ...]
    gap: int
    """Pixels between them."""

    @property
    def width(self) -> int:
        return max((row.block.width for row in self.rows), default=0)

    @property
    def height(self) -> int:
        return sum(row.block.height for row in self.rows) + self.gap * (len(self.rows) - 1)

    def draw(self, layer: Image.Image, x: int, y: int, align: Align) -> None:
        """Draw on a layer; `x` is the left, middle or right of the lines, `y` the top of the first."""
        for row in self.rows:
            row.block.draw(layer, x, y, row.colour, align)
            y += row.block.height + self.gap


class _Shape(NamedTuple):
    """The room of a kind of words, in parts of the safe area."""

    width: float
    height: float
    line_height: float


_SHAPES: dict[WordsKind, _Shape] = {
    "title": _Shape(0.9, 0.5, 0.2), "lower_third": _Shape(0.6, 0.22, 0.16), "caption": _Shape(0.6, 0.3, 0.16),
}  # fmt: skip


def draw_words(words: Words, lettering: Lettering, size: tuple[int, int], fonts: Fonts) -> Placed:
    """Words in a picture of `size`, inside the title-safe area; `fonts.display` is the file that `lettering` names.

    Call it in a thread. Raises MediaError for a broken font.
    """
    look = styled(lettering, fonts, words.style, words.colour)
    shorter, kind = min(size), words.kind
    safe = safe_area(size, look.style)
    # Panels reach beyond their letters, at the top of the one and at the foot of the other.
    foot = round(_size(look, "subtitle", shorter) * _SUBTITLES + (_PANELS * shorter if look.look.panel else 0))
    area = Box(x=safe.x, y=safe.y, width=safe.width, height=safe.height - foot)
    shape = _SHAPES[kind]
    is_wide = size[0] > _WIDE * size[1]
    width = round(safe.width * (shape.width if is_wide or kind == "title" else 1)) - 2 * _side(look, kind, shorter)
    room = width, round(safe.height * shape.height), round(safe.height * shape.line_height)
    stack = set_stack(words.text, words.line, kind, look, shorter, room)
    rtl = runs_from_right(words.text)
    place = words.place or _default_place(look, kind, rtl)
    whole = area if place.startswith("bottom") else safe
    return _placed(stack, look, kind, place, whole, shorter, rtl=rtl)


def draw_subtitle(
    lines: Sequence[str],
    lettering: Lettering,
    size: tuple[int, int],
    fonts: Fonts,
    style: LetteringStyle | None = None,
) -> Placed:
    """A subtitle in a picture of `size`, its lines as they are, at the foot of the title-safe area.

    Otherwise as `draw_words`.
    """
    look, shorter = styled(lettering, fonts, style), min(size)
    safe = safe_area(size, look.style)
    in_fonts, weight = look.set_in(look.look.plain)
    side = round(shorter * 0.02) if look.look.panel else 0
    block = set_lines(
        lines, safe.width - 2 * side, round(shorter * look.look.sizes["subtitle"]), shorter, in_fonts, weight
    )
    stack = Stack((Row(block, look.colour),), 0)
    return _placed(stack, look, "subtitle", "bottom", safe, shorter, rtl=False)


def set_stack(text: str, line: str, role: Role, look: Styled, shorter: int, room: tuple[int, int, int]) -> Stack:
    """Words and the line below them; `room` is their width, the height of the words and that of the line, in pixels."""
    width, height, line_height = room
    fonts, weight = look.set_in(look.look.plain if role == "caption" else look.look.strong)
    rows = [Row(set_text(text, width, height, _size(look, role, shorter), shorter, fonts, weight), look.colour)]
    if line.strip():
        fonts, weight = look.set_in(look.look.plain)
        most = min(_size(look, "line", shorter), rows[0].block.style.size)
        rows.append(Row(set_text(line, width, line_height, most, shorter, fonts, weight), look.colour))
    return Stack(tuple(rows), round(shorter * (0.016 if role in ("title", "card") else 0.004)))


def draw_bar(layer: Image.Image, box: Box, look: Styled, shorter: int) -> None:
    """A thin upright line in the accent's colour, at the left of a box."""
    thick = max(2, round(shorter * 0.006))
    ImageDraw.Draw(layer).rectangle((box.x, box.y, box.x + thick - 1, box.bottom - 1), fill=look.accent)


def _size(look: Styled, role: Role, shorter: int) -> int:
    return round(look.look.sizes[role] * shorter)


def _default_place(look: Styled, kind: WordsKind, rtl: bool) -> Place:
    place = look.look.places[kind]
    return _MIRRORED.get(place, place) if rtl else place


def _side(look: Styled, role: Role, shorter: int) -> int:
    """Pixels at each side of words for a bar and a panel."""
    return round(shorter * 0.024) if look.look.bar or _has_panel(look, role) else 0


def _has_panel(look: Styled, role: Role) -> bool:
    return bool(look.look.panel) and role in ("lower_third", "caption", "subtitle")


def _placed(stack: Stack, look: Styled, role: Role, place: Place, area: Box, shorter: int, *, rtl: bool) -> Placed:
    is_middle = not ("left" in place or "right" in place)
    align: Align = "centre" if is_middle else "right" if rtl else "left"
    has_bar, has_panel = look.look.bar and not is_middle, _has_panel(look, role)
    side = round(shorter * 0.024) if has_bar or has_panel else 0
    above = round(shorter * 0.012) if has_panel else 0
    width, height = stack.width + 2 * side, stack.height + 2 * above
    x = area.x + (area.width - width) // 2
    if not is_middle:
        x = area.right - width if "right" in place else area.x
    y = area.y + (area.height - height) // 2
    if place.startswith(("top", "bottom")):
        y = area.y if place.startswith("top") else area.bottom - height
    edge = reach_of_shadow(shorter)
    layer = Image.new("RGBA", (width + 2 * edge, height + 2 * edge), (0, 0, 0, 0))
    left = {"left": edge + side, "centre": edge + width // 2, "right": edge + width - side}[align]
    stack.draw(layer, left, edge + above, align)
    if not has_panel:
        layer = with_shadow(layer, look.colour, shorter)
    ground = Image.new("RGBA", layer.size, (0, 0, 0, 0))
    box = Box(x=edge, y=edge, width=width, height=height)
    if has_panel:
        _draw_panel(ground, box, look, shorter)
    if has_bar:
        at_side = Box(x=box.right - round(shorter * 0.006) if rtl else box.x, y=box.y, width=1, height=height)
        draw_bar(ground, at_side, look, shorter)
    return Placed(Image.alpha_composite(ground, layer), (x - edge, y - edge))


def _draw_panel(ground: Image.Image, box: Box, look: Styled, shorter: int) -> None:
    """A dark panel, or below dark words a light one, with round corners if no bar stands at its side."""
    is_light = sum(look.colour[:3]) >= 330
    fill = (*((12, 14, 17) if is_light else (245, 245, 242)), round(255 * look.look.panel))
    radius = 0 if look.look.bar else round(shorter * 0.016)
    ImageDraw.Draw(ground).rounded_rectangle((box.x, box.y, box.right - 1, box.bottom - 1), radius, fill=fill)
