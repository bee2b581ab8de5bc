"""Damaged clips are refused wherever the damage is; intact ones never are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storyreel.tasks.inspection.examine import examine
from storyreel.tasks.media.errors import MediaError
from tests.tasks.generated_clips import ffmpeg, make_clip

LONGEST_PACKET = 6_000
FRONT = ("-movflags", "+faststart")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def header_first(folder: Path) -> Path:
    """A clip with its index in front, as services send them."""
    return make_clip(folder / "front.mp4", size="192x108", options=FRONT)


@pytest.fixture(scope="module")
def header_last(folder: Path) -> Path:
    return make_clip(folder / "back.mp4", size="192x108")


def refused(content: bytes, folder: Path) -> str:
    """Why a file with this content is refused; empty when it is not."""
    clip = folder / "clip.mp4"
    clip.write_bytes(content)
    try:
        asyncio.run(examine(clip, "the clip from aimlapi"))
    except MediaError as error:
        return str(error)
    return ""


def media(content: bytes) -> range:
    """The positions of picture and sound data in an MP4."""
    start = content.index(b"mdat") + 4
    return range(start, start - 8 + int.from_bytes(content[start - 8 : start - 4], "big"))


def test_the_damage_below_is_longer_than_any_packet(header_first: Path) -> None:
    with av.open(str(header_first)) as clip:
        assert 0 < max(packet.size for packet in clip.demux()) < LONGEST_PACKET


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_damage_inside_is_found_wherever_it_is(data: st.DataObject, header_first: Path, folder: Path) -> None:
    content = header_first.read_bytes()
    inside = media(content)
    start = data.draw(st.integers(inside.start, inside.stop - LONGEST_PACKET), label="start")
    turned = data.draw(st.integers(1, 255), label="bits")
    damaged = bytearray(content)
    for at in range(start, start + LONGEST_PACKET):
        damaged[at] ^= turned
    assert refused(bytes(damaged), folder)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_cut_off_anywhere_is_refused(
    data: st.DataObject, header_first: Path, header_last: Path, folder: Path
) -> None:
    content = data.draw(st.sampled_from([header_first, header_last])).read_bytes()
    assert refused(content[: data.draw(st.integers(0, len(content) - 1), label="length")], folder)


@pytest.mark.parametrize("missing", [1, 200, 2_000, 20_000])
def test_a_header_that_promises_more_than_the_file_has_is_found(header_first: Path, folder: Path, missing: int) -> None:
    """Whoever cut it has made the lengths of the boxes right again."""
    content = header_first.read_bytes()
    inside = media(content)
    length = (len(inside) + 8 - missing).to_bytes(4, "big")
    mended = content[: inside.start - 8] + length + b"mdat" + content[inside.start : inside.stop - missing]
    assert refused(mended, folder)


@pytest.mark.parametrize("content", [b"", b"<!doctype html><p>busy</p>", b'{"error": "busy"}', b"\0" * 5000])
def test_a_file_that_is_not_a_clip_is_refused(content: bytes, folder: Path) -> None:
    assert "aimlapi" in refused(content, folder)


def test_sound_alone_is_no_clip(folder: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", folder / "sound.mp4")
    assert "no picture" in refused((folder / "sound.mp4").read_bytes(), folder)


WHOLE = {
    "header last": {},
    "header first": {"options": FRONT},
    "in fragments": {"options": ("-movflags", "frag_keyframe+empty_moov", "-g", "8")},
    "16 fps": {"fps": "16", "frames": 81},
    "23.976 fps": {"fps": "24000/1001"},
    "30 fps": {"fps": "30", "frames": 30},
    "without sound": {"sound": None},
    "in mono": {"layout": "mono"},
    "sound shorter than the picture": {"sound_seconds": 0.3},
    "sound longer than the picture": {"sound_seconds": 2.0},
    "of one frame": {"frames": 1},
    "of uneven frames": {"filters": "select='not(eq(mod(n,5),3))'", "options": ("-fps_mode", "vfr")},
    "HEVC of 10 bit": {"options": ("-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le")},
    "H.264 of 10 bit": {"options": ("-pix_fmt", "yuv420p10le")},
    "turned": {"options": ("-metadata:s:v", "rotate=90")},
    "interlaced": {"options": ("-flags", "+ildct+ilme", "-bf", "0")},
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_clip_is_never_refused(kind: str, folder: Path) -> None:
    settings = {"frames": 24, **WHOLE[kind]}
    assert not refused(make_clip(folder / "whole.mp4", **settings).read_bytes(), folder)  # type: ignore[arg-type]


def test_a_clip_whose_head_is_cut_away_by_an_edit_list_is_whole(header_first: Path, folder: Path) -> None:
    ffmpeg("-ss", "0.4", "-i", header_first, "-c", "copy", folder / "later.mp4")
    assert not refused((folder / "later.mp4").read_bytes(), folder)


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 100, (16).to_bytes(4, "big") + b"free" + b"8 bytes."])
def test_bytes_after_the_last_box_are_allowed(header_first: Path, folder: Path, tail: bytes) -> None:
    assert not refused(header_first.read_bytes() + tail, folder)


def test_a_clip_in_webm_is_whole(folder: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=128x72:rate=24:duration=1", "-c:v", "libvpx-vp9", "-cpu-used", "8",
           "-deadline", "realtime", folder / "clip.webm")  # fmt: skip
    assert not refused((folder / "clip.webm").read_bytes(), folder)
