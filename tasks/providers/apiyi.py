"""APIYI: a gateway to DashScope. Orders are DashScope's; tasks have their own path and their own words.

Source: its pages on Wan's image-to-video and reference-to-video.
"""

from __future__ import annotations

from typing import Any, ClassVar

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import ProviderError, Refused, Terminal
from storyreel.tasks.providers.hosted import AttachmentUrls, HostedProvider
from storyreel.tasks.providers.http.response import Response, id_at, odd_amount, text_at, url_part
from storyreel.tasks.providers.provider import Submission, TaskStatus
from storyreel.tasks.providers.refusals import refusal, split_code
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.wan import wan
from storyreel.tasks.providers.wan_request import BILLED, billed_seconds, order_body

_UNPAID = ("balance", "quota", "insufficient", "arrear")
"""Words in the message of a 429 that is about money; the gateway has no code for it."""
_UNREADABLE = ("build_request_failed", "parse_request_failed")
"""Types of errors that the gateway raises before it sends anything to DashScope, whatever the status."""


class Apiyi(HostedProvider):
    """api.apiyi.com"""

    name = "apiyi"
    default_base_url = "https://api.apiyi.com"
    # Not `/v1/videos`, which drops the references.
    order_path = "/wan/api/v1/services/aigc/video-generation/video-synthesis"
    min_poll_seconds = 3
    advised_poll_seconds = 10  # its pages: every 5 to 10 s, 10 recommended
    max_concurrent = 8
    queued_words = ("submitted", "pending", "queued")
    running_words = ("in_progress", "running", "suspended")
    capabilities: ClassVar = {
        Mode.REFERENCE: wan(Mode.REFERENCE, "wan2.7-r2v", data_uris=("first_frame", "image"), label="image 1"),
        # A last frame is documented for DashScope alone.
        Mode.IMAGE: wan(Mode.IMAGE, "wan2.7-i2v", data_uris=("first_frame",), label="image 1"),
        Mode.TEXT: wan(Mode.TEXT, "wan2.7-t2v"),
    }

    def submit_headers(self, urls: AttachmentUrls) -> dict[str, str]:
        return {"X-DashScope-Async": "enable"}

    def body(self, request: Request, urls: AttachmentUrls) -> dict[str, Any]:
        return order_body(request, urls)

    def read_submission(self, answer: Any, request: Request) -> Submission:
        return Submission(task=id_at(answer, "output", "task_id") or id_at(answer, "task_id"))

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        return f"/v1/tasks/{url_part(task)}", {}

    def read_status(self, answer: Any, task: str) -> TaskStatus:
        """In the gateway's own form or in DashScope's. Its progress is not used: it stays at 30 for minutes."""
        status = (text_at(answer, "status") or text_at(answer, "output", "task_status")).lower()
        if status in ("completed", "succeeded"):
            url = text_at(answer, "result_url") or text_at(answer, "output", "video_url")
            billed = billed_seconds(answer)  # in DashScope's form only
            remark = odd_amount(answer, *BILLED)
            return TaskStatus(state="finished", detail=status, clip_url=url, billed_seconds=billed, remark=remark)
        if status in ("failed", "canceled", "cancelled"):
            raise self.task_failed(*_reason(answer))
        if status == "unknown":
            raise self.task_forgotten(task)
        return self.pending(status)

    def error_in(self, response: Response) -> ProviderError | None:
        """429 may mean an empty balance, 403 moderation, and 5xx a body that DashScope could not read."""
        message = response.message()
        if response.status == 429 and any(word in message.lower() for word in _UNPAID):
            return Terminal(f"{self.name}: {message}", service=self.name, hint="top up the balance at apiyi.com")
        code, _ = split_code("", message)
        kind = text_at(response.body, "type") or text_at(response.body, "error", "type")
        refused = refusal(Refused, "refused it", service=self.name, code="", reason=message)
        is_moderation = response.status == 403 and (code or refused.is_content)
        is_unreadable = response.status >= 500 and (kind in _UNREADABLE or code.startswith("Invalid"))
        return refused if is_moderation or is_unreadable else None


def _reason(answer: Any) -> tuple[str, str]:
    """Code and text of a failure. Its form is not published; each of these was seen or reported."""
    error = text_at(answer, "error", "message") or text_at(answer, "error") or text_at(answer, "fail_reason")
    if error:
        return text_at(answer, "error", "code"), error
    return text_at(answer, "output", "code"), text_at(answer, "output", "message")
