from __future__ import annotations

import asyncio
import json
from array import array
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from storyreel.specs.cut import EditPoints
from storyreel.specs.storyboard import Format
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.conform import (
    Conforming,
    HouseClip,
    conform_clip,
    conform_key,
    needs_no_encoding,
    samples_of,
)
from storyreel.tasks.join.label_mark import LabelMark
from storyreel.tasks.join.recording import LaidSound
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.colour import Colour
from storyreel.tasks.media.frames import first_frame
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.media.probe import probe
from storyreel.tasks.media.shape.framing import Framing
from storyreel.tasks.progress import Progress
from tests.tasks.generated_clips import TINY, ffmpeg, flash_and_beep, lumas, make_clip, names

COLOUR = (200, 50, 20)
UNTAGGED = ("-bsf:v", "h264_metadata=colour_primaries=2:transfer_characteristics=2:matrix_coefficients=2")

SOURCES: dict[str, dict[str, object]] = {
    "like the house": {},
    "16 fps": {"fps": "16", "frames": 16},
    "23.976 fps": {"fps": "24000/1001"},
    "25 fps": {"fps": "25", "frames": 25},
    "30 fps": {"fps": "30", "frames": 30},
    "60 fps": {"fps": "60", "frames": 60},
    "another size": {"size": "256x144"},
    "portrait": {"size": "72x128"},
    "wide pixels": {"size": "96x72", "filters": "setsar=4/3"},
    "44.1 kHz": {"sound": "sine=frequency=440:sample_rate=44100"},
    "mono": {"layout": "mono"},
    "5.1": {"layout": "5.1"},
    "no sound": {"sound": None},
    "sound too short": {"sound_seconds": 0.7},
    "sound too long": {"sound_seconds": 1.4},
    "10 bit": {"options": ("-pix_fmt", "yuv420p10le")},
    "4:4:4": {"options": ("-pix_fmt", "yuv444p")},
    "full range": {"filters": "scale=out_range=pc,format=yuvj420p", "options": ("-pix_fmt", "yuvj420p")},
    "uneven times": {"frames": 20, "filters": "select='not(eq(mod(n,5),3))+eq(n,23)'", "options": ("-fps_mode", "vfr")},
    "other ticks": {"options": ("-video_track_timescale", "90000")},
    "MPEG-4": {"options": ("-c:v", "mpeg4")},
}


async def _conform(clip: Path, into: Path, house: HouseFormat = TINY, edit: EditPoints | None = None,
                   progress: Progress | None = None, **how: Any) -> HouseClip:  # fmt: skip
    edit = edit or EditPoints(0, probe(clip).frames_at(house.rate))
    return await conform_clip(clip, Conforming(edit, house, **how), into=into, progress=progress)


def _heard(clip: HouseClip) -> list[int]:
    assert clip.sound
    return list(array("h", clip.sound.read_bytes()))[::2]


@pytest.mark.parametrize("kind", SOURCES)
async def test_every_kind_of_clip_comes_out_in_house_format(tmp_path: Path, kind: str) -> None:
    source = make_clip(tmp_path / "a.mp4", **SOURCES[kind])  # type: ignore[arg-type]
    clip = await _conform(source, tmp_path / "house", accept="the house's own")
    found = probe(clip.picture)
    assert clip.signature == found.signature == await house_signature(TINY)
    assert clip.frames == found.frames == 24
    assert (found.width, found.height, found.sar, found.rate) == (128, 72, Fraction(1), Fraction(24))
    assert found.steady
    assert not clip.untouched
    if kind == "no sound":
        assert clip.sound is None
    else:
        assert len(_heard(clip)) == 48_000
        assert max(map(abs, _heard(clip)[12_000:24_000])) > 1_000


@pytest.mark.parametrize("rate", ["12", "23.976", "24", "25", "29.97", "30", "59.94", "60"])
async def test_flash_and_beep_stay_together_at_every_rate(tmp_path: Path, rate: str) -> None:
    source = flash_and_beep(tmp_path / "a.mp4", 30, 12, fps="24", rate=44_100)
    house = HouseFormat(width=128, height=72, rate=FrameRate.parse(rate))
    clip = await _conform(source, tmp_path / "house", house)
    flash = next(frame for frame, luma in enumerate(lumas(clip.picture)) if luma > 128)
    beep = next(sample for sample, value in enumerate(_heard(clip)) if abs(value) > 4_000)
    assert abs(flash - house.rate.exact / 2) <= 1
    assert abs(beep - 24_000) < 150
    assert len(_heard(clip)) == samples_of(clip.frames, house)


