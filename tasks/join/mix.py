"""The film's sound: the clips' own and the music under it, mixed in one graph and encoded once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import ffmpeg
from av.error import FFmpegError
from ffmpeg.nodes import FilterableStream, OutputStream

from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Music
from storyreel.specs.timing import SAMPLE_RATE, FrameRate
from storyreel.tasks.join.sound_track import keep_only
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import Progress, run
from storyreel.tasks.media.pcm import RAW_INPUT, house_sound, samples_in

_CEILING = 10 ** (-1 / 20)
"""-1 dBFS: AAC may overshoot a little what it was given."""

_ENCODER: dict[str, str | int] = {
    "c:a": "aac",
    "b:a": "192k",
    # Not `aac_coder=fast`: twice as quick, but it takes 1 to 3 dB off a pure tone (ffmpeg 9.0.2, measured).
    # It can be read while it grows.
    "f": "nut",
    "flush_packets": 1,
    "fflags": "+bitexact",
    "flags:a": "+bitexact",
    "map_metadata": -1,
}


class Track(Frozen):
    """Music under the film. Frames are the film's."""

    file: Path
    gain: float
    """dB, against the file as it is."""
    start: int
    """The film's frame that it begins with."""
    end: int
    """The frame after the last one that it is heard in."""
    fade_in: int = 0
    fade_out: int = 0
    loop: bool = True
    """Begins again when the file is shorter than its place."""
    duck: bool = False
    """Gives way while somebody speaks."""

    @classmethod
    def of(cls, music: Music, file: Path, rate: FrameRate, film_frames: int) -> Track:
        """A storyboard's music, its times as frames of a film so long; ValueError when a timecode has no such frame."""
        start = music.start.frames(rate) if music.start else 0
        end = music.end.frames(rate) if music.end else film_frames
        return cls(
            file=file,
            gain=music.gain,
            start=min(start, film_frames),
            end=min(end, film_frames),
            fade_in=music.fade_in.frames(rate) if music.fade_in else 0,
            fade_out=music.fade_out.frames(rate) if music.fade_out else 0,
            loop=music.loop,
            duck=music.duck == "dialogue",
        )


async def mix(
    clips: Path,
    music: Sequence[Track],
    speech: Sequence[tuple[int, int]],
    rate: FrameRate,
    into: Path,
    *,
    progress: Progress | None = None,
) -> None:
    """Encode the film's sound as AAC in NUT: after the priming, as many samples as the raw track `clips` has.

    Another thread may read `into` while it grows.

    `speech` are the film's frames `[start, end)` in which music that ducks gives way to what is heard in the clips.
    Raises MediaError.
    """
    length = samples_in(clips)
    heard = [track for track in music if track.start < track.end]
    files = [await asyncio.to_thread(_look, track, rate) for track in heard]
    key = None
    if speech and any(track.duck for track in heard):
        key = into.with_suffix(".speech")
        spans = [(rate.sample_at(start), rate.sample_at(end)) for start, end in speech]
        await asyncio.to_thread(keep_only, clips, spans, key)
    output = _graph(clips, list(zip(heard, files, strict=True)), key, length, rate, into)
    await run(output, seconds=Fraction(length, SAMPLE_RATE), progress=progress)


def _graph(
    clips: Path, music: Sequence[tuple[Track, _File]], key: Path | None, length: int, rate: FrameRate, into: Path
) -> OutputStream:
    """What the clips bring passes as it is; only where music is added to it, a limiter keeps the sum from clipping."""
    mixed = ffmpeg.input(str(clips), **RAW_INPUT).audio
    tracks = [_placed(number, *placed, key, rate) for number, placed in enumerate(music)]
    if tracks:
        mixed = ffmpeg.filter([mixed, *tracks], "amix", inputs=len(tracks) + 1, normalize=0, duration="first",
                              dropout_transition=0)  # fmt: skip
        # `latency` gives back the time that the limiter looks ahead; `level` would make everything louder.
        mixed = mixed.filter("alimiter", limit=f"{_CEILING:.6f}", level=0, latency=1)
    mixed = mixed.filter("apad", whole_len=length).filter("atrim", end_sample=length)
    return ffmpeg.output(mixed, str(into), **_ENCODER)


def _placed(number: int, track: Track, file: _File, key: Path | None, rate: FrameRate) -> FilterableStream:
    """Music at its level and its place in the film."""
    length = file.length
    # ffmpeg-python takes equal inputs for one: the queue's size, which matters little, keeps tracks apart.
    apart = {"thread_queue_size": 8 + number}
    again = {"stream_loop": -1} if track.loop else {}
    start = rate.sample_at(track.start)
    sound = (
        house_sound(ffmpeg.input(str(track.file.absolute()), vn=None, **apart, **again).audio, file.channels)
        .filter("atrim", end_sample=length)
        .filter("volume", f"{track.gain:.2f}dB")
    )
    if track.fade_in:
        sound = sound.filter("afade", t="in", ss=0, ns=min(length, rate.sample_at(track.fade_in)))
    if track.fade_out:
        fade = min(length, rate.sample_at(track.fade_out))
        sound = sound.filter("afade", t="out", ss=length - fade, ns=fade)
    sound = sound.filter("adelay", f"{start}S", all=1)
    if track.duck and key:
        spoken = ffmpeg.input(str(key), **apart, **RAW_INPUT).audio.filter("aformat", sample_fmts="flt")
        sound = ffmpeg.filter([sound, spoken], "sidechaincompress", threshold=0.03, ratio=8, attack=20, release=400)
    return sound


@dataclass(frozen=True, slots=True)
class _File:
    """What a track's file brings."""

    channels: int
    length: int
    """Samples that are heard of it: its place in the film, or less where it ends and does not loop."""


def _look(track: Track, rate: FrameRate) -> _File:
    place = rate.sample_at(track.end) - rate.sample_at(track.start)
    try:
        with av.open(str(track.file.absolute())) as file:
            if not file.streams.audio:
                raise MediaError(f"{track.file} holds no sound", "name a sound file under music")
            stream = file.streams.audio[0]
            if stream.duration is not None and stream.time_base is not None:
                seconds = stream.duration * stream.time_base
            else:
                seconds = Fraction(file.duration or 0, av.time_base)
            channels = stream.codec_context.channels
    except FFmpegError as error:
        raise MediaError(f"{track.file} cannot be read as music: {error.strerror}", "name another file") from error
    return _File(channels, place if track.loop or not seconds else min(place, int(seconds * SAMPLE_RATE)))
