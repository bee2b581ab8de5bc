"""The level of a film: one gain, no sample above the peak, and only what changed measured and encoded again.

Loudness and peaks are checked by ffmpeg's own summary of what was encoded, which no part of the work uses.
"""

from __future__ import annotations

import random
import re
import subprocess
from array import array
from pathlib import Path
from typing import Any

import pytest

from storyreel.specs.cut import Cut, Event
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.pieces import HouseCache
from storyreel.tasks.join.sound import encode, level
from storyreel.tasks.join.sound.encode import Stretch, stretches
from storyreel.tasks.join.sound.film import encode_film_sound
from storyreel.tasks.join.sound.layers import FilmSound, Master, SoundLayer
from storyreel.tasks.join.sound.level import LevelledSound, ReachedLevel, encode_at_level, integrated
from storyreel.tasks.join.sound.mix import MixedSound, mixed_sound
from storyreel.tasks.media.binary import find_ffmpeg
from tests.tasks.generated_clips import ffmpeg
from tests.tasks.raw_samples import RawSamples

RATE = FrameRate.parse("24")
SECOND = 48_000
SPEECH = (
    "aevalsrc=(0.3*sin(2*PI*(120+20*sin(4*t))*t)+0.15*sin(2*PI*(1200+300*sin(12*t))*t)+0.1*(random(0)-0.5))"
    "*max(0\\,sin(19*t))|0.1*(random(1)-0.5)*max(0\\,sin(19*t)):s=48000"
)
PINK = "anoisesrc=color=pink:amplitude=%s:seed=1:r=48000,aformat=channel_layouts=stereo"


def _generated(folder: Path, graph: str, seconds: int) -> RawSamples:
    file = folder / "sound.s16"
    ffmpeg("-f", "lavfi", "-i", graph, "-t", str(seconds), "-f", "s16le", "-ar", "48000", "-ac", "2", file)
    return RawSamples(file.read_bytes())


async def _levelled(
    folder: Path, clips: RawSamples, master: Master, *layers: SoundLayer, lines: tuple[tuple[int, int], ...] = ()
) -> tuple[ReachedLevel, Path]:
    """The level of a mix, and its packets in one file."""
    cache = HouseCache(folder)
    mix = await mixed_sound(clips, FilmSound(layers=layers, lines=lines), RATE, cache)
    pieces, reached = await encode_at_level(mix, master, cache)
    names = folder / "pieces.txt"
    names.write_text("".join(f"file '{piece.sound}'\n" for piece in pieces))
    film = folder / "film.nut"
    ffmpeg("-f", "concat", "-safe", "0", "-i", names, "-c", "copy", film)
    return reached, film


