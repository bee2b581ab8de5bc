"""The capabilities and file limits of Wan 2.7, as its maker sells it. Each service's module says where it differs.

Source: Model Studio's API references for wan2.7-r2v, -i2v and -t2v.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability, MediaLimits

_MB = 1_000_000

WAN = MediaLimits(
    image_formats=("JPEG", "PNG", "BMP", "WEBP"),
    alpha=False,
    image_bytes=20 * _MB,
    image_sides=(240, 8000),
    video_formats=("mp4", "mov"),
    video_bytes=100 * _MB,
    video_sides=(240, 4096),
    video_seconds=(1, 30),
    voice_formats=("wav", "mp3"),
    voice_bytes=15 * _MB,
    voice_seconds=(1, 10),
    shape=8,
)
"""From Model Studio's video API reference; the resellers state the same or nothing."""

_ALL_MODES: Mapping[str, Any] = {
    "durations": tuple(range(2, 16)),
    "prompt_length": 5000,
    "negative_length": 500,
    "prompt_expansion": True,
    "watermark": True,
}
_BY_MODE: Mapping[Mode, Mapping[str, Any]] = {
    Mode.REFERENCE: {
        "durations_with_video": tuple(range(2, 11)),
        "references": 5,
        "voice": True,
        "media": WAN,
        "follows_first_frame": True,
    },
    Mode.IMAGE: {"media": WAN, "follows_first_frame": True, "sound": True},
    Mode.TEXT: {"media": WAN, "first_frame": False, "sound": True},
}


def wan(mode: Mode, model: str, **differing: Any) -> Capability:
    """Wan 2.7's capability in a mode, under a service's name for the model; `differing` are fields of Capability."""
    return Capability(**{"mode": mode, "model": model, **_ALL_MODES, **_BY_MODE[mode], **differing})
