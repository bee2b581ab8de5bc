"""Clips for tests, of every kind that a service or a camera could deliver, made by the real ffmpeg."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av

from storyreel.specs.timing import FrameRate
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.house_format import HouseFormat

TINY = HouseFormat(width=128, height=72, rate=FrameRate(Fraction(24)))


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg. If it fails, the test fails with its output."""
    command = [str(find_ffmpeg().path), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def make_clip(
    into: Path,
    *,
    frames: int = 24,
    fps: str = "24",
    size: str = "128x72",
    picture: str = "testsrc2",
    sound: str | None = "sine=frequency=440:sample_rate=48000",
    sound_seconds: float | None = None,
    layout: str = "stereo",
    filters: str = "null",
    options: tuple[str, ...] = (),
) -> Path:
    """A clip by x264 and AAC, one keyframe long, like those of the services. `options` come last and win."""
    seconds = float(Fraction(frames) / Fraction(fps))
    heard = ["-f", "lavfi", "-i", f"{sound},aformat=channel_layouts={layout}"] if sound else []
    length = ["-af", f"atrim=end={sound_seconds if sound_seconds is not None else seconds}"] if sound else []
    separator = ":" if "=" in picture else "="
    ffmpeg("-f", "lavfi", "-i", f"{picture}{separator}size={size}:rate={fps}", *heard, "-vf", filters,
           "-frames:v", str(frames), *length, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2",
           "-pix_fmt", "yuv420p", "-c:a", "aac", "-threads", "1", *options, into)  # fmt: skip
    return into


def flash_and_beep(into: Path, frames: int, at: int, *, fps: str = "24", size: str = "128x72", rate: int = 48_000,
                   sound_seconds: float | None = None) -> Path:  # fmt: skip
    """A black, silent clip in which frame `at` is white and a beep begins with it, one frame long."""
    begin, end = float(at / Fraction(fps)), float((at + 1) / Fraction(fps))
    beep = f"aevalsrc='if(between(t,{begin:.9f},{end:.9f}),0.8*sin(2*PI*1000*t),0)':s={rate}"
    return make_clip(
        into, frames=frames, fps=fps, size=size, picture="color=black", sound=beep, sound_seconds=sound_seconds,
        filters=f"drawbox=color=white:t=fill:enable='eq(n,{at})'",
    )  # fmt: skip


def names(folder: Path) -> list[str]:
    """The names in a folder, with hidden files."""
    return sorted(path.name for path in folder.iterdir())


def lumas(clip: Path) -> list[float]:
    """The mean brightness, 0 to 255, of every frame as shown."""
    with av.open(str(clip)) as source:
        shown = [(frame.pts, _mean(bytes(frame.reformat(width=16, height=8, format="gray").planes[0])))
                 for frame in source.decode(video=0)]  # fmt: skip
    return [mean for _, mean in sorted(shown)]


def _mean(values: bytes) -> float:
    return sum(values) / len(values)


def samples(film: Path) -> list[int]:
    """The left channel as a player hears it, 48 kHz, 16 bit: decoded samples back to back, priming left out."""
    raw = film.with_suffix(".heard")
    ffmpeg("-i", film, "-map", "0:a:0", "-ac", "2", "-f", "s16le", raw)
    return list(memoryview(raw.read_bytes()).cast("h"))[::2]
