"""Write the sound of all clips as one track of raw samples.

Every range begins at the sample nearest to its frame in the film, counted from the film's start, so that rounding
errors do not add up. Files are copied in blocks: memory does not grow with the length of the film.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from storyreel.specs.cut import Cut
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.pcm import BYTES_A_SAMPLE, CHANNELS
from storyreel.tasks.progress import Progress

_BLOCK = 1 << 20


class SoundRange(NamedTuple):
    """Samples `[start, end)` of the film: the sound of one clip, or a crossfade of two."""

    start: int
    end: int
    clip: int
    """Index of the clip; in a crossfade, of the outgoing one."""
    offset: int
    """The sample of the clip at `start`."""
    into: tuple[int, int] | None = None
    """In a crossfade, the index of the incoming clip and its sample at `start`."""


def sound_ranges(cut: Cut) -> Iterator[SoundRange]:
    """The whole film without gaps. Indices of clips are those of the cut's events."""
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
    """Join raw sounds, one per event, None for silence. Raises MediaError if a file is missing or too short."""
    with into.open("wb") as track:
        for part in sound_ranges(cut):
            progress(part.start / cut.rate.sample_at(cut.frames))
            if part.into is None:
                _copy(sounds[part.clip], part, track)
            else:
                _crossfade(sounds[part.clip], sounds[part.into[0]], part, track)


def keep_only(track: Path, spans: Sequence[tuple[int, int]], into: Path) -> None:
    """Copy a track with silence outside the spans `[start, end)`, in samples."""
    with track.open("rb") as source, into.open("wb") as kept:
        for start, end in spans:
            source.seek(start * BYTES_A_SAMPLE)
            kept.seek(start * BYTES_A_SAMPLE)
            _pour(source, kept, (end - start) * BYTES_A_SAMPLE, track)
        # Skipped parts are holes in the file, which read as zeros.
        kept.truncate(track.stat().st_size)


def _copy(sound: Path | None, part: SoundRange, track: BinaryIO) -> None:
    length = (part.end - part.start) * BYTES_A_SAMPLE
    if sound is None:
        track.seek(length, 1)
        track.truncate()
        return
    with _open(sound) as source:
        source.seek(part.offset * BYTES_A_SAMPLE)
        _pour(source, track, length, sound)


def _pour(source: BinaryIO, into: BinaryIO, length: int, name: Path) -> None:
    while length:
        block = source.read(min(length, _BLOCK))
        if not block:
            raise _too_short(name)
        into.write(block)
        length -= len(block)


def _crossfade(outgoing: Path | None, incoming: Path | None, part: SoundRange, track: BinaryIO) -> None:
    """Write a crossfade of equal power, in which two unrelated sounds are as loud as one."""
    assert part.into is not None
    length = part.end - part.start
    fade_out, fade_in = _gains(length)
    out = _samples(outgoing, part.offset, length)
    in_ = _samples(incoming, part.into[1], length)
    mixed = [round(a * f + b * r) for a, f, b, r in zip(out, fade_out, in_, fade_in, strict=True)]
    if mixed and (max(mixed) > 32_767 or min(mixed) < -32_768):
        mixed = [min(32_767, max(-32_768, value)) for value in mixed]
    track.write(array("h", mixed).tobytes())


@lru_cache(maxsize=8)
def _gains(length: int) -> tuple[array[float], array[float]]:
    """Gains of the outgoing and the incoming sound, for each value of the interleaved channels."""
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
        raise MediaError(f"{sound} does not exist", hint="render again; it is made from the clip") from error


def _too_short(sound: Path) -> MediaError:
    return MediaError(f"{sound} ends before its picture", hint="delete its folder and render again")
