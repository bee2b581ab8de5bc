from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from storyreel.tasks.media.text.layout import (
    ELLIPSIS,
    Block,
    Style,
    fit,
    one_line,
    readable,
    right_to_left,
    rows,
    shadowed,
    wrap,
)
from storyreel.tasks.media.text.line_breaks import clusters
from storyreel.tasks.media.text.scripts import without_ignorable
from storyreel.tasks.media.text.typefaces import STANDARD, Weight
from tests.fonts import LINES, no_fonts, packaged_fonts  # noqa: F401
from tests.properties import one_in

SIZES = (40, 30, 20)


def style(text: str, size: int = 30) -> Style:
    return Style.of(text, STANDARD, Weight.REGULAR, size)


def ink(block: Block) -> tuple[int, int, int, int]:
    layer = Image.new("RGBA", (1400, 1400), (0, 0, 0, 0))
    block.draw(layer, 200, 200, (255, 255, 255, 255))
    return layer.getbbox() or (0, 0, 0, 0)


@given(st.text(max_size=300), st.integers(60, 900))
@settings(max_examples=60, deadline=None)
def test_no_line_is_wider_than_its_box_and_no_letter_is_lost(text: str, width: int) -> None:
    words = readable(text)
    set_in = style(words)
    lines = wrap(words, set_in, width)
    # One letter alone may be wider than the box.
    assert all(set_in.length(line) <= width or len(clusters(line)) == 1 for line in lines)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "").replace("\u200b", "")


@given(st.text(min_size=1, max_size=2000), st.integers(100, 1000), st.integers(30, 400))
@settings(max_examples=40, deadline=None)
def test_a_fitted_text_is_never_larger_than_its_box(text: str, width: int, height: int) -> None:
    block = fit(text, width, height, (40, 30, 20))
    assert block.width <= width
    assert block.height <= max(height, block.style.ascent + block.style.descent)


def test_a_short_text_takes_the_largest_size_and_a_long_one_a_smaller() -> None:
    sizes = (40, 30, 20)
    assert fit("Who's there?", 800, 200, sizes).style.size == 40
    assert fit("word " * 60, 800, 200, sizes).style.size < 40


def test_a_text_that_fits_in_no_size_ends_with_an_ellipsis_inside_the_box() -> None:
    block = fit("word " * 1000, 400, 120, (30, 20))
    assert block.style.size == 20
    assert block.lines[-1].endswith(ELLIPSIS)
    assert block.width <= 400 and block.height <= 120


def test_a_word_longer_than_a_line_is_broken_and_kept_whole() -> None:
    word = "x" * 60
    lines = wrap(word, style(word), 300)
    assert len(lines) > 1 and "".join(lines) == word


def test_an_accent_is_never_parted_from_its_letter() -> None:
    lines = wrap("ẍ̣" * 40, style("ẍ̣"), 200)
    assert len(lines) > 1
    assert all(line[0] not in "\u0308\u0323" for line in lines)


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


def at_full_size(text: str, width: int = 900, align: str = "left") -> Image.Image:
    layer = Image.new("RGBA", (1400, 600), (0, 0, 0, 0))
    rows(text, width, 40).draw(
        layer, {"left": 60, "centre": 700, "right": 1340}[align], 60, (255, 255, 255, 255), align
    )
    return layer


@pytest.mark.usefixtures("packaged_fonts")
@pytest.mark.parametrize("script", LINES)
@pytest.mark.parametrize("width", [900, 300])
def test_every_script_is_drawn_inside_its_box(script: str, width: int) -> None:
    block = rows(LINES[script], width, 40)
    assert block.width <= width and len(block.lines) >= (2 if width == 300 else 1)
    layer = Image.new("RGBA", (1400, 1400), (0, 0, 0, 0))
    block.draw(layer, 200, 200, (255, 255, 255, 255), "right" if block.style.rtl else "left")
    left, top, right, bottom = layer.getbbox() or (0, 0, 0, 0)
    assert top >= 200 - 6 and bottom <= 200 + block.height + 6
    assert right - left <= width + 6
    # Every glyph is one that its font has.
    for line in block.lines:
        for run in block.style.runs(line):
            assert all(letter in run.face.characters for letter in without_ignorable(run.text)), run.text


@pytest.mark.usefixtures("packaged_fonts")
def test_emoji_are_in_colour_between_letters_that_are_not() -> None:
    coloured = [c for c in at_full_size("Hi 😀👋🏽").getdata() if c[3] > 200 and max(c[:3]) - min(c[:3]) > 60]
    assert len(coloured) > 500
    assert not [c for c in at_full_size("Hi 测试").getdata() if c[3] > 200 and max(c[:3]) - min(c[:3]) > 60]


@pytest.mark.usefixtures("packaged_fonts")
def test_a_line_in_several_fonts_stands_on_one_base_line() -> None:
    alone, beside = at_full_size("xxx").getbbox(), at_full_size("xxx测试").crop((0, 0, 130, 600)).getbbox()
    under = at_full_size("测试xxx").crop((145, 0, 600, 600)).getbbox()
    assert alone and beside and under
    assert beside[3] - beside[1] == alone[3] - alone[1] and beside[3] == under[3]


@pytest.mark.usefixtures("packaged_fonts")
@pytest.mark.parametrize("script", LINES)
def test_a_line_that_is_too_long_ends_with_an_ellipsis_after_a_whole_letter(script: str) -> None:
    block = one_line(LINES[script] * 4, 400, 30)
    assert block.width <= 400 and block.lines[0].endswith(ELLIPSIS)
    kept = clusters(block.lines[0].removesuffix(ELLIPSIS))
    assert kept == clusters(readable(LINES[script] * 4))[: len(kept)]


@pytest.mark.usefixtures("no_fonts")
def test_a_letter_that_no_font_has_is_seen_to_be_missing() -> None:
    for letter in ("日", "한", "🎬", "न"):
        left, top, right, bottom = ink(one_line(letter, 500, 30))
        assert right - left > 5 and bottom - top > 10


@pytest.mark.usefixtures("packaged_fonts")
@given(st.text("abאבم夜のภาक्षि👋🏽 .,\u0301\u200d", max_size=80), st.integers(60, 900))
@one_in(3)
def test_no_line_of_any_script_is_wider_than_its_box(text: str, width: int) -> None:
    words = readable(text)
    set_in = style(words)
    for line in wrap(words, set_in, width):
        assert set_in.length(line) <= width or len(clusters(line)) == 1


def test_changes_of_direction_by_hand_are_left_out() -> None:
    assert readable("abc\u202edef\u2066\ufeff") == "abcdef"