@pytest.mark.parametrize(("late", "flash", "beep"), [("picture", 12, 14_400), ("sound", 12, 33_600)])
async def test_picture_or_sound_that_begins_late_keeps_its_place(
    tmp_path: Path, late: str, flash: int, beep: int
) -> None:
    """Time is counted from the first picture: with the picture 0.2 s late, all that is heard comes 0.2 s earlier."""
    source, shifted = flash_and_beep(tmp_path / "a.mp4", 36, 12), tmp_path / "late.mp4"
    delay = ("-itsoffset", "0.2", "-i", str(source))
    order = (*delay, "-i", str(source)) if late == "picture" else ("-i", str(source), *delay)
    ffmpeg(*order, "-map", "0:v", "-map", "1:a", "-c", "copy", shifted)
    clip = await _conform(shifted, tmp_path / "house")
    assert next(frame for frame, luma in enumerate(lumas(clip.picture)) if luma > 128) == flash
    found = next(sample for sample, value in enumerate(_heard(clip)) if abs(value) > 4_000)
    assert abs(found - beep) < 150


@pytest.mark.parametrize(
    ("size", "shape", "bars"),
    [
        ("128x128", "1", "sides"),
        ("144x36", "1", "top"),
        ("128x71", "1", None),
        ("126x72", "1", None),
        ("96x72", "4/3", None),
        ("96x72", "1", "sides"),
    ],
)
async def test_another_shape_is_shown_whole_between_black_bars(
    tmp_path: Path, size: str, shape: str, bars: str | None
) -> None:
    even = "x".join(str(int(side) // 2 * 2) for side in size.split("x"))
    source = make_clip(tmp_path / "a.mp4", frames=2, size=even, picture="color=white", filters=f"setsar={shape}")
    clip = await _conform(source, tmp_path / "house")
    picture = _picture(clip).convert("L")
    white = {name: (picture.getpixel(at) or 0) > 200 for name, at in  # type: ignore[operator]
             {"middle": (64, 36), "sides": (2, 36), "top": (64, 2)}.items()}  # fmt: skip
    assert white == {"middle": True, "sides": bars != "sides", "top": bars != "top"}


async def test_a_turned_clip_is_upright(tmp_path: Path) -> None:
    """White on the left, turned by 90° anticlockwise: white at the bottom, between bars."""
    flat = make_clip(tmp_path / "flat.mp4", frames=2, picture="color=black", filters="drawbox=w=64:color=white:t=fill")
    ffmpeg("-display_rotation", "90", "-i", flat, "-c", "copy", tmp_path / "turned.mp4")
    picture = _picture(await _conform(tmp_path / "turned.mp4", tmp_path / "house")).convert("L")
    assert picture.getpixel((64, 60)) > 200  # type: ignore[operator]
    assert picture.getpixel((64, 10)) < 50  # type: ignore[operator]
    assert picture.getpixel((20, 60)) < 50  # type: ignore[operator]


@pytest.mark.parametrize(
    ("size", "filters", "options"),
    [
        ("1280x720", "scale=out_color_matrix=bt709,format=yuv420p,setparams=colorspace=bt709", ()),
        ("1280x720", "scale=out_color_matrix=bt709,format=yuv420p", UNTAGGED),
        ("1280x720", "scale=out_color_matrix=smpte170m,format=yuv420p,setparams=colorspace=smpte170m", ()),
        ("640x360", "scale=out_color_matrix=smpte170m,format=yuv420p", UNTAGGED),
        ("1280x720", "scale=out_color_matrix=bt709:out_range=pc,format=yuv420p,"
                     "setparams=colorspace=bt709:range=pc", ()),
        ("640x360", "scale=out_color_matrix=bt470bg:out_range=pc,format=yuvj420p,setparams=colorspace=bt470bg",
                    ("-pix_fmt", "yuvj420p")),
        ("1280x720", "scale=out_color_matrix=bt709,format=yuv420p10,setparams=colorspace=bt709",
                     ("-pix_fmt", "yuv420p10le")),
    ],
    ids=["709", "untagged HD", "601", "untagged SD", "709 full range", "601 full range", "10 bit"],
)  # fmt: skip
async def test_colours_stay_what_they_are(tmp_path: Path, size: str, filters: str, options: tuple[str, ...]) -> None:
    name = "0x{:02x}{:02x}{:02x}".format(*COLOUR)
    source = make_clip(tmp_path / "a.mp4", frames=2, size=size, picture=f"color={name}", sound=None,
                       filters=f"format=rgb24,{filters}", options=("-crf", "4", *options))  # fmt: skip
    house = HouseFormat(width=320, height=180, rate=FrameRate(Fraction(24)))
    clip = await _conform(source, tmp_path / "house", house)
    found = _picture(clip).getpixel((160, 90))
    assert isinstance(found, tuple)
    assert all(abs(a - b) <= 6 for a, b in zip(found, COLOUR, strict=True)), found
    with av.open(str(clip.picture)) as file:
        coded = file.streams.video[0].codec_context
        tags = (coded.colorspace, coded.color_primaries, coded.color_trc, coded.color_range)
        assert tuple(map(int, tags)) == (1, 1, 1, 1)


def _picture(clip: HouseClip) -> Image.Image:
    return first_frame(clip.picture)


def _ramp(into: Path, frames: int) -> Path:
    """Frame n has luma 20 + 6 n."""
    return make_clip(into, frames=frames, picture="color=black", filters="geq=lum='20+6*N':cb=128:cr=128",
                     options=("-crf", "2"))  # fmt: skip


def _numbers(clip: Path) -> list[int]:
    """The frames of `_ramp` that a clip shows, by their brightness."""
    with av.open(str(clip)) as file:
        shown = sorted((frame.pts, bytes(frame.planes[0])[640]) for frame in file.decode(video=0))
    return [round((luma - 20) / 6) for _, luma in shown]


async def test_exactly_the_used_frames_are_shown_and_the_edges_held(tmp_path: Path) -> None:
    edit = EditPoints(first=5, frames=10, hold_head=3, hold_tail=2, join_in=6, join_out=4)
    clip = await _conform(_ramp(tmp_path / "a.mp4", 24), tmp_path / "house", edit=edit)
    assert _numbers(clip.picture) == [5, 5, 5, *range(5, 15), 14, 14]
    with av.open(str(clip.picture)) as file:
        keys = [packet.pts for packet in file.demux(video=0) if packet.size and packet.is_keyframe]
    assert keys == [frame * TINY.frame_ticks for frame in (0, 6, 11)]


@pytest.mark.parametrize("rate", ["23.976", "29.97", "59.94"])
async def test_keyframes_are_exact_at_rates_without_a_finite_decimal(tmp_path: Path, rate: str) -> None:
    house = HouseFormat(width=128, height=72, rate=FrameRate.parse(rate))
    source = make_clip(tmp_path / "a.mp4", frames=90, fps=str(house.rate.exact))
    clip = await _conform(source, tmp_path / "house", house, EditPoints(0, 90, join_in=29, join_out=31))
    with av.open(str(clip.picture)) as file:
        keys = [packet.pts for packet in file.demux(video=0) if packet.size and packet.is_keyframe]
    assert keys == [frame * house.frame_ticks for frame in (0, 29, 59)]


async def test_sound_is_silent_where_the_picture_is_held(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4")
    heard = _heard(await _conform(source, tmp_path / "house", edit=EditPoints(4, 12, hold_head=6, hold_tail=6)))
    assert len(heard) == 48_000
    assert set(heard[:12_000]) == set(heard[36_000:]) == {0}
    assert max(map(abs, heard[13_000:35_000])) > 1_000
    assert max(map(abs, heard[12_000:12_020])) < 300  # faded, no click
    assert max(map(abs, heard[35_980:36_000])) < 300


async def test_fades_go_from_and_to_black_and_silence(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", picture="color=white")
    clip = await _conform(source, tmp_path / "house", edit=EditPoints(0, 24, fade_in=6, fade_out=6))
    shown = lumas(clip.picture)
    assert shown[0] < 20 and shown[-1] < 20
    assert min(shown[6:18]) > 230
    assert shown[:7] == sorted(shown[:7]) and shown[17:] == sorted(shown[17:], reverse=True)
    assert all(abs(a - b) < 4 for a, b in zip(shown, reversed(shown), strict=True))
    heard = _heard(clip)
    assert max(map(abs, heard[:300])) < 200 and max(map(abs, heard[-300:])) < 200
    assert max(map(abs, heard[5_500:6_500])) < 0.7 * max(map(abs, heard[20_000:28_000]))


async def test_dropped_sound_leaves_none(tmp_path: Path) -> None:
    clip = await _conform(make_clip(tmp_path / "a.mp4"), tmp_path / "house", keep_sound=False)
    assert clip.sound is None
    assert clip.sound_digest is None


def _house_clip(into: Path, frames: int = 24) -> Path:
    """A clip that fits the house as it is."""
    return make_clip(into, frames=frames, filters="setparams=range=tv:colorspace=bt709:color_primaries=bt709")


async def test_a_clip_that_fits_keeps_its_own_packets(tmp_path: Path) -> None:
    source = _house_clip(tmp_path / "a.mp4")
    for accept in (None, probe(source).signature):
        clip = await _conform(source, tmp_path / f"house-{accept}", accept=accept)
        assert clip.untouched
        assert clip.picture == source
        assert len(_heard(clip)) == 48_000


@pytest.mark.parametrize(
    "edit",
    [
        EditPoints(0, 23),
        EditPoints(1, 23),
        EditPoints(0, 24, hold_tail=1),
        EditPoints(0, 24, join_in=2),
        EditPoints(0, 24, fade_out=2),
    ],
)
async def test_a_clip_that_is_changed_in_any_way_is_encoded(tmp_path: Path, edit: EditPoints) -> None:
    source = _house_clip(tmp_path / "a.mp4")
    assert needs_no_encoding(probe(source), EditPoints(0, 24), TINY)
    clip = await _conform(source, tmp_path / "house", edit=edit)
    assert not clip.untouched
    assert clip.picture.is_relative_to(tmp_path / "house")


async def test_a_clip_unlike_the_rest_of_the_film_is_encoded(tmp_path: Path) -> None:
    source = _house_clip(tmp_path / "a.mp4")
    assert not (await _conform(source, tmp_path / "house", accept="another")).untouched


async def test_what_an_edit_list_cuts_away_is_not_shown(tmp_path: Path) -> None:
    ffmpeg("-ss", "0.5", "-i", flash_and_beep(tmp_path / "a.mp4", 36, 24), "-c", "copy", tmp_path / "cut.mp4")
    assert not needs_no_encoding(probe(tmp_path / "cut.mp4"), EditPoints(0, 24), TINY)
    clip = await _conform(tmp_path / "cut.mp4", tmp_path / "house")
    assert [frame for frame, luma in enumerate(lumas(clip.picture)) if luma > 128] == [12]
    assert abs(next(n for n, value in enumerate(_heard(clip)) if abs(value) > 4_000) - 24_000) < 150


async def test_an_intact_house_clip_is_used_and_a_damaged_one_made_again(tmp_path: Path) -> None:
    source, into = make_clip(tmp_path / "a.mp4"), tmp_path / "house"
    first = await _conform(source, into)
    made = first.picture.stat().st_mtime_ns
    assert await _conform(source, into) == first
    assert first.picture.stat().st_mtime_ns == made
    assert first.is_intact()
    first.picture.write_bytes(first.picture.read_bytes()[:-1])
    assert not first.is_intact()
    assert await _conform(source, into) == first
    assert first.is_intact()
    assert names(tmp_path) == ["a.mp4", "house"]


async def test_two_at_once_make_one(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4")
    both = await asyncio.gather(*(_conform(source, tmp_path / "house") for _ in range(3)))
    assert both[0] == both[1] == both[2]
    assert both[0].is_intact()
    assert names(tmp_path) == ["a.mp4", "house"]


async def test_the_same_clip_is_conformed_to_the_same_bytes(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4")
    one, two = [await _conform(source, tmp_path / name) for name in ("one", "two")]
    assert (one.picture_digest, one.sound_digest) == (two.picture_digest, two.sound_digest)


async def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", frames=240, size="640x360")
    large, started = HouseFormat(width=1920, height=1080, rate=TINY.rate), asyncio.Event()
    work = asyncio.create_task(_conform(source, tmp_path / "house", large, progress=lambda done: started.set()))
    async with asyncio.timeout(20):
        await started.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert names(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize(
    ("edit", "numbers"),
    [
        (EditPoints(0, 26), [*range(24), 23, 23]),
        (EditPoints(0, 40), [*range(24), *[23] * 16]),
        (EditPoints(5, 20), list(range(4, 24))),
        (EditPoints(6, 30, hold_head=2, hold_tail=2, join_in=4, join_out=4), [0, 0, *range(24), *[23] * 8]),
    ],
    ids=["two frames short", "far too short", "used from its middle", "between dissolves"],
)
async def test_of_a_clip_that_is_too_short_the_last_frame_is_held(
    tmp_path: Path, edit: EditPoints, numbers: list[int]
) -> None:
    clip = await _conform(_ramp(tmp_path / "a.mp4", 24), tmp_path / "house", edit=edit)
    assert _numbers(clip.picture) == numbers
    assert len(_heard(clip)) == samples_of(edit.total, TINY)
    with av.open(str(clip.picture)) as file:
        keys = [packet.pts for packet in file.demux(video=0) if packet.size and packet.is_keyframe]
    assert keys == [frame * TINY.frame_ticks for frame in {0, *edit.body} if frame < edit.total]


async def test_a_single_frame_fills_a_shot(tmp_path: Path) -> None:
    clip = await _conform(_ramp(tmp_path / "a.mp4", 1), tmp_path / "house", edit=EditPoints(0, 24))
    assert _numbers(clip.picture) == [0] * 24


async def test_a_house_clip_survives_serialization(tmp_path: Path) -> None:
    clip = await _conform(make_clip(tmp_path / "a.mp4"), tmp_path / "house")
    assert HouseClip.model_validate(json.loads(clip.model_dump_json())) == clip


def test_the_cache_key_depends_on_everything_that_changes_the_bytes() -> None:
    how, version = Conforming(EditPoints(0, 24), TINY), find_ffmpeg().version
    changes: list[dict[str, Any]] = [
        {},
        {"edit": EditPoints(0, 24, join_in=1)},
        {"house": HouseFormat(width=128, height=72, rate=FrameRate.parse("25"))},
        {"keep_sound": False},
        {"accept": "c"},
        {"laid": LaidSound(files=(), digests=("d",), with_picture=False)},
        {"grading": Grading(exposure=1)},
        {"framing": Framing(how="blur")},
        {"label": LabelMark(text="AI", corner="top left")},
        {"is_draft": True},
    ]
    assert set(Conforming._fields) == set().union(*changes)
    keys = [conform_key("a", how._replace(**change), version) for change in changes]
    keys += [conform_key("b", how, version), conform_key("a", how, "5.1")]
    keys += [conform_key("a", how, version, _colour(18).conversion)]
    assert len(set(keys)) == len(keys)
    assert keys[0] == conform_key("a", Conforming(EditPoints(0, 24), TINY), version)
    assert keys[0] == conform_key("a", how, version, _colour(1).conversion)


def _colour(transfer: int) -> Colour:
    return Colour(matrix=9, primaries=9, transfer=transfer, full_range=False)


@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1", "4:3", "3:4"])
@pytest.mark.parametrize(
    ("resolution", "fps", "level"), [("720p", 24, "3.1"), ("1080p", 30, "4.1"), ("1080p", 60, "4.2")]
)
def test_the_level_holds_every_format(ratio: str, resolution: str, fps: int, level: str) -> None:
    house = HouseFormat.of(Format.model_validate({"aspect_ratio": ratio, "resolution": resolution, "fps": fps}))
    assert (house.width, house.height) == Format.model_validate({"aspect_ratio": ratio, "resolution": resolution}).size
    assert float(house.level) <= float(level)
