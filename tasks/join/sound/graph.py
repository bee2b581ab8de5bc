"""Filters over raw samples in memory. They are PyAV's, whose version is pinned, not those of the machine's ffmpeg."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal, NamedTuple, TypeAlias

import av
from av.filter import Graph
from av.filter.context import FilterContext

from storyreel.specs.timing import SAMPLE_RATE
from storyreel.tasks.media.pcm import BYTES_A_FLOAT_SAMPLE, BYTES_A_SAMPLE

Form: TypeAlias = Literal["s16", "s32", "flt"]
"""The form of raw samples, as ffmpeg calls it: 16 or 32 bit, or 32 bit floating point, all stereo at 48 kHz."""
BYTES: dict[Form, int] = {"s16": BYTES_A_SAMPLE, "s32": 2 * BYTES_A_SAMPLE, "flt": BYTES_A_FLOAT_SAMPLE}
"""Bytes of a sample of both channels."""
Filters: TypeAlias = Sequence[tuple[str, str]]
"""Filters one after another, each with its options."""

SILENCE = -120.0
"""The level of no sound at all, dB."""

_TICK = Fraction(1, SAMPLE_RATE)


def versions() -> list[tuple[int, int, int]]:
    """The versions of all that the output of a graph depends on, for digests."""
    return [av.library_versions[name] for name in ("libavfilter", "libswresample")]


class SoundGraph:
    """A graph of filters whose inputs begin at one sample of the film."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._graph = Graph()
        self._inputs: list[tuple[FilterContext, bytes, Form]] = []

    def source(self, samples: bytes, form: Form) -> FilterContext:
        """An input of the graph, with these samples."""
        buffer = self._graph.add_abuffer(sample_rate=SAMPLE_RATE, format=form, layout="stereo", time_base=_TICK)
        self._inputs.append((buffer, samples, form))
        return buffer

    def chain(self, sound: FilterContext, filters: Filters) -> FilterContext:
        """A sound after some filters."""
        for name, options in filters:
            sound = self.joined(name, options, sound)
        return sound

    def joined(self, name: str, options: str, *inputs: FilterContext) -> FilterContext:
        """A filter with these inputs, added to the graph."""
        joined = self._graph.add(name, options)
        for number, sound in enumerate(inputs):
            sound.link_to(joined, 0, number)
        return joined

    def added(self, sounds: Sequence[FilterContext]) -> FilterContext:
        """The sum of sounds."""
        # In the precision that ffmpeg would choose by which are heard, equal parts could differ in the last bit.
        sounds = [self.joined("aformat", "sample_fmts=dbl", sound) for sound in sounds]
        how = f"inputs={len(sounds)}:normalize=0:duration=first:dropout_transition=0"
        return self.joined("amix", how, *sounds)

    def frames(self, sound: FilterContext, run_out: int = 0) -> Iterator[av.AudioFrame]:
        """The frames of a sound, to which so many samples of silence are added at its end."""
        sink = self.joined("abuffersink", "", sound)
        self._graph.configure()
        for buffer, samples, form in self._inputs:
            buffer.push(_frame(samples + bytes(run_out * BYTES[form]), form, self._first))
            buffer.push(None)
        while True:
            try:
                frame = sink.pull()
            except EOFError:
                return
            assert isinstance(frame, av.AudioFrame)
            yield frame


METER = ("ebur128", "metadata=1:peak=true")
"""The filter whose frames `readings` reads: one for each tenth of a second."""


class Reading(NamedTuple):
    """A meter's reading at the end of a tenth of a second."""

    at: int
    """Its first sample."""
    momentary: float
    """LUFS over the last 0.4 s."""
    peak: float
    """The highest true peak so far, 1 for full scale."""


def readings(frames: Iterator[av.AudioFrame]) -> Iterator[Reading]:
    """The reading of each of the meter's frames; the last one has none if it is not whole."""
    for frame in frames:
        if "lavfi.r128.M" in (said := frame.metadata):
            yield Reading(frame.pts or 0, float(said["lavfi.r128.M"]), float(said["lavfi.r128.true_peak"]))


def decibels(peak: float) -> float:
    """A peak in dB; `SILENCE` if there is none."""
    return max(SILENCE, 20 * math.log10(peak)) if peak > 0 else SILENCE


def samples_in(frames: Iterator[av.AudioFrame], form: Form) -> bytes:
    """The samples of frames of this form."""
    return b"".join(bytes(frame.planes[0])[: frame.samples * BYTES[form]] for frame in frames)


def filtered(samples: bytes, form: Form, first: int, filters: Filters, into: Form) -> bytes:
    """Raw samples, the first of which has the number `first`, after some filters that keep their count."""
    graph = SoundGraph(first)
    sound = graph.chain(graph.source(samples, form), [*filters, into_form(into)])
    return samples_in(graph.frames(sound), into)


def into_form(form: Form) -> tuple[str, str]:
    """The filter that ends a chain."""
    return "aformat", f"sample_fmts={form}:channel_layouts=stereo"


def level_filters(gain: float, start: int, end: int, fade_in: int, fade_out: int) -> Iterator[tuple[str, str]]:
    """A gain in dB, and fades of so many samples at the two ends of a sound that is heard in `[start, end)`."""
    yield "volume", f"{gain:.2f}dB"
    if fade_in:
        yield "afade", f"t=in:ss={start}:ns={fade_in}"
    if fade_out:
        yield "afade", f"t=out:ss={end - fade_out}:ns={fade_out}"


def _frame(samples: bytes, form: Form, first: int) -> av.AudioFrame:
    frame = av.AudioFrame(format=form, layout="stereo", samples=len(samples) // BYTES[form])
    frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, _TICK, first
    memoryview(frame.planes[0])[: len(samples)] = samples
    return frame
