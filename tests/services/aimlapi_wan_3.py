"""AIMLAPI's `alibaba/wan3.0-video`, `alibaba/happyhorse-1.1` and `-1-0`: one id and one set of fields for all modes.

Source: its published schemas, read 2026-11-29: github.com/aimlapi/api-docs, wan3.0-video.json at 7f3fa90a,
happyhorse-1-1.json and happyhorse-1-0.json at f14fa72f. 1.0 is used for edits alone. The lengths of files and what
excludes what are upstream's (`wan_3`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.services import wan_3
from tests.services.checking import Field, Violation
from tests.services.references import Finding, Reference

_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")
_PICTURE = Field("url", schemes=("http", "https", "data"))
_COMMON = {
    "model": Field("text", needed=True),
    "seed": Field("integer"),
    "watermark": Field("boolean"),
}
_HAPPY_HORSE = _COMMON | {
    "prompt": Field("text", needed=True),
    "image_url": _PICTURE,
    "reference_image_urls": Field("list", most=9, item=Field("url")),
    "aspect_ratio": Field("text", choices=_RATIOS),
    "resolution": Field("text", choices=("720p", "1080p")),
    "duration": Field("integer", choices=tuple(range(3, 16))),
}
FIELDS: Mapping[str, Mapping[str, Field]] = {
    "alibaba/wan3.0-video": _COMMON
    | {
        "prompt": Field("text", needed=True, most=20_000),
        "image_url": Field("url"),
        "last_image_url": Field("url"),
        "reference_image_urls": Field("list", most=10, item=Field("url")),
        "video_urls": Field("list", most=5, item=Field("url")),
        "audio_urls": Field("list", most=5, item=Field("url")),
        "aspect_ratio": Field("text", choices=("adaptive", *_RATIOS)),
        "resolution": Field("text", choices=("480p", "720p", "1080p")),
        "duration": Field("integer", least=2, most=30),
        "generate_audio": Field("boolean"),
        "file_url": Field("url"),
        "link_url": Field("url"),
    },
    "alibaba/happyhorse-1.1": _HAPPY_HORSE,
    "alibaba/happyhorse-1-0": _HAPPY_HORSE
    | {
        "video_url": Field("url", schemes=("http", "https", "data")),
        "audio_setting": Field("text", choices=("auto", "origin")),
    },
}
_MEDIA = {
    "image_url": "first_frame",
    "last_image_url": "last_frame",
    "reference_image_urls": "reference_image",
    "video_urls": "reference_video",
    "audio_urls": "reference_audio",
    "video_url": "video",
}


def _form(body: Mapping[str, Any]) -> wan_3.Form:
    if body["model"] == "alibaba/wan3.0-video":
        return "wan3"
    if "video_url" in body:
        return "horse-edit"
    return "horse-i2v" if "image_url" in body else "horse-r2v"


def _upstream(body: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The create as upstream gets it, and the field of each of its media here."""
    media, wheres = [], []
    for field, kind in _MEDIA.items():
        named = body.get(field, [])
        for at, url in enumerate([named] if isinstance(named, str) else named):
            media.append({"type": kind, "url": url})
            wheres.append(field if isinstance(named, str) else f"{field}[{at}]")
    return {"input": {"media": media}, "parameters": {"duration": body.get("duration", 5)}}, wheres


def combinations(body: Mapping[str, Any]) -> list[Violation]:
    """The violations of rules on which parameters exclude each other."""
    wrong = wan_3.combinations(_form(body), _upstream(body)[0])
    sources = [name for name in ("file_url", "link_url") if name in body]
    if len(sources) == 2 or (sources and "image_url" in body):
        wrong.append(Violation((sources[0],), "combination", "a file, a link or frames", " + ".join(sources)))
    return [replace(one, where=("image_url",)) for one in wrong]


def edited_seconds(body: Mapping[str, Any], findings: Mapping[str, Finding]) -> int:
    """Seconds of an edit, which is as long as its clip; 5 where that was not opened, 0 if the create is no edit."""
    if "video_url" not in body:
        return 0
    return min(round(findings.get("video_url", Finding()).seconds) or 5, wan_3.EDITED_SECONDS)


def references(body: Mapping[str, Any]) -> list[Reference]:
    """All files that a create names."""
    passed, wheres = _upstream(body)
    found = wan_3.references(_form(body), passed)
    return [replace(one, where=where) for one, where in zip(found, wheres, strict=True)]


def _findings(body: Mapping[str, Any], findings: Mapping[str, Finding]) -> dict[str, Finding]:
    wheres = enumerate(_upstream(body)[1])
    return {f"input.media[{at}].url": findings[where] for at, where in wheres if where in findings}


def too_long(body: Mapping[str, Any], findings: Mapping[str, Finding]) -> list[Violation]:
    """The violations of limits on the length of opened files together."""
    wrong = wan_3.too_long(_upstream(body)[0], _findings(body, findings))
    return [replace(wrong, where=("duration",))] if wrong else []


def input_seconds(body: Mapping[str, Any], findings: Mapping[str, Finding]) -> int:
    """Seconds of reference video that are billed."""
    return wan_3.input_seconds(_upstream(body)[0], _findings(body, findings))
