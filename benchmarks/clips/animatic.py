"""The speed of the animatic, against the encoder alone: seconds of film for each second of the machine.

    uv run python -m benchmarks.clips.animatic [--seconds 5] [--clips 4] [--resolution 720p]

Each row is so many clips of one kind, drawn at once as in a run, one ffmpeg a core. The machine is often busy, so the
figure is by the processor's time: with all cores for itself it draws CORES × seconds of film / seconds of processor.
The rival encodes the finished frames alone, with the options of house format.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.providers.animatic.voice.engine import engine
from tests.tasks.providers.animatic.drawing import board_of, drawn, request

_KINDS: dict[str, dict[str, Any]] = {
    "card, static": {},
    "card, push in": {"camera": "push in"},
    "figures, static": {"cast": (("Mira", 3, True), ("Tom", 9, False)), "size": "medium"},
    "figures, push in": {"cast": (("Mira", 3, True), ("Tom", 9, False)), "size": "medium", "camera": "push in"},
    "card, push in, spoken": {"camera": "push in", "voice": found.name if (found := engine()) else ""},
    "still, static": {"first": True},
    "still, push in": {"first": True, "camera": "push in"},
    "still, pan right": {"first": True, "camera": "pan right"},
    "still, handheld": {"first": True, "camera": "handheld"},
}
_SPOKEN = (("Mira", "Who is there? The lamp should have been lit an hour ago."),)


def main() -> None:
    """Measure and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=5, help="of each clip")
    options.add_argument("--clips", type=int, default=4, help="of each kind")
    options.add_argument("--resolution", choices=("720p", "1080p"), default="720p")
    options.add_argument("--only", default="")
    asked = options.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    print(f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, load {os.getloadavg()}")
    print(f"ffmpeg {find_ffmpeg().version}; {asked.clips} clips of {asked.seconds} s, {asked.resolution}\n")
    print("| kind | times real time | wall | encoder alone, processor | drawn, processor | ratio | MB a minute |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as made:
        folder, film = Path(made), asked.seconds * asked.clips
        photo = _photo(folder / "photo.png")
        for kind, given in _KINDS.items():
            if asked.only not in kind:
                continue
            first = photo if given.get("first") else None
            wanted = request(
                frames=24 * asked.seconds, resolution=asked.resolution, dialogue=_SPOKEN, **{**given, "first": first}
            )
            clips = [folder / f"{kind} {number}.mp4" for number in range(asked.clips)]
            wall, spent = _spent(_all(wanted, clips))
            house = HouseFormat(width=wanted.width, height=wanted.height, rate=board_of(wanted).rate)
            alone = _encoded_alone(clips[0], house) * asked.clips
            size = sum(clip.stat().st_size for clip in clips) / film * 60 / 1e6
            print(
                f"| {kind} | {cores * film / spent:.1f} | {film / wall:.1f} | {alone / film:.3f} s a second "
                f"| {spent / film:.3f} s a second | {spent / alone:.2f} | {size:.1f} |",
                flush=True,
            )


async def _all(wanted: Any, clips: list[Path]) -> None:
    await asyncio.gather(*(drawn(wanted, clip) for clip in clips))


def _spent(work: Coroutine[Any, Any, None]) -> tuple[float, float]:
    """Seconds of wall and of processor, children included."""
    begun, before = time.perf_counter(), _processor()
    asyncio.run(work)
    return time.perf_counter() - begun, _processor() - before


def _processor() -> float:
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def _encoded_alone(clip: Path, house: HouseFormat) -> float:
    """Seconds of processor for the encoding of a clip's frames, which are decoded before."""
    raw = clip.with_suffix(".yuv")
    ffmpeg = [str(find_ffmpeg().path), "-y", "-v", "error"]
    subprocess.run([*ffmpeg, "-i", clip, "-an", "-f", "rawvideo", raw], check=True)
    given = [word for name, value in house.picture_options().items() for word in (f"-{name}", str(value))]
    size = f"{house.width}x{house.height}"
    source = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(house.rate.exact), "-i", raw]
    before = _processor()
    subprocess.run([*ffmpeg, *source, *given, clip.with_suffix(".alone.mp4")], check=True)
    raw.unlink()
    return _processor() - before


def _photo(path: Path) -> Path:
    """A picture with detail of all sizes, as a photo has."""
    width, height = 1920, 1080
    photo = Image.new("L", (width, height), 128)
    for part in (4, 8, 16, 32, 64, 128, 256, 512):
        size = (max(2, width // part * 2), max(2, height // part * 2))
        noise = Image.effect_noise(size, 90).resize(photo.size, Image.Resampling.BICUBIC)
        photo = Image.blend(photo, ImageChops.add(photo, noise, 2), 0.5)
    photo.convert("RGB").save(path)
    return path


if __name__ == "__main__":
    main()
