"""A line that is cut into runs looks as the one that Raqm orders as a whole."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from storyreel.tasks.media.text.bidi import levels, visual_order
from storyreel.tasks.media.text.layout import has_raqm
from storyreel.tasks.media.text.typefaces import Weight

FONT = ImageFont.truetype(str(Weight.REGULAR.path), 40)
_SAME = 60
"""Most difference, of 255, between softened pictures of the same letters at the same places, to a part of a pixel."""


def drawn(runs: list[tuple[str, str]]) -> Image.Image:
    paper, x = Image.new("L", (900, 90)), 20.0
    for text, direction in runs:
        ImageDraw.Draw(paper).text((x, 60), text, font=FONT, fill=255, anchor="ls", direction=direction)
        x += FONT.getlength(text, direction=direction)
    return paper.filter(ImageFilter.GaussianBlur(3))


def in_runs(line: str, rtl: bool) -> list[tuple[str, str]]:
    found = levels(line, rtl)
    edges = [0, *(at for at in range(1, len(line)) if found[at] != found[at - 1]), len(line)]
    runs = [(line[a:b], "rtl" if found[a] % 2 else "ltr") for a, b in pairwise(edges)]
    return visual_order(runs, [found[at] for at in edges[:-1]])


@given(st.text("abאבגمنر12 .,:!?()[]-+/%", min_size=1, max_size=12), st.booleans())
def test_runs_stand_where_raqm_puts_them(line: str, rtl: bool) -> None:
    assert has_raqm()
    line = line.strip() or "a"
    whole = drawn([(line, "rtl" if rtl else "ltr")])
    assert ImageChops.difference(whole, drawn(in_runs(line, rtl))).getextrema()[1] <= _SAME


def test_the_comparison_sees_a_bracket_on_the_wrong_side() -> None:
    right, wrong = drawn([("(אב)", "rtl")]), drawn([("(", "ltr"), ("אב", "rtl"), (")", "ltr")])
    assert ImageChops.difference(right, drawn([("אב)", "rtl"), ("(", "rtl")])).getextrema()[1] <= _SAME
    assert ImageChops.difference(drawn([("(אב", "rtl")]), wrong).getextrema()[1] > _SAME
