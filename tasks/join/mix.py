"""Mix the sound of the clips and the music in one filter graph, as raw samples.

Limiter and ducking have a memory, so that the mix is made as a whole, before it is encoded in pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import ffmpeg
from av.error import FFmpegError
from ffmpeg.nodes import FilterableStream, OutputStream

from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Music
from storyreel.specs.timing import SAMPLE_RATE, FrameRate
from storyreel.tasks.join.sound_track import keep_only
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.pcm import RAW_INPUT, RAW_OUTPUT, house_sound, samples_in

_CEILING = 10 ** (-1 / 20)
"""-1 dBFS, because AAC may overshoot its input a little."""


class MusicTrack(Frozen):
    """Music under the film. Times are frames of the film."""

    file: Path
    gain: float
    """dB, relative to the file."""
    start: int
    """The first frame with music."""
    end: int
    """The frame after the last one with music."""
    fade_in: int = 0
    fade_out: int = 0
    loop: bool = True
    """Whether a file that is too short is repeated."""
    duck: bool = False
    """Whether it is lowered under dialogue."""

    @classmethod
    def of(cls, music: Music, file: Path, rate: FrameRate, film_frames: int) -> MusicTrack:
        """A storyboard's music in a film of `film_frames`. Raises ValueError if the rate has no such timecode."""
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
    clips: Path, music: Sequence[MusicTrack], speech: Sequence[tuple[int, int]], rate: FrameRate, into: Path
) -> None:
    """Write the film's sound as raw samples, as many as the raw track `clips` has.

    `speech` are frames `[start, end)` of the film in which music that ducks is lowered under the sound of the clips.
    Raises MediaError.
    """
    length = samples_in(clips)
    used = [track for track in music if track.start < track.end]
    files = [await asyncio.to_thread(_read, track, rate) for track in used]
    key = None
    if speech and any(track.duck for track in used):
        key = into.with_suffix(".speech")
        spans = [(rate.sample_at(start), rate.sample_at(end)) for start, end in speech]
        await asyncio.to_thread(keep_only, clips, spans, key)
    output = _graph(clips, list(zip(used, files, strict=True)), key, length, rate, into)
    await run(output, seconds=Fraction(length, SAMPLE_RATE))


def _graph(
    clips: Path, music: Sequence[tuple[MusicTrack, _File]], key: Path | None, length: int, rate: FrameRate, into: Path
) -> OutputStream:
    """The filter graph. A limiter prevents clipping."""
    mixed = ffmpeg.input(str(clips), **RAW_INPUT).audio
    tracks = [_placed(number, *placed, key, rate) for number, placed in enumerate(music)]
    if tracks:
        mixed = ffmpeg.filter([mixed, *tracks], "amix", inputs=len(tracks) + 1, normalize=0, duration="first",
                              dropout_transition=0)  # fmt: skip
        # `latency` compensates the limiter's lookahead; `level` would amplify everything.
        mixed = mixed.filter("alimiter", limit=f"{_CEILING:.6f}", level=0, latency=1)
    mixed = mixed.filter("apad", whole_len=length).filter("atrim", end_sample=length)
    return ffmpeg.output(mixed, str(into), **RAW_OUTPUT)


def _placed(number: int, track: MusicTrack, file: _File, key: Path | None, rate: FrameRate) -> FilterableStream:
    length = file.length
    # ffmpeg-python merges equal inputs; a different queue size, which changes nothing else, keeps them apart.
    distinct = {"thread_queue_size": 8 + number}
    again = {"stream_loop": -1} if track.loop else {}
    start = rate.sample_at(track.start)
    sound = (
        house_sound(ffmpeg.input(str(track.file.absolute()), vn=None, **distinct, **again).audio, file.channels)
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
        speech = ffmpeg.input(str(key), **distinct, **RAW_INPUT).audio.filter("aformat", sample_fmts="flt")
        sound = ffmpeg.filter([sound, speech], "sidechaincompress", threshold=0.03, ratio=8, attack=20, release=400)
    return sound


class _File(NamedTuple):
    channels: int
    length: int
    """Samples that are used: up to the end of the track, or of the file if it does not loop."""


def _read(track: MusicTrack, rate: FrameRate) -> _File:
    place = rate.sample_at(track.end) - rate.sample_at(track.start)
    try:
        with av.open(str(track.file.absolute())) as file:
            if not file.streams.audio:
                raise MediaError(f"{track.file} has no sound", hint="name a sound file under music")
            stream = file.streams.audio[0]
            if stream.duration is not None and stream.time_base is not None:
                seconds = stream.duration * stream.time_base
            else:
                seconds = Fraction(file.duration or 0, av.time_base)
            channels = stream.codec_context.channels
    except FFmpegError as error:
        raise MediaError(f"{track.file} cannot be read as music: {error.strerror}", hint="name another file") from error
    return _File(channels, place if track.loop or not seconds else min(place, int(seconds * SAMPLE_RATE)))
