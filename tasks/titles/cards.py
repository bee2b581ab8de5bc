"""Draws cards: words alone, which fill the picture."""

from __future__ import annotations

from PIL import Image

from storyreel.specs.language.titles import Card, Lettering
from storyreel.tasks.media.text.layout import Box, Colour
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.titles.lettering import Styled, rgb, safe_area, styled
from storyreel.tasks.titles.typeset import Align, runs_from_right
from storyreel.tasks.titles.words import draw_bar, set_stack

_WIDTH, _HEIGHT, _LINE_HEIGHT = 0.84, 0.68, 0.22
"""Room of a card's words and of the line below, in parts of the safe area."""


def draw_card(card: Card, lettering: Lettering, size: tuple[int, int], fonts: Fonts) -> Image.Image:
    """A card, RGB, of `size`; `fonts.display` is the file that `lettering` names. Raises MediaError for a bad font."""
    look = styled(lettering, fonts, card.style, card.colour)
    area, shorter = safe_area(size, look.style), min(size)
    room = round(area.width * _WIDTH), round(area.height * _HEIGHT), round(area.height * _LINE_HEIGHT)
    stack = set_stack(card.text, card.line, "card", look, shorter, room)
    picture = ground(look, card.background, size).convert("RGBA")
    y = area.y + (area.height - stack.height) // 2
    x, align = _column(area, stack.width, look, rtl=runs_from_right(card.text))
    if look.look.bar:
        beside = round(shorter * 0.03)
        left = x + beside if align == "right" else x - beside
        draw_bar(picture, Box(x=left, y=y, width=1, height=stack.height), look, shorter)
    stack.draw(picture, x, y, align)
    return picture.convert("RGB")


def ground(look: Styled, background: str | None, size: tuple[int, int]) -> Image.Image:
    """The picture behind the words of a card: one colour."""
    colour: Colour = rgb(background) or look.look.background
    return Image.new("RGB", size, colour[:3])


def _column(area: Box, width: int, look: Styled, *, rtl: bool) -> tuple[int, Align]:
    """The place and alignment of lines: the middle, or in a style with a bar the side where they begin."""
    if not look.look.bar:
        return area.x + area.width // 2, "centre"
    inset = max(0, min(round(area.width * 0.12), area.width - width))
    return (area.right - inset, "right") if rtl else (area.x + inset, "left")
