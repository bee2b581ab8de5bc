"""Where in the picture something happens."""

from __future__ import annotations

import random

import pytest
from PIL import Image, ImageDraw

from storyreel.tasks.inspection.interest import Interest, interest_of

SIZE = (320, 180)


def _frames(*places: tuple[int, int], ground: int = 90, pan: int = 0, noise: int = 0) -> list[Image.Image]:
    """A square at each of the places, one a frame, over a striped ground that moves by `pan` pixels a frame."""
    dice = random.Random(7)
    frames = []
    for number, (x, y) in enumerate(places):
        frame = Image.new("L", SIZE, ground)
        draw = ImageDraw.Draw(frame)
        for stripe in range(-400, 720, 40):
            draw.rectangle((stripe + pan * number, 0, stripe + pan * number + 19, 180), fill=ground + 40)
        draw.rectangle((x, y, x + 30, y + 30), fill=240)
        if noise:
            frame = frame.point(lambda level: level)
            pixels = frame.load()
            assert pixels is not None
            for _ in range(8000):
                pixels[dice.randrange(SIZE[0]), dice.randrange(SIZE[1])] = dice.randrange(ground, ground + noise)
        frames.append(frame.convert("RGB"))
    return frames


@pytest.mark.parametrize("noise", [0, 60])
@pytest.mark.parametrize("left", [20, 150, 250])
def test_what_moves_is_in_the_middle_of_what_is_proposed_as_far_as_it_can_be(left: int, noise: int) -> None:
    found = interest_of(_frames(*((left + 2 * n, 40 + 8 * n) for n in range(9)), noise=noise))
    middle = (left + 8 + 15) / SIZE[0]
    centre = found.centre("x", 0.3164)
    assert abs(centre - min(max(middle, 0.158), 0.842)) < 0.08
    assert found.share("x", centre, 0.3164) > 0.6
    assert found.share("x", 1 - centre, 0.3164) < 0.5 or left == 150


def test_a_moving_camera_does_not_hide_what_moves_otherwise() -> None:
    found = interest_of(_frames(*((250, 20 + 12 * n) for n in range(9)), pan=7))
    assert abs(found.centre("x", 0.3) - 0.83) < 0.1


def test_where_nothing_moves_it_is_what_stands_out_and_of_one_frame_too() -> None:
    for count in (1, 9):
        found = interest_of(_frames(*[(40, 140)] * count, ground=0))
        assert found.centre("y", 0.4) > 0.7


def test_an_even_picture_keeps_its_middle() -> None:
    found = interest_of([Image.new("RGB", SIZE, (80, 80, 80))] * 3)
    assert abs(found.centre("x", 0.3) - 0.5) < 0.02 and abs(found.share("x", 0.1, 0.3) - 0.3) < 0.02


def test_shares_are_of_the_whole_and_the_best_is_not_below_any_other() -> None:
    dice = random.Random(3)
    for _ in range(20):
        weights = [dice.random() ** 4 for _ in range(64)]
        total = sum(weights)
        found = Interest(x=tuple(weight / total for weight in weights), y=(1.0,))
        assert abs(found.share("x", 0.5, 1) - 1) < 1e-9
        assert abs(sum(found.share("x", (n + 0.5) / 4, 0.25) for n in range(4)) - 1) < 1e-9
        best = found.centre("x", 0.3)
        assert 0.15 <= best <= 0.85
        assert found.share("x", best, 0.3) >= max(found.share("x", n / 100, 0.3) for n in range(15, 86)) - 0.03
