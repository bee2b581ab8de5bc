"""The body of an order for one of Alibaba's models, and the billed seconds in a response, for DashScope and for APIYI's
gateway to it.

Source: Model Studio's API references for wan2.7-r2v, -i2v and -t2v; for wan3.0-video, read 2026-11-28; "Wan image
generation and editing 2.7", read 2026-11-29.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.hosted import AttachmentUrls
from storyreel.tasks.providers.http.response import amount_at, text_at, value_at
from storyreel.tasks.providers.request import Attachment, Request


def order_body(request: Request, urls: AttachmentUrls, capability: Capability) -> dict[str, Any]:
    """Model, input and parameters as JSON, with the fields alone that the model has."""
    content: dict[str, Any] = {"prompt": request.prompt}
    if request.negative_prompt:
        content["negative_prompt"] = request.negative_prompt
    media: list[dict[str, str]] = []
    if request.first_frame and request.mode is not Mode.TEXT:
        media.append({"type": "first_frame", "url": urls["first_frame", request.first_frame.digest]})
    if request.first_clip and request.mode is Mode.IMAGE:
        media.append({"type": "first_clip", "url": urls["first_clip", request.first_clip.digest]})
    if request.last_frame and request.mode is Mode.IMAGE:
        media.append({"type": "last_frame", "url": urls["last_frame", request.last_frame.digest]})
    if request.edited:
        media.append({"type": "video", "url": urls["edited", request.edited.digest]})
    if request.sound and request.mode is Mode.IMAGE:
        media.append({"type": "driving_audio", "url": urls["sound", request.sound.digest]})
    if request.sound and request.mode is Mode.TEXT:
        content["audio_url"] = urls["sound", request.sound.digest]
    if request.mode in (Mode.REFERENCE, Mode.EDIT):
        media += [_reference(reference, urls, capability) for reference in request.references]
        if capability.voices is not None:
            voices = [reference.voice for reference in request.references if reference.voice]
            media += [{"type": "reference_audio", "url": urls["voice", voice.digest]} for voice in voices]
    if media:
        content["media"] = media
    parameters: dict[str, Any] = {
        "resolution": request.resolution.upper(),
        "duration": int(request.seconds),
        "watermark": request.watermark,
        "seed": request.seed,
    }
    if capability.prompt_expansion:
        parameters["prompt_extend"] = request.expand_prompt
    if request.edited:
        parameters["audio_setting"] = request.audio
        # All of it, to the frame: a number of seconds would cut it.
        parameters["duration"] = 0 if request.seconds == request.edited.seconds else int(request.seconds)
        if not capability.edits_part:
            del parameters["duration"]
    if request.mode not in (Mode.IMAGE, Mode.EDIT):
        parameters["ratio"] = request.aspect_ratio
    return {"model": request.model, "input": content, "parameters": parameters}


def picture_body(request: Request, urls: AttachmentUrls) -> dict[str, Any]:
    """The order of one picture. Each picture is billed, so their number is written. The size is written in pixels: with
    `2K` it would have the shape of the last reference."""
    content = [{"text": request.prompt}]
    content += [{"image": urls[reference.kind, reference.digest]} for reference in request.references]
    parameters = {
        "size": f"{request.width}*{request.height}",
        "n": 1,
        "watermark": request.watermark,
        "seed": request.seed,
    }
    messages = [{"role": "user", "content": content}]
    return {"model": request.model, "input": {"messages": messages}, "parameters": parameters}


def _reference(reference: Attachment, urls: AttachmentUrls, capability: Capability) -> dict[str, str]:
    item = {"type": f"reference_{reference.kind}", "url": urls[reference.kind, reference.digest]}
    if reference.voice and capability.voices is None:
        item["reference_voice"] = urls["voice", reference.voice.digest]
    return item


PICTURES = ("usage", "image_count")
"""The path of the number of billed pictures in a response."""
BILLED = ("usage", "duration")
"""The path of the billed seconds in a response."""


def billed_seconds(answer: Any) -> Fraction | None:
    """Seconds that a finished task's `usage` says were billed, input video and output together; None if it does not."""
    return _number(answer, BILLED)


def billed_pictures(answer: Any) -> Fraction | None:
    """The pictures that a finished task's `usage` says were billed; None if it does not."""
    return _number(answer, PICTURES)


def picture_link(answer: Any) -> str:
    """The link to the picture in the answer of a finished task; empty if it has none."""
    parts = value_at(answer, "output", "choices", 0, "message", "content")
    return next(filter(None, (text_at(part, "image") for part in parts)), "") if isinstance(parts, list) else ""


def _number(answer: Any, path: tuple[str, ...]) -> Fraction | None:
    number = amount_at(answer, *path)
    return None if number is None else Fraction(number)
