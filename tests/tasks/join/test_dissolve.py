from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.specs.cut import EditPoints
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip
from storyreel.tasks.join.dissolve import dissolve_clips, dissolve_key
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.house_format import HouseFormat
from tests.tasks.generated_clips import TINY, lumas, make_clip


async def _pair(tmp_path: Path, house: HouseFormat, frames: int) -> tuple[HouseClip, HouseClip]:
    """A clip that brightens and one that darkens, conformed for a dissolve between them."""
    clips = []
    for name, luma, edit in (
        ("a", "20+5*N", EditPoints(0, 30, join_out=frames)),
        ("b", "220-5*N", EditPoints(0, 30, join_in=frames)),
    ):
        source = make_clip(tmp_path / f"{name}.mp4", frames=30, fps=str(house.rate.exact), picture="color=black",
                           filters=f"geq=lum='{luma}':cb=128:cr=128", options=("-crf", "2"))  # fmt: skip
        how = Conforming(edit, house, keep_sound=False)
        clips.append(await conform_clip(source, how, into=tmp_path / f"house-{name}"))
    return clips[0], clips[1]


@pytest.mark.parametrize(("rate", "frames"), [("24", 1), ("24", 12), ("29.97", 7), ("60", 29), ("23.976", 30)])
async def test_every_frame_mixes_the_two_in_its_own_measure(tmp_path: Path, rate: str, frames: int) -> None:
    house = HouseFormat(width=128, height=72, rate=FrameRate.parse(rate))
    outgoing, incoming = await _pair(tmp_path, house, frames)
    mixed = lumas((await dissolve_clips(outgoing, incoming, frames, house, tmp_path / "dissolve")).picture)
    last, first = lumas(outgoing.picture)[-frames:], lumas(incoming.picture)[:frames]
    parts = [(number + 1) / (frames + 1) for number in range(frames)]
    wanted = [a * (1 - part) + b * part for a, b, part in zip(last, first, parts, strict=True)]
    assert mixed == pytest.approx(wanted, abs=3)


async def test_a_dissolve_can_stand_between_its_clips(tmp_path: Path) -> None:
    outgoing, incoming = await _pair(tmp_path, TINY, 12)
    segment = await dissolve_clips(outgoing, incoming, 12, TINY, tmp_path / "dissolve")
    assert segment.signature == outgoing.signature == incoming.signature
    assert segment.frames == 12
    again = await dissolve_clips(outgoing, incoming, 12, TINY, tmp_path / "again")
    assert again.picture_digest == segment.picture_digest
    assert await dissolve_clips(outgoing, incoming, 12, TINY, tmp_path / "dissolve") == segment


async def test_a_clip_without_the_frames_is_refused(tmp_path: Path) -> None:
    outgoing, incoming = await _pair(tmp_path, TINY, 12)
    with pytest.raises(
        MediaError, match=r"house-b/picture\.mp4 has \d+ frames instead of 40, or is encoded differently"
    ):
        await dissolve_clips(outgoing, incoming, 40, TINY, tmp_path / "dissolve")
    assert not (tmp_path / "dissolve").exists()


async def test_the_cache_key_depends_on_both_clips_and_the_length(tmp_path: Path) -> None:
    outgoing, incoming = await _pair(tmp_path, TINY, 12)
    version = find_ffmpeg().version
    keys = {
        dissolve_key(outgoing, incoming, 12, TINY, version),
        dissolve_key(incoming, outgoing, 12, TINY, version),
        dissolve_key(outgoing, incoming, 11, TINY, version),
        dissolve_key(outgoing, incoming, 12, TINY, "5.1"),
        dissolve_key(outgoing, outgoing, 12, TINY, version),
    }
    assert len(keys) == 5
