"""The pictures of the contact sheet are decoded once for each clip, and again if they are damaged."""

from __future__ import annotations

from pathlib import Path

from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.pieces import HouseCache
from storyreel.tasks.join.shot_picture import find_shot_picture
from storyreel.tasks.media.contact_sheet import shot_picture
from tests.counting import counting
from tests.tasks.generated_clips import make_clip

RATE = FrameRate.parse("24")


def _clip(file: Path) -> HouseClip:
    return HouseClip(picture=file, picture_digest=file.stem, frames=30, delay=0, signature="", sound=None,
                     sound_digest=None, untouched=False)  # fmt: skip


async def test_a_picture_is_decoded_once(tmp_path: Path) -> None:
    one, other = (make_clip(tmp_path / f"{name}.mp4", frames=30, picture=name) for name in ("testsrc", "testsrc2"))
    cache = HouseCache(tmp_path / "house")
    drawn = await find_shot_picture(_clip(one), 10, 20, RATE, (128, 72), cache)
    assert drawn == shot_picture(one, 10, 20, RATE, (128, 72))
    with counting() as counts:
        assert await find_shot_picture(_clip(one), 10, 20, RATE, (128, 72), cache) == drawn
        assert not counts.frames
        for changed in ((other, 10, (128, 72)), (one, 20, (128, 72)), (one, 10, (64, 36))):
            counts.frames.clear()
            assert await find_shot_picture(_clip(changed[0]), changed[1], 20, RATE, changed[2], cache) != drawn
            assert counts.frames
    for kept in cache.folder.rglob("picture.jpg"):
        kept.write_bytes(b"damaged")
    assert await find_shot_picture(_clip(one), 10, 20, RATE, (128, 72), cache) == drawn
