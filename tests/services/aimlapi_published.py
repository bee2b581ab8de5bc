"""AIMLAPI's published schemas of Wan 3.0 and HappyHorse, from which neither the adapter nor the emulator was written.

Each was transcribed on 2026-11-29 from a file of github.com/aimlapi/api-docs, below
docs/api-references/video-models/Alibaba-Cloud; what a description says in words is a rule here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

_URI = {"type": "string", "format": "uri"}
_TEXT = {"type": "string"}
_SWITCH = {"type": "boolean"}


def _list(most: int) -> dict[str, Any]:
    return {"type": "array", "items": _URI, "maxItems": most}


def _choice(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _body(model: str, **properties: Any) -> dict[str, Any]:
    common = {"model": _choice(model), "seed": {"type": "integer"}, "watermark": _SWITCH}
    return {"type": "object", "properties": common | properties, "required": ["model", "prompt"]}


def _without(*names: str) -> dict[str, Any]:
    return {"not": {"anyOf": [{"required": [name]} for name in names]}}


# wan3.0-video.json at commit 7f3fa90a. Another file of the same model, wan-3-0-video.json at 7acdfa3f, differs in the
# id alone: `alibaba/wan-3-0-video`. Its catalogue, as others have printed it, lists the one that is used here.
_WAN_3 = _body(
    "alibaba/wan3.0-video",
    prompt={"type": "string", "maxLength": 20_000},
    image_url=_URI,
    last_image_url=_URI,
    reference_image_urls=_list(10),
    video_urls=_list(5),
    audio_urls=_list(5),
    file_url=_URI,
    link_url=_URI,
    aspect_ratio=_choice("adaptive", "16:9", "4:3", "1:1", "3:4", "9:16"),
    resolution=_choice("480p", "720p", "1080p"),
    # "From 2 to 30."
    duration={"type": "integer", "minimum": 2, "maximum": 30},
    generate_audio=_SWITCH,
) | {
    # "Requires image_url."
    "dependentRequired": {"last_image_url": ["image_url"]},
    # "Cannot be used together with reference media, file_url, or link_url"; nor these two with each other.
    "dependentSchemas": {
        "image_url": _without("reference_image_urls", "video_urls", "audio_urls", "file_url", "link_url"),
        "file_url": _without("link_url"),
    },
}

_HORSE: Mapping[str, Any] = {
    "prompt": _TEXT,
    "image_url": _URI,
    "reference_image_urls": _list(9),
    "aspect_ratio": _choice("16:9", "9:16", "1:1", "4:3", "3:4"),
    "resolution": _choice("720p", "1080p"),
    "duration": {"type": "integer", "enum": list(range(3, 16))},
}
SCHEMAS: Mapping[str, dict[str, Any]] = {
    "alibaba/wan3.0-video": _WAN_3,
    # happyhorse-1-1.json at commit f14fa72f.
    "alibaba/happyhorse-1.1": _body("alibaba/happyhorse-1.1", **_HORSE),
    # happyhorse-1-0.json at commit f14fa72f.
    "alibaba/happyhorse-1-0": _body(
        "alibaba/happyhorse-1-0", **_HORSE, video_url=_URI, audio_setting=_choice("auto", "origin")
    ),
}

# The same in both files of Wan 3.0; in those of HappyHorse `video` is an object alone.
REPLY: Mapping[str, Any] = {
    "type": "object",
    "required": ["id", "status"],
    "properties": {
        "id": _TEXT,
        "status": _choice("queued", "generating", "completed", "error"),
        "video": {
            "anyOf": [
                {"type": "object", "required": ["url"], "properties": {"url": _URI}},
                {"type": "array", "items": {"type": "object", "required": ["url"], "properties": {"url": _URI}}},
                {"type": "null"},
            ]
        },
        "error": {
            "type": ["object", "null"],
            "required": ["name", "message"],
            "properties": {"name": _TEXT, "message": _TEXT},
        },
        "meta": {
            "type": ["object", "null"],
            "properties": {
                "usage": {
                    "type": ["object", "null"],
                    "required": ["credits_used", "usd_spent"],
                    "properties": {"credits_used": {"type": "number"}, "usd_spent": {"type": "number"}},
                }
            },
        },
    },
}


def objections(body: Mapping[str, Any]) -> list[str]:
    """The objections of the published schema of a body's model, fields that it does not list included."""
    schema = SCHEMAS[body["model"]]
    found = [error.message for error in Draft202012Validator(schema).iter_errors(body)]
    return found + [f"unknown: {name}" for name in body.keys() - schema["properties"].keys()]
