"""The measures of a picture's colours: each follows what it measures, and small objects change none of them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from storyreel.tasks.inspection.colour_page import ShownScene, ShownShot, draw_colour_pages, write_colour_pages
from storyreel.tasks.inspection.colours import ShotColours, colours_of


def flat(*colour: int) -> Image.Image:
    return Image.new("RGB", (96, 54), colour)


def test_grey_is_neutral_and_has_no_saturation() -> None:
    found = colours_of([flat(105, 105, 105)])
    assert (round(found.luma, 3), found.warmth, found.kelvin) == (0.412, 0, 6500)
    assert found.saturation < 1e-6 and abs(found.light - 0.18) < 0.003


def test_a_light_of_orange_is_warm_and_one_of_blue_is_cool() -> None:
    warm, cool = colours_of([flat(140, 105, 70)]), colours_of([flat(70, 105, 140)])
    assert warm.kelvin < 6500 < cool.kelvin and abs(warm.warmth + cool.warmth) < 1e-9
    assert max(warm.saturation, cool.saturation) < 1e-6, "a cast alone is not colourful"


def test_a_lamp_and_a_red_coat_change_little() -> None:
    plain = flat(90, 100, 110)
    odd = plain.copy()
    odd.paste((255, 255, 255), (0, 0, 20, 20))
    odd.paste((220, 10, 10), (40, 10, 60, 30))
    one, other = colours_of([plain]), colours_of([odd])
    assert other.model_copy(update={"saturation": one.saturation}) == one
    assert other.saturation < one.saturation + 0.2


def test_another_exposure_changes_neither_the_light_nor_the_saturation() -> None:
    bright = flat(200, 160, 120)
    bright.paste((100, 110, 140), (0, 0, 48, 54))
    dark = bright.point([round(code * 0.7) for code in range(256)] * 3)
    one, other = colours_of([bright]), colours_of([dark])
    assert other.luma < one.luma * 0.75
    assert abs(other.warmth - one.warmth) < 0.1 and abs(other.saturation / one.saturation - 1) < 0.03


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (0, 0, 255)])
def test_a_picture_that_tells_nothing_of_the_light_has_a_finite_one(colour: tuple[int, int, int]) -> None:
    found = colours_of([flat(*colour)])
    assert isinstance(found, ShotColours) and 2500 <= found.kelvin <= 15000 and found.light > 0


def test_a_long_film_has_several_pages(tmp_path: Path) -> None:
    content = io.BytesIO()
    flat(90, 100, 110).save(content, "JPEG")
    shots = [ShownShot(f"{n}A", content.getvalue(), "40 %, 6500 K, 20 %", "") for n in range(70)]
    scenes = [ShownScene("scene 1", shots[:3]), ShownScene("scene 2", shots[3:])]
    files = write_colour_pages(draw_colour_pages(scenes, 16 / 9, "A Film"), tmp_path / "made" / "colours.png")
    assert [file.name for file in files] == ["colours.png", "colours-2.png"]
    heights = []
    for file in files:
        with Image.open(file) as page:
            heights.append(page.height)
    # 15 rows of at most five: twelve on the first page.
    assert heights[1] < heights[0] / 2 < 2000
