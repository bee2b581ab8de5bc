"""Encode a film's sound in pieces, each known by what its samples are made from and encoded once.

As samples of 24 bit they are what they are. AAC needs more:

an encoder of constant quality, unlike one of a bit rate, forgets its past: some frames after its start its packets are,
to the byte, those of an encoder that began with the film. So each piece is encoded with a run-up that is dropped, and
the packets of all pieces follow each other without a seam. The encoder is PyAV's, whose version is pinned, not that of
the machine's ffmpeg.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import av

from storyreel.specs.timing import SAMPLE_RATE
from storyreel.tasks.join.pieces import HouseCache, SoundPiece, find_or_make
from storyreel.tasks.join.sound.clips import RawSound
from storyreel.tasks.join.sound.graph import BYTES, Form, filtered, versions
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import in_thread_on_core
from storyreel.tasks.media.pcm import AAC_FRAME, BYTES_A_SAMPLE, SoundCodec
from storyreel.tasks.progress import Progress
from storyreel.tasks.storage.clips import cache_key
from storyreel.tasks.storage.digests import file_digest

Result = TypeVar("Result")

_VERSION = 1
"""Part of the cache key; increased when the output changes and the options do not show it."""

_PACKETS = 512
"""Packets in a piece: 10.9 seconds, more than the shot that is changed in most films."""
_RUN_UP, _RUN_OUT = 32, 2
"""Packets that are encoded before and after a piece and dropped. From the 17th on all packets were those of a whole
encode, in pink noise, sweeps, tones, music, speech and clicks (80 starts in each; libavcodec 62.28, 2026-11-29)."""

_ENCODER = {"flags": "+qscale+bitexact", "global_quality": "153"}
"""`-q:a 1.3` of ffmpeg, whose unit is 118. At 1.6 sweeps and speech do not converge within 80 packets; from 2 on the
error grows. Not `aac_coder=fast`: it takes 1 to 3 dB off a pure tone. benchmarks/README.md has sizes and errors."""


class Stretch(NamedTuple):
    """The place of a piece in the film."""

    start: int
    end: int
    """The samples `[start, end)` that are encoded, run-up and run-out included."""
    dropped: int
    """Packets of the run-up."""
    packets: int


def stretches(samples: int, codec: SoundCodec = "aac") -> Iterator[Stretch]:
    """The pieces of a film with so many samples. Before its first sample is one packet of priming, in AAC."""
    if codec != "aac":
        for start in range(0, samples, _PACKETS * AAC_FRAME):
            yield Stretch(start, min(samples, start + _PACKETS * AAC_FRAME), 0, _PACKETS)
        return
    total = -(-samples // AAC_FRAME) + 1
    for first in range(0, total, _PACKETS):
        start, count = max(0, first - _RUN_UP), min(_PACKETS, total - first)
        end = min(samples, (first + count + _RUN_OUT) * AAC_FRAME)
        yield Stretch(start * AAC_FRAME, end, first - start, count)


async def encode_sound(
    sound: RawSound, cache: HouseCache, *, codec: SoundCodec = "aac", progress: Progress | None = None
) -> list[SoundPiece]:
    """The pieces of a film's sound in its order, from the house cache, or encoded side by side: packets of AAC in NUT,
    or raw samples of 24 bit.

    Raises MediaError.
    """
    places = list(stretches(sound.length, codec))
    keys = await asyncio.to_thread(lambda: [_key(sound, place, codec) for place in places])
    different = dict(zip(keys, places, strict=True))
    done = 0

    async def piece(place: Stretch) -> SoundPiece:
        nonlocal done
        found = await encode_piece(sound, place, cache, codec=codec)
        done += 1
        if progress:
            progress(done / len(different))
        return found

    made = dict(zip(different, await together(*map(piece, different.values())), strict=True))
    return [made[key] for key in keys]


async def encode_piece(sound: RawSound, place: Stretch, cache: HouseCache, *, codec: SoundCodec = "aac") -> SoundPiece:
    """One piece of a film's sound, from the house cache or encoded. Raises MediaError."""

    def encode(file: Path, report: Progress) -> None:
        samples = sound.read(place.start, place.end)
        if codec == "aac":
            _encode(samples, place, file, report)
        else:
            file.write_bytes(_in_24_bit(samples, sound.form))

    async def make(folder: Path) -> SoundPiece:
        file = folder / ("sound.nut" if codec == "aac" else "sound.s24")
        await in_thread_on_core(partial(encode, file))
        return SoundPiece(sound=Path(file.name), sound_digest=await asyncio.to_thread(file_digest, file))

    key = await asyncio.to_thread(_key, sound, place, codec)
    return await find_or_make(SoundPiece, cache.folder_of(key), make, shared=cache.shared)


