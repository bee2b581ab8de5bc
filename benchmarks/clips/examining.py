"""The cost of a paid clip until it can be conformed, in CPU seconds, as a ratio to one bare decode of it by ffmpeg.

    uv run python -m benchmarks.clips.examining [--clips 6]

A clip of 5 s at 720p, 30 frames a second, one keyframe, sound.
Bare decodes and examinations alternate. CPU seconds of this process and its children are counted, which other work on
the machine changes little.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from storyreel.tasks.inspection.examine import examine
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.frames import write_last_frame
from storyreel.tasks.storage.clips import ClipStore
from storyreel.tasks.strips import strip_jpeg

PICTURE = "mandelbrot=size=1280x720:rate=30,noise=alls=6:allf=t"
SOUND = "anoisesrc=colour=pink:amplitude=0.2:sample_rate=48000"


def make_clip(into: Path) -> Path:
    """A clip as a service might send it."""
    command = [
        find_ffmpeg().path, "-v", "error", "-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", SOUND, "-t", "5",
        "-c:v", "libx264", "-preset", "veryfast", "-crf", "24", "-g", "999", "-pix_fmt", "yuv420p", "-c:a", "aac", into,
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return into


def bare_decode(clip: Path) -> None:
    """One decode of picture and sound, by one thread."""
    command = [find_ffmpeg().path, "-v", "error", "-threads", "1", "-i", clip, "-f", "null", "-"]
    subprocess.run(command, check=True)


def examined(clip: Path, clips: ClipStore) -> None:
    """The work of a run on a clip that has arrived and that another shot continues, until it is conformed."""
    seen = asyncio.run(examine(clip, "the clip"))
    kept = clips.keep(clip)
    seen.keep(kept.digest, clips)
    strip_jpeg(kept.path, clips.root / "house", 96, 100_000)
    write_last_frame(kept.path, clips.root / "last.png", sides=(360, 2560))


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process and of its children that have ended."""

    def spent() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    before = spent()
    work()
    return spent() - before


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--clips", type=int, default=6, help="how often each is measured")
    rounds = options.parse_args().clips
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip, clips = make_clip(folder / "clip.mp4"), ClipStore(folder / "clips")
        content = clip.read_bytes()
        decodes, ours = [], []
        for _ in range(rounds):
            clip.write_bytes(content)
            decodes.append(cpu_seconds(lambda: bare_decode(clip)))
            ours.append(cpu_seconds(lambda: examined(clip, clips)))
        beside = {file.suffix: file.stat().st_size for file in clips.root.glob("*/*.*")}
    one, all_of_it = median(decodes), median(ours)
    print(f"one bare decode {one:.2f} s; examined, with strip and last frame {all_of_it:.2f} s")
    print(f"ratio {all_of_it / one:.2f}")
    print("bytes of the clip and of what is beside it:", beside)
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
