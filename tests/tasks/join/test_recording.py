"""Recordings that are laid under a shot: each sample where it belongs."""

from __future__ import annotations

import wave
from array import array
from pathlib import Path

import pytest

from storyreel.specs.cut import Cut, EditPoints, Event
from storyreel.tasks.join.conform import Conforming, HouseClip, conform_clip, conform_key
from storyreel.tasks.join.recording import LaidSound
from storyreel.tasks.join.sound.clips import ClipsSound
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.storage.digests import file_digest
from tests.tasks.generated_clips import TINY, make_clip

RATE = 48_000
FRAME = RATE // 24
"""Samples of a frame of TINY."""


def recorded(file: Path, samples: int, first: int = 1, *, channels: int = 2, rate: int = RATE) -> array[int]:
    """A recording of which every sample is another number, counted from `first`; returns those of a channel."""
    values = array("h", ((first + n) % 30_000 for n in range(samples)))
    with wave.open(str(file), "wb") as sound:
        sound.setparams((channels, 2, rate, 0, "NONE", ""))
        sound.writeframes(array("h", (value for value in values for _ in range(channels))).tobytes())
    return values


def laid(*files: Path, with_picture: bool = False) -> LaidSound:
    return LaidSound(files=files, digests=tuple(map(file_digest, files)), with_picture=with_picture)


async def conformed(folder: Path, edit: EditPoints, sound: LaidSound, *, keep_sound: bool = True) -> HouseClip:
    clip = make_clip(folder / "take.mp4")
    how = Conforming(edit, TINY, keep_sound=keep_sound, accept="", laid=sound)
    return await conform_clip(clip, how, into=folder / "house")


def heard(clip: HouseClip) -> array[int]:
    assert clip.sound
    both = array("h", clip.sound.read_bytes())
    assert both[::2] == both[1::2]
    return both[::2]


@pytest.mark.parametrize(
    ("edit", "with_picture", "start"),
    [
        (EditPoints(0, 24), False, 0),
        # With the shot, after the handle at its head, whether that is of the take or held.
        (EditPoints(0, 24, join_in=8), False, 4),
        (EditPoints(0, 20, hold_head=4, join_in=8), False, 4),
        # With the clip's first frame.
        (EditPoints(0, 24, join_in=8), True, 0),
        (EditPoints(0, 20, hold_head=4, join_in=8), True, 4),
        (EditPoints(6, 18), True, -6),
    ],
)
@pytest.mark.parametrize("keep_sound", [True, False])
async def test_a_recording_begins_to_the_sample_with_its_shot_or_with_the_clip_that_was_made_to_it(
    tmp_path: Path, edit: EditPoints, with_picture: bool, start: int, keep_sound: bool
) -> None:
    spoken = recorded(tmp_path / "line.wav", RATE // 2)
    clip = await conformed(
        tmp_path, edit, laid(tmp_path / "line.wav", with_picture=with_picture), keep_sound=keep_sound
    )
    whole = array("h", bytes(2 * FRAME * max(start, 0))) + spoken[FRAME * max(-start, 0) :]
    samples = edit.total * FRAME
    assert heard(clip) == (whole + array("h", bytes(2 * samples)))[:samples]


async def test_recordings_of_lines_follow_each_other_without_a_gap_and_end_with_the_shot(tmp_path: Path) -> None:
    first = recorded(tmp_path / "a.wav", 7_001, channels=1)
    second = recorded(tmp_path / "b.wav", 2 * RATE, 9_000)
    clip = await conformed(tmp_path, EditPoints(0, 24), laid(tmp_path / "a.wav", tmp_path / "b.wav"))
    assert heard(clip) == (first + second)[: 24 * FRAME]


async def test_a_recording_is_at_its_shots_place_in_the_film(tmp_path: Path) -> None:
    spoken = recorded(tmp_path / "line.wav", RATE // 2)
    clip = await conformed(tmp_path, EditPoints(0, 24), laid(tmp_path / "line.wav"))
    cut = Cut(TINY.rate, (Event("1A", 0, 31), Event("1B", 31, 24)))
    film = ClipsSound(cut, [None, clip.raw_sound])
    assert array("h", film.read(31 * FRAME, 31 * FRAME + len(spoken)))[::2] == spoken
    assert not any(film.read(0, 31 * FRAME))


async def test_a_recording_that_was_changed_after_the_plan_is_not_used(tmp_path: Path) -> None:
    recorded(tmp_path / "line.wav", 1_000)
    planned = laid(tmp_path / "line.wav")
    recorded(tmp_path / "line.wav", 1_000, 5)
    with pytest.raises(MediaError, match=r"line\.wav was changed after the film was planned"):
        await conformed(tmp_path, EditPoints(0, 24), planned)
    assert not (tmp_path / "house").exists()


def test_the_recording_is_part_of_a_pieces_key_and_none_leaves_it_as_it_was(tmp_path: Path) -> None:
    recorded(tmp_path / "a.wav", 1_000)
    recorded(tmp_path / "b.wav", 1_000, 5)

    def key(sound: LaidSound | None) -> str:
        return conform_key("d", Conforming(EditPoints(0, 24), TINY, laid=sound), "8.0")

    a, b = laid(tmp_path / "a.wav"), laid(tmp_path / "b.wav")
    keys = [key(None), key(a), key(b), key(laid(tmp_path / "a.wav", with_picture=True))]
    assert len(set(keys)) == 4
    assert keys[0] == conform_key("d", Conforming(EditPoints(0, 24), TINY), "8.0")