def _key(sound: RawSound, place: Stretch, codec: SoundCodec) -> str:
    if codec != "aac":
        return cache_key("raw sound", _VERSION, sound.digest(place.start, place.end), codec, versions())
    encoder = _ENCODER, av.library_versions["libavcodec"]
    return cache_key("sound", _VERSION, sound.digest(place.start, place.end), place.dropped, place.packets, *encoder)


def _encode(samples: bytes, place: Stretch, into: Path, progress: Progress) -> None:
    with av.open(str(into), "w", format="nut", options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream("aac", rate=SAMPLE_RATE, options=_ENCODER, layout="stereo")
        packets = [packet for frame in _frames(samples, progress) for packet in stream.encode(frame)]
        wanted = packets[place.dropped :][: place.packets]
        if len(wanted) != place.packets:
            raise MediaError(f"{len(packets)} packets of sound were made instead of {place.dropped + place.packets}")
        for number, packet in enumerate(wanted):
            packet.pts = packet.dts = number * AAC_FRAME
            file.mux_one(packet)


def _in_24_bit(samples: bytes, form: Form) -> bytes:
    """The samples in 24 bit, little-endian."""
    wide = filtered(samples, form, 0, (), "s32")
    narrow = bytearray(len(wide) // 4 * 3)
    for byte in range(3):
        narrow[byte::3] = wide[byte + 1 :: 4]
    return bytes(narrow)


def _from_24_bit(samples: bytes) -> bytes:
    """Samples of 24 bit in 32 bit floating point."""
    wide = bytearray(len(samples) // 3 * 4)
    for byte in range(3):
        wide[byte + 1 :: 4] = samples[byte::3]
    return filtered(bytes(wide), "s32", 0, (), "flt")


def decoded(piece: Path, before: Path | None, codec: SoundCodec = "aac") -> bytes:
    """The samples that a player hears of a piece, in 32 bit floating point; `before` is the piece before it.

    A packet of AAC is decoded with the one before it, so the first of a piece needs the last of another.
    """
    if codec != "aac":
        return _from_24_bit(piece.read_bytes())
    packets = [packet for file in (before, piece) if file for packet in _packets(file)[-1 if file is before else 0 :]]
    with av.open(str(piece)) as opened:
        decoder = opened.streams.audio[0].codec_context
        frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet))]
    packed = av.AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
    whole = [frame for one in frames for frame in packed.resample(one)]
    size = BYTES["flt"]
    return b"".join(bytes(frame.planes[0])[: frame.samples * size] for frame in whole[1 if before else 0 :])


def _packets(file: Path) -> list[bytes]:
    with av.open(str(file)) as opened:
        return [bytes(packet) for packet in opened.demux(opened.streams.audio[0]) if packet.size]


def _frames(samples: bytes, progress: Progress) -> Iterator[av.AudioFrame | None]:
    """Frames of a second each, and None, which ends the encoder's work."""
    for start in range(0, len(samples), SAMPLE_RATE * BYTES_A_SAMPLE):
        progress(start / len(samples))
        content = samples[start : start + SAMPLE_RATE * BYTES_A_SAMPLE]
        frame = av.AudioFrame(format="s16", layout="stereo", samples=len(content) // BYTES_A_SAMPLE)
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), start // BYTES_A_SAMPLE
        memoryview(frame.planes[0])[: len(content)] = content
        yield frame
    yield None


async def together(*work: Coroutine[Any, Any, Result]) -> list[Result]:
    """The results of all, run at once. If one fails, the others are cancelled and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
