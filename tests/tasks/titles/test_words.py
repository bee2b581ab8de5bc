"""Words over the picture: inside the safe area, whole, legible, in the style that is asked for."""

from __future__ import annotations

from functools import reduce
from itertools import product
from typing import get_args

import pytest
from PIL import Image, ImageChops, ImageFilter

from storyreel.specs.language.titles import Lettering, LetteringStyle, Place, Words
from storyreel.tasks.media.text.layout import Colour
from storyreel.tasks.media.text.typefaces import STANDARD, Fonts
from storyreel.tasks.titles.lettering import LOOKS, safe_area
from storyreel.tasks.titles.typeset import Placed, set_text
from storyreel.tasks.titles.words import draw_subtitle, draw_words

STYLES = get_args(LetteringStyle)
SIZES = ((426, 240), (240, 426), (300, 300))
SCRIPTS = {
    "latin": "The keeper of the light",
    "zh": "守灯人四十年来从未熄灭这盏灯",
    "ko": "등대지기의 노래와 바다",
    "hi": "प्रकाश की रखवाली करने वाली",
    "th": "ผู้เฝ้าประภาคารริมทะเล",
    "ar": "حارسة المنارة القديمة",
    "emoji": "Light 🔦 on 🎬",
}
KINDS = ("title", "lower_third", "caption")


OVERHANG = 2
"""Pixels by which the ink of a letter may be wider than its place."""


def _opaque(placed: Placed) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of light letters and lines in the film's picture, without shadow and panel."""
    black = Image.new("RGBA", placed.image.size, (0, 0, 0, 255))
    black.alpha_composite(placed.image)
    box = black.convert("L").point(lambda v: 255 * (v > 90)).getbbox()
    assert box
    x, y = placed.at
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


@pytest.mark.parametrize("style", STYLES)
def test_words_of_every_script_and_length_stay_in_the_safe_area(style: LetteringStyle) -> None:
    places = get_args(Place)
    cases: list[tuple[str, str, str | None]] = [
        (kind, text, None) for kind, text in product(KINDS, [*SCRIPTS.values(), "W" * 90])
    ]
    everywhere = [(SIZES[0], (kind, SCRIPTS["latin"], place)) for kind, place in product(KINDS, places)]
    for size, (kind, text, place) in (*product(SIZES, cases), *everywhere):
        words = Words.model_validate({kind: text, "line": text[:200], "place": place} if place else {kind: text})
        left, top, right, bottom = _opaque(draw_words(words, Lettering(style=style), size, STANDARD))
        safe = safe_area(size, style)
        assert safe.x - OVERHANG <= left and right <= safe.right + OVERHANG, (size, kind, text, place)
        assert safe.y <= top and bottom <= safe.bottom, (size, kind, text, place)


@pytest.mark.parametrize("style", STYLES)
def test_other_words_never_meet_the_subtitles(style: LetteringStyle) -> None:
    for size, text in product(SIZES, ("The light has not gone", SCRIPTS["th"], SCRIPTS["hi"])):
        lettering = Lettering(style=style)
        foot = draw_words(Words(lower_third=text, line=text, place="bottom"), lettering, size, STANDARD)
        subtitle = draw_subtitle([text, text], lettering, size, STANDARD)
        assert _opaque(foot)[3] <= _opaque(subtitle)[1], (size, text)


def test_a_text_is_set_whole_and_no_word_is_broken_while_it_can_be_helped() -> None:
    for text, width in product(
        [*SCRIPTS.values(), "mill " * 40, "Donaudampfschifffahrtsgesellschaft fährt"], (120, 300)
    ):
        block = set_text(text, width, 200, 40, 240, STANDARD)
        assert "".join(block.lines).replace(" ", "") == text.replace(" ", "")
        assert block.width <= width
    for text in ("등대지기의 노래", "Donaudampfschifffahrtsgesellschaft fährt", "The keeper of the light"):
        block = set_text(text, 300, 200, 40, 240, STANDARD)
        assert [word for line in block.lines for word in line.split()] == text.split()


def test_lines_are_about_as_long_as_each_other_and_line_breaks_are_kept() -> None:
    block = set_text("One two three four five six seven eight nine ten", 200, 400, 30, 240, STANDARD)
    lengths = [block.style.length(line) for line in block.lines]
    assert len(lengths) > 1 and min(lengths) > 0.6 * max(lengths)
    assert set_text("Three years\nlater", 400, 400, 30, 240, STANDARD).lines == ("Three years", "later")


