"""The level of a whole film: its mix is measured, one gain brings it to the loudness, and a limiter keeps its peaks.

The loudness is integrated as in ITU-R BS.1770-5 (EBU R 128) from what the meter of the filters says each tenth of a
second, so a changed shot is measured anew and nothing else. The limiter works on four samples for each one, as peaks
between samples are heard, and only in the parts that would exceed the peak.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import av

from storyreel.specs.frozen import Frozen
from storyreel.tasks.join.pieces import HouseCache, Piece, SoundPiece, find_or_make
from storyreel.tasks.join.sound.encode import Stretch, decoded, encode_sound, stretches, together
from storyreel.tasks.join.sound.graph import METER, SILENCE, Filters, SoundGraph, decibels, readings
from storyreel.tasks.join.sound.layers import Master
from storyreel.tasks.join.sound.mix import HOP, RUN_OUT, RUN_UP, MixedSound
from storyreel.tasks.media.ffmpeg import in_thread_on_core
from storyreel.tasks.media.pcm import SoundCodec
from storyreel.tasks.progress import Progress
from storyreel.tasks.storage.clips import cache_key

_VERSION = 1
"""Part of the cache keys; increased when what is measured changes and the filters do not show it."""

_BLOCK = 100 * HOP
"""Samples that are measured together: 10 seconds."""
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0
"""LUFS, and LU below the mean of all above that (ITU-R BS.1770-5, annex 1; read 2026-11-29)."""
_OFFSET = -0.691
"""LUFS of a mean square of 1 (the same annex)."""

_STEP = 0.2
"""dB. A gain is a whole number of steps, so that a small change of a film is not heard in all of it."""
_NEAR = 0.15
"""LU by which the loudness may differ; a step changes it by more."""
_ROUNDS = 4
"""Gains that are tried, where the limiter takes away some of the loudness."""
_MOST_GAIN = 40.0
"""dB. More would be noise that is made loud."""
_WORTH = 0.2
"""LU that each dB more of gain must bring; with less the limiter only flattens the film."""

_MARGINS: dict[SoundCodec, float] = {"aac": 1.0, "pcm_s24le": 0.2}
"""dB below the peak to which the mix is limited, as AAC overshoots: by 0.3 to 1.1 dB at constant quality 1.3
(benchmarks/README.md, 2026-11-29). Where it is more, the limit is lowered by it, or by half of the margin."""
_AUDIBLE = 6.0
"""dB below the peak from which on a packet is decoded to see whether it overshoots."""
_ATTEMPTS = 4
"""Limits that are tried."""


class ReachedLevel(Frozen):
    """The level of a film's sound as it is encoded."""

    loudness: float | None
    """LUFS, integrated; None of a film that is silent."""
    peak: float
    """dBTP."""
    gain: float
    """dB by which the mix was raised or lowered."""
    asked: float | None
    """LUFS; None if no loudness was asked for."""
    most: float
    """The highest peak that was asked for, dBTP."""

    @property
    def shortfall(self) -> str:
        """A sentence on the level that could not be had; empty if it is as asked."""
        if self.peak > self.most:
            return f"the film has peaks of {self.peak:.1f} dBTP instead of {self.most:g}: write a lower `peak`"
        if self.asked is None or self.loudness is None or abs(self.asked - self.loudness) <= 0.5:
            return ""
        why = "more gain would only flatten its peaks" if self.loudness < self.asked else "it cannot be lowered further"
        return f"the film has {self.loudness:.1f} LUFS instead of {self.asked:g}: {why}"

    @property
    def in_words(self) -> str:
        """`-14.0 LUFS`; empty of a film that is silent."""
        return "" if self.loudness is None else f"{self.loudness:.1f} LUFS"

    def as_json(self) -> dict[str, float | None]:
        """The form in `render --json` and in the manifest."""
        return {"lufs": self.loudness, "dbtp": self.peak, "gain_db": self.gain}


class SoundMeasure(Piece):
    """The measurements of a part of a film's sound. It has no files."""

    momentary: tuple[float, ...]
    """LUFS, see `mix.Measured`."""
    peak: float
    """dBTP."""

    @property
    def files(self) -> dict[Path, str]:
        """None."""
        return {}

    def in_folder(self, folder: Path, take: Path | None) -> Self:
        """The measure itself."""
        return self


