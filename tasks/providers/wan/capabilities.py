"""The capabilities and file limits of Alibaba's models, as their maker sells them. Each service's module says where it
differs.

Source of Wan 2.7: Model Studio's API references for wan2.7-r2v, -i2v and -t2v.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability, MediaLimits, Model, model_of

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
    # A clip to go on from has 2 to 10 s, and the length of the new one, which is billed, is that of both together.
    Mode.IMAGE: {"media": WAN, "follows_first_frame": True, "sound": True, "first_clip": (2, 10)},
    Mode.TEXT: {"media": WAN, "first_frame": False, "sound": True},
    # Its length is that of the clip, or a part from its beginning, and both are billed: Model Studio's reference for
    # video editing, and docs.evolink.ai on billing; read 2026-11-29.
    Mode.EDIT: {
        "media": WAN,
        "durations": tuple(range(2, 11)),
        "edits": (2, 10),
        "images": 4,
        "videos": 0,
        "first_frame": False,
        "follows_first_frame": True,
    },
}


def wan(mode: Mode, model: str, **differing: Any) -> Capability:
    """Wan 2.7's capability in a mode, under a service's name for the model; `differing` are fields of Capability."""
    return Capability(**{"mode": mode, "model": model, **_ALL_MODES, **_BY_MODE[mode], **differing})


WAN_3 = WAN.model_copy(
    update={"video_seconds": (1, 15), "voice_seconds": (1, 15), "all_videos_seconds": 15, "all_voices_seconds": 15}
)
_WAN_3_ALL: Mapping[str, Any] = {
    "durations": tuple(range(2, 31)),
    "resolutions": ("480p", "720p", "1080p"),
    "prompt_length": 20_000,
    "negative_prompt": False,
    "watermark": True,
    "media": WAN_3,
    "form": "all in one",
}
_WAN_3: Mapping[Mode, Mapping[str, Any]] = {
    # Frames and references exclude each other.
    Mode.REFERENCE: {
        "images": 10,
        "videos": 5,
        "voices": 5,
        "voice": True,
        "seconds_with_video": 30,
        "first_frame": False,
    },
    Mode.IMAGE: {"last_frame": True, "follows_first_frame": True},
    Mode.TEXT: {"first_frame": False},
}


def wan_3(model: str, **differing: Any) -> Model:
    """Wan 3.0, one id for all modes. It has no negative prompt and no switch for expanding the prompt.

    Source: Model Studio's API reference for wan3.0-video, read 2026-11-28, and AIMLAPI's published schema of the same
    model, read 2026-11-29: "the total input video duration plus the output video duration must not exceed 30 seconds".
    """
    return _family(_WAN_3_ALL, _WAN_3, dict.fromkeys(Mode, model), differing)


_NONE: Mapping[Mode, Any] = {}
_HAPPY_HORSE_ALL: Mapping[str, Any] = {
    "durations": tuple(range(3, 16)),
    # 2500 of Chinese, and 5000 of other text; what is beyond is cut in silence.
    "prompt_length": 2500,
    "negative_prompt": False,
    "watermark": True,
    "label": "[Image 1]",
    "media": WAN.model_copy(update={"image_formats": ("JPEG", "PNG", "WEBP"), "image_sides": (400, 8000)}),
    "form": "all in one",
}
_HAPPY_HORSE: Mapping[Mode, Mapping[str, Any]] = {
    Mode.REFERENCE: {"images": 9, "videos": 0, "first_frame": False},
    # fal.ai's page of its image-to-video, read 2026-11-29: sides of 300 pixels and more, 1:2.5 to 2.5:1, BMP too.
    Mode.IMAGE: {
        "follows_first_frame": True,
        "media": WAN.model_copy(update={"image_sides": (300, 8000), "shape": 2.5}),
    },
    Mode.TEXT: {"first_frame": False},
    # Model Studio's reference "HappyHorse video editing" of 2026-10-13, as docs.comfy.org and docs.oxen.ai repeat it,
    # read 2026-11-29: a clip of 3 to 60 s, of which the first 15 are made, at most 5 pictures, and no duration.
    Mode.EDIT: {
        "edits": (3, 15),
        "edits_part": False,
        "images": 5,
        "videos": 0,
        "first_frame": False,
        "follows_first_frame": True,
    },
}


HAPPY_HORSE: Mapping[Mode, str] = {
    Mode.REFERENCE: "happyhorse-1.1-r2v",
    Mode.IMAGE: "happyhorse-1.1-i2v",
    Mode.TEXT: "happyhorse-1.1-t2v",
    Mode.EDIT: "happyhorse-1.0-video-edit",
}
"""The ids of HappyHorse at Model Studio and at its gateways. Version 1.1 has no edit: APIYI's overview of HappyHorse,
read 2026-11-29."""


def happy_horse(ids: Mapping[Mode, str], differing_by_mode: Mapping[Mode, Any] = _NONE, **differing: Any) -> Model:
    """HappyHorse 1.1, from pictures or text alone, and the edits of 1.0, in the modes in which it has an id.

    Source: Model Studio's list of video models and its references for HappyHorse, as other gateways repeat them, and
    AIMLAPI's published schema; read 2026-11-29.
    """
    by_mode = {mode: {**_HAPPY_HORSE[mode], **differing_by_mode.get(mode, {})} for mode in _HAPPY_HORSE if mode in ids}
    return _family(_HAPPY_HORSE_ALL, by_mode, ids, differing)


def wan_image(model: str, **differing: Any) -> Model:
    """Wan 2.7's pictures, from text and up to 9 pictures, at most 2048 × 2048.

    Source: Model Studio's API reference "Wan image generation and editing 2.7" of 2026-11-20 and its guide to image
    editing, whose prompts name `image 1`, read 2026-11-29. The table of its parameters has no negative prompt.
    """
    return model_of(
        Capability(
            **{
                "mode": Mode.STILL,
                "model": model,
                "durations": (0,),
                "resolutions": ("1080p",),
                "images": 9,
                "videos": 0,
                "first_frame": False,
                "negative_prompt": False,
                "prompt_length": 5000,
                "watermark": True,
                "label": "image 1",
                "media": WAN,
                **differing,
            }
        )
    )


def _family(
    all_modes: Mapping[str, Any],
    by_mode: Mapping[Mode, Mapping[str, Any]],
    ids: Mapping[Mode, str],
    differing: Mapping[str, Any],
) -> Model:
    return model_of(
        *(
            Capability(**{"mode": mode, "model": ids[mode], **all_modes, **differing, **one})
            for mode, one in by_mode.items()
        )
    )
