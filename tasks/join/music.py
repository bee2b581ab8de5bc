"""Music under a film: its place there, and its file as raw samples, decoded once."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import av
import ffmpeg
from av.error import FFmpegError

from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Music
from storyreel.specs.timing import SAMPLE_RATE, FrameRate
from storyreel.tasks.join.pieces import SoundPiece, find_or_make, piece_folder
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.pcm import CHANNELS, house_sound
from storyreel.tasks.storage.clips import cache_key
from storyreel.tasks.storage.digests import file_digest

_VERSION = 1
"""Part of the cache key; increased when the output changes and the options do not show it."""

_RAW_OUTPUT = {"f": "f32le", "c:a": "pcm_f32le", "ar": SAMPLE_RATE, "ac": CHANNELS}
BYTES_A_FLOAT_SAMPLE = 4 * CHANNELS
"""A sample of both channels, in floating point."""


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


class RawMusic(SoundPiece):
    """A file of music, or its beginning, as raw samples: 32 bit floating point, 48 kHz, stereo.

    In 16 bit, what a decoder gives above full scale would be clipped before it is lowered.
    """

    samples: int
    source: str
    """Digest, in hex, of the file and the decoder. The same of a longer part of the file."""


async def decode_music(file: Path, samples: int, cache: Path) -> RawMusic:
    """The first `samples` of a file, or all if it has fewer, from the house cache or decoded. Raises MediaError."""
    file, channels = await asyncio.to_thread(lambda: (file.absolute(), _channels(file)))
    # Whole minutes, so that the music of a film that becomes a little longer is not decoded again.
    minutes = -(-samples // (60 * SAMPLE_RATE))

    async def make(folder: Path) -> RawMusic:
        raw = folder / "music.f32"
        sound = house_sound(ffmpeg.input(str(file), vn=None).audio, channels)
        await run(ffmpeg.output(sound, str(raw), t=60 * minutes, **_RAW_OUTPUT), seconds=Fraction(60 * minutes))
        present = raw.stat().st_size // BYTES_A_FLOAT_SAMPLE
        if not present:
            raise MediaError(f"{file} has no sound", hint="name another file under music")
        raw_digest = await asyncio.to_thread(file_digest, raw)
        return RawMusic(sound=Path(raw.name), sound_digest=raw_digest, samples=present, source=source)

    digest, binary = await asyncio.to_thread(lambda: (file_digest(file), find_ffmpeg()))
    source = cache_key("music", _VERSION, digest, binary.version)
    return await find_or_make(RawMusic, piece_folder(cache, cache_key(source, minutes)), make)


def _channels(file: Path) -> int:
    try:
        with av.open(str(file.absolute())) as opened:
            if not opened.streams.audio:
                raise MediaError(f"{file} has no sound", hint="name a sound file under music")
            return opened.streams.audio[0].codec_context.channels
    except FFmpegError as error:
        raise MediaError(f"{file} cannot be read as music: {error.strerror}", hint="name another file") from error
