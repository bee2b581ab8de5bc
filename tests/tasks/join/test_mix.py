from __future__ import annotations

import math
from array import array
from pathlib import Path

import pytest

from storyreel.specs.storyboard import Music
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.mix import MusicTrack, mix
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.pcm import samples_in
from tests.tasks.generated_clips import ffmpeg

RATE = FrameRate.parse("24")
SECOND = 48_000


def _raw(into: Path, seconds: float, *, loud: tuple[float, float] = (0, 0), peak: int = 16_000) -> Path:
    """Silence with a tone of 400 Hz between two times."""
    values = [
        round(peak * math.sin(2 * math.pi * 400 * n / SECOND)) if loud[0] <= n / SECOND < loud[1] else 0
        for n in range(round(seconds * SECOND))
    ]
    into.write_bytes(array("h", [value for value in values for _ in range(2)]).tobytes())
    return into


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Two seconds of a tone of 1 kHz at 44.1 kHz, mono, at half of full scale."""
    ffmpeg("-f", "lavfi", "-i", "aevalsrc=0.5*sin(2*PI*1000*t):s=44100:d=2", tmp_path / "music.wav")
    return tmp_path / "music.wav"


def _level(heard: list[int], begin: float, end: float) -> float:
    """Root mean square between two times, in parts of full scale."""
    part = heard[round(begin * SECOND) : round(end * SECOND)]
    return math.sqrt(sum(value * value for value in part) / len(part)) / 32_768


async def _mixed(
    tmp_path: Path, clips: Path, *tracks: MusicTrack, speech: tuple[tuple[int, int], ...] = ()
) -> list[int]:
    await mix(clips, tracks, speech, RATE, tmp_path / "mix")
    assert samples_in(tmp_path / "mix") == samples_in(clips)
    return list(memoryview((tmp_path / "mix").read_bytes()).cast("h"))[::2]


async def test_without_music_the_clips_pass_as_they_are(tmp_path: Path) -> None:
    clips = _raw(tmp_path / "clips", 1.5, loud=(0.5, 1), peak=32_000)
    heard = await _mixed(tmp_path, clips)
    assert heard == list(memoryview(clips.read_bytes()).cast("h"))[::2]


async def test_music_lies_at_its_level_where_it_was_put(tmp_path: Path, music: Path) -> None:
    track = MusicTrack(file=music, gain=-6, start=12, end=36, loop=False)
    heard = await _mixed(tmp_path, _raw(tmp_path / "clips", 2), track)
    assert _level(heard, 0.6, 1.4) == pytest.approx(0.5 / math.sqrt(2) * 10 ** (-6 / 20), rel=0.03)
    loud = [n for n, value in enumerate(heard) if abs(value) > 3_000]
    assert abs(loud[0] - 0.5 * SECOND) < 48
    assert abs(loud[-1] - 1.5 * SECOND) < 48


@pytest.mark.parametrize(("loop", "end"), [(True, 5.0), (False, 2.0)])
async def test_short_music_begins_again_or_ends(tmp_path: Path, music: Path, loop: bool, end: float) -> None:
    track = MusicTrack(file=music, gain=0, start=0, end=120, loop=loop)
    heard = await _mixed(tmp_path, _raw(tmp_path / "clips", 5), track)
    last = max(n for n, value in enumerate(heard) if abs(value) > 3_000)
    assert abs(last - end * SECOND) < 96


async def test_music_fades_from_and_to_nothing(tmp_path: Path, music: Path) -> None:
    track = MusicTrack(file=music, gain=0, start=0, end=48, fade_in=12, fade_out=12)
    heard = await _mixed(tmp_path, _raw(tmp_path / "clips", 2), track)
    assert _level(heard, 0, 0.05) < 0.1 * _level(heard, 0.7, 1.3)
    assert _level(heard, 0.2, 0.3) == pytest.approx(0.5 * _level(heard, 0.7, 1.3), rel=0.1)
    assert _level(heard, 1.95, 2) < 0.1 * _level(heard, 0.7, 1.3)


async def test_a_file_that_ends_early_fades_where_it_ends(tmp_path: Path, music: Path) -> None:
    track = MusicTrack(file=music, gain=0, start=0, end=120, fade_out=12, loop=False)
    heard = await _mixed(tmp_path, _raw(tmp_path / "clips", 5), track)
    assert _level(heard, 1.9, 2) < 0.3 * _level(heard, 1, 1.4)


async def test_music_gives_way_while_somebody_speaks_and_only_then(tmp_path: Path, music: Path) -> None:
    clips = _raw(tmp_path / "clips", 6, loud=(1, 5), peak=9_000)
    track = MusicTrack(file=music, gain=-6, start=0, end=144, duck=True)
    straight = await _mixed(tmp_path, clips, track.model_copy(update={"duck": False}), speech=((24, 72),))
    ducked = await _mixed(tmp_path, clips, track, speech=((24, 72),))
    difference = [a - b for a, b in zip(straight, ducked, strict=True)]
    assert _level(difference, 0.2, 0.95) < 0.01
    assert _level(difference, 1.5, 2.9) > 0.5 * _level(straight, 0.2, 0.9)
    assert _level(difference, 4.5, 4.9) < 0.01  # still loud, but nobody speaks: noise of a shot without dialogue


async def test_what_adds_up_too_loud_is_limited_not_clipped(tmp_path: Path, music: Path) -> None:
    clips = _raw(tmp_path / "clips", 2, loud=(0, 2), peak=32_000)
    heard = await _mixed(tmp_path, clips, MusicTrack(file=music, gain=6, start=0, end=48))
    assert max(map(abs, heard)) < 32_767
    assert _level(heard, 0.5, 1.5) > 0.4


async def test_two_pieces_of_music_are_both_heard(tmp_path: Path, music: Path) -> None:
    tracks = [MusicTrack(file=music, gain=-6, start=0, end=24), MusicTrack(file=music, gain=-6, start=48, end=72)]
    heard = await _mixed(tmp_path, _raw(tmp_path / "clips", 3), *tracks)
    assert _level(heard, 0.3, 0.7) == pytest.approx(_level(heard, 2.3, 2.7), rel=0.05)
    assert _level(heard, 1.1, 1.9) < 0.002


async def test_what_is_no_music_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("la la la")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=d=1:s=64x64", tmp_path / "mute.mp4")
    for name, word in (("words.wav", "cannot be read as music"), ("mute.mp4", "has no sound")):
        track = MusicTrack(file=tmp_path / name, gain=0, start=0, end=24)
        with pytest.raises(MediaError, match=f"{name} {word}"):
            await mix(_raw(tmp_path / "clips", 1), [track], (), RATE, tmp_path / "mix")


def test_a_storyboards_music_becomes_frames_inside_the_film() -> None:
    written = {"file": "a.wav", "level": "-12 dB", "start": "1s", "fade_out": "6f", "duck": "dialogue"}
    music = Music.model_validate(written)
    track = MusicTrack.of(music, Path("a.wav"), RATE, 96)
    assert (track.start, track.end, track.fade_in, track.fade_out, track.gain) == (24, 96, 0, 6, -12)
    assert track.duck
    late = MusicTrack.of(music.model_copy(update={"start": None, "end": None}), Path("a.wav"), RATE, 96)
    assert (late.start, late.end) == (0, 96)
