"""AIMLAPI: Wan 2.7 for text, images and references. It sells 5, 10 or 15 seconds and tells the cost at create.

Source: its published OpenAPI files for `alibaba/wan-2-7-r2v`, `-i2v` and `-t2v`, and its pages on errors.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, ClassVar

from storyreel.specs.money import Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import ProviderError, Terminal
from storyreel.tasks.providers.hosted import AttachmentUrls, HostedProvider
from storyreel.tasks.providers.http.response import Answer, text, told
from storyreel.tasks.providers.provider import Submission, TaskStatus
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.wan import wan

_PATH = "/v2/video/generations"
_PENDING = ("queued", "generating", "waiting", "active")
_QUEUED = ("queued", "waiting")
_SOLD = (5, 10, 15)


class Aimlapi(HostedProvider):
    """api.aimlapi.com"""

    name = "aimlapi"
    default_base_url = "https://api.aimlapi.com"
    min_poll_seconds = 3
    advised_poll_seconds = 15  # as its sample does
    max_concurrent = 4
    capabilities: ClassVar = {
        Mode.REFERENCE: wan(
            Mode.REFERENCE,
            "alibaba/wan-2-7-r2v",
            durations=_SOLD,
            # Upstream, DashScope, makes at most 10 s from a reference video; what happens to 15 here is not said.
            durations_with_video=(5, 10),
            voice=False,
            follows_first_frame=False,
        ),
        Mode.IMAGE: wan(Mode.IMAGE, "alibaba/wan-2-7-i2v", durations=_SOLD, data_uris=("first_frame",)),
        Mode.TEXT: wan(Mode.TEXT, "alibaba/wan-2-7-t2v", durations=_SOLD),
    }

    def headers(self, key: str) -> dict[str, str]:
        """Bearer."""
        return {"Authorization": f"Bearer {key}"}

    def submit_path(self, request: Request) -> str:
        """One path for all models; the body names the model."""
        return _PATH

    def body(self, request: Request, places: AttachmentUrls) -> dict[str, Any]:
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
            body["image_url"] = places["first_frame", request.first_frame.digest]
            # The published schema has two switches with one description.
            body["enable_prompt_expansion"] = False
        if request.mode is Mode.REFERENCE:
            if request.first_frame:
                body["first_frame_image"] = places["first_frame", request.first_frame.digest]
            for field, kind in (("image_urls", "image"), ("video_urls", "video")):
                if urls := [places[item.kind, item.digest] for item in request.references if item.kind == kind]:
                    body[field] = urls
        return body

    def read_submission(self, answer: Any, request: Request) -> Submission:
        """The id, and what it cost: the final reply may not say so again."""
        return Submission(task=text(answer, "id"), cost=_cost(answer))

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        """The id goes into the query, encoded: other models' ids hold `:` and `/`."""
        return _PATH, {"generation_id": task}

    def read_status(self, answer: Any, task: str) -> TaskStatus:
        """An error beside a word that is not known is a failure too: vendors behind it have words of their own."""
        status, error = text(answer, "status"), told(answer, "error")
        if status == "completed":
            return TaskStatus(
                state="finished", detail=status, clip_url=text(answer, "video", "url"), cost=_cost(answer)
            )
        if status == "error" or (error and status not in _PENDING):
            raise self.task_failed(*_reason(error))
        return TaskStatus(state="pending", detail=status, is_known=status in _PENDING, is_queued=status in _QUEUED)

    def error_in(self, answer: Answer) -> ProviderError | None:
        """403 is an empty purse here."""
        if answer.status == 403:
            hint = "top up the balance at aimlapi.com/app/billing"
            return Terminal(f"{self.name} does not let us in: {answer.said()}", service=self.name, hint=hint)
        return None


def _cost(answer: Any) -> Money | None:
    spent = told(answer, "meta", "usage", "usd_spent")
    if not isinstance(spent, int | float) or isinstance(spent, bool) or not math.isfinite(spent) or spent < 0:
        return None
    return Money(amount=Decimal(str(spent)), currency="USD")


def _reason(error: Any) -> tuple[str, str]:
    """Code and text. The error has several shapes: a message with or without a name, a list of details, a text."""
    if isinstance(error, str):
        return "", error
    if message := text(error, "message"):
        return text(error, "name"), message
    details = told(error, "detail")
    if isinstance(details, list):
        said = "; ".join(filter(None, (text(one, "msg") for one in details)))
        return text(details, 0, "type"), said
    return text(error, "name"), json.dumps(error)[:300] if error else ""
