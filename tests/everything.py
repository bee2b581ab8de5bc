"""One storyboard that uses everything that the services sell, and what each must be asked for it, field by field.

What a service can is written here from its pages, and not taken from the adapters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ALL = ("aimlapi", "apiyi", "dashscope", "freepik")
_SHOTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "  - {shot: 1A, action: She climbs., first_frame: media/boards/keeper-1A.png, sound: media/mira.wav, "
        "expand_prompt: true}",
        _ALL,
    ),
    ("  - {shot: 1B, action: She turns., continues: {shot: 1A, with: clip}}", ("apiyi", "dashscope", "freepik")),
    (
        "  - {shot: 1C, action: The lamp turns., first_frame: media/boards/keeper-1A.png, "
        "last_frame: media/boards/keeper-2A.png}",
        ("dashscope", "freepik"),
    ),
    ("  - {shot: 2A, action: '{mira} waves.', cast: [mira], dialogue: [{mira: Hello, sound: media/mira.wav}]}", _ALL),
    ("  - {shot: 2B, action: The sea., takes: 2, circled: 1, sound: media/mira.wav}", _ALL),
    ("  - {shot: 2C, action: Foam., watermark: true}", ("apiyi", "dashscope")),
    (
        "  - {shot: 3A, action: Night., edit: {of: 2B, take: 2, instruction: Make it night., "
        "references: [media/lamp-room.png], audio: auto}}",
        ("apiyi", "dashscope"),
    ),
    (
        "  - {shot: 3B, action: '{mira} sings.', cast: [mira], model: wan3.0-video, watermark: true}",
        ("aimlapi", "apiyi", "dashscope"),
    ),
    (
        "  - {shot: 3C, action: A gull., model: happyhorse-1.1, duration: 30f, "
        "edit: {take: 1, instruction: Make it dusk.}}",
        _ALL,
    ),
)
_HEAD = """\
storyboard: 1
title: Everything
format: {fps: 12}
look: {prompt: overcast coastal light, avoid: "text, logos"}
draft: DRAFT
cast:
  mira:
    name: Mira
    description: woman in her sixties
    references: [media/mira-walk.mp4, media/mira-front.png]
    voice: media/mira.wav
defaults: {provider: SERVICE, duration: 12f}
shots:
"""
_DRAFT = "{model: wan3.0-video, resolution: 480p}"


def everything(service: str) -> str:
    """The storyboard with all that is sold at any service, for one of them."""
    return _written(service, [line for line, _ in _SHOTS])


def possible(service: str) -> str:
    """The storyboard without the shots that a service cannot make."""
    return _written(service, [line for line, able in _SHOTS if service in able])


def impossible(service: str) -> set[str]:
    """The slates of the shots that a service cannot make."""
    return {line.partition("shot: ")[2][:2] for line, able in _SHOTS if service not in able}


def _written(service: str, shots: list[str]) -> str:
    # Freepik lists no Wan 3.0; a draft may be another service's.
    draft = _DRAFT if service != "freepik" else _DRAFT.replace("{", "{provider: dashscope, ")
    return _HEAD.replace("SERVICE", service).replace("DRAFT", draft) + "\n".join(shots) + "\n"


def parts(service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The wishes of an order, in one form for all services. None: the order does not have the field."""
    native = "input" in body
    asked = body["parameters"] if native else body
    media = [item["type"] for item in body["input"].get("media", [])] if native else _media(service, path, body)
    settings = body.get("additional_settings", {})
    expands = {"aimlapi": body.get("enhance_prompt"), "freepik": settings.get("prompt_extend")}
    listed = body["input"].get("media", []) if native else [*body.get("image_urls", []), *body.get("video_urls", [])]
    voices = sum(isinstance(item, dict) and "reference_voice" in item for item in listed)
    return {
        "model": path.removeprefix("/v1/ai/") if service == "freepik" else body["model"],
        "seconds": asked.get("duration"),
        "resolution": asked["resolution"].lower(),
        "shape": asked.get("ratio", asked.get("aspect_ratio")),
        "images": media.count("reference_image"),
        "videos": media.count("reference_video"),
        "voices": voices + media.count("reference_audio"),
        "first": media.count("first_frame"),
        "last": media.count("last_frame"),
        "clip": media.count("first_clip"),
        "edited": media.count("video"),
        "sounds": media.count("driving_audio") + ("audio_url" in (body["input"] if native else body)),
        "audio": asked.get("audio_setting"),
        "mark": asked.get("watermark"),
        "expands": expands.get(service, asked.get("prompt_extend")),
        "avoid": "field" if (body["input"] if native else body).get("negative_prompt") else "prompt",
    }


def _media(service: str, path: str, body: Mapping[str, Any]) -> list[str]:
    """The fields of a flat body that name files, in Model Studio's words."""
    is_continued = service == "freepik" and "image-to-video/wan" in path
    words = {
        "image_url": "first_frame",
        "first_frame_image": "first_frame",
        "start_image_url": "first_frame",
        "last_image_url": "last_frame",
        "end_image_url": "last_frame",
        "image_urls": "reference_image",
        "reference_image_urls": "reference_image",
        "video_urls": "reference_video",
        "audio_urls": "reference_audio",
        "video_url": "first_clip" if is_continued else "video",
    }
    found = []
    for field, word in words.items():
        named = body.get(field, [])
        found += [word] * (len(named) if isinstance(named, list) else 1)
    return found


