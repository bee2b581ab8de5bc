from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.cut import Cut, Event
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.conform import samples_of
from storyreel.tasks.join.sound.clips import ClipSound, ClipsSound, sound_ranges
from storyreel.tasks.join.sound.layers import ShotMix
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.house_format import HouseFormat

RATES = ["12", "15", "16", "23.976", "24", "25", "29.97", "30", "48", "50", "59.94", "60"]


def cut_of(rate: FrameRate, lengths: list[int], dissolves: list[int]) -> Cut:
    """A cut; the first of the dissolves is not used."""
    events, start = [], 0
    for number, frames in enumerate(lengths):
        into = dissolves[number] if number else 0
        out_of = dissolves[number + 1] if number + 1 < len(lengths) else 0
        events.append(Event(str(number), start, frames, into, out_of))
        start += frames
    return Cut(rate, tuple(events))


@st.composite
def cuts(draw: st.DrawFn, longest: int = 400, most: int = 40) -> Cut:
    rate = FrameRate.parse(draw(st.sampled_from(RATES)))
    lengths = draw(st.lists(st.integers(1, longest), min_size=1, max_size=most))
    dissolves = [0]
    for before, after in pairwise(lengths):
        dissolves.append(draw(st.integers(0, max(0, min(before, after) - 1))))
    return cut_of(rate, lengths, dissolves)


@given(cuts())
def test_no_sample_is_heard_twice_or_missed(cut: Cut) -> None:
    laid = list(sound_ranges(cut))
    assert laid[0].start == 0
    assert all(before.end == after.start for before, after in pairwise(laid))
    assert laid[-1].end == cut.rate.sample_at(cut.frames)


@given(cuts())
def test_every_clip_is_heard_where_its_picture_is_seen(cut: Cut) -> None:
    for passage in sound_ranges(cut):
        for clip, offset in ((passage.clip, passage.offset), passage.into or (passage.clip, passage.offset)):
            event = cut.events[clip]
            assert passage.start - offset == cut.rate.sample_at(event.start - event.head)


@given(cuts())
def test_no_clip_is_asked_for_more_samples_than_it_has(cut: Cut) -> None:
    house = HouseFormat(width=128, height=72, rate=cut.rate)
    for passage in sound_ranges(cut):
        length = passage.end - passage.start
        assert length >= 0
        for clip, offset in ((passage.clip, passage.offset), passage.into or (passage.clip, passage.offset)):
            assert offset >= 0
            assert offset + length <= samples_of(cut.events[clip].with_handles, house)


def _tone(into: Path, value: int, count: int) -> Path:
    into.write_bytes(array("h", [value, -value] * count).tobytes())
    return into


def _left(track: bytes) -> list[int]:
    return list(memoryview(track).cast("h"))[::2]


def _sound(cut: Cut, sounds: Sequence[Path | None]) -> ClipsSound:
    return ClipsSound(cut, [ClipSound(file, file.name) if file else None for file in sounds])


def _track(cut: Cut, sounds: Sequence[Path | None]) -> bytes:
    sound = _sound(cut, sounds)
    return sound.read(0, sound.length)


@given(cuts(longest=6), st.data())
def test_any_part_is_read_as_it_is_in_the_whole(
    tmp_path_factory: pytest.TempPathFactory, cut: Cut, data: st.DataObject
) -> None:
    """And parts have one digest where they are made from the same samples, whatever stands beside them."""
    house = HouseFormat(width=128, height=72, rate=cut.rate)
    folder = tmp_path_factory.getbasetemp() / "parts"
    folder.mkdir(exist_ok=True)
    files = {n: _noise(folder / str(n), n) for n in range(3)}
    sounds: list[Path | None] = [files.get(data.draw(st.integers(0, 3))) for _ in cut.events]
    assert max(samples_of(event.with_handles, house) for event in cut.events) <= _NOISE
    sound = _sound(cut, sounds)
    whole = sound.read(0, sound.length)
    assert len(whole) == 4 * sound.length
    start = data.draw(st.integers(0, sound.length - 1))
    end = data.draw(st.integers(start + 1, sound.length))
    assert sound.read(start, end) == whole[4 * start : 4 * end]
    heard = sound.clips(start, end)
    others = [one if n in heard else None for n, one in enumerate(sounds)]
    assert _sound(cut, others).digest(start, end) == sound.digest(start, end)
    for clip in heard:
        changed = [files[0] if one is None else files[(int(one.name) + 1) % 3] for one in sounds]
        changed = [*sounds[:clip], changed[clip], *sounds[clip + 1 :]]
        assert _sound(cut, changed).digest(start, end) != sound.digest(start, end)


_NOISE = 60_000


def _noise(into: Path, seed: int) -> Path:
    if not into.exists():
        into.write_bytes(random.Random(seed).randbytes(4 * _NOISE))
    return into


def test_bodies_are_copied_and_silence_is_laid_where_there_is_no_sound(tmp_path: Path) -> None:
    cut = cut_of(FrameRate.parse("24"), [3, 2, 4], [0, 0, 0])
    sounds = [_tone(tmp_path / "a", 100, 6000), None, _tone(tmp_path / "c", 300, 8000)]
    assert _left(_track(cut, sounds)) == [100] * 6000 + [0] * 4000 + [300] * 8000


