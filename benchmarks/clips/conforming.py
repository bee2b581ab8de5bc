"""The cost of bringing a clip into house format, by preset and threads of x264, in CPU seconds to those that are used.

    uv run python -m benchmarks.clips.conforming [--rounds 3]

A clip of 5 s at 1080p with grain becomes 720p. The ways alternate; CPU seconds of the children are counted, which other
work on the machine changes little. Likeness is SSIM in dB to the clip in the size of the house, without loss.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import ffmpeg

from benchmarks.clips.examining import cpu_seconds
from storyreel.specs.storyboard import Format
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.decoder import opened, picture_of
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.probe import probe

HOUSE = HouseFormat.of(Format())
PICTURE = "mandelbrot=size=1920x1080:rate=30,noise=alls=6:allf=t"
WAYS = (("veryfast", 1), ("veryfast", 2), ("ultrafast", 1), ("superfast", 1), ("faster", 1), ("medium", 1))
"""Preset and threads; the first is used."""


def make_clip(into: Path, seconds: int = 5) -> Path:
    """A clip as a service might send it."""
    options = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p")
    command = [find_ffmpeg().path, "-v", "error", "-f", "lavfi", "-i", PICTURE, "-t", str(seconds), *options, into]
    subprocess.run(command, check=True)
    return into


def conform(clip: Path, into: Path, preset: str, threads: int) -> None:
    """Encode a clip in house format, as `tasks.join.conform` does, with another preset and other threads."""
    options = HOUSE.picture_options()
    params = str(options["x264-params"]).replace("threads=1", f"threads={threads}")
    source = probe(clip)
    picture = HOUSE.converted(picture_of(source, opened(source)), source)
    asyncio.run(run(ffmpeg.output(picture, str(into), **{**options, "preset": preset, "x264-params": params})))


def likeness(made: Path, clip: Path) -> float:
    """SSIM of all planes, in dB."""
    source = probe(clip)
    wanted = HOUSE.converted(picture_of(source, opened(source)), source)
    output = ffmpeg.output(ffmpeg.filter([ffmpeg.input(str(made)).video, wanted], "ssim"), "-", f="null")
    done = subprocess.run(
        ffmpeg.compile(output, cmd=str(find_ffmpeg().path)), capture_output=True, text=True, check=True
    )
    found = re.search(r"All:\S+ \((\S+)\)", done.stderr)
    assert found
    return float(found[1])


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        clip, made = make_clip(Path(name) / "clip.mp4"), Path(name) / "made.mp4"
        spent: dict[tuple[str, int], list[float]] = {way: [] for way in WAYS}
        facts = {}
        for _ in range(rounds):
            for way in WAYS:
                spent[way].append(cpu_seconds(partial(conform, clip, made, *way)))
                if len(spent[way]) == rounds:
                    facts[way] = made.stat().st_size, likeness(made, clip)
    first, size = median(spent[WAYS[0]]), facts[WAYS[0]][0]
    print("| preset, threads | CPU | to the one used | bytes to it | likeness |\n|---|---:|---:|---:|---:|")
    for way in WAYS:
        cpu, (bytes_, alike) = median(spent[way]), facts[way]
        row = (f"{way[0]}, {way[1]}", f"{cpu:.2f} s", f"{cpu / first:.2f}", f"{bytes_ / size:.2f}", f"{alike:.1f} dB")
        print("| " + " | ".join(row) + " |")
    print(f"\nload {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
