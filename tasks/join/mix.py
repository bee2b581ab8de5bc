"""The sound of the clips and the music, mixed where it is read: only the parts of a film that have changed.

Limiter and ducking have a memory. Each part is mixed with a run-up, after which its samples are those of a mix of the
whole film. The filters are PyAV's, whose version is pinned, not those of the machine's ffmpeg.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, Self

import av
from av.filter import Graph
from av.filter.context import FilterContext

from storyreel.specs.cut import Cut
from storyreel.specs.timing import SAMPLE_RATE, FrameRate
from storyreel.tasks.join.music import BYTES_A_FLOAT_SAMPLE, MusicTrack, RawMusic, decode_music
from storyreel.tasks.join.sound_track import RawSound, samples_of
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.pcm import BYTES_A_SAMPLE
from storyreel.tasks.storage.clips import cache_key

_VERSION = 1
"""Part of the digests; increased when the mix changes and the filters do not show it."""

_RUN_UP = 2 * SAMPLE_RATE
"""Samples that are mixed before a part and dropped. After one second no sample of a minute of ducked and limited noise
differed from a mix of the whole; after half a second 0.02 % did (libavfilter 11.14, 2026-11-29)."""
_RUN_OUT = SAMPLE_RATE // 10
"""Samples that are mixed after a part: the limiter looks 5 ms ahead."""

_CEILING = 10 ** (-1 / 20)
"""-1 dBFS, because AAC may overshoot its input a little."""
_FILTERS = {
    "duck": "threshold=0.03:ratio=8:attack=20:release=400",
    # `latency` compensates the limiter's lookahead; `level` would amplify everything.
    "limit": f"limit={_CEILING:.6f}:level=0:latency=1",
}


class PlacedMusic(NamedTuple):
    """Music in the film, in samples."""

    raw: RawMusic
    gain: float
    start: int
    end: int
    fade_in: int
    fade_out: int
    duck: bool

    @classmethod
    def of(cls, track: MusicTrack, raw: RawMusic, rate: FrameRate) -> Self:
        """A track whose file is decoded. It ends with its file, unless that is repeated."""
        start, end = rate.sample_at(track.start), rate.sample_at(track.end)
        end = end if track.loop else min(end, start + raw.samples)
        fade_in, fade_out = (min(end - start, rate.sample_at(fade)) for fade in (track.fade_in, track.fade_out))
        return cls(raw, track.gain, start, end, fade_in, fade_out, track.duck)

    def facts(self, first: int, last: int) -> list[object]:
        """Everything that its part in the samples `[first, last)` of the film depends on."""
        place = (max(self.start, first) - self.start) % self.raw.samples
        rises = (self.start - first, self.fade_in) if self.fade_in and first < self.start + self.fade_in else None
        falls = (self.end - first, self.fade_out) if self.fade_out and self.end - self.fade_out < last else None
        ends = max(self.start, first) - first, min(self.end, last) - first
        return [self.raw.source, place, ends, rises, falls, f"{self.gain:.2f}", self.duck]

    def read(self, first: int, last: int) -> bytes:
        """The samples `[first, last)` of the film, without gain and fades; silence where there is no music."""
        parts = [bytes(BYTES_A_FLOAT_SAMPLE * max(0, min(self.start, last) - first))]
        position, end = max(first, self.start), min(last, self.end)
        while position < end:
            at = (position - self.start) % self.raw.samples
            length = min(end - position, self.raw.samples - at)
            parts.append(samples_of(self.raw.sound, at, length, BYTES_A_FLOAT_SAMPLE))
            position += length
        parts.append(bytes(BYTES_A_FLOAT_SAMPLE * max(0, last - max(first, self.end))))
        return b"".join(parts)


async def with_music(
    clips: RawSound, music: Sequence[MusicTrack], cut: Cut, spoken: Collection[str], cache: Path
) -> RawSound:
    """The sound of the clips, with music under it if there is any; its files are decoded. Raises MediaError.

    `spoken` are the shots with dialogue, under which music that ducks is lowered.
    """
    rate = cut.rate
    used = [track for track in music if track.start < track.end]
    if not used:
        return clips
    longest: dict[Path, int] = {}
    for track in used:
        length = rate.sample_at(track.end) - rate.sample_at(track.start)
        longest[track.file] = max(length, longest.get(track.file, 0))
    decoded = await asyncio.gather(*(decode_music(file, samples, cache) for file, samples in longest.items()))
    raw = dict(zip(longest, decoded, strict=True))
    placed = [PlacedMusic.of(track, raw[track.file], rate) for track in used]
    speech = [(rate.sample_at(e.start), rate.sample_at(e.end)) for e in cut.events if e.shot in spoken]
    return MixedSound(clips, placed, speech)


class MixedSound:
    """The sound of the clips with music under it; `speech` are the samples in which music that ducks is lowered."""

    def __init__(self, clips: RawSound, music: Sequence[PlacedMusic], speech: Sequence[tuple[int, int]]) -> None:
        self.length = clips.length
        self._clips, self._music, self._speech = clips, music, speech

    def digest(self, start: int, end: int) -> str:
        """SHA-256, in hex, of everything that the samples `[start, end)` are mixed from. Reads no file."""
        first, last = reach(start, end, self.length)
        heard = [track.facts(first, last) for track in self._heard(first, last)]
        versions = [av.library_versions[name] for name in ("libavfilter", "libswresample")]
        speech = [(a - first, b - first) for a, b in self._spoken(first, last)]
        clips = self._clips.digest(first, last)
        return cache_key("mix", _VERSION, _FILTERS, versions, start - first, end - start, clips, heard, speech)

    def read(self, start: int, end: int) -> bytes:
        """The samples `[start, end)`, mixed now. Raises MediaError."""
        first, last = reach(start, end, self.length)
        clips, music = self._clips.read(first, last), list(self._heard(first, last))
        speech = self._only_speech(clips, first, last) if any(track.duck for track in music) else None
        mixed = _mixed(clips, [(track, track.read(first, last)) for track in music], speech, first)
        return mixed[(start - first) * BYTES_A_SAMPLE : (end - first) * BYTES_A_SAMPLE]

    def _heard(self, first: int, last: int) -> Iterator[PlacedMusic]:
        return (track for track in self._music if track.start < last and first < track.end)

    def _spoken(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        return ((max(a, first), min(b, last)) for a, b in self._speech if a < last and first < b)

    def _only_speech(self, clips: bytes, first: int, last: int) -> bytes | None:
        """The sound of the clips where somebody speaks, silence elsewhere; None if nobody does."""
        spans = [((a - first) * BYTES_A_SAMPLE, (b - first) * BYTES_A_SAMPLE) for a, b in self._spoken(first, last)]
        if not spans:
            return None
        speech = bytearray(len(clips))
        for start, end in spans:
            speech[start:end] = clips[start:end]
        return bytes(speech)


def reach(start: int, end: int, length: int) -> tuple[int, int]:
    """The first and the last sample, of a film of this length, that the mixed samples `[start, end)` depend on."""
    return max(0, start - _RUN_UP), min(length, end + _RUN_OUT)


def _mixed(clips: bytes, music: Sequence[tuple[PlacedMusic, bytes]], speech: bytes | None, first: int) -> bytes:
    """The mix of raw samples that begin at sample `first` of the film. A limiter prevents clipping."""
    graph = Graph()
    inputs: list[tuple[FilterContext, bytes, str]] = []

    def source(samples: bytes, form: str) -> FilterContext:
        buffer = graph.add_abuffer(sample_rate=SAMPLE_RATE, format=form, layout="stereo", time_base=_TICK)
        inputs.append((buffer, samples, form))
        return buffer

    tracks = [source(clips, "s16")]
    for track, samples in music:
        sound = _chain(graph, source(samples, "flt"), *_levels(track))
        if track.duck and speech is not None:
            sound = _joined(graph, "sidechaincompress", _FILTERS["duck"], sound, source(speech, "s16"))
        tracks.append(sound)
    # In the precision that ffmpeg would choose by which tracks are heard, equal parts could differ in the last bit.
    tracks = [_chain(graph, track, ("aformat", "sample_fmts=dbl")) for track in tracks]
    how = f"inputs={len(tracks)}:normalize=0:duration=first:dropout_transition=0"
    mixed = _joined(graph, "amix", how, *tracks)
    sink = _chain(
        graph, mixed, ("alimiter", _FILTERS["limit"]), ("aformat", "sample_fmts=s16:channel_layouts=stereo"),
        ("abuffersink", ""),
    )  # fmt: skip
    graph.configure()
    for buffer, samples, form in inputs:
        # The limiter gives as many samples as it gets, and the last of them from what it has not looked at yet.
        padded = samples + bytes(_RUN_OUT * _BYTES[form])
        buffer.push(_frame(padded, form, first))
        buffer.push(None)
    heard = b"".join(_pulled(sink))[: len(clips)]
    if len(heard) != len(clips):
        raise MediaError(f"{len(heard)} bytes of sound were mixed instead of {len(clips)}")
    return heard


_TICK = Fraction(1, SAMPLE_RATE)
_BYTES = {"s16": BYTES_A_SAMPLE, "flt": BYTES_A_FLOAT_SAMPLE}


def _levels(track: PlacedMusic) -> Iterator[tuple[str, str]]:
    yield "volume", f"{track.gain:.2f}dB"
    if track.fade_in:
        yield "afade", f"t=in:ss={track.start}:ns={track.fade_in}"
    if track.fade_out:
        yield "afade", f"t=out:ss={track.end - track.fade_out}:ns={track.fade_out}"


def _chain(graph: Graph, sound: FilterContext, *filters: tuple[str, str]) -> FilterContext:
    for name, options in filters:
        sound = _joined(graph, name, options, sound)
    return sound


def _joined(graph: Graph, name: str, options: str, *inputs: FilterContext) -> FilterContext:
    joined = graph.add(name, options)
    for number, sound in enumerate(inputs):
        sound.link_to(joined, 0, number)
    return joined


def _frame(samples: bytes, form: str, first: int) -> av.AudioFrame:
    frame = av.AudioFrame(format=form, layout="stereo", samples=len(samples) // _BYTES[form])
    frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, _TICK, first
    memoryview(frame.planes[0])[: len(samples)] = samples
    return frame


def _pulled(sink: FilterContext) -> Iterator[bytes]:
    while True:
        try:
            frame = sink.pull()
        except EOFError:
            return
        assert isinstance(frame, av.AudioFrame)
        yield bytes(frame.planes[0])[: frame.samples * BYTES_A_SAMPLE]
