"""AIMLAPI: Wan 2.7 for text, images and references. It sells 5, 10 or 15 seconds and names the cost at once.

Source: its published OpenAPI files for `alibaba/wan-2-7-r2v`, `-i2v` and `-t2v`, and its pages on errors.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from storyreel.specs.money import Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import ProviderError, Terminal
from storyreel.tasks.providers.hosted import AttachmentUrls, HostedProvider
from storyreel.tasks.providers.http.response import Response, amount_at, id_at, odd_amount, text_at, url_part, value_at
from storyreel.tasks.providers.provider import Submission, TaskStatus
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.wan import wan

_SOLD = (5, 10, 15)
_SPENT = ("meta", "usage", "usd_spent")


class Aimlapi(HostedProvider):
    """api.aimlapi.com"""

    name = "aimlapi"
    default_base_url = "https://api.aimlapi.com"
    order_path = "/v2/video/generations"
    min_poll_seconds = 3
    advised_poll_seconds = 15  # as its sample does
    max_concurrent = 4
    queued_words = ("queued", "waiting")
    running_words = ("generating", "active")
    capabilities: ClassVar = {
        Mode.REFERENCE: wan(
            Mode.REFERENCE,
            "alibaba/wan-2-7-r2v",
            durations=_SOLD,
            # DashScope, behind it, makes at most 10 s from a reference video; what happens to 15 s is not documented.
            durations_with_video=(5, 10),
            voice=False,
            follows_first_frame=False,
        ),
        Mode.IMAGE: wan(Mode.IMAGE, "alibaba/wan-2-7-i2v", durations=_SOLD, data_uris=("first_frame",)),
        Mode.TEXT: wan(Mode.TEXT, "alibaba/wan-2-7-t2v", durations=_SOLD),
    }

    def body(self, request: Request, urls: AttachmentUrls) -> dict[str, Any]:
        """Flat. Prompt expansion is off, as it may paraphrase labels and quoted dialogue."""
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            "resolution": request.resolution,
            "duration": int(request.seconds),
            "seed": request.seed,
            "enhance_prompt": False,
        }
        if request.negative_prompt:
            body["negative_prompt"] = request.negative_prompt
        if request.mode is not Mode.IMAGE:
            body["aspect_ratio"] = request.aspect_ratio
        if request.mode is not Mode.TEXT:
            body["watermark"] = False
        if request.mode is Mode.IMAGE and request.first_frame:
            body["image_url"] = urls["first_frame", request.first_frame.digest]
            # The published schema has two switches with one description.
            body["enable_prompt_expansion"] = False
        if request.mode is Mode.REFERENCE:
            if request.first_frame:
                body["first_frame_image"] = urls["first_frame", request.first_frame.digest]
            for field, kind in (("image_urls", "image"), ("video_urls", "video")):
                if sent := [urls[item.kind, item.digest] for item in request.references if item.kind == kind]:
                    body[field] = sent
        return body

    def read_submission(self, answer: Any, request: Request) -> Submission:
        """The id and the cost, which the final response may not repeat."""
        remark = odd_amount(answer, *_SPENT)
        return Submission(task=id_at(answer, "id"), cost=_cost(answer), remark=remark)

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        """The id is a query parameter: ids of some models hold `:` and `/`."""
        return f"{self.order_path}?generation_id={url_part(task)}", {}

    def read_status(self, answer: Any, task: str) -> TaskStatus:
        """An unknown word with an error beside it is a failure too, as the vendors behind it have their own words."""
        status, error = text_at(answer, "status"), value_at(answer, "error")
        if status == "completed":
            return TaskStatus(
                state="finished",
                detail=status,
                clip_url=text_at(answer, "video", "url"),
                cost=_cost(answer),
                remark=odd_amount(answer, *_SPENT),
            )
        pending = self.pending(status)
        if status == "error" or (error and not pending.is_known):
            raise self.task_failed(*_reason(error))
        return pending

    def error_in(self, response: Response) -> ProviderError | None:
        """403 means an empty balance."""
        if response.status == 403:
            hint = "top up the balance at aimlapi.com/app/billing"
            return Terminal(f"{self.name} denies access: {response.message()}", service=self.name, hint=hint)
        return None


def _cost(answer: Any) -> Money | None:
    spent = amount_at(answer, *_SPENT)
    return None if spent is None else Money(amount=spent, currency="USD")


def _reason(error: Any) -> tuple[str, str]:
    """Code and text of an error: a message with or without a name, a list of details, or a text."""
    if isinstance(error, str):
        return "", error
    if message := text_at(error, "message"):
        return text_at(error, "name"), message
    details = value_at(error, "detail")
    if isinstance(details, list):
        messages = "; ".join(filter(None, (text_at(detail, "msg") for detail in details)))
        return text_at(details, 0, "type"), messages
    return text_at(error, "name"), json.dumps(error)[:300] if error else ""
