"""What is kept of a picture in a frame of another shape."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.language.finishing.deliverables import NEAR, Centre, Deliverable, is_near
from storyreel.specs.storyboard import Format
from storyreel.tasks.media.shape.framing import BARS, Framing, fitted

SIDES = st.integers(64, 4096)
SIZES = st.tuples(SIDES, SIDES)
FRAMES = st.tuples(SIDES, SIDES).map(lambda size: (size[0] // 2 * 2, size[1] // 2 * 2))
PIXELS = st.sampled_from([Fraction(1), Fraction(4, 3), Fraction(64, 45)])
PARTS = st.floats(0, 1)


@given(SIZES, PIXELS, FRAMES, PARTS, PARTS)
def test_what_is_kept_is_in_the_picture_has_the_shape_of_the_frame_and_is_as_large_as_can_be(
    size: tuple[int, int], sar: Fraction, frame: tuple[int, int], x: float, y: float
) -> None:
    ratio, own = Fraction(*size) * sar, Fraction(*frame)
    box = Framing(how="crop", x=x, y=y).kept(size, ratio, own)
    if box is None:
        assert is_near(ratio, own)
        return
    assert all(side % 2 == 0 for side in box) and min(box.width, box.height) >= 2
    assert 0 <= box.x <= size[0] - box.width and 0 <= box.y <= size[1] - box.height
    shown = Fraction(box.width, box.height) * sar
    if min(box.width, box.height) >= 50:  # Of fewer pixels one is more.
        assert abs(shown / own - 1) <= NEAR
    # One side of the picture is kept, and of the other what fits; less by what rounding takes, in proportion.
    whole, cut, most = (1, 0, size[0] * own / ratio) if ratio > own else (0, 1, size[1] * ratio / own)
    kept = (box.width, box.height)
    assert most - 2 <= kept[cut] <= max(2, most)
    assert kept[whole] >= size[whole] * min(1, kept[cut] / most) - 3


@given(SIZES, FRAMES, PARTS)
def test_its_centre_is_where_it_is_written_or_as_near_as_the_picture_reaches(
    size: tuple[int, int], frame: tuple[int, int], x: float
) -> None:
    box = Framing(how="crop", x=x).kept(size, Fraction(*size), Fraction(*frame))
    if box is None:
        return
    wanted = min(max(x * size[0], box.width / 2), size[0] - box.width / 2)
    assert abs(box.x + box.width / 2 - wanted) <= 2
    assert abs(box.y + box.height / 2 - size[1] / 2) <= 2


@given(FRAMES, st.fractions(Fraction(1, 20), Fraction(20)))
def test_a_whole_picture_in_a_frame_touches_two_of_its_sides(frame: tuple[int, int], ratio: Fraction) -> None:
    width, height = fitted(frame, ratio)
    assert width % 2 == height % 2 == 0 and width <= frame[0] and height <= frame[1]
    assert width == frame[0] or height == frame[1]


def test_the_centre_of_a_shot_comes_before_that_of_a_deliverable_and_a_picture_that_is_whole_has_none() -> None:
    own = Centre(x=0.2)

    def framing(at: Centre | None = None, **written: object) -> Framing:
        deliverable = Deliverable.model_validate({"name": "web", "format": {"aspect_ratio": "9:16"}} | written)
        return Framing.of(deliverable, Format(), at)

    assert framing() == framing(reframe="centre") == Framing(how="crop")
    assert framing(reframe={"x": 0.8, "y": 0.1}) == Framing(how="crop", x=0.8, y=0.1)
    assert framing(own) == framing(own, reframe={"x": 0.8, "y": 0.1}) == Framing(how="crop", x=0.2)
    assert framing(own, reframe="blur") == Framing(how="blur")
    assert framing(own, reframe="bars") == BARS
    same = {"resolution": "1080p"}
    assert framing(own, format=same) == framing(format=same, reframe="blur") == BARS, "in its own shape as in the film"
