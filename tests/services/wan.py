"""A create in Model Studio's form (`model`, `input`, `parameters`), which DashScope reads and APIYI passes on.

Fields, limits and combinations are those of Model Studio's Wan 2.7 API references; those of other models are in
`wan_3`, and are asked for here too.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from tests.services import wan_3
from tests.services.checking import Field, Violation
from tests.services.clock import beijing
from tests.services.jobs import Job, Phase
from tests.services.references import Finding, Kind, Reference
from tests.services.sales import Order, nearest_ratio, ordered

Mode = Literal["r2v", "i2v", "t2v", "edit"]

MODELS: Mapping[str, Mode | wan_3.Form] = {
    **wan_3.MODELS,
    "wan2.7-videoedit": "edit",
    "wan2.7-r2v": "r2v",
    "wan2.7-r2v-2026-06-12": "r2v",
    "wan2.7-i2v": "i2v",
    "wan2.7-i2v-2026-04-25": "i2v",
    "wan2.7-t2v": "t2v",
    "wan2.7-t2v-2026-04-25": "t2v",
    "wan2.7-t2v-2026-06-12": "t2v",
}

WORDS = {
    Phase.WAITING: "PENDING",
    Phase.RUNNING: "RUNNING",
    Phase.DONE: "SUCCEEDED",
    Phase.FAILED: "FAILED",
    Phase.CANCELED: "CANCELED",
    Phase.FORGOTTEN: "UNKNOWN",
}

PROMPT, NEGATIVE = 5000, 500
"""Characters."""
DOCUMENTED_SETS = (
    ("first_frame",),
    ("first_frame", "driving_audio"),
    ("first_frame", "last_frame"),
    ("first_frame", "last_frame", "driving_audio"),
    ("first_clip",),
    ("first_clip", "last_frame"),
)
"""The sets of media that an i2v create may have."""

_KINDS: Mapping[str, Kind] = {
    "reference_image": "image",
    "reference_video": "video",
    "first_frame": "image",
    "last_frame": "image",
    "first_clip": "clip",
    "driving_audio": "audio",
    "video": "clip",
}
_MEDIA: Mapping[str, tuple[str, ...]] = {
    "r2v": ("reference_image", "reference_video", "first_frame"),
    "i2v": ("first_frame", "last_frame", "first_clip", "driving_audio"),
    "t2v": (),
    "edit": ("video", "reference_image"),
}


NEEDS_MEDIA = frozenset({"r2v", "i2v", "edit"}) | wan_3.NEEDS_MEDIA


def fields(
    mode: Mode | wan_3.Form,
    *,
    schemes: tuple[str, ...],
    refuses_long: bool,
    also: Mapping[str, Field] = MappingProxyType({}),
) -> dict[str, Field]:
    """The table for one mode. `schemes` are those that a media URL may have, `also` more fields of `input`.

    Whether too long a prompt is refused is `refuses_long`.
    """
    if form := wan_3.FORMS.get(mode):
        return wan_3.fields(form, schemes=schemes, refuses_long=refuses_long, also=also)
    url = Field("url", schemes=schemes)
    item = Field(
        "object",
        fields={
            "type": Field("text", needed=True, choices=_MEDIA[mode]),
            "url": Field("url", needed=True, schemes=schemes),
        }
        | ({"reference_voice": url} if mode == "r2v" else {}),
    )
    inputs = {
        "prompt": Field("text", needed=mode not in ("i2v", "edit"), least=1, most=PROMPT if refuses_long else None),
        "negative_prompt": Field("text", most=NEGATIVE if refuses_long else None),
    }
    inputs |= also
    inputs |= {"audio_url": url} if mode == "t2v" else {"media": Field("list", needed=True, item=item)}
    parameters = {
        "resolution": Field("text", choices=("720P", "1080P")),
        "duration": Field("integer", least=2, most=15),
        "prompt_extend": Field("boolean"),
        "watermark": Field("boolean"),
        "seed": Field("integer", least=0, most=2**31 - 1),
    }
    if mode != "i2v":
        parameters["ratio"] = Field("text", choices=("16:9", "9:16", "1:1", "4:3", "3:4"))
    if mode == "edit":
        # 0 is as long as the clip; else a part from its beginning.
        parameters["duration"] = Field("integer", least=0, most=10)
        parameters["audio_setting"] = Field("text", choices=("auto", "origin"))
    if mode == "t2v":
        parameters["shot_type"] = Field("text", choices=("single", "multi"))
    return {
        "model": Field("text", needed=True),
        "input": Field("object", needed=True, fields=inputs),
        "parameters": Field("object", fields=parameters),
    }


def combinations(
    mode: Mode | wan_3.Form, body: Mapping[str, Any], sets: tuple[tuple[str, ...], ...] = DOCUMENTED_SETS
) -> list[Violation]:
    """Errors in the combination of fields that are each right."""
    if form := wan_3.FORMS.get(mode):
        return wan_3.combinations(form, body)
    kinds = [item["type"] for item in media(body)]
    if mode == "i2v" and sorted(kinds) not in [sorted(one) for one in sets]:
        return [_media("one of " + ", ".join("{" + ", ".join(one) + "}" for one in sets), " + ".join(kinds) or "none")]
    seconds = parameters(body).get("duration", 5)
    if mode == "edit":
        return _edit_combinations(kinds, parameters(body).get("duration", 0))
    if mode != "r2v":
        return []
    wrong = []
    references = len(kinds) - kinds.count("first_frame")
    if not 1 <= references <= 5:
        wrong.append(_media("1 to 5 reference images and videos together", str(references)))
    if kinds.count("first_frame") > 1:
        wrong.append(_media("at most 1 first_frame", str(kinds.count("first_frame"))))
    if any("reference_voice" in item for item in media(body) if item["type"] == "first_frame"):
        wrong.append(_media("reference_voice on a reference", "on a first_frame"))
    if "reference_video" in kinds and seconds > 10:
        wrong.append(
            Violation(("parameters", "duration"), "combination", "2 to 10 with a reference video", str(seconds))
        )
    return wrong


def _edit_combinations(kinds: list[str], seconds: int) -> list[Violation]:
    wrong = []
    if kinds.count("video") != 1:
        wrong.append(_media("1 video", str(kinds.count("video"))))
    if kinds.count("reference_image") > 4:
        wrong.append(_media("at most 4 reference_image", str(kinds.count("reference_image"))))
    if seconds == 1:
        wrong.append(Violation(("parameters", "duration"), "combination", "0, or 2 to 10", "1"))
    return wrong


def too_long(body: Mapping[str, Any], findings: Mapping[str, Finding]) -> Violation | None:
    """The violation of a limit on the length of opened files together; None if there is none."""
    if MODELS[body["model"]] == "edit":
        has, asked = _edited(body, findings), parameters(body).get("duration", 0)
        if has and asked > has + 0.1:
            return Violation(("parameters", "duration"), "combination", f"at most the video's {has:.2f}", str(asked))
    return wan_3.too_long(body, findings) if body["model"] in wan_3.MODELS else None


def _media(expected: str, received: str) -> Violation:
    return Violation(("input", "media"), "combination", expected, received)


def media(body: Mapping[str, Any]) -> list[dict[str, str]]:
    """The media items of a create that fits the table."""
    items: list[dict[str, str]] = body["input"].get("media", [])
    return items


def parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a create that fits the table."""
    values: dict[str, Any] = body.get("parameters", {})
    return values


