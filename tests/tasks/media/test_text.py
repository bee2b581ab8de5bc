from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from storyreel.tasks.media.text import (
    ELLIPSIS,
    Block,
    Weight,
    fit,
    one_line,
    readable,
    right_to_left,
    rows,
    shadowed,
    wrap,
)

FONT = ImageFont.truetype(str(Weight.REGULAR.path), 30)


def ink(block: Block) -> tuple[int, int, int, int]:
    layer = Image.new("RGBA", (1400, 1400), (0, 0, 0, 0))
    block.draw(layer, 200, 200, (255, 255, 255, 255))
    return layer.getbbox() or (0, 0, 0, 0)


@given(st.text(max_size=300), st.integers(60, 900))
@settings(max_examples=60, deadline=None)
def test_no_line_is_wider_than_its_box_and_no_letter_is_lost(text: str, width: int) -> None:
    words = readable(text)
    lines = wrap(words, FONT, width)
    assert all(FONT.getlength(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")


@given(st.text(min_size=1, max_size=2000), st.integers(100, 1000), st.integers(30, 400))
@settings(max_examples=40, deadline=None)
def test_a_fitted_text_is_never_larger_than_its_box(text: str, width: int, height: int) -> None:
    block = fit(text, width, height, (40, 30, 20))
    assert block.width <= width
    assert block.height <= max(height, sum(block.font.getmetrics()))


def test_a_short_text_takes_the_largest_size_and_a_long_one_a_smaller() -> None:
    sizes = (40, 30, 20)
    assert fit("Who's there?", 800, 200, sizes).font.size == 40
    assert fit("word " * 60, 800, 200, sizes).font.size < 40


def test_a_text_that_fits_in_no_size_ends_with_an_ellipsis_inside_the_box() -> None:
    block = fit("word " * 1000, 400, 120, (30, 20))
    assert block.font.size == 20
    assert block.lines[-1].endswith(ELLIPSIS)
    assert block.width <= 400 and block.height <= 120


def test_a_word_longer_than_a_line_is_broken_and_kept_whole() -> None:
    word = "x" * 60
    lines = wrap(word, FONT, 300)
    assert len(lines) > 1 and "".join(lines) == word


def test_an_accent_is_never_parted_from_its_letter() -> None:
    lines = wrap("ẍ̣" * 40, FONT, 200)
    assert len(lines) > 1
    assert all(line[0] not in "\u0308\u0323" for line in lines)


@pytest.mark.parametrize("letter", ["日", "한", "🎬", "न"])
def test_a_letter_that_the_font_lacks_is_seen_to_be_missing(letter: str) -> None:
    left, top, right, bottom = ink(one_line(letter, 500, 30))
    assert right - left > 5 and bottom - top > 10


def test_what_cannot_be_drawn_is_left_out() -> None:
    assert readable("one\n\n\ttwo\x07\ufe0f three\u0000") == "one two three"


def test_a_text_of_nothing_has_no_lines() -> None:
    assert fit(" \n ", 100, 100, (20,)).lines == ()
    assert ink(fit("", 100, 100, (20,))) == (0, 0, 0, 0)


@pytest.mark.parametrize(("text", "answer"), [("שלום", True), ("مرحبا abc", True), ("abc שלום", False), ("12:", False)])
def test_the_first_letter_says_from_which_side_a_text_runs(text: str, answer: bool) -> None:
    assert right_to_left(text) is answer


def test_the_height_of_a_block_holds_all_its_ink() -> None:
    block = rows("Ågy Ågy " * 20, 300, 30)
    assert len(block.lines) > 3
    _, top, right, bottom = ink(block)
    assert top >= 200 and bottom <= 200 + block.height
    assert right <= 200 + block.width + 1


def test_a_shadow_keeps_the_letters_and_darkens_around_them() -> None:
    layer = Image.new("RGBA", (300, 100), (0, 0, 0, 0))
    one_line("Wide", 300, 40).draw(layer, 50, 20, (255, 255, 255, 255))
    plain = layer.getbbox()
    shaded = shadowed(layer, 4)
    assert plain and shaded.getbbox() != plain
    on_white = Image.alpha_composite(Image.new("RGBA", layer.size, (255, 255, 255, 255)), shaded)
    assert min(on_white.convert("L").getdata()) < 128  # white letters are legible on white
