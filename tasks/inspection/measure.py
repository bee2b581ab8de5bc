"""What is seen and heard in a clip, measured in one pass of ffmpeg: a thumbnail and the movement of every frame, and
how loud the sound is."""

from __future__ import annotations

import asyncio
import re
import tempfile
from dataclasses import dataclass
from math import inf, log10
from pathlib import Path

import ffmpeg
from ffmpeg.nodes import OutputStream
from PIL import Image

from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.probe import Probe

THUMBNAIL = (64, 36)
"""Pixels. Noise and grain vanish in squares of this size; what the eye sees as one picture stays."""

_FRAME_BYTES = 3 * THUMBNAIL[0] * THUMBNAIL[1]
_FRAME = re.compile(r"^frame:\d+\s+pts:\S+\s+pts_time:(\S+)$")
_FACT = re.compile(r"^lavfi\.([\w.]+)=(\S+)$")


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame of a clip."""

    at: float
    """Seconds after the first frame."""
    until: float
    """When the next one comes, or the clip ends."""
    thumbnail: Image.Image
    """RGB, of the size `THUMBNAIL` whatever the clip's shape."""
    moved: float
    """Mean difference of its luma to that of the frame before, at full size, in percent; 0 for the first."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """Of a whole sound track, by ITU-R BS.1770 as EBU R 128 uses it."""

    integrated: float | None
    """LUFS; -70, where the standard's gate is, when nothing is louder. None for less than the 400 ms of one of its
    blocks."""
    peak: float
    """dBTP: the highest true peak of all channels."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that is measured of a clip."""

    moments: tuple[Moment, ...]
    loudness: Loudness | None
    """None without sound, or with less than 100 ms of it."""


async def measure(clip: Probe) -> Measured:
    """Decode a clip once and measure it. What does not decode is left out. Raises MediaError when ffmpeg fails."""
    with tempfile.TemporaryDirectory(prefix="storyreel-") as name:
        folder = Path(name)
        picture, moved, heard = folder / "thumbnails.rgb", folder / "moved.txt", folder / "heard.txt"
        source = ffmpeg.input(str(clip.path), threads=1)
        outputs = [_seen(source, picture, moved)]
        if clip.has_sound:
            outputs.append(_heard(source, heard))
        await run(ffmpeg.merge_outputs(*outputs))
        return await asyncio.to_thread(_read, clip, picture, moved, heard)


def _seen(source: ffmpeg.nodes.FilterableStream, picture: Path, moved: Path) -> OutputStream:
    """Thumbnails as raw pixels, one after the other; beside them a line about each frame."""
    # The threshold is out of reach: of the scene detector only its measure is wanted.
    seen = source["v:0"].filter("scdet", threshold=100)
    seen = seen.filter("metadata", mode="print", key="lavfi.scd.mafd", file=str(moved))
    seen = seen.filter("scale", *THUMBNAIL, flags="area+accurate_rnd").filter("format", "rgb24")
    return ffmpeg.output(seen, str(picture), f="rawvideo", fps_mode="passthrough")


def _heard(source: ffmpeg.nodes.FilterableStream, heard: Path) -> OutputStream:
    sound = source["a:0"].filter("ebur128", metadata=1, peak="true")
    sound = sound.filter("ametadata", mode="print", file=str(heard))
    return ffmpeg.output(sound, "-", f="null")


def _read(clip: Probe, picture: Path, moved: Path, heard: Path) -> Measured:
    """What ffmpeg wrote. Times begin with the first frame."""
    pixels = picture.read_bytes()
    frames = _told(moved)
    times = [at - frames[0][0] for at, _ in frames]
    ends = [*times[1:], max(float(clip.seconds), times[-1])] if times else []
    moments = tuple(
        Moment(
            at=at,
            until=until,
            thumbnail=Image.frombytes("RGB", THUMBNAIL, pixels[n * _FRAME_BYTES : (n + 1) * _FRAME_BYTES]),
            moved=facts["scd.mafd"],
        )
        for n, (at, until, (_, facts)) in enumerate(zip(times, ends, frames, strict=True))
    )
    return Measured(moments=moments, loudness=_loudness(heard) if heard.exists() else None)


def _loudness(heard: Path) -> Loudness | None:
    """It is told every 100 ms, the last time of all that came before."""
    told = _told(heard)
    if not told:
        return None
    _, whole = told[-1]
    peak = whole["r128.true_peak"]
    return Loudness(integrated=whole["r128.I"] if len(told) >= 4 else None, peak=20 * log10(peak) if peak else -inf)


def _told(file: Path) -> list[tuple[float, dict[str, float]]]:
    """Each frame's time, and the numbers that a filter tells of it."""
    told: list[tuple[float, dict[str, float]]] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if begun := _FRAME.match(line):
            told.append((float(begun[1]), {}))
        elif fact := _FACT.match(line):
            told[-1][1][fact[1]] = float(fact[2])
    return told
