"""Measure a clip in one pass of ffmpeg: thumbnails, movement and loudness, its strip and its last frame."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from math import log10
from pathlib import Path
from typing import NamedTuple

import ffmpeg
from ffmpeg.nodes import FilterableStream, OutputStream
from PIL import Image

from storyreel.specs.frozen import Frozen
from storyreel.tasks.media.colour import SMOOTH, scaled
from storyreel.tasks.media.decoder import opened, picture_of, strict, tolerant
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.frames import STRIP_SIDE, side_by_side, within
from storyreel.tasks.media.probe import Probe
from storyreel.tasks.storage.files import temporary_folder
from storyreel.tasks.threads import in_threads

THUMBNAIL = (64, 36)
"""Pixels. Noise and grain average out at this size; what the eye sees as the picture remains."""

_NO_PEAK = -200.0
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


class Loudness(Frozen):
    """Loudness of a sound track, by ITU-R BS.1770 as in EBU R 128."""

    integrated: float | None
    """LUFS; -70, the gate of the standard, if nothing is louder. None for less than its block of 400 ms."""
    peak: float
    """dBTP: the highest true peak of all channels; -200 if all samples are 0."""


class Measurements(NamedTuple):
    """All measurements of a clip."""

    frames: tuple[MeasuredFrame, ...]
    loudness: Loudness | None
    """None without sound, or with less than 100 ms of it."""
    strip: Image.Image | None
    """First, middle and last frame. None, as the next, if not all frames can be decoded."""
    last_frame: Image.Image | None
    """As a player shows it, with square pixels."""
    has_errors: bool = False
    """Whether ffmpeg complained of what it decoded."""


async def measure(clip: Probe, *, is_whole: bool = True) -> Measurements:
    """Decode a clip once and measure it. Raises MediaError, of a whole clip also if a part of it cannot be decoded.

    Of a clip that is not whole, what cannot be decoded is left out, and there are no pictures.
    """
    try:
        async with in_threads(temporary_folder()) as folder:
            return await _measure(clip, _Files(folder), is_whole=is_whole)
    except (OSError, ValueError) as error:  # ValueError: ffmpeg wrote less than was expected of it.
        raise _unmeasured(clip.path, error) from error


async def _measure(clip: Probe, files: _Files, *, is_whole: bool) -> Measurements:
    source = opened(clip)
    shown = _pictures(clip, source, files) if is_whole else [_measured(picture_of(clip, source), clip, files)]
    heard = [_levels(source[str(clip.sound)], files.loudness)] if clip.has_sound else []
    how = strict if is_whole else tolerant
    complaints = await run(how(ffmpeg.merge_outputs(*shown, *heard)))
    measured = await asyncio.to_thread(_read, clip, files)
    return measured._replace(has_errors=bool(complaints))


class _Files(NamedTuple):
    """The files that ffmpeg writes."""

    folder: Path

    @property
    def thumbnails(self) -> Path:
        return self.folder / "thumbnails.rgb"

    @property
    def moved(self) -> Path:
        return self.folder / "moved.txt"

    @property
    def loudness(self) -> Path:
        return self.folder / "loudness.txt"

    @property
    def strip(self) -> Path:
        return self.folder / "strip.rgb"

    @property
    def last(self) -> Path:
        return self.folder / "last.rgb"


def _pictures(clip: Probe, source: FilterableStream, files: _Files) -> Iterator[OutputStream]:
    """All frames, those of the strip and the last one."""
    copies = picture_of(clip, source).filter_multi_output("split", 3)
    yield _measured(copies[0], clip, files)
    end, half = clip.frames - 1, float(clip.seconds / 2)
    chosen = copies[1].filter("select", f"eq(n,0)+eq(n,{end})+gte(t,{half:.6f})*lt(prev_t,{half:.6f})")
    yield _raw(chosen, clip, within(clip.shown_size, STRIP_SIDE), files.strip)
    yield _raw(copies[2].filter("select", f"eq(n,{end})"), clip, clip.shown_size, files.last)


def _measured(picture: FilterableStream, clip: Probe, files: _Files) -> OutputStream:
    """Write all thumbnails to one file, and the movement of each frame to another."""
    # The threshold is never reached: only the measurement of the scene detector is used.
    picture = picture.filter("scdet", threshold=100)
    picture = picture.filter("metadata", mode="print", key="lavfi.scd.mafd", file=str(files.moved))
    return _raw(picture, clip, THUMBNAIL, files.thumbnails, flags="area+accurate_rnd")


def _raw(
    picture: FilterableStream, clip: Probe, size: tuple[int, int], into: Path, flags: str = SMOOTH
) -> OutputStream:
    pixels = scaled(picture, clip.colour, *size, "rgb24", flags=flags)
    return ffmpeg.output(pixels, str(into), f="rawvideo", fps_mode="passthrough")


async def loudness_of(sound: Path) -> Loudness | None:
    """The loudness of a file of sound, as far as it can be decoded; None for less than 100 ms. Raises MediaError."""
    try:
        async with in_threads(temporary_folder()) as folder:
            files = _Files(folder)
            await run(tolerant(_levels(ffmpeg.input(str(sound), threads=1)["a:0"], files.loudness)))
            return await asyncio.to_thread(_loudness, files.loudness)
    except (OSError, ValueError) as error:
        raise _unmeasured(sound, error) from error


def _unmeasured(file: Path, error: Exception) -> MediaError:
    what = f"{file} cannot be measured: {getattr(error, 'strerror', None) or error}"
    return MediaError(what, hint="make room for temporary files, or set TMPDIR to a folder that has it")


def _levels(sound: FilterableStream, loudness: Path) -> OutputStream:
    sound = sound.filter("ebur128", metadata=1, peak="true")
    sound = sound.filter("ametadata", mode="print", file=str(loudness))
    return ffmpeg.output(sound, "-", f="null")


def _read(clip: Probe, files: _Files) -> Measurements:
    """Read the files that ffmpeg wrote. Times are relative to the first frame."""
    thumbnails = _images(files.thumbnails, THUMBNAIL)
    rows = _rows(files.moved)
    times = [at - rows[0][0] for at, _ in rows]
    ends = [*times[1:], max(float(clip.seconds), times[-1])] if times else []
    measured = tuple(
        MeasuredFrame(at=at, until=until, thumbnail=thumbnail, moved=facts["scd.mafd"])
        for at, until, thumbnail, (_, facts) in zip(times, ends, thumbnails, rows, strict=True)
    )
    has_pictures = len(measured) == clip.frames and files.last.exists()
    strip = _images(files.strip, within(clip.shown_size, STRIP_SIDE)) if has_pictures else []
    last = _images(files.last, clip.shown_size) if has_pictures else []
    return Measurements(
        frames=measured,
        loudness=_loudness(files.loudness) if files.loudness.exists() else None,
        strip=side_by_side([strip[0], strip[len(strip) // 2], strip[-1]]) if strip else None,
        last_frame=last[-1] if last else None,
    )


def _images(file: Path, size: tuple[int, int]) -> list[Image.Image]:
    """Pictures from raw pixels."""
    pixels, length = file.read_bytes(), 3 * size[0] * size[1]
    return [Image.frombytes("RGB", size, pixels[at : at + length]) for at in range(0, len(pixels), length)]


def _loudness(file: Path) -> Loudness | None:
    """The loudness in the last row, which covers the whole track; there is a row every 100 ms."""
    rows = _rows(file)
    if not rows:
        return None
    _, facts = rows[-1]
    peak = facts["r128.true_peak"]
    return Loudness(integrated=facts["r128.I"] if len(rows) >= 4 else None, peak=20 * log10(peak) if peak else _NO_PEAK)


def _rows(file: Path) -> list[tuple[float, dict[str, float]]]:
    """For each frame its time and the numbers that a filter printed."""
    rows: list[tuple[float, dict[str, float]]] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if start := _FRAME.match(line):
            rows.append((float(start[1]), {}))
        elif fact := _FACT.match(line):
            rows[-1][1][fact[1]] = float(fact[2])
    return rows
