"""The sound of the clips and the layers, mixed where it is read: only the parts of a film that have changed.

Limiter, ducking and meter have a memory. Each part is mixed with a run-up, after which its samples are those of a mix
of the whole film.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from av.filter.context import FilterContext

from storyreel.specs.timing import SAMPLE_RATE, FrameRate
from storyreel.tasks.join.pieces import HouseCache
from storyreel.tasks.join.sound.clips import RawSound, samples_of
from storyreel.tasks.join.sound.graph import (
    BYTES,
    METER,
    Filters,
    Form,
    SoundGraph,
    decibels,
    into_form,
    level_filters,
    readings,
    samples_in,
    versions,
)
from storyreel.tasks.join.sound.layers import Duck, FilmSound, RawLayer, SoundLayer, decode_layer
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.pcm import BYTES_A_FLOAT_SAMPLE, SoundCodec
from storyreel.tasks.storage.clips import cache_key

_VERSION = 1
"""Part of the digests; increased when the mix changes and the filters do not show it."""

RUN_UP = 2 * SAMPLE_RATE
"""Samples that are mixed before a part and dropped. After one second no sample of a minute of ducked and limited noise
differed from a mix of the whole; after half a second 0.02 % did (libavfilter 11.14, 2026-11-29)."""
RUN_OUT = SAMPLE_RATE // 10
"""Samples that are mixed after a part: the limiter looks 5 ms ahead."""
HOP = SAMPLE_RATE // 10
"""Samples after which the loudness of the last 0.4 s is measured (ITU-R BS.1770: gating blocks overlap by 75 %)."""

_DUCK = "threshold=0.03:ratio=8:attack=20:release=400"
_CEILING = 10 ** (-1 / 20)
"""-1 dBFS, because AAC may overshoot its input a little."""
# `latency` compensates the limiter's lookahead; `level` would amplify everything.
_LIMIT = f"limit={_CEILING:.6f}:level=0:latency=1"

_BAND = ("firequalizer", "gain='if(lt(f,20000),0,-100)':accuracy=50")
"""The band that AAC keeps at constant quality: nothing above 20 kHz. The loss is 0.2 LU of pink noise and of speech,
0.7 of white noise (libavcodec 62.28, measured 2026-11-29)."""

LIMITED: Filters = (("alimiter", _LIMIT),)
"""The end of a mix whose level is not measured."""


class Measured(NamedTuple):
    """The loudness of a part of a film."""

    momentary: tuple[float, ...]
    """LUFS over the last 0.4 s, after each hop of the part."""
    peak: float
    """The highest true peak in it and in its run-up, dBTP."""


class PlacedLayer(NamedTuple):
    """A layer in the film, in samples."""

    raw: RawLayer
    gain: float
    start: int
    end: int
    fade_in: int
    fade_out: int
    duck: Duck | None
    skipped: int
    speaks: bool

    @classmethod
    def of(cls, layer: SoundLayer, raw: RawLayer, rate: FrameRate) -> Self:
        """A layer whose file is decoded. It ends with its file, unless that is repeated. Raises MediaError."""
        start, end, skipped = rate.sample_at(layer.start), rate.sample_at(layer.end), rate.sample_at(layer.skipped)
        if skipped >= raw.samples:
            lengths = f"{float(layer.skipped / rate.exact):.4g} s, but the file has {raw.samples / SAMPLE_RATE:.4g} s"
            raise MediaError(f"{layer.file} is to begin at {lengths}", hint="write an earlier `from`")
        end = end if layer.loop else min(end, start + raw.samples - skipped)
        fade_in, fade_out = (min(end - start, rate.sample_at(fade)) for fade in (layer.fade_in, layer.fade_out))
        return cls(raw, layer.gain, start, end, fade_in, fade_out, layer.duck, skipped, layer.speaks)

    def facts(self, first: int, last: int) -> list[object]:
        """The facts that its part in the samples `[first, last)` of the film depends on."""
        place = (max(self.start, first) - self.start) % self._repeated
        rises = (self.start - first, self.fade_in) if self.fade_in and first < self.start + self.fade_in else None
        falls = (self.end - first, self.fade_out) if self.fade_out and self.end - self.fade_out < last else None
        ends = max(self.start, first) - first, min(self.end, last) - first
        # As it was written before there was speech, so that what is encoded is found.
        duck = self.duck == "dialogue" if self.duck in ("dialogue", None) else self.duck
        later = [self.skipped] if self.skipped or self.speaks else []
        speaks = ["speaks"] if self.speaks else []
        return [self.raw.source, place, ends, rises, falls, f"{self.gain:.2f}", duck, *later, *speaks]

    def read(self, first: int, last: int) -> bytes:
        """The samples `[first, last)` of the film, without gain and fades; silence where it is not heard."""
        parts = [bytes(BYTES_A_FLOAT_SAMPLE * max(0, min(self.start, last) - first))]
        position, end = max(first, self.start), min(last, self.end)
        while position < end:
            at = (position - self.start) % self._repeated
            length = min(end - position, self._repeated - at)
            parts.append(samples_of(self.raw.sound, self.skipped + at, length, BYTES_A_FLOAT_SAMPLE))
            position += length
        parts.append(bytes(BYTES_A_FLOAT_SAMPLE * max(0, last - max(first, self.end))))
        return b"".join(parts)

    @property
    def filters(self) -> Filters:
        """Its gain and its fades."""
        return tuple(level_filters(self.gain, self.start, self.end, self.fade_in, self.fade_out))

    @property
    def _repeated(self) -> int:
        return self.raw.samples - self.skipped


async def mixed_sound(
    clips: RawSound, sound: FilmSound, rate: FrameRate, cache: HouseCache, codec: SoundCodec = "aac"
) -> MixedSound:
    """The sound of the clips, with the layers over it, whose files are decoded. Raises MediaError."""
    used = [layer for layer in sound.layers if layer.start < layer.end]
    longest: dict[Path, int] = {}
    for layer in used:
        length = rate.sample_at(layer.end) - rate.sample_at(layer.start) + rate.sample_at(layer.skipped)
        longest[layer.file] = max(length, longest.get(layer.file, 0))
    decoded = await asyncio.gather(*(decode_layer(file, samples, cache) for file, samples in longest.items()))
    raw = dict(zip(longest, decoded, strict=True))
    at = rate.sample_at
    spans: dict[Duck, list[tuple[int, int]]] = {
        "dialogue": [(at(first), at(end)) for first, end in sound.dialogue],
        "speech": [(at(first), at(end)) for first, end in sound.lines],
    }
    return MixedSound(clips, [PlacedLayer.of(layer, raw[layer.file], rate) for layer in used], spans, codec)


class MixedSound:
    """The sound of the clips with layers over it; `spoken` are the samples in which the clips lower each kind.

    It is to be encoded by `codec`.
    """

    def __init__(
        self,
        clips: RawSound,
        layers: Sequence[PlacedLayer],
        spoken: Mapping[Duck, Sequence[tuple[int, int]]],
        codec: SoundCodec = "aac",
    ) -> None:
        self.length = clips.length
        self.codec = codec
        self.form: Form = "s16" if codec == "aac" else "flt"
        self._clips, self._layers, self._spoken = clips, layers, spoken

    def digest(self, start: int, end: int, ending: Filters = LIMITED) -> str:
        """SHA-256, in hex, of everything that the samples `[start, end)` are mixed from. Reads no file."""
        first, last = reach(start, end, self.length)
        heard = list(self._heard(first, last))
        filters = {"duck": _DUCK, "limit": _LIMIT} if ending is LIMITED else {"duck": _DUCK, "ending": ending}
        ducks = {layer.duck for layer in heard}
        # The parts of a film whose layers duck under dialogue have the digests that they had before there was speech.
        spans = [(a - first, b - first) for a, b in self._spans("dialogue", first, last)]
        lines = [(a - first, b - first) for a, b in self._spans("speech", first, last)] if "speech" in ducks else []
        clips, facts = self._clips.digest(first, last), [layer.facts(first, last) for layer in heard]
        within = start - first, end - start
        later = [*([lines] if lines else []), *([self.codec] if self.codec != "aac" else [])]
        return cache_key("mix", _VERSION, filters, versions(), *within, clips, facts, spans, *later)

    def read(self, start: int, end: int, ending: Filters = LIMITED) -> bytes:
        """The samples `[start, end)`, mixed now. Raises MediaError."""
        first, last = reach(start, end, self.length)
        graph = SoundGraph(first)
        mixed = graph.chain(self._mixed(graph, first, last), [*ending, into_form(self.form)])
        size = BYTES[self.form]
        heard = samples_in(graph.frames(mixed, RUN_OUT), self.form)[: (last - first) * size]
        if len(heard) != (last - first) * size:
            raise MediaError(f"{len(heard)} bytes of sound were mixed instead of {(last - first) * size}")
        return heard[(start - first) * size : (end - first) * size]

    def measure(self, start: int, end: int, ending: Filters) -> Measured:
        """The loudness of the samples `[start, end)`, mixed now, as far as the encoder keeps them. Raises MediaError.

        `start` is a whole number of hops. What is not a whole hop at the end counts with silence after it.
        """
        first, last = reach(start, end, self.length)
        graph = SoundGraph(first)
        mixed = self._mixed(graph, first, last)
        meter = graph.chain(mixed, [*ending, *([_BAND] if self.codec == "aac" else []), METER])
        said = [reading for reading in readings(graph.frames(meter, RUN_OUT)) if reading.at < end]
        momentary = tuple(reading.momentary for reading in said if reading.at >= start)
        return Measured(momentary, decibels(max((reading.peak for reading in said), default=0)))

    def _heard(self, first: int, last: int) -> Iterator[PlacedLayer]:
        return (layer for layer in self._layers if layer.start < last and first < layer.end)

    def _spans(self, duck: Duck, first: int, last: int) -> Iterator[tuple[int, int]]:
        return ((max(a, first), min(b, last)) for a, b in self._spoken.get(duck, ()) if a < last and first < b)

    def _mixed(self, graph: SoundGraph, first: int, last: int) -> FilterContext:
        """The sum of all that is heard in the samples `[first, last)`, layers lowered where somebody speaks."""
        clips = self._clips.read(first, last)
        heard = [(layer, layer.read(first, last)) for layer in self._heard(first, last)]
        voices = [(layer, samples) for layer, samples in heard if layer.speaks]

        def key(duck: Duck) -> FilterContext | None:
            """The sound that lowers a layer; None where nobody speaks."""
            spoken = self._masked(clips, self._spans(duck, first, last), first)
            sources = [graph.source(spoken, self._clips.form)] if spoken else []
            if duck == "speech":
                sources += [graph.chain(graph.source(samples, "flt"), voice.filters) for voice, samples in voices]
            return graph.added(sources) if len(sources) > 1 else next(iter(sources), None)

        sounds = [graph.source(clips, self._clips.form)]
        for layer, samples in heard:
            sound = graph.chain(graph.source(samples, "flt"), layer.filters)
            if layer.duck and (lowered_by := key(layer.duck)):
                sound = graph.joined("sidechaincompress", _DUCK, sound, lowered_by)
            sounds.append(sound)
        return graph.added(sounds)

    def _masked(self, clips: bytes, spans: Iterator[tuple[int, int]], first: int) -> bytes | None:
        """The sound of the clips in some samples, silence elsewhere; None if there are none."""
        size = BYTES[self._clips.form]
        places = [((a - first) * size, (b - first) * size) for a, b in spans]
        if not places:
            return None
        speech = bytearray(len(clips))
        for start, end in places:
            speech[start:end] = clips[start:end]
        return bytes(speech)


def reach(start: int, end: int, length: int) -> tuple[int, int]:
    """The first and the last sample, of a film of this length, that the mixed samples `[start, end)` depend on."""
    return max(0, start - RUN_UP), min(length, end + RUN_OUT)
