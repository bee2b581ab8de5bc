"""The end of a clip as a file of its own, from which a service goes on: exact frames, and their sound."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from math import ceil
from pathlib import Path

import ffmpeg

from storyreel.specs.timing import SAMPLE_RATE
from storyreel.tasks.media.colour import scaled
from storyreel.tasks.media.decoder import opened, picture_of, sound_of, tolerant
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.pcm import house_sound
from storyreel.tasks.media.probe import Probe, probe

_VERSION = 1
"""Increased when the output changes."""

_SIDES = (360, 2560)
"""Pixels of a side, as of a last frame: services take 240 to 4096 (`wan.capabilities`). Other clips are scaled."""

# H.264 near to lossless, as a model looks at it; one thread and bitexact give the same bytes in every run.
_OPTIONS: dict[str, str | int] = {
    "c:v": "libx264",
    "preset": "veryfast",
    "crf": 12,
    "pix_fmt": "yuv420p",
    "x264-params": "threads=1",
    "c:a": "aac",
    "b:a": "192k",
    "movflags": "+faststart",
    "fflags": "+bitexact",
    "flags:v": "+bitexact",
    "flags:a": "+bitexact",
    "map_metadata": -1,
    "map_chapters": -1,
}


def end_version(seconds: Fraction) -> str:
    """The facts that the end of a clip depends on besides the clip, as part of a file name."""
    return f"{_VERSION}-{float(seconds):g}s"


async def write_end(clip: Path, seconds: Fraction, into: Path) -> None:
    """Write the last seconds of a clip as MP4, all of it if it is shorter: at its own rate, and its own size if that is
    one that services take.

    The number of frames is the least that lasts so long; the last one is the last of the clip. Raises MediaError.
    """
    source = await asyncio.to_thread(probe, clip)
    total = source.frames if source.steady else max(1, round(source.seconds * source.rate))
    frames = min(total, ceil(seconds * source.rate))
    file = opened(source)
    streams = [_picture(source, file, total - frames, total)]
    if source.has_sound:
        streams.append(_sound(source, file, total - frames, total))
    await run(tolerant(ffmpeg.output(*streams, str(into), r=str(source.rate), **_OPTIONS)), frames=frames)
    if (written := (await asyncio.to_thread(probe, into)).frames) != frames:
        raise MediaError(
            f"the end of {clip} has {written} frames instead of {frames}: not all of it can be decoded",
            hint="write `with: frame`, or ask for another take of the shot",
        )


def _picture(source: Probe, file: ffmpeg.nodes.FilterableStream, first: int, end: int) -> ffmpeg.nodes.FilterableStream:
    width, height = source.shown_size
    factor = min(max(1.0, _SIDES[0] / min(width, height)), _SIDES[1] / max(width, height))
    width, height = (2 * max(1, round(side * factor / 2)) for side in (width, height))
    picture = picture_of(source, file).filter("fps", str(source.rate), **({"start_time": 0} if source.late else {}))
    picture = scaled(picture, source.colour, width, height, "yuv420p").filter("setsar", 1)
    # A clip may end early: the last frame that can be decoded is held, as in the film.
    picture = picture.filter("tpad", stop=-1, stop_mode="clone").filter("trim", start_frame=first, end_frame=end)
    return picture.filter("setpts", "PTS-STARTPTS")


def _sound(source: Probe, file: ffmpeg.nodes.FilterableStream, first: int, end: int) -> ffmpeg.nodes.FilterableStream:
    begin, stop = (round(frame * SAMPLE_RATE / source.rate) for frame in (first, end))
    sound = house_sound(sound_of(source, file), source.channels)
    sound = sound.filter("atrim", start_sample=begin, end_sample=stop).filter("asetpts", "PTS-STARTPTS")
    return sound.filter("apad", whole_len=stop - begin)