def test_a_silent_ending_is_as_long_as_its_picture() -> None:
    assert _left(_track(cut_of(FrameRate.parse("25"), [2, 3], [0, 0]), [None, None])) == [0] * 5 * 1920


def test_a_crossfade_keeps_power_and_both_channels(tmp_path: Path) -> None:
    cut = cut_of(FrameRate.parse("24"), [5, 5], [0, 4])
    sounds = [_tone(tmp_path / "a", 10_000, 14_000), _tone(tmp_path / "b", 0, 14_000)]
    track = _track(cut, sounds)
    heard = _left(track)
    assert heard[:6000] == [10_000] * 6000
    assert heard[14_000:] == [0] * 6000
    faded = heard[6000:14_000]
    assert faded == sorted(faded, reverse=True)
    assert faded[4000] == pytest.approx(10_000 * 0.5**0.5, abs=5)
    right = list(memoryview(track).cast("h"))[1::2]
    assert right == [-value for value in heard]


def test_a_crossfade_of_two_full_sounds_does_not_wrap_around(tmp_path: Path) -> None:
    cut = cut_of(FrameRate.parse("24"), [5, 5], [0, 4])
    assert min(_left(_track(cut, [_tone(tmp_path / n, 32_000, 14_000) for n in "ab"]))) >= 31_990


def test_a_sound_that_ends_too_early_is_named(tmp_path: Path) -> None:
    short = _tone(tmp_path / "short", 1, 100)
    for dissolves in ([0, 0], [0, 2]):
        with pytest.raises(MediaError, match=f"{short} ends before its picture"):
            _track(cut_of(FrameRate.parse("24"), [3, 3], dissolves), [short, None])
    with pytest.raises(MediaError, match="does not exist"):
        _track(cut_of(FrameRate.parse("24"), [3], [0]), [tmp_path / "gone"])


def _steady(folder: Path, name: str, level: int, frames: int) -> ClipSound:
    """Samples that are all alike."""
    file = folder / name
    file.write_bytes(array("h", [level]).tobytes() * 2 * 2_000 * frames)
    return ClipSound(file, name)


def test_a_shots_mix_changes_its_level_and_fades_it_and_nothing_else(tmp_path: Path) -> None:
    cut = cut_of(FrameRate.parse("24"), [48, 48, 48], [0, 0, 0])
    sounds = [_steady(tmp_path, str(n), 8_000, 48) for n in range(3)]
    mixes = [None, ShotMix(-6.0, 12, 24), None]
    plain, mixed = ClipsSound(cut, sounds), ClipsSound(cut, sounds, mixes)
    heard = array("f", mixed.read(0, mixed.length))[::2]
    second = 48_000
    low = 8_000 / 32_768 * 10 ** (-6 / 20)
    assert mixed.form == "flt" and set(heard[: 2 * second]) == set(heard[4 * second :]) == {8_000 / 32_768}
    assert heard[2 * second] == 0 and heard[2 * second + second // 4] == pytest.approx(low / 2, rel=0.01)
    assert heard[int(2.8 * second)] == pytest.approx(low, rel=0.001)
    assert heard[int(3.5 * second)] == pytest.approx(low / 2, rel=0.01)
    parts = [(n * second, (n + 1) * second) for n in range(6)]
    told = [n for n, part in enumerate(parts) if plain.digest(*part) != mixed.digest(*part)]
    assert told == [2, 3], "only the parts of the shot are others"
    for start in range(0, mixed.length, 35_001):
        end = min(mixed.length, start + 35_001)
        assert array("f", mixed.read(start, end))[::2] == heard[start:end], "a part is the same as of the whole"


def test_a_dissolve_mixes_shots_at_their_levels(tmp_path: Path) -> None:
    cut = cut_of(FrameRate.parse("24"), [48, 48], [0, 24])
    sounds = [_steady(tmp_path, str(n), 8_000, 60) for n in range(2)]
    heard = array("f", ClipsSound(cut, sounds, [ShotMix(6.0, 0, 0), ShotMix(-60.0, 0, 0)]).read(0, 4 * 48_000))[::2]
    middle = heard[2 * 48_000]
    assert middle == pytest.approx(8_000 / 32_768 * 10 ** (6 / 20) * math.cos(math.pi / 4), rel=0.01)


def test_beside_a_shot_with_a_mix_the_others_are_what_they_were(tmp_path: Path) -> None:
    """To the last bit, dissolves included: what is encoded of them is found again."""
    cut = cut_of(FrameRate.parse("24"), [48, 48, 48], [0, 24, 0])
    sounds = [_steady(tmp_path, str(n), 8_000 + n, 60) for n in range(3)]
    plain, mixed = ClipsSound(cut, sounds), ClipsSound(cut, sounds, [None, None, ShotMix(3.0, 0, 0)])
    end = 4 * 48_000
    assert [value / 32_768 for value in array("h", plain.read(0, end))] == list(array("f", mixed.read(0, end)))
    assert plain.digest(0, end) == mixed.digest(0, end)
