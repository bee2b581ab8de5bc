from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from storyreel.specs.timing import FrameRate
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import probe, signature
from tests.tasks.generated_clips import ffmpeg, make_clip


def test_a_probe_has_the_facts_of_the_clip(tmp_path: Path) -> None:
    found = probe(make_clip(tmp_path / "a.mp4", frames=30, fps="30000/1001", size="64x48", layout="mono"))
    assert (found.frames, found.rate, found.width, found.height) == (30, Fraction(30000, 1001), 64, 48)
    assert found.seconds == 30 / Fraction(30000, 1001)
    assert (found.channels, found.orientation, found.sar, found.pix_fmt) == (1, 1, Fraction(1), "yuv420p")
    assert found.steady
    assert found.start == 0


def test_a_clip_fills_as_many_frames_as_it_lasts(tmp_path: Path) -> None:
    found = probe(make_clip(tmp_path / "a.mp4", frames=30, fps="16", sound=None))
    assert found.frames_at(FrameRate.parse("16")) == 30
    assert found.frames_at(FrameRate.parse("24")) == 45
    assert found.frames_at(FrameRate.parse("23.976")) == 45


@pytest.mark.parametrize(("bframes", "delay"), [("0", 0), ("2", 1)])
def test_the_delay_is_what_the_encoder_reorders(tmp_path: Path, bframes: str, delay: int) -> None:
    clip = make_clip(tmp_path / "a.mp4", sound=None, options=("-bf", bframes, "-x264-params", "b-pyramid=0:b-adapt=0"))
    assert probe(clip).delay == delay


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"<!DOCTYPE html><html><body>404</body></html>", "it is a web page"),
        (b'{"error": {"code": 404}}', "it is JSON"),
        (b"", "the file is empty"),
        (b"\x00" * 5000, "cannot be read"),
    ],
)
def test_a_file_that_is_not_a_clip_is_named_for_what_it_is(tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(MediaError, match=word) as refused:
        probe(tmp_path / "a.mp4")
    assert str(tmp_path / "a.mp4") in refused.value.message
    assert refused.value.hint


def test_a_missing_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"a\.mp4 does not exist"):
        probe(tmp_path / "a.mp4")


def test_sound_alone_is_not_a_clip(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", tmp_path / "a.mp4")
    with pytest.raises(MediaError, match="has no picture"):
        probe(tmp_path / "a.mp4")


def test_a_clip_cut_short_behind_its_index_is_found(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "a.mp4", frames=48, options=("-movflags", "+faststart"))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    found = probe(cut)
    assert 0 < found.frames < 48
    assert found.frames + found.missing == 48


def test_uneven_pictures_are_not_steady(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=24, sound=None, filters="select='not(eq(mod(n,5),3))'",
                     options=("-fps_mode", "vfr"))  # fmt: skip
    assert not probe(clip).steady


def test_a_turned_clip_is_displayed_upright(tmp_path: Path) -> None:
    flat = make_clip(tmp_path / "flat.mp4", size="128x72", sound=None)
    ffmpeg("-display_rotation", "90", "-i", flat, "-c", "copy", tmp_path / "turned.mp4")
    turned = probe(tmp_path / "turned.mp4")
    assert turned.orientation == 8
    assert turned.shown_ratio == Fraction(72, 128)
    assert turned.signature != probe(flat).signature


def test_clips_that_cannot_be_in_one_track_have_different_signatures(tmp_path: Path) -> None:
    same = [make_clip(tmp_path / f"{n}.mp4", frames=10 + n, picture=p) for n, p in enumerate(("testsrc2", "testsrc"))]
    assert signature(same[0]) == signature(same[1]) == probe(same[0]).signature
    others = {
        "size": make_clip(tmp_path / "size.mp4", size="160x90"),
        "rate": make_clip(tmp_path / "rate.mp4", fps="25"),
        "pixels": make_clip(tmp_path / "pixels.mp4", options=("-pix_fmt", "yuv444p")),
        "matrix": make_clip(tmp_path / "matrix.mp4", filters="setparams=colorspace=smpte170m"),
        "range": make_clip(tmp_path / "range.mp4", filters="setparams=range=pc"),
        "shape": make_clip(tmp_path / "shape.mp4", filters="setsar=4/3"),
        "ticks": make_clip(tmp_path / "ticks.mp4", options=("-video_track_timescale", "90000")),
        "encoder": make_clip(tmp_path / "encoder.mp4", options=("-refs", "5", "-preset", "medium")),
        "codec": make_clip(tmp_path / "codec.mp4", options=("-c:v", "mpeg4")),
    }
    known = {signature(clip): name for name, clip in others.items()} | {signature(same[0]): "same"}
    assert len(known) == len(others) + 1
