"""The sound of a film besides its clips: layers of music, ambience and narration, their places, the film's level.

The file of a layer is decoded once, as raw samples.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import av
import ffmpeg
from av.error import FFmpegError

from storyreel.specs.frozen import Frozen
from storyreel.specs.timing import SAMPLE_RATE
from storyreel.tasks.join.pieces import HouseCache, SoundPiece, find_or_make
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.pcm import BYTES_A_FLOAT_SAMPLE, CHANNELS, house_sound
from storyreel.tasks.storage.clips import cache_key
from storyreel.tasks.storage.digests import file_digest

_VERSION = 1
"""Part of the cache key; increased when the output changes and the options do not show it."""

_RAW_OUTPUT = {"f": "f32le", "c:a": "pcm_f32le", "ar": SAMPLE_RATE, "ac": CHANNELS}

Duck: TypeAlias = Literal["dialogue", "speech"]
"""The sound that lowers a layer: that of shots with dialogue, or lines alone, those of the narration included."""
Span: TypeAlias = tuple[int, int]
"""Frames `[first, end)` of the film."""


class SoundLayer(Frozen):
    """A sound file under or over the film. Times are frames of the film."""

    file: Path
    gain: float
    """dB, relative to the file."""
    start: int
    """The first frame in which it is heard."""
    end: int
    """The frame after the last one in which it is heard."""
    fade_in: int = 0
    fade_out: int = 0
    loop: bool = True
    """Whether a file that is too short is repeated."""
    skipped: int = 0
    """Frames of the file before the part that is heard, and that is repeated."""
    duck: Duck | None = None
    """The sound that lowers it; None for a layer that is never lowered."""
    speaks: bool = False
    """Whether it is a voice, which lowers layers that duck under speech."""


class ShotMix(NamedTuple):
    """The level and the fades of a clip's sound, handles included."""

    gain: float
    """dB."""
    fade_in: int
    fade_out: int
    """Frames."""


class Master(NamedTuple):
    """The level of the whole film."""

    loudness: float | None
    """LUFS, integrated; None to leave the level as it is mixed."""
    peak: float
    """The highest true peak, dBTP."""


class FilmSound(Frozen):
    """The sound of a film besides its clips, and its level. A film without any has the sound of its clips alone."""

    layers: tuple[SoundLayer, ...] = ()
    dialogue: tuple[Span, ...] = ()
    """The frames of shots with dialogue."""
    lines: tuple[Span, ...] = ()
    """The places of the lines of dialogue that are heard in clips."""
    mixes: tuple[ShotMix | None, ...] = ()
    """For each event of the cut; empty if no shot has one."""
    master: Master | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the sound of the clips is the film's, as it is."""
        return not (any(layer.start < layer.end for layer in self.layers) or any(self.mixes) or self.master)


PLAIN = FilmSound.model_construct()
"""The sound of the clips alone."""


class RawLayer(SoundPiece):
    """A sound file, or its beginning, as raw samples: 32 bit floating point, 48 kHz, stereo.

    In 16 bit, what a decoder gives above full scale would be clipped before it is lowered.
    """

    samples: int
    source: str
    """Digest, in hex, of the file and the decoder. The same of a longer part of the file."""


async def decode_layer(file: Path, samples: int, cache: HouseCache) -> RawLayer:
    """The first `samples` of a file, or all if it has fewer, from the house cache or decoded. Raises MediaError."""
    file, channels = await asyncio.to_thread(lambda: (file.absolute(), _channels(file)))
    # Whole minutes, so that the music of a film that becomes a little longer is not decoded again.
    minutes = -(-samples // (60 * SAMPLE_RATE))

    async def make(folder: Path) -> RawLayer:
        raw = folder / "music.f32"
        sound = house_sound(ffmpeg.input(str(file), vn=None).audio, channels)
        await run(ffmpeg.output(sound, str(raw), t=60 * minutes, **_RAW_OUTPUT), seconds=Fraction(60 * minutes))
        present = raw.stat().st_size // BYTES_A_FLOAT_SAMPLE
        if not present:
            raise MediaError(f"{file} has no sound", hint="name another file where the storyboard names it")
        raw_digest = await asyncio.to_thread(file_digest, raw)
        return RawLayer(sound=Path(raw.name), sound_digest=raw_digest, samples=present, source=source)

    digest, binary = await asyncio.to_thread(lambda: (file_digest(file), find_ffmpeg()))
    source = cache_key("music", _VERSION, digest, binary.version)
    return await find_or_make(RawLayer, cache.folder_of(cache_key(source, minutes)), make)


def _channels(file: Path) -> int:
    try:
        with av.open(str(file.absolute())) as opened:
            if not opened.streams.audio:
                raise MediaError(f"{file} has no sound", hint="name a sound file where the storyboard names it")
            return opened.streams.audio[0].codec_context.channels
    except FFmpegError as error:
        raise MediaError(f"{file} cannot be read as sound: {error.strerror}", hint="name another file") from error