def measured(film: Path) -> tuple[float, float]:
    """LUFS and dBTP of a file, by ffmpeg."""
    command = [str(find_ffmpeg().path), "-nostdin", "-i", str(film), "-af", "ebur128=peak=true", "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr.rpartition("Summary:")[2]
    loudness, peak = re.search(r"I:\s+(\S+) LUFS", told), re.search(r"Peak:\s+(\S+) dBFS", told)
    assert loudness and peak
    return float(loudness[1]), float(peak[1])


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Six seconds of noise that swells twice a second."""
    ffmpeg("-f", "lavfi", "-i", f"{PINK % 0.5},tremolo=f=2:d=0.7", "-t", "6", tmp_path / "music.wav")
    return tmp_path / "music.wav"


@pytest.mark.parametrize(
    ("graph", "master"),
    [
        (SPEECH, Master(-14, -1)),
        (PINK % 0.02, Master(-16, -1.5)),
        (PINK % 0.9, Master(-10, -1)),
        (PINK.replace("pink", "white") % 0.3, Master(-18, -1)),
    ],
    ids=["speech", "quiet noise", "loud noise", "hiss"],
)
async def test_a_film_has_the_loudness_and_no_peak_above_the_one_that_it_is_asked_for(
    tmp_path: Path, graph: str, master: Master
) -> None:
    reached, film = await _levelled(tmp_path, _generated(tmp_path, graph, 7), master)
    loudness, peak = measured(film)
    assert master.loudness is not None and abs(loudness - master.loudness) <= 0.3
    assert peak <= master.peak and not reached.shortfall
    assert reached.loudness == pytest.approx(loudness, abs=0.2)


async def test_speech_over_music_has_its_loudness(tmp_path: Path, music: Path) -> None:
    layer = SoundLayer(file=music, gain=-12, start=0, end=168, duck="speech")
    clips = _generated(tmp_path, SPEECH, 7)
    reached, film = await _levelled(tmp_path, clips, Master(-14, -1), layer, lines=((24, 96), (120, 144)))
    loudness, peak = measured(film)
    assert abs(loudness + 14) <= 0.3 and peak <= -1
    assert reached.gain != 0


async def test_quiet_stays_quieter_than_loud_by_as_much_as_before(tmp_path: Path) -> None:
    """One gain for the film: nothing rides the level."""
    clips = RawSamples(_generated(tmp_path, PINK % 0.02, 6).content + _generated(tmp_path, PINK % 0.2, 6).content)
    cache = HouseCache(tmp_path)
    mix = await mixed_sound(clips, FilmSound(), RATE, cache)
    measures = [level.measure_block(mix, block, cache) for block in level.blocks(mix.length)]
    sound = LevelledSound(mix, 8.0, -2, [(await each).peak for each in measures])
    before, after = (array("h", content) for content in (clips.content, sound.read(0, sound.length)))
    assert not sound.is_limited(0, sound.length)
    assert max(abs(a * 10 ** (8 / 20) - b) for a, b in zip(before, after, strict=True)) <= 1


async def test_silence_has_no_gain(tmp_path: Path) -> None:
    reached, film = await _levelled(tmp_path, RawSamples(bytes(4 * 3 * SECOND)), Master(-14, -1))
    assert (reached.gain, reached.loudness, reached.shortfall) == (0, None, "")
    assert measured(film)[0] == -70


async def test_a_film_shorter_than_the_meter_needs_is_left_as_it_is(tmp_path: Path) -> None:
    reached, _ = await _levelled(tmp_path, _generated(tmp_path, PINK % 0.2, 1), Master(-14, -1))
    assert reached.loudness is not None
    short = RawSamples(_generated(tmp_path, PINK % 0.2, 1).content[: 4 * SECOND // 4])
    assert (await _levelled(tmp_path, short, Master(-14, -1)))[0].gain == 0


async def test_a_peak_alone_changes_no_level(tmp_path: Path) -> None:
    clips = _generated(tmp_path, PINK % 0.9, 6)
    quiet, _ = await _levelled(tmp_path, clips, Master(None, -1))
    assert quiet.gain == 0 and not quiet.shortfall
    _, film = await _levelled(tmp_path, clips, Master(None, -9))
    assert measured(film)[1] <= -9


async def test_where_aac_overshoots_by_more_than_the_margin_the_peak_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = "aevalsrc=0.9*sin(2*PI*(40*t+225*t*t))|0.9*sin(2*PI*(60*t+210*t*t)):s=48000"
    clips = _generated(tmp_path, swept, 12)
    reached, film = await _levelled(tmp_path, clips, Master(None, -1))
    assert measured(film)[1] <= -1 and not reached.shortfall
    monkeypatch.setattr(level, "_ATTEMPTS", 1)
    reached, film = await _levelled(tmp_path, clips, Master(None, -1))
    assert measured(film)[1] > -1
    assert reached.shortfall.startswith("the film has peaks of -0.") and "instead of -1" in reached.shortfall


async def test_what_cannot_be_as_loud_as_asked_is_told_and_keeps_its_peak(tmp_path: Path) -> None:
    clicks = "aevalsrc=if(lt(mod(t\\,0.25)\\,0.002)\\,0.7\\,0):s=48000"
    reached, film = await _levelled(tmp_path, _generated(tmp_path, clicks, 6), Master(-14, -1))
    assert measured(film)[1] <= -1
    assert re.fullmatch(r"the film has -2\d\.\d LUFS instead of -14: more gain would only flatten its peaks",
                        reached.shortfall)  # fmt: skip


def test_the_loudness_is_that_of_the_gated_blocks() -> None:
    assert integrated([-120.0, -71.0]) is None and integrated([]) is None
    assert integrated([-23.0] * 10) == pytest.approx(-23)
    assert integrated([-23.0] * 10 + [-45.0] * 90) == pytest.approx(-23), "10 LU below the mean is not counted"
    assert integrated([-20.0, -23.0]) == pytest.approx(-21.25, abs=0.01)


def _noise(seconds: int, seed: int, peak: int = 9_000) -> RawSamples:
    noise = array("h", random.Random(seed).randbytes(4 * SECOND * seconds))
    return RawSamples(array("h", (value * peak // 32_768 for value in noise)).tobytes())


async def test_a_limited_part_has_the_samples_of_the_whole(tmp_path: Path) -> None:
    """Wherever it begins: the limiter and the filters around it remember no more than the run-up."""
    mix = await mixed_sound(_noise(9, 1, 24_000), FilmSound(), RATE, HouseCache(tmp_path))
    sound = LevelledSound(mix, 6.0, -2, [0.0, 0.0])
    assert sound.is_limited(0, mix.length)
    whole = array("h", sound.read(0, sound.length))
    for start in range(0, sound.length, 130_003):
        end = min(sound.length, start + 130_003)
        assert array("h", sound.read(start, end)) == whole[2 * start : 2 * end], f"from {start / SECOND:.2f} s on"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """The starts of parts that were measured, and the places of those that were encoded, since the test began."""
    done: dict[str, list[Any]] = {"measured": [], "encoded": []}
    measure, make = MixedSound.measure, encode._encode

    def noted(mix: MixedSound, start: int, end: int, *rest: Any) -> Any:
        done["measured"].append(start)
        return measure(mix, start, end, *rest)

    def encoded(samples: bytes, place: Stretch, *rest: Any) -> None:
        done["encoded"].append(place)
        make(samples, place, *rest)

    monkeypatch.setattr(MixedSound, "measure", noted)
    monkeypatch.setattr(encode, "_encode", encoded)
    return done


async def test_a_changed_shot_is_measured_again_and_encoded_again_and_the_rest_only_if_the_gain_changes(
    tmp_path: Path, work: dict[str, list[Any]]
) -> None:
    film = _noise(45, 1)
    places = len(list(stretches(film.length)))
    first, _ = await _levelled(tmp_path, film, Master(-20, -1))
    assert len(work["measured"]) == 5 and len(work["encoded"]) == places == 5
    work["measured"].clear(), work["encoded"].clear()
    assert (await _levelled(tmp_path, film, Master(-20, -1)))[0] == first and not any(work.values())
    changed = bytearray(film.content)
    changed[4 * 15 * SECOND : 4 * 16 * SECOND] = _noise(1, 2).content
    second, _ = await _levelled(tmp_path, RawSamples(bytes(changed)), Master(-20, -1))
    assert second.gain == first.gain and len(work["measured"]) == len(work["encoded"]) == 1
    work["measured"].clear(), work["encoded"].clear()
    changed[4 * 15 * SECOND : 4 * 25 * SECOND] = _noise(10, 2, 32_000).content
    third, _ = await _levelled(tmp_path, RawSamples(bytes(changed)), Master(-20, -1))
    assert third.gain < first.gain and len(work["measured"]) == 2 and len(work["encoded"]) == places


async def test_the_level_of_a_film_is_that_of_its_mix(tmp_path: Path) -> None:
    cut, cache = Cut(RATE, (Event("1A", 0, 48),)), HouseCache(tmp_path)
    pieces, reached = await encode_film_sound(cut, [None], FilmSound(master=Master(-14, -1)), cache)
    assert len(pieces) == 1 and reached and reached.gain == 0
    plain, none = await encode_film_sound(cut, [None], FilmSound(), cache)
    assert none is None and plain[0].sound_digest == pieces[0].sound_digest