class Block(NamedTuple):
    """Samples `[start, end)` of a film that are measured together."""

    start: int
    end: int


def blocks(samples: int) -> Iterator[Block]:
    """The blocks of a film with so many samples."""
    for start in range(0, samples, _BLOCK):
        yield Block(start, min(samples, start + _BLOCK))


def integrated(momentary: Sequence[float]) -> float | None:
    """The integrated loudness, in LUFS, of loudnesses over 0.4 s that overlap by 0.3 s; None of silence."""
    heard = [10 ** ((level - _OFFSET) / 10) for level in momentary if level > _ABSOLUTE_GATE]
    if not heard:
        return None
    gate = sum(heard) / len(heard) * 10 ** (_RELATIVE_GATE / 10)
    loud = [power for power in heard if power > gate]
    return _OFFSET + 10 * math.log10(sum(loud) / len(loud))


async def measure_block(mix: MixedSound, block: Block, cache: HouseCache, *, ending: Filters = ()) -> SoundMeasure:
    """The measurements of a block of the mix behind some filters, from the house cache or now. Raises MediaError."""

    async def make(folder: Path) -> SoundMeasure:
        found = await in_thread_on_core(lambda _: mix.measure(block.start, block.end, ending))
        return SoundMeasure(momentary=found.momentary, peak=found.peak)

    digest = await asyncio.to_thread(mix.digest, block.start, block.end, ending)
    key = cache_key("measure", _VERSION, digest)
    return await find_or_make(SoundMeasure, cache.folder_of(key), make, shared=cache.shared)


async def encode_at_level(
    mix: MixedSound, master: Master, cache: HouseCache, *, progress: Progress | None = None
) -> tuple[list[SoundPiece], ReachedLevel]:
    """The pieces of a film's sound at its level, as of `encode_sound`, and that level. Raises MediaError."""
    places = list(blocks(mix.length))
    measures = await together(*(measure_block(mix, place, cache) for place in places))
    scale = _Scale(mix, measures, cache)
    margin = _MARGINS[mix.codec]
    ceiling = master.peak - margin
    gain, loudness = await scale.find(master.loudness, ceiling)
    for attempt in range(_ATTEMPTS):
        sound = scale.levelled(gain, ceiling)
        pieces = await encode_sound(sound, cache, codec=mix.codec, progress=progress)
        peak = await _encoded_peak(pieces, sound, master.peak - _AUDIBLE, cache)
        if peak <= master.peak or attempt == _ATTEMPTS - 1:
            break
        ceiling -= max(margin / 2, math.ceil(10 * (peak - master.peak)) / 10)
        loudness = await scale.loudness(gain, ceiling)
    return pieces, ReachedLevel(
        loudness=None if loudness is None else round(loudness, 2),
        peak=round(peak, 2),
        gain=gain,
        asked=master.loudness,
        most=master.peak,
    )


class _Scale:
    """The loudness of a mix at each gain."""

    def __init__(self, mix: MixedSound, measures: Sequence[SoundMeasure], cache: HouseCache) -> None:
        self._mix, self._measures, self._cache = mix, measures, cache

    def levelled(self, gain: float, ceiling: float) -> LevelledSound:
        """The mix at a gain."""
        return LevelledSound(self._mix, gain, ceiling, [measure.peak for measure in self._measures])

    async def find(self, target: float | None, ceiling: float) -> tuple[float, float | None]:
        """The gain in dB that brings the mix to a loudness, and the loudness that it has then. Silence has no gain."""
        plain = integrated([level for measure in self._measures for level in measure.momentary])
        if plain is None or target is None:
            return 0.0, await self.loudness(0.0, ceiling)
        gain = _in_steps(target - plain)
        tried: list[tuple[float, float]] = []
        while len(tried) < _ROUNDS:
            tried.append((gain, await self.loudness(gain, ceiling) or plain))
            missing, slope = target - tried[-1][1], 1.0
            if len(tried) > 1:
                slope = (tried[-1][1] - tried[-2][1]) / (tried[-1][0] - tried[-2][0])
            following = _in_steps(gain + missing / max(slope, _WORTH))
            if abs(missing) <= _NEAR or slope < _WORTH or following in (gain for gain, _ in tried):
                break
            gain = following
        best = min(abs(target - loudness) for _, loudness in tried)
        # More gain for nothing would only raise what is quiet.
        return min(one for one in tried if abs(target - one[1]) <= best + _STEP / 2)

    async def loudness(self, gain: float, ceiling: float) -> float | None:
        """The loudness at a gain, limited. What the limiter has nothing to do with is not measured again."""
        sound = self.levelled(gain, ceiling)

        async def momentary(block: Block, measure: SoundMeasure) -> Sequence[float]:
            if not sound.is_limited(*block):
                return [level + gain for level in measure.momentary]
            ending = sound.ending(*block)
            found = await measure_block(self._mix, block, self._cache, ending=ending)
            return found.momentary

        found = await together(*map(momentary, blocks(self._mix.length), self._measures))
        return integrated([level for part in found for level in part])


