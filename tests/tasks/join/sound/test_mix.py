from __future__ import annotations

import math
import random
from array import array
from pathlib import Path

import pytest

from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.pieces import HouseCache
from storyreel.tasks.join.sound import layers as music_files
from storyreel.tasks.join.sound import mix
from storyreel.tasks.join.sound.encode import encode_sound
from storyreel.tasks.join.sound.layers import FilmSound, RawLayer, SoundLayer, Span
from storyreel.tasks.join.sound.mix import MixedSound, PlacedLayer, mixed_sound, reach
from storyreel.tasks.media.errors import MediaError
from tests.tasks.generated_clips import ffmpeg
from tests.tasks.raw_samples import RawSamples

RATE = FrameRate.parse("24")
SECOND = 48_000


def _raw(seconds: float, *, loud: tuple[float, float] = (0, 0), peak: int = 16_000) -> RawSamples:
    """Silence with a tone of 400 Hz between two times."""
    values = [
        round(peak * math.sin(2 * math.pi * 400 * n / SECOND)) if loud[0] <= n / SECOND < loud[1] else 0
        for n in range(round(seconds * SECOND))
    ]
    return RawSamples(array("h", [value for value in values for _ in range(2)]).tobytes())


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Two seconds of a tone of 1 kHz at 44.1 kHz, mono, at half of full scale."""
    ffmpeg("-f", "lavfi", "-i", "aevalsrc=0.5*sin(2*PI*1000*t):s=44100:d=2", tmp_path / "music.wav")
    return tmp_path / "music.wav"


def _level(heard: list[int], begin: float, end: float) -> float:
    """Root mean square between two times, in parts of full scale."""
    part = heard[round(begin * SECOND) : round(end * SECOND)]
    return math.sqrt(sum(value * value for value in part) / len(part)) / 32_768


async def _sound(
    folder: Path, clips: RawSamples, *layers: SoundLayer, speech: tuple[Span, ...] = (), lines: tuple[Span, ...] = ()
) -> MixedSound:
    """The mix of a film in which the shots of these frames have dialogue, and lines are said in those."""
    return await mixed_sound(clips, FilmSound(layers=layers, dialogue=speech, lines=lines), RATE, HouseCache(folder))


async def _mixed(
    folder: Path, clips: RawSamples, *layers: SoundLayer, speech: tuple[Span, ...] = (), lines: tuple[Span, ...] = ()
) -> list[int]:
    mixed = await _sound(folder, clips, *layers, speech=speech, lines=lines)
    assert mixed.length == clips.length
    heard = mixed.read(0, mixed.length)
    assert len(heard) == len(clips.content)
    return list(memoryview(heard).cast("h"))[::2]


def test_a_film_in_which_nothing_else_is_heard_has_the_sound_of_its_clips(music: Path) -> None:
    assert FilmSound().is_plain and FilmSound(layers=(SoundLayer(file=music, gain=0, start=36, end=36),)).is_plain


async def test_music_lies_at_its_level_where_it_was_put(tmp_path: Path, music: Path) -> None:
    track = SoundLayer(file=music, gain=-6, start=12, end=36, loop=False)
    heard = await _mixed(tmp_path, _raw(2), track)
    assert _level(heard, 0.6, 1.4) == pytest.approx(0.5 / math.sqrt(2) * 10 ** (-6 / 20), rel=0.03)
    loud = [n for n, value in enumerate(heard) if abs(value) > 3_000]
    assert abs(loud[0] - 0.5 * SECOND) < 48
    assert abs(loud[-1] - 1.5 * SECOND) < 48


@pytest.mark.parametrize(("loop", "end"), [(True, 5.0), (False, 2.0)])
async def test_short_music_begins_again_or_ends(tmp_path: Path, music: Path, loop: bool, end: float) -> None:
    track = SoundLayer(file=music, gain=0, start=0, end=120, loop=loop)
    heard = await _mixed(tmp_path, _raw(5), track)
    last = max(n for n, value in enumerate(heard) if abs(value) > 3_000)
    assert abs(last - end * SECOND) < 96


async def test_music_fades_from_and_to_nothing(tmp_path: Path, music: Path) -> None:
    track = SoundLayer(file=music, gain=0, start=0, end=48, fade_in=12, fade_out=12)
    heard = await _mixed(tmp_path, _raw(2), track)
    assert _level(heard, 0, 0.05) < 0.1 * _level(heard, 0.7, 1.3)
    assert _level(heard, 0.2, 0.3) == pytest.approx(0.5 * _level(heard, 0.7, 1.3), rel=0.1)
    assert _level(heard, 1.95, 2) < 0.1 * _level(heard, 0.7, 1.3)


async def test_a_file_that_ends_early_fades_where_it_ends(tmp_path: Path, music: Path) -> None:
    track = SoundLayer(file=music, gain=0, start=0, end=120, fade_out=12, loop=False)
    heard = await _mixed(tmp_path, _raw(5), track)
    assert _level(heard, 1.9, 2) < 0.3 * _level(heard, 1, 1.4)


async def test_music_gives_way_while_somebody_speaks_and_only_then(tmp_path: Path, music: Path) -> None:
    clips = _raw(6, loud=(1, 5), peak=9_000)
    track = SoundLayer(file=music, gain=-6, start=0, end=144, duck="dialogue")
    straight = await _mixed(tmp_path, clips, track.model_copy(update={"duck": None}), speech=((24, 72),))
    ducked = await _mixed(tmp_path, clips, track, speech=((24, 72),))
    difference = [a - b for a, b in zip(straight, ducked, strict=True)]
    assert _level(difference, 0.2, 0.95) < 0.01
    assert _level(difference, 1.5, 2.9) > 0.5 * _level(straight, 0.2, 0.9)
    assert _level(difference, 4.5, 4.9) < 0.01  # still loud, but nobody speaks: noise of a shot without dialogue


async def test_lines_lower_music_where_they_are_said_and_narration_while_it_is_heard(
    tmp_path: Path, music: Path
) -> None:
    clips = _raw(6, loud=(0, 6), peak=9_000)
    track = SoundLayer(file=music, gain=-6, start=0, end=144, duck="speech")
    voice = SoundLayer(file=music, gain=-6, start=96, end=144, loop=False, speaks=True)
    heard = {}
    for duck in (None, "speech"):
        layers = track.model_copy(update={"duck": duck}), voice
        heard[duck] = await _mixed(tmp_path, clips, *layers, speech=((0, 144),), lines=((36, 60),))
    lowered = [a - b for a, b in zip(heard[None], heard["speech"], strict=True)]
    full = 0.5 / math.sqrt(2) * 10 ** (-6 / 20)
    assert _level(lowered, 0.2, 1.45) < 0.01, "all of the shot has dialogue, but nothing is said yet"
    assert _level(lowered, 1.7, 2.4) > 0.4 * full
    assert _level(lowered, 3.6, 3.95) < 0.02
    assert _level(lowered, 4.3, 5.5) > 0.4 * full, "the narrator"
    assert _level(heard["speech"], 4.3, 5.5) > 0.9 * full, "whose voice is not lowered"


async def test_music_begins_at_its_in_point_and_again_there(tmp_path: Path) -> None:
    """Two seconds of which the first is 400 Hz and the second silent: from the second on nothing is heard."""
    ffmpeg("-f", "lavfi", "-i", "aevalsrc=0.5*sin(2*PI*400*t)*lt(t\\,1)+0.5*sin(2*PI*400*t)*gt(t\\,1.5):s=48000:d=2",
           tmp_path / "cue.wav")  # fmt: skip
    cue = SoundLayer(file=tmp_path / "cue.wav", gain=0, start=0, end=72, skipped=24)
    heard = await _mixed(tmp_path, _raw(3), cue)
    for begin, end, loud in ((0.05, 0.45, False), (0.55, 0.95, True), (1.05, 1.45, False), (1.55, 1.95, True)):
        assert (_level(heard, begin, end) > 0.3) is loud, begin
    with pytest.raises(MediaError, match=r"cue\.wav is to begin at 2 s, but the file has 2 s"):
        await _sound(tmp_path, _raw(3), cue.model_copy(update={"skipped": 48}))


async def test_what_adds_up_too_loud_is_limited_not_clipped(tmp_path: Path, music: Path) -> None:
    clips = _raw(2, loud=(0, 2), peak=32_000)
    heard = await _mixed(tmp_path, clips, SoundLayer(file=music, gain=6, start=0, end=48))
    assert max(map(abs, heard)) < 32_767
    assert _level(heard, 0.5, 1.5) > 0.4


async def test_two_pieces_of_music_are_both_heard(tmp_path: Path, music: Path) -> None:
    tracks = [SoundLayer(file=music, gain=-6, start=0, end=24), SoundLayer(file=music, gain=-6, start=48, end=72)]
    heard = await _mixed(tmp_path, _raw(3), *tracks)
    assert _level(heard, 0.3, 0.7) == pytest.approx(_level(heard, 2.3, 2.7), rel=0.05)
    assert _level(heard, 1.1, 1.9) < 0.002


@pytest.fixture
def scored(tmp_path: Path) -> list[SoundLayer]:
    """Music that is repeated, fades and gives way, and louder music over its end: the limiter works, and without it."""
    for name, seed in (("a.flac", 2), ("b.wav", 3)):
        ffmpeg("-f", "lavfi", "-i", f"anoisesrc=color=pink:amplitude=0.8:seed={seed}:r=44100:d=5,"
               "aformat=channel_layouts=stereo", tmp_path / name)  # fmt: skip
    return [
        SoundLayer(file=tmp_path / "a.flac", gain=-3, start=12, end=312, fade_in=36, fade_out=48, duck="dialogue"),
        SoundLayer(file=tmp_path / "b.wav", gain=0, start=240, end=480, fade_out=60, loop=False),
    ]


def _noise(seconds: int, seed: int, peak: int = 24_000) -> RawSamples:
    noise = array("h", random.Random(seed).randbytes(4 * SECOND * seconds))
    return RawSamples(array("h", (value * peak // 32_768 for value in noise)).tobytes())


SPEECH = ((24, 96), (216, 288))


async def test_a_part_has_the_samples_of_a_mix_of_the_whole(tmp_path: Path, scored: list[SoundLayer]) -> None:
    """Wherever it begins: in a fade, while the music gives way, and while the limiter works."""
    mixed = await _sound(tmp_path, _noise(18, 1), *scored, speech=SPEECH)
    whole = mixed.read(0, mixed.length)
    assert mixed.read(0, 100) == whole[:400] and mixed.read(mixed.length - 1, mixed.length) == whole[-4:]
    for start in range(0, mixed.length, 100_003):
        end = min(mixed.length, start + 100_003)
        assert mixed.read(start, end) == whole[4 * start : 4 * end], f"from {start / SECOND:.2f} s on"


async def test_parts_are_told_apart_by_what_is_heard_in_them(tmp_path: Path, scored: list[SoundLayer]) -> None:
    """A part whose samples differ has another digest; one that nothing reaches has the same."""
    clips = _noise(18, 1)
    mixed = await _sound(tmp_path, clips, *scored, speech=SPEECH)
    other = bytearray(clips.content)
    other[4 * 5 * SECOND : 4 * 6 * SECOND] = bytes(4 * SECOND)
    loud, late = scored
    changes = {
        "a sound": _sound(tmp_path, RawSamples(bytes(other)), *scored, speech=SPEECH),
        "a level": _sound(tmp_path, clips, loud, late.model_copy(update={"gain": -1}), speech=SPEECH),
        "an end": _sound(tmp_path, clips, loud.model_copy(update={"end": 336}), late, speech=SPEECH),
        "a fade": _sound(tmp_path, clips, loud.model_copy(update={"fade_in": 30}), late, speech=SPEECH),
        "a beginning": _sound(tmp_path, clips, loud.model_copy(update={"start": 13}), late, speech=SPEECH),
        "what is spoken": _sound(tmp_path, clips, *scored, speech=SPEECH[:1]),
        "that it gives way": _sound(tmp_path, clips, loud.model_copy(update={"duck": None}), late, speech=SPEECH),
    }
    parts = [(start, start + 2 * SECOND) for start in range(0, 18 * SECOND, 2 * SECOND)]
    before = [(mixed.read(*part), mixed.digest(*part)) for part in parts]
    told = {}
    for name, change in changes.items():
        changed = await change
        heard = [number for number, part in enumerate(parts) if changed.read(*part) != before[number][0]]
        told[name] = [number for number, part in enumerate(parts) if changed.digest(*part) != before[number][1]]
        assert heard and set(heard) <= set(told[name]), name
        assert name == "a beginning" or len(told[name]) < len(parts), f"{name} does not change everything"
    reached = [n for n, (first, last) in enumerate(reach(*p, mixed.length) for p in parts)
               if first < 6 * SECOND and last > 5 * SECOND]  # fmt: skip
    assert told["a sound"] == reached == [2, 3]
    open_end = [loud.model_copy(update={"end": 24 * minutes * 60, "fade_out": 0}) for minutes in (1, 2)]
    shorter, longer = [await _sound(tmp_path, clips, music, speech=SPEECH) for music in open_end]
    assert [longer.digest(*part) for part in parts] == [shorter.digest(*part) for part in parts], "the end is beyond"


def test_parts_under_music_have_the_names_that_they_had_before_there_was_speech(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What earlier versions have encoded is found again: digests as the version of 29 November 2026 made them."""
    monkeypatch.setattr(mix, "versions", lambda: [(11, 14, 102), (6, 3, 102)])
    raw = RawLayer(sound=Path("music.f32"), sound_digest="", samples=5 * SECOND, source="a file")
    fades = {"fade_in": SECOND, "fade_out": 2 * SECOND, "skipped": 0, "speaks": False}
    layers = [
        PlacedLayer(raw, -3.0, SECOND // 2, 13 * SECOND, duck="dialogue", **fades),
        PlacedLayer(raw, 0.0, 10 * SECOND, 15 * SECOND, duck=None, **fades),
    ]
    film = MixedSound(RawSamples(bytes(4 * 18 * SECOND)), layers, {"dialogue": [(SECOND, 4 * SECOND)], "speech": []})
    digests = [film.digest(place * SECOND, (place + 4) * SECOND)[:12] for place in (0, 4, 8, 14)]
    assert digests == ["a1ea2f6768d7", "ebd54038eb63", "877e6dca47e9", "9dda695aec2d"]


async def test_music_is_decoded_once(tmp_path: Path, scored: list[SoundLayer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a film that has become longer, another level and another place; and again if its samples are damaged."""
    decoded: list[object] = []
    run = music_files.run

    async def noted(output: object, **options: object) -> str:
        decoded.append(output)
        return await run(output, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(music_files, "run", noted)
    first = await _sound(tmp_path, _noise(18, 1), *scored)
    moved = [track.model_copy(update={"start": 48, "end": 456, "gain": -9}) for track in scored]
    await _sound(tmp_path, _noise(20, 1), *moved)
    assert len(decoded) == 2
    before = first.read(0, SECOND)
    for samples in tmp_path.rglob("*.f32"):
        samples.write_bytes(b"damaged")
    again = await _sound(tmp_path, _noise(18, 1), *scored)
    assert len(decoded) == 4 and again.read(0, SECOND) == before


async def test_only_parts_that_a_changed_sound_reaches_are_mixed_again(
    tmp_path: Path, scored: list[SoundLayer], monkeypatch: pytest.MonkeyPatch
) -> None:
    mixes: list[int] = []
    read = MixedSound.read

    def noted(mix: MixedSound, start: int, end: int) -> bytes:
        mixes.append(start)
        return read(mix, start, end)

    monkeypatch.setattr(MixedSound, "read", noted)
    film, cache = _noise(45, 1, peak=9_000), HouseCache(tmp_path)
    first = await encode_sound(await _sound(tmp_path, film, *scored), cache)
    assert len(mixes) == len(first) == 5
    mixes.clear()
    assert await encode_sound(await _sound(tmp_path, film, *scored), cache) == first and not mixes
    changed = bytearray(film.content)
    changed[4 * 16 * SECOND : 4 * 17 * SECOND] = bytes(4 * SECOND)
    second = await encode_sound(await _sound(tmp_path, RawSamples(bytes(changed)), *scored), cache)
    assert len(mixes) == 1 and sum(one != other for one, other in zip(first, second, strict=True)) == 1


async def test_what_is_no_music_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("la la la")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=d=1:s=64x64", tmp_path / "mute.mp4")
    for name, word in (("words.wav", "cannot be read as sound"), ("mute.mp4", "has no sound")):
        track = SoundLayer(file=tmp_path / name, gain=0, start=0, end=24)
        with pytest.raises(MediaError, match=f"{name} {word}"):
            await _sound(tmp_path, _raw(1), track)
