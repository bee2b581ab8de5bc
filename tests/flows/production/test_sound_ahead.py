"""Sound is encoded while takes are still made, and not a second time when the film is joined."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storyreel.flows.production.sound_ahead import SoundAhead
from storyreel.specs.cut import Cut, Event
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.pieces import HouseCache
from storyreel.tasks.join.sound import encode as sound_pieces
from storyreel.tasks.join.sound.clips import ClipsSound
from storyreel.tasks.join.sound.encode import Stretch, encode_sound, stretches
from storyreel.tasks.join.sound.film import encode_film_sound
from storyreel.tasks.join.sound.graph import Filters
from storyreel.tasks.join.sound.layers import FilmSound, Master, ShotMix, SoundLayer
from storyreel.tasks.join.sound.mix import Measured, MixedSound, mixed_sound
from tests.tasks.generated_clips import ffmpeg

CUT = Cut(FrameRate.parse("24"), tuple(Event(str(n), 240 * n, 240) for n in range(4)))
"""Four shots of ten seconds; pieces begin at 0, 10.9, 21.8 and 32.8 s."""


@pytest.fixture
def clips(tmp_path: Path) -> list[HouseClip]:
    """A clip a shot, each with another constant sound."""
    made = []
    for number in range(4):
        sound = tmp_path / f"{number}.s16"
        sound.write_bytes(bytes([0, number]) * 2 * 2_000 * 240)
        made.append(HouseClip(picture=Path("p"), picture_digest="", frames=240, delay=0, signature="", sound=sound,
                              sound_digest=str(number), untouched=False))  # fmt: skip
    return made


@pytest.fixture
def encodes(monkeypatch: pytest.MonkeyPatch) -> list[Stretch]:
    made: list[Stretch] = []
    encode = sound_pieces._encode

    def noted(samples: bytes, place: Stretch, *rest: Any) -> None:
        made.append(place)
        encode(samples, place, *rest)

    monkeypatch.setattr(sound_pieces, "_encode", noted)
    return made


class Takes:
    """Starts what is asked for, once, as the takes of a run do."""

    def __init__(self) -> None:
        self.begun: dict[Hashable, asyncio.Future[Any]] = {}

    def once(self, name: Hashable, make: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Future[Any]:
        if name not in self.begun:
            self.begun[name] = asyncio.ensure_future(make())
        return self.begun[name]

    def forget(self, name: Hashable) -> None:
        del self.begun[name]


def _ahead(folder: Path, sound: FilmSound | None = None) -> SoundAhead:
    studio: Any = SimpleNamespace(house_cache=HouseCache(folder / "house"))
    takes: Any = Takes()
    return SoundAhead(CUT, takes, studio, sound or FilmSound())


def _joined(clips: list[HouseClip]) -> ClipsSound:
    return ClipsSound(CUT, [clip.raw_sound for clip in clips])


async def test_a_piece_is_encoded_as_soon_as_its_clips_are_there(
    tmp_path: Path, clips: list[HouseClip], encodes: list[Stretch]
) -> None:
    places = list(stretches(CUT.rate.sample_at(CUT.frames)))
    ahead = _ahead(tmp_path)
    for shot, complete in ((3, [3]), (1, []), (0, [0]), (2, [1, 2])):
        encodes.clear()
        await asyncio.gather(*ahead.add(str(shot), clips[shot]))
        assert sorted(encodes) == [places[number] for number in complete]
    encodes.clear()
    pieces = await encode_sound(_joined(clips), HouseCache(tmp_path / "house"))
    assert len(pieces) == 4 and not encodes, "the join finds them"


async def test_under_music_a_piece_waits_for_all_clips_that_reach_into_it(
    tmp_path: Path, clips: list[HouseClip], encodes: list[Stretch]
) -> None:
    """The ducking and the limiter remember what was before: the third piece needs the end of the second shot."""
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=300:duration=3", tmp_path / "music.wav")
    music = SoundLayer(file=tmp_path / "music.wav", gain=-6, start=0, end=960, duck="dialogue")
    heard = FilmSound(layers=(music,), dialogue=((240, 480), (480, 720)))
    places = list(stretches(CUT.rate.sample_at(CUT.frames)))
    ahead = _ahead(tmp_path, heard)
    for shot, complete in ((3, [3]), (2, []), (0, []), (1, [0, 1, 2])):
        encodes.clear()
        await asyncio.gather(*ahead.add(str(shot), clips[shot]))
        assert sorted(encodes) == [places[number] for number in complete]
    encodes.clear()
    cache = HouseCache(tmp_path / "house")
    sound = await mixed_sound(_joined(clips), heard, CUT.rate, cache)
    assert len(await encode_sound(sound, cache)) == 4 and not encodes, "the join finds them"


async def test_a_film_with_a_level_is_measured_ahead_and_encoded_when_its_gain_is_known(
    tmp_path: Path, clips: list[HouseClip], encodes: list[Stretch], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []
    measure = MixedSound.measure

    def noted(mix: MixedSound, start: int, end: int, ending: Filters) -> Measured:
        measured.append(start // 480_000)
        return measure(mix, start, end, ending)

    monkeypatch.setattr(MixedSound, "measure", noted)
    heard = FilmSound(mixes=(ShotMix(-20.0, 0, 0), None, None, None), master=Master(None, -1))
    ahead = _ahead(tmp_path, heard)
    for shot, complete in ((3, []), (0, []), (1, [0]), (2, [1, 2, 3])):
        measured.clear()
        await asyncio.gather(*ahead.add(str(shot), clips[shot]))
        assert sorted(measured) == complete
    measured.clear()
    assert not encodes
    cache = HouseCache(tmp_path / "house")
    pieces, level = await encode_film_sound(CUT, [clip.raw_sound for clip in clips], heard, cache)
    assert not measured and len(encodes) == len(pieces) == 4 and level


async def test_a_shot_that_is_added_again_begins_nothing(tmp_path: Path, clips: list[HouseClip]) -> None:
    ahead = _ahead(tmp_path)
    begun = ahead.add("3", clips[3])
    assert len(begun) == 1 and not ahead.add("3", clips[3])
    await asyncio.gather(*begun)
