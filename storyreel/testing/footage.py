"""MP4s for the emulators: H.264 and AAC at 30 fps, moving and audible, different for each task."""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import ffmpeg

from storyreel.tasks.media.binary import find_ffmpeg

FPS = 30
_GRAIN = 8
"""Each pixel of the drawn picture becomes a square of so many, so that encoding at full size costs little."""


def footage(seconds: int, width: int, height: int, mark: str) -> bytes:
    """A clip of exactly `seconds` × 30 frames; `mark` makes its bytes differ from those of other clips.

    The mark goes into a `free` box at the end, which players skip (ISO/IEC 14496-12, 8.1.2).
    """
    payload = mark.encode()
    return _reel(seconds, width, height) + (len(payload) + 8).to_bytes(4, "big") + b"free" + payload


@lru_cache(maxsize=8)
def _reel(seconds: int, width: int, height: int) -> bytes:
    """Encoded once on a machine and kept in its folder for temporary files."""
    kept = Path(tempfile.gettempdir()) / "storyreel-footage" / f"{width}x{height}-{seconds}s-1.mp4"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".mp4", dir=kept.parent)
        os.close(handle)
        _encode(seconds, width, height, Path(name))
        Path(name).replace(kept)
    return kept.read_bytes()


def _encode(seconds: int, width: int, height: int, into: Path) -> None:
    drawn = f"testsrc2=size={width // _GRAIN}x{height // _GRAIN}:rate={FPS}:duration={seconds}"
    picture = ffmpeg.input(drawn, format="lavfi").filter("scale", width, height, flags="neighbor")
    sound = ffmpeg.input(f"sine=frequency=330:beep_factor=2:sample_rate=48000:duration={seconds}", format="lavfi")
    output = ffmpeg.output(
        picture,
        sound,
        str(into),
        vcodec="libx264",
        preset="ultrafast",
        pix_fmt="yuv420p",
        acodec="aac",
        ac=2,
        movflags="+faststart",
    )
    command = ffmpeg.compile(output, cmd=str(find_ffmpeg().path), overwrite_output=True)
    subprocess.run([*command, "-v", "error", "-nostdin"], check=True, capture_output=True)
