"""Encoders of hardware are used when they are asked for, and what they write is held to the same rules.

ffmpeg's OpenH264, which needs no hardware, takes their place.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from storyreel.flows.diagnostics.doctor import examine
from storyreel.specs.cut import EditPoints
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.conform import Conforming, conform_clip, conform_key
from storyreel.tasks.join.dissolve import dissolve_clips
from storyreel.tasks.media import encoders
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.media.probe import keyframes, probe
from storyreel.tasks.settings import Settings
from tests.tasks.generated_clips import TINY, lumas, make_clip

OTHER = TINY.model_copy(update={"encoder": "libopenh264"})


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with an encoder besides x264."""
    options: dict[str, str | int] = {"b:v": "2M", "pix_fmt": "yuv420p", "allow_skip_frames": 0}
    monkeypatch.setattr(encoders, "_HARDWARE", {"libopenh264": lambda _: options, "h264_none": lambda _: {}})
    encoders.working_hardware.cache_clear()


def test_every_encoder_can_be_named() -> None:
    for name in encoders.names():
        assert Settings.read({"STORYREEL_ENCODER": name}).encoder == name
    assert Settings.read({}).encoder == encoders.X264


@pytest.mark.parametrize(
    ("rate", "key"),
    [
        ("24", "923f6420647f55146182b85b436d7df39d4fcdbdbfa239f3029363475458e431"),
        ("23.976", "8ff0c2c4bbb42a1cf2dbf65613cc0a88892b4f962341227f7fbf185f3ddba21e"),
    ],
)
def test_clips_that_were_conformed_before_there_was_a_choice_are_found_again(rate: str, key: str) -> None:
    house, edit = HouseFormat(width=128, height=72, rate=FrameRate.parse(rate)), EditPoints(2, 24, join_out=4)
    assert conform_key("a" * 64, Conforming(edit, house), "9.0.2") == key
    other = house.model_copy(update={"encoder": "h264_nvenc"})
    assert conform_key("a" * 64, Conforming(edit, other), "9.0.2") != key


@pytest.mark.usefixtures("card")
async def test_frames_keyframes_and_dissolves_of_another_encoder_are_exact(tmp_path: Path) -> None:
    clips = []
    for name, luma, edit in (
        ("a", "20+5*N", EditPoints(0, 30, join_out=12)),
        ("b", "220-5*N", EditPoints(0, 30, join_in=12)),
    ):
        source = make_clip(tmp_path / f"{name}.mp4", frames=30, picture="color=black",
                           filters=f"geq=lum='{luma}':cb=128:cr=128", options=("-crf", "2"))  # fmt: skip
        into = tmp_path / f"house-{name}"
        clips.append(await conform_clip(source, Conforming(edit, OTHER, keep_sound=False), into=into))
    assert {clip.signature for clip in clips} == {await house_signature(OTHER)} != {await house_signature(TINY)}
    assert [clip.frames for clip in clips] == [probe(clip.picture).frames for clip in clips] == [30, 30]
    assert 18 in keyframes(clips[0].picture) and 12 in keyframes(clips[1].picture)
    mixed = await dissolve_clips(clips[0], clips[1], 12, OTHER, tmp_path / "dissolve")
    last, first = lumas(clips[0].picture)[-12:], lumas(clips[1].picture)[:12]
    wanted = [a + (b - a) * (n + 1) / 13 for n, (a, b) in enumerate(zip(last, first, strict=True))]
    assert lumas(mixed.picture) == pytest.approx(wanted, abs=4)


async def test_a_clip_without_a_keyframe_where_it_is_cut_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder may take forced keyframes for a wish."""
    source = make_clip(tmp_path / "a.mp4", frames=30)
    monkeypatch.setattr("storyreel.tasks.join.conform.keyframes", lambda picture: keyframes(picture) - {18})
    with pytest.raises(MediaError, match="libx264 has written no keyframe where a clip is cut, at frame 18"):
        how = Conforming(EditPoints(0, 30, join_out=12), TINY, keep_sound=False)
        await conform_clip(source, how, into=tmp_path / "house")
    assert not (tmp_path / "house").exists()


@pytest.mark.usefixtures("card")
async def test_doctor_names_the_encoders_that_work_and_the_one_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert encoders.working_hardware(find_ffmpeg()) == ("libopenh264",)
    environment = {"STORYREEL_HOME": str(tmp_path)}
    found = {check.name: check for check in examine(environment, offline=True).checks}["encoder"]
    assert (found.state, found.fix) == ("ok", "export STORYREEL_ENCODER=libopenh264")
    wanting = {**environment, "STORYREEL_ENCODER": "h264_nvenc"}
    found = {check.name: check for check in examine(wanting, offline=True).checks}["encoder"]
    assert (found.state, found.fix) == ("missing", "unset STORYREEL_ENCODER")
    with pytest.raises(MediaError, match=r"cannot encode 128×72 with h264_none, which STORYREEL_ENCODER names") as told:
        await house_signature(TINY.model_copy(update={"encoder": "h264_none"}))
    assert told.value.hint == "unset STORYREEL_ENCODER"


def test_doctor_names_the_codecs_of_deliverables_that_this_ffmpeg_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"STORYREEL_HOME": str(tmp_path)}
    assert "codecs" not in {check.name for check in examine(environment, offline=True).checks}
    lean = replace(find_ffmpeg(), encoders=frozenset({"libx264", "prores_ks", "dnxhd"}))
    monkeypatch.setattr("storyreel.flows.diagnostics.doctor.find_ffmpeg", lambda: lean)
    found = {check.name: check for check in examine(environment, offline=True).checks}["codecs"]
    assert found.state == "note" and "cannot encode `h265` or `av1`" in found.detail and "STORYREEL_FFMPEG" in found.fix
