"""A clip is decoded once; what it has shown is kept beside it and is found there by all who ask."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from storyreel.specs.timing import FrameRate
from storyreel.tasks.inspection.examine import examination_of, examine, facts_of
from storyreel.tasks.media.contact_sheet import Grid, examined_picture, shot_picture
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import STRIP_SIDE, last_frame, strip, write_last_frame
from storyreel.tasks.media.probe import probe
from storyreel.tasks.storage.bucket import Bucket
from storyreel.tasks.storage.clips import Clip, ClipStore
from storyreel.tasks.strips import strip_jpeg
from tests.counting import counting
from tests.tasks.generated_clips import make_clip
from tests.tasks.odd_clips import broken_end, cut_short

TAGS = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
NUMBERED = "geq=lum='20+6*N+40*gt(X,W/2)':cb=128:cr=128"
"""Each frame is lighter than the one before, and its left half darker than its right one."""
SETTINGS: dict[str, dict[str, Any]] = {
    "as sent": {},
    "tagged as HD": {
        "size": "640x720",
        "options": ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
    },
    "turned": {"options": ("-metadata:s:v", "rotate=90")},
    "of wide pixels": {"filters": f"{NUMBERED},setsar=4/3"},
    "of uneven frames": {"filters": f"{NUMBERED},select='not(eq(mod(n,5),3))'", "options": ("-fps_mode", "vfr")},
    "interlaced": {"options": ("-flags", "+ildct+ilme", "-bf", "0")},
    "of one frame": {"frames": 1},
    "HEVC of 10 bit": {"options": ("-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le")},
}


def unlike(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, in levels of 255."""
    assert one.size == other.size
    return sum(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean) / 3


def stored(clips: ClipStore, folder: Path) -> Clip:
    folder.mkdir(exist_ok=True)
    return clips.keep(make_clip(folder / "new.mp4", filters=NUMBERED))


@pytest.mark.parametrize("kind", SETTINGS)
async def test_one_process_verifies_and_measures_and_gives_the_pictures_that_a_decode_of_their_own_would(
    tmp_path: Path, kind: str
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", **{"filters": NUMBERED, **SETTINGS[kind]})
    with counting() as counts:
        examined = await examine(clip, "the clip")
    assert len(counts.commands) == 1
    assert counts.frames_of(tmp_path) == 1
    assert not examined.examination.is_damaged
    assert examined.strip and examined.last_frame
    assert unlike(examined.last_frame, last_frame(clip)) < 2, "a frame is 7 levels lighter than the one before"
    assert unlike(examined.strip, strip(clip, STRIP_SIDE)) < 2


async def test_what_a_clip_has_shown_is_found_beside_it_by_all_who_ask(tmp_path: Path) -> None:
    clips = ClipStore(tmp_path / "clips")
    clip = stored(clips, tmp_path / "new")
    first, facts = await examination_of(clip.path, clips), probe(clip.path)
    with counting() as counts:
        assert await examination_of(clip.path, clips) == first
        assert facts_of(clip.path) == facts
        assert strip_jpeg(clip.path, tmp_path / "house", 240, 500_000)
        write_last_frame(clip.path, tmp_path / "last.png")
    assert not counts.commands and not counts.frames
    assert not (tmp_path / "house").exists()
    with Image.open(tmp_path / "last.png") as picture:
        assert unlike(picture, last_frame(clip.path)) < 2


async def test_the_contact_sheet_of_many_shots_shows_their_middle_without_decoding_them(tmp_path: Path) -> None:
    clips, grid = ClipStore(tmp_path / "clips"), Grid.of(50, 16 / 9)
    clip = stored(clips, tmp_path / "new")
    await examination_of(clip.path, clips)
    with counting() as counts:
        drawn = examined_picture(clip.path, (grid.width, grid.height))
    assert not counts.commands and not counts.frames
    frames, rate = probe(clip.path).frames, FrameRate.parse(str(probe(clip.path).rate))
    decoded = shot_picture(clip.path, frames // 2, 12, rate, (grid.width, grid.height))
    with Image.open(io.BytesIO(drawn)) as kept, Image.open(io.BytesIO(decoded)) as exact:
        assert unlike(kept, exact) < 4, "a frame is 7 levels lighter than the one before"
    assert not examined_picture(clip.path, (STRIP_SIDE + 2, 162)), "it would be enlarged"
    clip.path.with_suffix(".jpg").write_bytes(b"")
    assert not examined_picture(clip.path, (grid.width, grid.height))


@pytest.mark.parametrize("suffix", [".json", ".jpg", ".png"])
async def test_what_was_damaged_or_deleted_beside_a_clip_is_made_again(tmp_path: Path, suffix: str) -> None:
    clips = ClipStore(tmp_path / "clips")
    clip = stored(clips, tmp_path / "new")
    first = await examination_of(clip.path, clips)
    beside = clip.path.with_suffix(suffix)
    for content in (b"", beside.read_bytes()[: beside.stat().st_size // 2], None):
        beside.unlink()
        if content is not None:
            beside.write_bytes(content)
        assert facts_of(clip.path) == probe(clip.path)
        assert await examination_of(clip.path, clips) == first
        assert strip_jpeg(clip.path, tmp_path / "house", 240, 500_000)
        write_last_frame(clip.path, tmp_path / "last.png")


async def test_another_host_finds_what_one_has_examined(tmp_path: Path) -> None:
    bucket = Bucket((tmp_path / "bucket").as_uri())
    one, other = (ClipStore(tmp_path / name, bucket) for name in ("one", "other"))
    clip = stored(one, tmp_path / "new")
    first = await examination_of(clip.path, one)
    there = other.find(clip.digest)
    assert there
    with counting() as counts:
        assert await examination_of(there.path, other) == first
        assert strip_jpeg(there.path, tmp_path / "house", 240, 500_000)
        other.beside(clip.digest, ".png")
        write_last_frame(there.path, tmp_path / "last.png")
    assert not counts.commands and not counts.frames


async def test_a_clip_whose_bucket_is_away_is_examined_here(tmp_path: Path) -> None:
    (tmp_path / "bucket").write_bytes(b"no folder")
    clips = ClipStore(tmp_path / "clips")
    clip = stored(clips, tmp_path / "new")
    away = ClipStore(tmp_path / "clips", Bucket((tmp_path / "bucket").as_uri()))
    first = await examination_of(clip.path, away)
    assert await examination_of(clip.path, clips) == first


@pytest.mark.parametrize("make", [broken_end, cut_short])
async def test_a_damaged_clip_has_no_pictures_but_findings_and_is_shown_as_far_as_it_goes(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    clips = ClipStore(tmp_path / "clips")
    broken = make(tmp_path / "a.mp4")
    with pytest.raises(MediaError, match="the clip from apiyi is"):
        await examine(broken, "the clip from apiyi")
    clip = clips.keep(shutil.copyfile(broken, tmp_path / "b.mp4"))
    assert (await examination_of(clip.path, clips)).is_damaged
    assert [file.suffix for file in clip.path.parent.iterdir() if file != clip.path] == [".json"]
    write_last_frame(clip.path, tmp_path / "last.png")
    with counting() as counts:
        assert (await examination_of(clip.path, clips)).is_damaged
    assert not counts.commands