def references(body: Mapping[str, Any]) -> list[Reference]:
    """All files that a create names."""
    if form := wan_3.MODELS.get(body["model"]):
        return wan_3.references(form, body)
    found = []
    for at, item in enumerate(media(body)):
        found.append(Reference(item["url"], _KINDS[item["type"]], f"input.media[{at}].url"))
        if "reference_voice" in item:
            found.append(Reference(item["reference_voice"], "voice", f"input.media[{at}].reference_voice"))
    if "audio_url" in body["input"]:
        found.append(Reference(body["input"]["audio_url"], "audio", "input.audio_url"))
    return found


def _edited(body: Mapping[str, Any], findings: Mapping[str, Finding]) -> float:
    """Seconds of the clip that is edited; 0 where it was not opened."""
    ((at, _),) = [(at, item) for at, item in enumerate(media(body)) if item["type"] == "video"]
    found = findings.get(f"input.media[{at}].url")
    return found.seconds if found else 0


def order(body: Mapping[str, Any], findings: Mapping[str, Finding]) -> Order:
    """The order: a first frame decides the shape, and a prompt beyond its limit is cut."""
    chosen, form = parameters(body), wan_3.MODELS.get(body["model"])
    ratio = chosen.get("ratio", "16:9").replace("adaptive", "16:9")
    for at, item in enumerate(media(body)):
        found = findings.get(f"input.media[{at}].url")
        if item["type"] in ("first_frame", "first_clip", "video") and found and found.width:
            ratio = nearest_ratio(found.width, found.height)
    seconds, billed = chosen.get("duration", 5), wan_3.input_seconds(body, findings) if form else None
    if MODELS[body["model"]] in ("edit", "horse-edit"):
        billed = round(_edited(body, findings)) or 5
        seconds = chosen.get("duration", 0) or min(billed, wan_3.EDITED_SECONDS)
    return ordered(
        model=body["model"],
        prompt=body["input"].get("prompt", "")[: wan_3.PROMPT[form] if form else PROMPT],
        seconds=seconds,
        resolution=chosen.get("resolution", "1080P"),
        ratio=ratio,
        with_video=any(item["type"] == "reference_video" for item in media(body)),
        input_seconds=billed,
    )


def oss_target(job: Job, expires: float) -> str:
    """Path and query of a signed link to a clip or picture in OSS."""
    signature, ending = (
        secrets.token_hex(8),
        "wav" if job.sale.order.voice else "png" if job.sale.order.is_picture else "mp4",
    )
    return f"/1d/{job.number:02x}/{job.id}.{ending}?Expires={int(expires)}&OSSAccessKeyId=LTAI&Signature={signature}"


def task_reply(job: Job, phase: Phase, word: str | None, link: str) -> dict[str, object]:
    """`output` and, when done, `usage`, as a poll returns them. Times are UTC+8, without the zone."""
    output: dict[str, object] = {"task_id": job.id, "task_status": word or WORDS[phase]}
    if phase is Phase.FORGOTTEN:
        return {"output": output}
    output["submit_time"] = beijing(job.created)
    if phase is not Phase.WAITING and job.started is not None:
        output["scheduled_time"] = beijing(job.started)
    if job.ended is not None:
        output["end_time"] = beijing(job.ended)
    if phase is Phase.FAILED:
        failure = job.script.failure
        reason = {} if failure.shape == "none" else {"code": failure.code, "message": failure.message}
        return {"output": output | reason}
    if phase is not Phase.DONE:
        return {"output": output}
    made = job.sale.order
    usage = {
        "duration": made.billed_seconds,
        "input_video_duration": made.input_seconds,
        "output_video_duration": made.seconds,
        "video_count": 1,
        "SR": int(made.resolution.removesuffix("p")),
        "ratio": made.ratio,
    }
    return {"output": output | {"orig_prompt": made.prompt, "video_url": link}, "usage": usage}
