"""The clips' own sound, laid under the film as one track of raw samples.

Every passage begins at the sample nearest to its frame's place in the film, never after the one before it, so that
no error can add up. The track is written in one go from files to a file: time is linear in its length, memory is not.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from storyreel.specs.cut import Cut
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import Progress
from storyreel.tasks.media.pcm import BYTES_A_SAMPLE, CHANNELS

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class SoundRange:
    """The film's samples `[start, end)`: one clip's sound, or a crossfade of two. Samples of both channels."""

    start: int
    end: int
    clip: int
    """Number of the clip that is heard; in a crossfade, the outgoing one."""
    offset: int
    """Its sample that is heard at `start`."""
    into: tuple[int, int] | None = None
    """In a crossfade, the number of the incoming clip and its sample that is heard at `start`."""


def sound_ranges(cut: Cut) -> Iterator[SoundRange]:
    """What is heard from the film's first sample to its last, without a gap. Clips are numbered as in the cut."""
    at = cut.rate.sample_at
    began = [at(event.start - event.head) for event in cut.events]
    position = 0
    for number, event in enumerate(cut.events):
        end = at(event.end - event.dissolve_out // 2)
        yield SoundRange(position, end, number, position - began[number])
        position = end
        if event.dissolve_out:
            end = at(event.end + event.tail)
            incoming = (number + 1, position - began[number + 1])
            yield SoundRange(position, end, number, position - began[number], incoming)
            position = end


def write_sound_track(cut: Cut, sounds: Sequence[Path | None], into: Path, progress: Progress) -> None:
    """Write the clips' sound as raw samples. None is silence; a file has the samples that its clip's frames need.

    Raises MediaError when a file is missing or too short.
    """
    with into.open("wb") as track:
        for passage in sound_ranges(cut):
            progress(passage.start / cut.rate.sample_at(cut.frames))
            if passage.into is None:
                _copy(sounds[passage.clip], passage, track)
            else:
                _crossfade(sounds[passage.clip], sounds[passage.into[0]], passage, track)


def keep_only(track: Path, spans: Sequence[tuple[int, int]], into: Path) -> None:
    """Write a track of the same length that is silent outside the spans `[start, end)`, in samples."""
    with track.open("rb") as source, into.open("wb") as kept:
        for start, end in spans:
            source.seek(start * BYTES_A_SAMPLE)
            kept.seek(start * BYTES_A_SAMPLE)
            _pour(source, kept, (end - start) * BYTES_A_SAMPLE, track)
        # What is skipped is a hole, which reads as silence.
        kept.truncate(track.stat().st_size)


def _copy(sound: Path | None, passage: SoundRange, track: BinaryIO) -> None:
    length = (passage.end - passage.start) * BYTES_A_SAMPLE
    if sound is None:
        track.seek(length, 1)
        track.truncate()
        return
    with _open(sound) as source:
        source.seek(passage.offset * BYTES_A_SAMPLE)
        _pour(source, track, length, sound)


def _pour(source: BinaryIO, into: BinaryIO, length: int, name: Path) -> None:
    while length:
        block = source.read(min(length, _BLOCK))
        if not block:
            raise _too_short(name)
        into.write(block)
        length -= len(block)


def _crossfade(outgoing: Path | None, incoming: Path | None, passage: SoundRange, track: BinaryIO) -> None:
    """At equal power: two unlike sounds stay as loud as one."""
    assert passage.into is not None
    length = passage.end - passage.start
    falling, rising = _gains(length)
    out = _samples(outgoing, passage.offset, length)
    in_ = _samples(incoming, passage.into[1], length)
    mixed = [round(a * f + b * r) for a, f, b, r in zip(out, falling, in_, rising, strict=True)]
    if mixed and (max(mixed) > 32_767 or min(mixed) < -32_768):
        mixed = [min(32_767, max(-32_768, value)) for value in mixed]
    track.write(array("h", mixed).tobytes())


@lru_cache(maxsize=8)
def _gains(length: int) -> tuple[array[float], array[float]]:
    """Of the outgoing and the incoming sound, for every value of both channels in turn."""
    angles = [(sample + 0.5) / length * math.pi / 2 for sample in range(length) for _ in range(CHANNELS)]
    return array("d", map(math.cos, angles)), array("d", map(math.sin, angles))


def _samples(sound: Path | None, first: int, length: int) -> array[int]:
    if sound is None:
        return array("h", bytes(length * BYTES_A_SAMPLE))
    with _open(sound) as source:
        source.seek(first * BYTES_A_SAMPLE)
        raw = source.read(length * BYTES_A_SAMPLE)
    if len(raw) != length * BYTES_A_SAMPLE:
        raise _too_short(sound)
    return array("h", raw)


def _open(sound: Path) -> BinaryIO:
    try:
        return sound.open("rb")
    except FileNotFoundError as error:
        raise MediaError(f"{sound} is not there", "render again; it is made from the clip") from error


def _too_short(sound: Path) -> MediaError:
    return MediaError(f"{sound} ends before its picture", "delete its folder and render again")
