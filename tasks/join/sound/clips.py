"""The sound of all clips as one track of raw samples, read in parts.

Every range begins at the sample nearest to its frame in the film, counted from the film's start, so that rounding
errors do not add up. Memory does not grow with the length of the film.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

from storyreel.specs.cut import Cut
from storyreel.tasks.join.sound.graph import BYTES, Form, filtered, level_filters
from storyreel.tasks.join.sound.layers import ShotMix
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.pcm import BYTES_A_SAMPLE, CHANNELS
from storyreel.tasks.storage.clips import cache_key


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


class ClipSound(NamedTuple):
    """The raw sound of one clip."""

    file: Path
    digest: str
    """SHA-256, in hex."""


class RawSound(Protocol):
    """Raw samples of a film, read in parts."""

    length: int
    """Samples."""
    form: Form

    def digest(self, start: int, end: int) -> str:
        """A digest, in hex: where it is equal, the samples `[start, end)` are."""

    def read(self, start: int, end: int) -> bytes:
        """The samples `[start, end)`. Raises MediaError."""


class ClipsSound:
    """The sound of the clips as the cut joins them, one per event, None for silence. Its digests read no file.

    Without `mixes` of its events it is as it is joined, in 16 bit; else in floating point, so that nothing is clipped
    before it is mixed.
    """

    def __init__(self, cut: Cut, sounds: Sequence[ClipSound | None], mixes: Sequence[ShotMix | None] = ()) -> None:
        at = cut.rate.sample_at
        self.length = at(cut.frames)
        self._sounds = sounds
        self._mixes = [
            _Level(mix.gain, at(event.with_handles), at(mix.fade_in), at(mix.fade_out)) if mix else None
            for event, mix in zip(cut.events, mixes or [None] * len(cut.events), strict=True)
        ]
        self.form: Form = "flt" if any(self._mixes) else "s16"
        self._ranges = list(sound_ranges(cut))
        self._ends = [part.end for part in self._ranges]

    def digest(self, start: int, end: int) -> str:
        """SHA-256, in hex, of the digests of the clips and the places in them that the samples are made from."""
        return cache_key(*(self._facts(*part) for part in self._parts(start, end)))

    def read(self, start: int, end: int) -> bytes:
        """The samples `[start, end)`. Raises MediaError if a file is missing or too short."""
        return b"".join(self._read(*part) for part in self._parts(start, end))

    def clips(self, start: int, end: int) -> set[int]:
        """The indices of the clips that are heard in the samples `[start, end)`."""
        heard = [part for part, _, _ in self._parts(start, end)]
        return {part.clip for part in heard} | {part.into[0] for part in heard if part.into}

    def _parts(self, start: int, end: int) -> Iterator[tuple[SoundRange, int, int]]:
        """The ranges in the samples `[start, end)`, each with the first and the last of its samples that are there."""
        for part in self._ranges[bisect_right(self._ends, start) :]:
            if part.start >= end:
                return
            if part.start < part.end:
                yield part, max(start, part.start) - part.start, min(end, part.end) - part.start

    def _facts(self, part: SoundRange, first: int, last: int) -> list[object]:
        heard = [(part.clip, part.offset), *([part.into] if part.into else [])]
        within = (part.end - part.start, first) if part.into else ()
        shift = 0 if part.into else first
        sources = [
            (sound.digest, at + shift, *(self._mixes[clip] or ())) if (sound := self._sounds[clip]) else None
            for clip, at in heard
        ]
        return [last - first, within, sources]

    def _read(self, part: SoundRange, first: int, last: int) -> bytes:
        if part.into is None:
            form = self._form_of(part.clip)
            return self._in_form(self._samples(part.clip, part.offset + first, last - first, form), form)
        (into, offset), length = part.into, part.end - part.start
        form = "flt" if "flt" in (self._form_of(part.clip), self._form_of(into)) else "s16"
        outgoing = self._samples(part.clip, part.offset, length, form)
        mixed = _crossfade(outgoing, self._samples(into, offset, length, form), length, form)
        return self._in_form(mixed[first * BYTES[form] : last * BYTES[form]], form)

    def _form_of(self, clip: int) -> Form:
        return "flt" if self._mixes[clip] else "s16"

    def _in_form(self, samples: bytes, form: Form) -> bytes:
        return samples if form == self.form else filtered(samples, form, 0, (), self.form)

    def _samples(self, clip: int, first: int, length: int, form: Form) -> bytes:
        """Samples of a clip's sound at its level."""
        sound, level = self._sounds[clip], self._mixes[clip]
        if sound is None:
            return bytes(length * BYTES[form])
        samples = samples_of(sound.file, first, length, BYTES_A_SAMPLE)
        if form == "s16":
            return samples
        fades = level_filters(level.gain, 0, level.length, level.fade_in, level.fade_out) if level else ()
        return filtered(samples, "s16", first, tuple(fades), form)


class _Level(NamedTuple):
    """The mix of a clip, in samples."""

    gain: float
    length: int
    fade_in: int
    fade_out: int


def _crossfade(outgoing: bytes, incoming: bytes, length: int, form: Form) -> bytes:
    """A crossfade of equal power, in which two unrelated sounds are as loud as one."""
    fade_out, fade_in = _gains(length)
    code = "h" if form == "s16" else "f"
    out, in_ = array(code, outgoing), array(code, incoming)
    added = [a * f + b * r for a, f, b, r in zip(out, fade_out, in_, fade_in, strict=True)]
    if form == "flt":
        return array("f", added).tobytes()
    mixed = [round(value) for value in added]
    if mixed and (max(mixed) > 32_767 or min(mixed) < -32_768):
        mixed = [min(32_767, max(-32_768, value)) for value in mixed]
    return array("h", mixed).tobytes()


@lru_cache(maxsize=8)
def _gains(length: int) -> tuple[array[float], array[float]]:
    """Gains of the outgoing and the incoming sound, for each value of the interleaved channels."""
    angles = [(sample + 0.5) / length * math.pi / 2 for sample in range(length) for _ in range(CHANNELS)]
    return array("d", map(math.cos, angles)), array("d", map(math.sin, angles))


def samples_of(file: Path, first: int, length: int, size: int) -> bytes:
    """So many samples of a raw file, each of `size` bytes. Raises MediaError if it is missing or too short."""
    try:
        with file.open("rb") as source:
            source.seek(first * size)
            raw = source.read(length * size)
    except FileNotFoundError as error:
        raise MediaError(f"{file} does not exist", hint="render again; it is made from the clip") from error
    if len(raw) != length * size:
        raise MediaError(f"{file} ends before its picture", hint="delete its folder and render again")
    return raw
