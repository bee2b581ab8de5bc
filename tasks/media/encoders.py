"""Encoders of a film's picture: one for each codec, and for H.264 those of hardware, which STORYREEL_ENCODER may name.

All that run on the processor have one thread and are bitexact, so that equal input gives equal bytes (measured with
x264, x265, SVT-AV1, libaom, and ffmpeg's prores_ks and dnxhd, of ffmpeg 9.0.2, 7.0.2 and 5.1.9). Groups of pictures are
closed, and begin where a keyframe is asked for, or after 250 frames. Where the samples of colour lie is said in headers
that have it: else filters and the input's decoder would decide, and pieces would not fit together. Pixel formats are
those of the profiles: 10-bit 4:2:2 for ProRes 422 HQ, 8-bit 4:2:2 for DNxHR HQ, and for HEVC and AV1 10-bit 4:2:0.

Options of hardware are those that `ffmpeg -h encoder=…` of 9.0.2 lists (read on 2026-11-29; not tried on such
hardware): constant quality, keyframes where they are asked for, no B-frames. What they write is checked as that of
x264 is: frames, keyframes, and that packets of all clips fit together.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from functools import lru_cache

from storyreel.specs.language.finishing.codecs import Codec, Quality
from storyreel.specs.problems.phrases import listed
from storyreel.tasks.media.binary import Binary
from storyreel.tasks.media.colour import Pixels
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.settings import FFMPEG

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


ENCODERS: Mapping[Codec, tuple[str, ...]] = {
    "h264": (X264,), "h265": ("libx265",), "av1": ("libsvtav1", "libaom-av1"), "prores-422-hq": ("prores_ks",),
    "dnxhr-hq": ("dnxhd",),
}  # fmt: skip
"""ffmpeg's encoders of each codec, the better first: builds for Windows and older Macs have no SVT-AV1."""

PIXELS: Mapping[Codec, Pixels] = {
    "h264": "yuv420p", "h265": "yuv420p10le", "av1": "yuv420p10le", "prores-422-hq": "yuv422p10le",
    "dnxhr-hq": "yuv422p",
}  # fmt: skip
"""The pixel format of each codec."""

_RATE_FACTORS: Mapping[str, Mapping[Quality, int]] = {
    X264: {"high": 18, "standard": 23, "draft": 28},
    "libx265": {"high": 18, "standard": 23, "draft": 28},
    "libsvtav1": {"high": 18, "standard": 28, "draft": 40},
    "libaom-av1": {"high": 18, "standard": 28, "draft": 40},
}
"""`crf` of each quality."""


def names() -> tuple[str, ...]:
    """The names of all encoders of H.264, as ffmpeg has them."""
    return (X264, *_HARDWARE)


def encoder_of(codec: Codec, binary: Binary) -> str:
    """The encoder of a codec that an ffmpeg has, on the processor. Raises MediaError if it has none."""
    found = next((name for name in ENCODERS[codec] if name in binary.encoders), None)
    if found is None:
        raise MediaError(
            f"{binary.path} cannot encode {codec}: it has no {' and no '.join(ENCODERS[codec])}",
            hint=f"unset {FFMPEG} to use the one of storyreel, or write {listed(codecs_of(binary))} for its `codec`",
            next="storyreel doctor",
        )
    return found


def codecs_of(binary: Binary) -> list[Codec]:
    """The codecs that an ffmpeg can encode."""
    return [codec for codec, some in ENCODERS.items() if binary.encoders.intersection(some)]


def encoder_options(encoder: str, level: str, quality: Quality = "high", bit_rate: int | None = None) -> Options:
    """ffmpeg's output options for an encoder; `level` is one of H.264, `bit_rate` in bits a second.

    Encoders of hardware have one quality.
    """
    if encoder in _HARDWARE:
        return {"c:v": encoder, "bf": 0, "g": 250, **_HARDWARE[encoder](level)}
    rate: Options = {} if encoder not in _RATE_FACTORS else {"crf": _RATE_FACTORS[encoder][quality]}
    if bit_rate is not None:
        rate = {"b:v": bit_rate}
    match encoder:
        case "libx265":
            return {
                "c:v": encoder,
                "preset": "fast",
                **rate,
                "pix_fmt": PIXELS["h265"],
                "profile:v": "main10",
                "forced-idr": 1,
                "tag:v": "hvc1",
                "x265-params": "log-level=error:info=0:keyint=250:min-keyint=1:scenecut=0:open-gop=0:bframes=2"
                ":pools=none:frame-threads=1:wpp=0:chromaloc=0",
            }
        case "libsvtav1":
            params = "lp=1:scd=0:chroma-sample-position=left"
            return {"c:v": encoder, "preset": 8, **rate, "pix_fmt": PIXELS["av1"], "g": 250, "svtav1-params": params}
        case "libaom-av1":
            rate = rate if bit_rate is not None else {**rate, "b:v": 0}
            return {"c:v": encoder, "cpu-used": 6, **rate, "pix_fmt": PIXELS["av1"], "g": 250, "threads:v": 1,
                    "row-mt": 0}  # fmt: skip
        case "prores_ks":
            return {"c:v": encoder, "profile:v": "hq", "vendor": "apl0", "pix_fmt": PIXELS["prores-422-hq"],
                    "threads:v": 1}  # fmt: skip
        case "dnxhd":
            return {"c:v": encoder, "profile:v": "dnxhr_hq", "pix_fmt": PIXELS["dnxhr-hq"], "threads:v": 1}
        case _:
            return {
                "c:v": X264,
                "preset": "veryfast",
                **rate,
                "pix_fmt": "yuv420p",
                "profile:v": "high",
                "level:v": level,
                "bf": 2,
                "x264-params": "keyint=250:scenecut=0:open-gop=0:threads=1",
            }


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
