"""Encoders of a film's picture: x264, and those of hardware, one of which STORYREEL_ENCODER may name.

Options of the latter are those that `ffmpeg -h encoder=…` of 9.0.2 lists (read on 2026-11-29; not tried on such
hardware): constant quality, keyframes where they are asked for, no B-frames. What they write is checked as that of
x264 is: frames, keyframes, and that packets of all clips fit together.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from functools import lru_cache

from storyreel.tasks.media.binary import Binary

Options = dict[str, str | int]

X264 = "libx264"

_HARDWARE: Mapping[str, Callable[[str], Options]] = {
    "h264_nvenc": lambda level: {
        "preset": "p4", "rc": "vbr", "cq": 19, "b:v": 0, "pix_fmt": "yuv420p", "profile:v": "high", "level:v": level,
        "no-scenecut": 1, "forced-idr": 1,
    },
    "h264_qsv": lambda _: {
        "preset": "fast", "global_quality": 19, "pix_fmt": "nv12", "profile:v": "high", "forced_idr": 1,
    },
    "h264_amf": lambda level: {
        "quality": "balanced", "rc": "cqp", "qp_i": 18, "qp_p": 20, "pix_fmt": "yuv420p", "profile:v": "high",
        "level:v": level, "forced_idr": 1,
    },
    "h264_videotoolbox": lambda level: {
        "q:v": 70, "pix_fmt": "yuv420p", "profile:v": "high", "level:v": level,
    },
}  # fmt: skip


def names() -> tuple[str, ...]:
    """The names of all encoders, as ffmpeg has them."""
    return (X264, *_HARDWARE)


def encoder_options(encoder: str, level: str) -> Options:
    """ffmpeg's output options for an encoder and an H.264 level."""
    if encoder == X264:
        return {
            "c:v": X264,
            "preset": "veryfast",
            "crf": 18,
            "pix_fmt": "yuv420p",
            "profile:v": "high",
            "level:v": level,
            "bf": 2,
            "x264-params": "keyint=250:scenecut=0:open-gop=0:threads=1",
        }
    return {"c:v": encoder, "bf": 0, "g": 250, **_HARDWARE[encoder](level)}


@lru_cache
def working_hardware(binary: Binary) -> tuple[str, ...]:
    """The encoders of hardware that work here, found by encoding three frames with each."""
    return tuple(name for name in _HARDWARE if _works(binary, name))


def _works(binary: Binary, name: str) -> bool:
    options = [word for key, value in encoder_options(name, "3.1").items() for word in (f"-{key}", str(value))]
    source = ("-f", "lavfi", "-i", "color=black:s=640x360:r=24", "-frames:v", "3")
    command = [str(binary.path), "-v", "error", "-nostdin", *source, *options, "-f", "null", "-"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