def _luminance(grey: float) -> float:
    part = grey / 255
    return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4


def _contrast(placed: Placed, behind: int, colour: Colour) -> float:
    """The ratio of WCAG 2 between the letters and what is beside them, over a plain picture."""
    near = [
        band.point([255 * (abs(v - c) < 6) for v in range(256)])
        for band, c in zip(placed.image.split(), colour, strict=True)
    ]
    letters = reduce(ImageChops.multiply, near)
    beside = ImageChops.subtract(letters.filter(ImageFilter.MaxFilter(7)), letters.filter(ImageFilter.MaxFilter(3)))
    picture = Image.new("RGBA", placed.image.size, (behind, behind, behind, 255))
    picture.alpha_composite(placed.image)
    grey = picture.convert("L")

    def mean(mask: Image.Image) -> float:
        weights = grey.histogram(mask)
        return sum(value * count for value, count in enumerate(weights)) / sum(weights)

    bright, dark = sorted((_luminance(mean(letters)), _luminance(mean(beside))), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("style", STYLES)
def test_words_are_legible_on_black_on_grey_and_on_white(style: LetteringStyle) -> None:
    for colour in (None, "#000000"):
        lettering = Lettering(style=style, **({"colour": colour} if colour else {}))
        shown = (0, 0, 0, 255) if colour else LOOKS[style].colour
        drawn = [draw_words(Words.model_validate({kind: "Keeper"}), lettering, (1280, 720), STANDARD) for kind in KINDS]
        drawn.append(draw_subtitle(["Keeper"], lettering, (1280, 720), STANDARD))
        for placed, behind in product(drawn, (0, 128, 255)):
            # WCAG 2.2, 1.4.3, asks for 3:1 of large text.
            assert _contrast(placed, behind, shown) >= 3, (placed.at, behind, colour)


def test_sizes_are_parts_of_the_pictures_shorter_side() -> None:
    words, heights = Words(title="Keeper"), []
    for size in ((640, 360), (1280, 720), (360, 640)):
        _, top, _, bottom = _opaque(draw_words(words, Lettering(), size, STANDARD))
        heights.append((bottom - top) / min(size))
    assert max(heights) - min(heights) < 0.01


def test_arabic_begins_at_the_right_unless_a_place_is_written() -> None:
    def middle(words: Words) -> float:
        left, _, right, _ = _opaque(draw_words(words, Lettering(), (426, 240), STANDARD))
        return (left + right) / 2

    assert middle(Words(lower_third="Mira")) < 213 < middle(Words(lower_third=SCRIPTS["ar"]))
    assert middle(Words(lower_third=SCRIPTS["ar"], place="bottom left")) < 213


def test_words_have_the_colours_and_the_style_that_are_asked_for() -> None:
    lettering = Lettering(style="documentary", colour="#0f0", accent="ff0000")

    def colours(words: Words) -> set[tuple[int, ...]]:
        found = draw_words(words, lettering, (426, 240), STANDARD).image.getcolors(1 << 20)
        return {colour for _, colour in found or () if isinstance(colour, tuple)}

    assert {(0, 255, 0, 255), (255, 0, 0, 255)} <= colours(Words(title="Keeper"))
    assert (0, 0, 255, 255) in colours(Words(title="Keeper", colour="#0000ff"))
    assert (255, 0, 0, 255) not in colours(Words(title="Keeper", style="clean"))
    pictures = {
        style: draw_words(Words(title="Keeper", style=style), Lettering(), (426, 240), STANDARD) for style in STYLES
    }
    assert len({placed.image.tobytes() for placed in pictures.values()}) == len(STYLES)


def test_an_own_font_draws_the_words() -> None:
    from storyreel.tasks.media.text.typefaces import FONTS

    own = draw_words(Words(title="Keeper"), Lettering(), (426, 240), Fonts(display=FONTS / "DejaVuSans-Bold.ttf"))
    assert own.image.tobytes() != draw_words(Words(title="Keeper"), Lettering(), (426, 240), STANDARD).image.tobytes()


def test_equal_words_are_the_same_picture() -> None:
    one, other = (draw_words(Words(title="Light 🔦 守"), Lettering(), (426, 240), STANDARD) for _ in range(2))
    assert one.at == other.at and one.image.tobytes() == other.image.tobytes()
