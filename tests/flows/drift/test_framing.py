"""What is proposed for the deliverables that cut a shot."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from storyreel.flows.drift.framing import ShotFraming, framed_frame, framing_of
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.inspection.interest import Interest

AT_LEFT = Interest(x=(0.0,) * 12 + (0.5, 0.5) + (0.0,) * 50, y=(1 / 36,) * 36)
"""All that happens is around 0.2 of the width."""
TALL = {"name": "tall", "format": {"aspect_ratio": "9:16"}}
SQUARE = {"name": "square", "format": {"aspect_ratio": "1:1"}}
FLAT = {"name": "flat", "format": {"size": "1920x800"}}


def _found(*deliverables: dict[str, object], **shot: object) -> ShotFraming | None:
    written = {"storyboard": 1, "title": "Film", "deliverables": list(deliverables),
               "shots": [{"shot": "1A", "action": "x", **shot}]}  # fmt: skip
    film = Storyboard.model_validate(written)
    return framing_of(film, film.all_shots[0], (320, 180), AT_LEFT)


def test_more_is_proposed_for_the_deliverable_that_keeps_the_least_of_each_side() -> None:
    found = _found(SQUARE, TALL, FLAT)
    assert found
    assert [(side.axis, side.deliverable) for side in found.sides] == [("x", "tall"), ("y", "flat")]
    assert found.proposal == {"x": 0.2}, "of the height all is as good"
    told = found.as_json()
    assert told["proposal"] == {"x": 0.2} and told["sides"][0]["share"] == 0 and told["sides"][0]["best_share"] == 1
    kept = _found(SQUARE, TALL, frame_at={"x": 0.9, "y": 0.4})
    assert kept and kept.proposal == {"x": 0.2, "y": 0.4}, "the other side stays as it is written"


def test_nothing_is_proposed_where_it_is_kept_already_or_nothing_is_cut() -> None:
    for centre in (0.2, 0.25):
        found = _found(TALL, frame_at={"x": centre})
        assert found and found.proposal is None and not found.proposed_in_words
    assert _found() is None
    assert _found({"name": "web", "codec": "h265"}, TALL | {"reframe": "blur"}, SQUARE | {"shoot": ["1A"]}) is None


@pytest.mark.parametrize("centre", [0.2, 0.8])
def test_what_is_kept_or_would_be_is_bright_in_the_frame(centre: float) -> None:
    content = io.BytesIO()
    Image.new("RGB", (320, 180), (200, 200, 200)).save(content, "JPEG")
    found = _found(TALL, frame_at={"x": centre})
    assert found
    with Image.open(io.BytesIO(framed_frame(content.getvalue(), found))) as frame:
        grey = frame.convert("L")
    assert [grey.getpixel((x, 90)) > 150 for x in (64, 160, 256)] == [True, False, False]  # type: ignore[operator]
