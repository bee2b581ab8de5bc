"""A create for Wan 3.0 or HappyHorse in Model Studio's form, which differs from Wan 2.7's in fields, limits and sets.

Wan 3.0: Model Studio's API reference, read 2026-11-28, and AIMLAPI's published schema, read 2026-11-29. HappyHorse: the
references of Model Studio's gateways, read 2026-11-29; its edit: Model Studio's page "HappyHorse video editing" of
2026-10-13, as docs.comfy.org and docs.oxen.ai repeat it, read 2026-11-29. None has a negative prompt or an expansion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from tests.services.checking import Field, Violation
from tests.services.references import Finding, Kind, Reference

Form = Literal["wan3", "horse-r2v", "horse-i2v", "horse-t2v", "horse-edit"]

MODELS: Mapping[str, Form] = {
    "wan3.0-video": "wan3",
    "wan3.0-video-prime": "wan3",
    "happyhorse-1.1-r2v": "horse-r2v",
    "happyhorse-1.1-i2v": "horse-i2v",
    "happyhorse-1.1-t2v": "horse-t2v",
    "happyhorse-1.0-video-edit": "horse-edit",
}
FORMS: Mapping[str, Form] = {form: form for form in MODELS.values()}
PROMPT: Mapping[Form, int] = {form: 20_000 if form == "wan3" else 2500 for form in MODELS.values()}
"""Characters; HappyHorse reads 2500 of Chinese, and twice as many of other text."""
NEEDS_MEDIA = frozenset({"horse-r2v", "horse-i2v", "horse-edit"})

_FRAMES = ("first_frame", "last_frame")
_MOST: Mapping[Form, Mapping[str, int]] = {
    "wan3": {"first_frame": 1, "last_frame": 1, "reference_image": 10, "reference_video": 5, "reference_audio": 5},
    "horse-r2v": {"reference_image": 9},
    "horse-i2v": {"first_frame": 1},
    "horse-t2v": {},
    "horse-edit": {"video": 1, "reference_image": 5},
}
_KINDS: Mapping[str, Kind] = {
    "first_frame": "image",
    "last_frame": "image",
    "reference_image": "image",
    "reference_video": "video",
    "reference_audio": "voice",
    "video": "clip",
}
_TOGETHER = 15
"""Most seconds of all reference videos, and of all reference audios."""
MOST_SECONDS = 30
"""Reference video and clip together."""
_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")


def fields(form: Form, *, schemes: tuple[str, ...], refuses_long: bool, also: Mapping[str, Field]) -> dict[str, Field]:
    """The table of one form, as `wan.fields`."""
    is_wan = form == "wan3"
    item = {
        "type": Field("text", needed=True, choices=tuple(_MOST[form])),
        "url": Field("url", needed=True, schemes=schemes),
    }
    inputs = {
        "prompt": Field("text", needed=form != "horse-i2v", least=1, most=PROMPT[form] if refuses_long else None),
        **also,
    }
    if _MOST[form]:
        inputs["media"] = Field("list", needed=form in NEEDS_MEDIA, item=Field("object", fields=item))
    parameters = {
        "resolution": Field("text", choices=("480P", "720P", "1080P") if is_wan else ("720P", "1080P")),
        "duration": Field("integer", least=2 if is_wan else 3, most=MOST_SECONDS if is_wan else 15),
        "watermark": Field("boolean"),
        "seed": Field("integer", least=0, most=2**31 - 1),
    }
    if form != "horse-i2v":
        parameters["ratio"] = Field("text", choices=("adaptive", *_RATIOS) if is_wan else _RATIOS)
    if is_wan:
        parameters["audio"] = Field("boolean")
    if form == "horse-edit":
        # As long as the clip, and of its shape.
        del parameters["duration"], parameters["ratio"]
        parameters["audio_setting"] = Field("text", choices=("auto", "origin"))
    return {
        "model": Field("text", needed=True),
        "input": Field("object", needed=True, fields=inputs),
        "parameters": Field("object", fields=parameters),
    }


def combinations(form: Form, body: Mapping[str, Any]) -> list[Violation]:
    """Errors in the combination of media that are each right."""
    kinds = [item["type"] for item in body["input"].get("media", [])]
    wrong = [
        _media(f"at most {most} {kind}", str(kinds.count(kind)))
        for kind, most in _MOST[form].items()
        if kinds.count(kind) > most
    ]
    frames = [kind for kind in kinds if kind in _FRAMES]
    if frames and len(frames) < len(kinds):
        wrong.append(_media("frames or references", " + ".join(kinds)))
    if "last_frame" in kinds and "first_frame" not in kinds:
        wrong.append(_media("a first_frame before the last", "last_frame alone"))
    if form == "horse-i2v" and kinds != ["first_frame"]:
        wrong.append(_media("exactly 1 first_frame", " + ".join(kinds) or "none"))
    if form == "horse-edit" and kinds.count("video") != 1:
        wrong.append(_media("exactly 1 video", " + ".join(kinds) or "none"))
    return wrong


def _media(expected: str, received: str) -> Violation:
    return Violation(("input", "media"), "combination", expected, received)


def references(form: Form, body: Mapping[str, Any]) -> list[Reference]:
    """All files that a create names, with the limits of its model."""
    found = []
    for at, item in enumerate(body["input"].get("media", [])):
        kind, where = _KINDS[item["type"]], f"input.media[{at}].url"
        if form == "wan3":
            found.append(Reference(item["url"], kind, where, seconds=(1, 15) if kind != "image" else None))
        elif kind == "clip":
            found.append(Reference(item["url"], kind, where, seconds=(3, 60)))
        elif form == "horse-i2v":
            found.append(Reference(item["url"], kind, where, sides=(300, 8000), shape=2.5))
        else:
            found.append(Reference(item["url"], kind, where, sides=(400, 8000), formats=("JPEG", "PNG", "WEBP")))
    return found


def too_long(body: Mapping[str, Any], findings: Mapping[str, Finding]) -> Violation | None:
    """The violation of a limit on the length of opened files together; None if there is none."""
    for kind in ("reference_video", "reference_audio"):
        together = _seconds(body, findings, kind)
        if together > _TOGETHER + 0.1:
            return _media(f"at most {_TOGETHER} s of {kind} together", f"{together:.2f} s")
    video, clip = _seconds(body, findings, "reference_video"), body.get("parameters", {}).get("duration", 5)
    if video + clip > MOST_SECONDS:
        expected = f"at most {MOST_SECONDS} s with the reference videos"
        return Violation(("parameters", "duration"), "combination", expected, f"{video + clip:.2f}")
    return None


EDITED_SECONDS = 15
"""As much of a clip as HappyHorse makes an edit of."""


def input_seconds(body: Mapping[str, Any], findings: Mapping[str, Finding]) -> int:
    """Seconds of reference video that are billed: all, as far as their lengths are known, else the most."""
    videos = [
        findings.get(f"input.media[{at}].url", Finding()).seconds
        for at, item in enumerate(body["input"].get("media", []))
        if item["type"] == "reference_video"
    ]
    return min(_TOGETHER, sum(map(math.ceil, videos))) if all(videos) else _TOGETHER


def _seconds(body: Mapping[str, Any], findings: Mapping[str, Finding], kind: str) -> float:
    return sum(
        findings.get(f"input.media[{at}].url", Finding()).seconds
        for at, item in enumerate(body["input"].get("media", []))
        if item["type"] == kind
    )
