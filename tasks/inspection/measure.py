"""Measure a clip in one pass of ffmpeg: a thumbnail and the movement of each frame, and the loudness of the sound."""

from __future__ import annotations

import asyncio
import re
from math import inf, log10
from pathlib import Path
from typing import NamedTuple

import ffmpeg
from ffmpeg.nodes import FilterableStream, OutputStream
from PIL import Image

from storyreel.tasks.media.colour import scaled
from storyreel.tasks.media.decoder import opened, picture_of, tolerant
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.probe import Probe
from storyreel.tasks.storage.files import temporary_folder
from storyreel.tasks.threads import in_threads

THUMBNAIL = (64, 36)
"""Pixels. Noise and grain average out at this size; what the eye sees as the picture remains."""

_FRAME_BYTES = 3 * THUMBNAIL[0] * THUMBNAIL[1]
_FRAME = re.compile(r"^frame:\d+\s+pts:\S+\s+pts_time:(\S+)$")
_FACT = re.compile(r"^lavfi\.([\w.]+)=(\S+)$")


class MeasuredFrame(NamedTuple):
    """One frame of a clip."""

    at: float
    """Seconds after the first frame."""
    until: float
    """Seconds, when the next frame begins or the clip ends."""
    thumbnail: Image.Image
    """RGB, of the size `THUMBNAIL` for a clip of any shape."""
    moved: float
    """Mean difference of luma to the frame before, at full size, in percent; 0 for the first frame."""


class Loudness(NamedTuple):
    """Loudness of a sound track, by ITU-R BS.1770 as in EBU R 128."""

    integrated: float | None
    """LUFS; -70, the gate of the standard, if nothing is louder. None for less than its block of 400 ms."""
    peak: float
    """dBTP: the highest true peak of all channels."""


class Measurements(NamedTuple):
    """All measurements of a clip."""

    frames: tuple[MeasuredFrame, ...]
    loudness: Loudness | None
    """None without sound, or with less than 100 ms of it."""
    has_errors: bool = False
    """Whether ffmpeg complained of what it decoded."""


async def measure(clip: Probe) -> Measurements:
    """Decode a clip once and measure it. Frames that cannot be decoded are left out. Raises MediaError."""
    async with in_threads(temporary_folder()) as folder:
        picture, moved, loudness = folder / "thumbnails.rgb", folder / "moved.txt", folder / "loudness.txt"
        source = opened(clip)
        outputs = [_thumbnails(clip, source, picture, moved)]
        if clip.has_sound:
            outputs.append(_levels(clip, source, loudness))
        complaints = await run(tolerant(ffmpeg.merge_outputs(*outputs)))
        measured = await asyncio.to_thread(_read, clip, picture, moved, loudness)
        return measured._replace(has_errors=bool(complaints))


def _thumbnails(clip: Probe, source: FilterableStream, picture: Path, moved: Path) -> OutputStream:
    """Write all thumbnails as raw pixels to one file, and the movement of each frame to the other."""
    # The threshold is never reached: only the measurement of the scene detector is used.
    frames = picture_of(clip, source).filter("scdet", threshold=100)
    frames = frames.filter("metadata", mode="print", key="lavfi.scd.mafd", file=str(moved))
    frames = scaled(frames, clip.colour, *THUMBNAIL, "rgb24", flags="area+accurate_rnd")
    return ffmpeg.output(frames, str(picture), f="rawvideo", fps_mode="passthrough")


def _levels(clip: Probe, source: FilterableStream, loudness: Path) -> OutputStream:
    sound = source[str(clip.sound)].filter("ebur128", metadata=1, peak="true")
    sound = sound.filter("ametadata", mode="print", file=str(loudness))
    return ffmpeg.output(sound, "-", f="null")


def _read(clip: Probe, picture: Path, moved: Path, loudness: Path) -> Measurements:
    """Read the files that ffmpeg wrote. Times are relative to the first frame."""
    pixels = picture.read_bytes()
    rows = _rows(moved)
    times = [at - rows[0][0] for at, _ in rows]
    ends = [*times[1:], max(float(clip.seconds), times[-1])] if times else []
    measured = tuple(
        MeasuredFrame(
            at=at,
            until=until,
            thumbnail=Image.frombytes("RGB", THUMBNAIL, pixels[n * _FRAME_BYTES : (n + 1) * _FRAME_BYTES]),
            moved=facts["scd.mafd"],
        )
        for n, (at, until, (_, facts)) in enumerate(zip(times, ends, rows, strict=True))
    )
    return Measurements(frames=measured, loudness=_loudness(loudness) if loudness.exists() else None)


def _loudness(file: Path) -> Loudness | None:
    """The last row, which covers the whole track; there is a row every 100 ms."""
    rows = _rows(file)
    if not rows:
        return None
    _, facts = rows[-1]
    peak = facts["r128.true_peak"]
    return Loudness(integrated=facts["r128.I"] if len(rows) >= 4 else None, peak=20 * log10(peak) if peak else -inf)


def _rows(file: Path) -> list[tuple[float, dict[str, float]]]:
    """For each frame its time and the numbers that a filter printed."""
    rows: list[tuple[float, dict[str, float]]] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if start := _FRAME.match(line):
            rows.append((float(start[1]), {}))
        elif fact := _FACT.match(line):
            rows[-1][1][fact[1]] = float(fact[2])
    return rows
