"""Cards and credits: nobody is left out, and a roll moves by whole pixels."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import pytest

from storyreel.specs.language.titles import MOST_NAMES, Card, Credits, Lettering
from storyreel.tasks.media.text.layout import Block
from storyreel.tasks.media.text.typefaces import STANDARD
from storyreel.tasks.titles import credits as drawn
from storyreel.tasks.titles.cards import draw_card
from storyreel.tasks.titles.lettering import LOOKS, safe_area
from storyreel.tasks.titles.typeset import set_text

SIZES = ((426, 240), (240, 426), (320, 320))


def _credits(count: int) -> Credits:
    return Credits.model_validate({"entries": [{f"Role {n}": [f"Name {n}", f"Other {n}"]} for n in range(count)]})


@pytest.mark.parametrize("frames", [2, 24, 75, 301, 1440])
def test_a_roll_goes_from_below_the_picture_to_above_it_by_whole_pixels_in_its_frames(frames: int) -> None:
    for size, count in product(SIZES, (1, 9)):
        roll = drawn.draw_roll(_credits(count), Lettering(), size, frames, STANDARD)
        width, height = size
        assert roll.step >= 1 and roll.strip.size == (width, roll.step * (frames - 1) + height)
        ground = LOOKS["clean"].background[:3]
        for first in (0, roll.step * (frames - 1)):
            shown = roll.strip.crop((0, first, width, first + height))
            assert shown.getcolors() == [(width * height, ground)], (size, count)
        assert (roll.strip.getcolors(1 << 20) or [0, 0])[1:], "nothing is written on it"


def test_a_roll_has_its_entries_about_as_far_apart_as_its_time_allows() -> None:
    heights = []
    for frames in (240, 720):
        roll = drawn.draw_roll(_credits(6), Lettering(), (426, 240), frames, STANDARD)
        box = roll.strip.convert("L").point(lambda v: 255 * (v > 60)).getbbox()
        assert box
        heights.append(box[3] - box[1])
    assert heights[0] != heights[1] and max(heights) < 3 * min(heights)


def test_nobody_is_left_out_of_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def noted(text: str, *rest: Any) -> Block:
        seen.append(text)
        return set_text(text, *rest)

    monkeypatch.setattr(drawn, "set_text", noted)
    names = [f"Name {n}" for n in range(60)]
    for size in SIZES:
        seen.clear()
        credits = Credits.model_validate({"entries": [{"Cast": names}, {"Music": "Zoe"}, "Made in Orkney"]})
        pages = drawn.draw_pages(credits, Lettering(style="film"), size, STANDARD)
        assert [text for text in seen if text.startswith("Name")] == names and "Made in Orkney" in seen
        assert len(pages) > 1 and all(page.image.size == size and page.share for page in pages)
        safe = safe_area(size, "film")
        for page in pages:
            box = page.image.convert("L").point(lambda v: 255 * (v > 60)).getbbox()
            assert box and safe.y <= box[1] and box[3] <= safe.bottom


def test_the_most_names_are_set() -> None:
    credits = Credits.model_validate({"entries": [f"Name {n}" for n in range(MOST_NAMES)], "roll": True})
    roll = drawn.draw_roll(credits, Lettering(), (240, 240), 3000, STANDARD)
    assert roll.strip.height == roll.step * 2999 + 240


def test_a_card_is_one_colour_with_its_words_in_the_safe_area() -> None:
    for style, size, text in product(LOOKS, SIZES, ("Three years later", "W" * 80, "three words and more " * 23)):
        card = Card(text=text, line="and a day", background="#204060")
        picture = draw_card(card, Lettering(style=style), size, STANDARD)
        assert picture.size == size and picture.getpixel((0, 0)) == (0x20, 0x40, 0x60)
        box = picture.convert("L").point(lambda v: 255 * (v > 120)).getbbox()
        safe = safe_area(size, style)
        assert box and safe.x <= box[0] and box[2] <= safe.right and safe.y <= box[1] and box[3] <= safe.bottom


def test_a_line_break_in_a_card_is_kept() -> None:
    one, two = (draw_card(Card(text=text), Lettering(), (426, 240), STANDARD) for text in ("A B", "A\nB"))
    heights = [picture.convert("L").point(lambda v: 255 * (v > 120)).getbbox() for picture in (one, two)]
    assert all(heights) and heights[1][3] - heights[1][1] > 1.8 * (heights[0][3] - heights[0][1])  # type: ignore[index]
    assert all(a != b for a, b in pairwise(heights))