def _in_steps(gain: float) -> float:
    return round(_STEP * round(min(_MOST_GAIN, gain) / _STEP), 1)


class LevelledSound:
    """A mix with a gain in dB, limited to a true peak in dBTP where it would exceed it; `peaks` are of its blocks."""

    def __init__(self, mix: MixedSound, gain: float, ceiling: float, peaks: Sequence[float]) -> None:
        self.length, self.codec, self.form = mix.length, mix.codec, mix.form
        self._mix, self._gain, self._ceiling, self._peaks = mix, gain, ceiling, peaks

    def digest(self, start: int, end: int) -> str:
        """SHA-256, in hex, of everything that the samples `[start, end)` are made from. Reads no file."""
        return self._mix.digest(start, end, self.ending(start, end))

    def read(self, start: int, end: int) -> bytes:
        """The samples `[start, end)`, mixed now. Raises MediaError."""
        return self._mix.read(start, end, self.ending(start, end))

    def peak(self, start: int, end: int) -> float:
        """The highest true peak, in dBTP, that the samples `[start, end)` and those around them have at this gain."""
        first, last = max(0, start - RUN_UP), min(self.length, end + RUN_OUT)
        return max(self._peaks[first // _BLOCK : -(-last // _BLOCK)], default=SILENCE) + self._gain

    def is_limited(self, start: int, end: int) -> bool:
        """Whether the limiter has to work for the samples `[start, end)`."""
        return self.peak(start, end) > self._ceiling

    def ending(self, start: int, end: int) -> Filters:
        """The filters between the mix and its encoding."""
        gain = ("volume", f"{self._gain:.1f}dB:precision=double")
        if not self.is_limited(start, end):
            return (gain,)
        limit = f"limit={10 ** (self._ceiling / 20):.6f}:level=0:latency=1"
        return gain, ("aresample", "192000"), ("alimiter", limit), ("aresample", "48000")


async def _encoded_peak(pieces: Sequence[SoundPiece], sound: LevelledSound, audible: float, cache: HouseCache) -> float:
    """The highest true peak, in dBTP, of encoded pieces; of those that stay far below it, that of their samples."""

    async def peak(number: int, place: Stretch) -> float:
        before, piece = pieces[number - 1] if number else None, pieces[number]
        if (quiet := sound.peak(place.start, place.end)) < audible:
            return quiet

        async def make(folder: Path) -> SoundMeasure:
            heard = await in_thread_on_core(
                lambda _: _true_peak(piece.sound, before.sound if before else None, sound.codec)
            )
            return SoundMeasure(momentary=(), peak=heard)

        digests = before.sound_digest if before else "", piece.sound_digest
        later = [sound.codec] if sound.codec != "aac" else []
        key = cache_key("encoded peak", _VERSION, av.library_versions["libavcodec"], *digests, *later)
        return (await find_or_make(SoundMeasure, cache.folder_of(key), make, shared=cache.shared)).peak

    return max(
        await together(*(peak(number, place) for number, place in enumerate(stretches(sound.length, sound.codec))))
    )


def _true_peak(piece: Path, before: Path | None, codec: SoundCodec) -> float:
    graph = SoundGraph(0)
    meter = graph.chain(graph.source(decoded(piece, before, codec), "flt"), [METER])
    return decibels(max((reading.peak for reading in readings(graph.frames(meter, RUN_OUT))), default=0))