_NOTHING = dict.fromkeys(("images", "videos", "voices", "first", "last", "clip", "edited", "sounds"), 0)
_WAN_2_7 = {"mark": False, "expands": False, "avoid": "field", "audio": None, "resolution": "720p"}
_LATER = {"mark": False, "expands": None, "avoid": "prompt", "audio": None, "resolution": "720p"}
_MODELS = {
    "aimlapi": {
        "i2v": "alibaba/wan-2-7-i2v",
        "r2v": "alibaba/wan-2-7-r2v",
        "t2v": "alibaba/wan-2-7-t2v",
        "wan3": "alibaba/wan3.0-video",
        "horse": "alibaba/happyhorse-1.1",
        "horse-edit": "alibaba/happyhorse-1-0",
    },
    "dashscope": {
        "i2v": "wan2.7-i2v",
        "r2v": "wan2.7-r2v",
        "t2v": "wan2.7-t2v",
        "edit": "wan2.7-videoedit",
        "wan3": "wan3.0-video",
        "horse": "happyhorse-1.1-t2v",
        "horse-edit": "happyhorse-1.0-video-edit",
    },
    "freepik": {
        "i2v": "image-to-video/wan-2-7",
        "r2v": "reference-to-video/wan-2-7",
        "t2v": "text-to-video/wan-2-7",
        "horse": "text-to-video/happy-horse-1-1",
        "horse-edit": "video-edit/happy-horse-1",
    },
}


def asked_for(service: str) -> dict[tuple[str, int], dict[str, Any]]:
    """The expected `parts` of each take of the film, by slate and number."""
    ids = _MODELS["dashscope" if service == "apiyi" else service]
    shortest = 5 if service == "aimlapi" else 2
    text = {"model": ids["t2v"], "seconds": shortest, "shape": "16:9"}
    frames = {"model": ids["i2v"], "seconds": shortest, "shape": None, "first": 1}
    shown = {"images": 1, "videos": 1, "shape": "16:9"}
    found: dict[tuple[str, int], dict[str, Any]] = {
        ("1A", 1): _WAN_2_7 | frames | {"sounds": 1, "expands": True},
        # Two seconds of the clip before, and one of its own.
        ("1B", 1): _WAN_2_7 | frames | {"first": 0, "clip": 1, "seconds": 3},
        ("1C", 1): _WAN_2_7 | frames | {"last": 1},
        ("2A", 1): _WAN_2_7 | shown | {"model": ids["r2v"], "seconds": shortest, "voices": 2},
        ("2B", 1): _WAN_2_7 | text | {"sounds": 1},
        ("2B", 2): _WAN_2_7 | text | {"sounds": 1},
        ("2C", 1): _WAN_2_7 | text | {"mark": True},
        # All of the clip: 0 s.
        ("3A", 1): _WAN_2_7
        | {"model": ids.get("edit"), "seconds": 0, "shape": None, "edited": 1, "images": 1, "audio": "auto"},
        ("3B", 1): _LATER | shown | {"model": ids.get("wan3"), "seconds": 2, "voices": 1, "mark": True},
        ("3C", 1): _LATER | {"model": ids["horse"], "seconds": 3, "shape": "16:9"},
        ("3C", 2): _LATER
        | {"model": ids["horse-edit"], "seconds": None, "shape": None, "edited": 1, "audio": "origin"},
    }
    if service == "aimlapi":
        found["2A", 1]["voices"] = 0
        for take in (("2B", 1), ("2B", 2)):
            found[take]["mark"] = None
    if service == "freepik":
        for take, wanted in found.items():
            wanted["mark"] = None
            wanted["avoid"] = "field" if take == ("2A", 1) else "prompt"
    return {take: _NOTHING | wanted for take, wanted in found.items() if take[0] not in impossible(service)}


def asked_for_the_draft() -> dict[tuple[str, int], dict[str, Any]]:
    """The same of the draft at DashScope, which has no edits and no clips to go on from."""
    wan_3 = _LATER | {"model": "wan3.0-video", "resolution": "480p", "seconds": 2, "shape": "16:9"}
    frames = {"first": 1, "shape": None}
    found = {
        ("1A", 1): wan_3 | frames,
        ("1B", 1): wan_3 | frames,
        ("1C", 1): wan_3 | frames | {"last": 1},
        ("2A", 1): wan_3 | {"images": 1, "videos": 1, "voices": 1},
        ("2B", 1): wan_3,
        ("2B", 2): wan_3,
        ("2C", 1): wan_3 | {"mark": True},
        ("3A", 1): wan_3,
        ("3B", 1): wan_3 | {"images": 1, "videos": 1, "voices": 1, "mark": True},
        ("3C", 1): wan_3 | {"seconds": 3},
    }
    return {take: _NOTHING | wanted for take, wanted in found.items()}
