"""A create of a picture in Model Studio's form, for wan2.7-image and wan2.7-image-pro.

Source: Model Studio's API reference "Wan image generation and editing 2.7" of 2026-11-20 and Qwen Cloud's of the
asynchronous path, read 2026-11-29.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.services import wan
from tests.services.checking import Field, Violation
from tests.services.jobs import Job, Phase
from tests.services.references import Reference
from tests.services.sales import Order, nearest_ratio

MODELS = ("wan2.7-image", "wan2.7-image-pro")
PROMPT = 5000
"""Characters."""
_MOST_PICTURES = 9
_LEAST_PIXELS, _MOST_PIXELS, _MOST_PIXELS_OF_TEXT = 768**2, 2048**2, 4096**2
"""The last is for wan2.7-image-pro without pictures."""
_PRESETS = {"1K": 1024, "2K": 2048, "4K": 4096}


def fields(*, schemes: tuple[str, ...], refuses_long: bool) -> dict[str, Field]:
    """The table. `schemes` are those that the address of a picture may have."""
    part = {
        "text": Field("text", least=1, most=PROMPT if refuses_long else None),
        "image": Field("url", schemes=schemes),
    }
    content = Field("list", needed=True, least=1, item=Field("object", fields=part))
    message = {"role": Field("text", needed=True, choices=("user",)), "content": content}
    messages = Field("list", needed=True, least=1, most=1, item=Field("object", fields=message))
    color = {"hex": Field("text", needed=True), "ratio": Field("text", needed=True)}
    parameters = {
        "size": Field("text"),
        "n": Field("integer", least=1, most=12),
        "enable_sequential": Field("boolean"),
        "thinking_mode": Field("boolean"),
        "watermark": Field("boolean"),
        "seed": Field("integer", least=0, most=2**31 - 1),
        # In no page, but the `dashscope` package sends it, 2.0.2.
        "is_async": Field("boolean"),
        "bbox_list": Field("list"),
        "color_palette": Field("list", least=3, most=10, item=Field("object", fields=color)),
    }
    return {
        "model": Field("text", needed=True, choices=MODELS),
        "input": Field("object", needed=True, fields={"messages": messages}),
        "parameters": Field("object", fields=parameters),
    }


def combinations(body: Mapping[str, Any]) -> list[Violation]:
    """Errors in the combination of fields that are each right."""
    parts, chosen = _parts(body), body.get("parameters", {})
    texts, pictures = ([part for part in parts if name in part] for name in ("text", "image"))
    wrong = []
    if any(len(part.keys() & {"text", "image"}) != 1 for part in parts) or len(texts) != 1:
        wrong.append(_content("one text, and each part a text or an image", f"{len(texts)} texts"))
    if len(pictures) > _MOST_PICTURES:
        wrong.append(_content(f"at most {_MOST_PICTURES} images", str(len(pictures))))
    if not chosen.get("enable_sequential") and chosen.get("n", 1) > 4:
        wrong.append(Violation(("parameters", "n"), "combination", "1 to 4", str(chosen["n"])))
    most = _MOST_PIXELS_OF_TEXT if body["model"] == "wan2.7-image-pro" and not pictures else _MOST_PIXELS
    size = _size(chosen.get("size", "2K"))
    if size is None or not _LEAST_PIXELS <= size[0] * size[1] <= most or max(size) > 8 * min(size):
        expected = f"1K, 2K, 4K, or width*height of {_LEAST_PIXELS} to {most} pixels"
        wrong.append(Violation(("parameters", "size"), "combination", expected, chosen.get("size", "")))
    return wrong


def references(body: Mapping[str, Any]) -> list[Reference]:
    """All pictures that a create names."""
    return [
        Reference(part["image"], "image", f"input.messages[0].content[{at}].image")
        for at, part in enumerate(_parts(body))
        if "image" in part
    ]


def order(body: Mapping[str, Any]) -> Order:
    """The order; more than one picture is billed, and only the first is of use."""
    width, height = _size(body.get("parameters", {}).get("size", "2K")) or (0, 0)
    (prompt,) = (part["text"] for part in _parts(body) if "text" in part)
    return Order(body["model"], prompt[:PROMPT], 0, "1080p", nearest_ratio(width, height), width, height)


def task_reply(job: Job, phase: Phase, word: str | None, link: str) -> dict[str, object]:
    """`output` and, when done, `usage`, as a poll returns them."""
    reply = wan.task_reply(job, phase, word, link)
    if phase is not Phase.DONE:
        return reply
    output = {name: value for name, value in dict(reply["output"]).items() if name not in ("video_url", "orig_prompt")}  # type: ignore[call-overload]
    content = [{"type": "image", "image": link}]
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    made = job.sale.order
    usage = {
        "size": f"{made.width}*{made.height}",
        "total_tokens": 11017,
        "image_count": job.sale.body.get("parameters", {}).get("n", 1),
        "output_tokens": 2,
        "input_tokens": 11015,
    }
    return {"output": output | {"finished": True, "choices": [choice]}, "usage": usage}


def _size(written: str) -> tuple[int, int] | None:
    if side := _PRESETS.get(written):
        return side, side
    found = re.fullmatch(r"([0-9]{3,4})\*([0-9]{3,4})", written)
    return (int(found[1]), int(found[2])) if found else None


def _parts(body: Mapping[str, Any]) -> list[dict[str, str]]:
    parts: list[dict[str, str]] = body["input"]["messages"][0]["content"]
    return parts


def _content(expected: str, received: str) -> Violation:
    return Violation(("input", "messages", 0, "content"), "combination", expected, received)
