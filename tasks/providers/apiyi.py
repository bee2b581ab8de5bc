"""APIYI: a gateway that takes orders as DashScope does and shows them in words of its own, under another path.

Source: its pages on Wan's image-to-video and reference-to-video.
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import ProviderError, Refused, Terminal
from storyreel.tasks.providers.hosted import AttachmentUrls, HostedProvider
from storyreel.tasks.providers.http.response import Answer, text
from storyreel.tasks.providers.provider import Submission, TaskStatus
from storyreel.tasks.providers.refusals import unbracketed, verdict
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.wan import wan
from storyreel.tasks.providers.wan_request import billed_seconds, form

_CREATE = "/wan/api/v1/services/aigc/video-generation/video-synthesis"
_PENDING = ("submitted", "in_progress", "pending", "running", "queued", "suspended")
_QUEUED = ("submitted", "pending", "queued")
_UNPAID = ("balance", "quota", "insufficient", "arrear")
"""Words by which a 429 is known to be about money; the gateway has no code of its own for it."""
_UNREADABLE = ("build_request_failed", "parse_request_failed")
"""Types of errors by which the gateway refuses before anything goes upstream, whatever the status."""


class Apiyi(HostedProvider):
    """api.apiyi.com"""

    name = "apiyi"
    default_base_url = "https://api.apiyi.com"
    min_poll_seconds = 3
    advised_poll_seconds = 10  # its pages: every 5 to 10 s, 10 recommended
    max_concurrent = 8
    capabilities: ClassVar = {
        Mode.REFERENCE: wan(Mode.REFERENCE, "wan2.7-r2v", data_uris=("first_frame", "image"), label="image 1"),
        # That upstream takes a last frame is said of upstream alone.
        Mode.IMAGE: wan(Mode.IMAGE, "wan2.7-i2v", data_uris=("first_frame",), label="image 1"),
        Mode.TEXT: wan(Mode.TEXT, "wan2.7-t2v"),
    }

    def headers(self, key: str) -> dict[str, str]:
        """Bearer. The gateway calls plain bodies gzip unless asked for them as they are."""
        return {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}

    def submit_path(self, request: Request) -> str:
        """Not `/v1/videos`, which loses the references."""
        return _CREATE

    def submit_headers(self, places: AttachmentUrls) -> dict[str, str]:
        """Orders are asynchronous."""
        return {"X-DashScope-Async": "enable"}

    def body(self, request: Request, places: AttachmentUrls) -> dict[str, Any]:
        """As DashScope's."""
        return form(request, places)

    def read_submission(self, answer: Any, request: Request) -> Submission:
        """The task's id."""
        return Submission(task=text(answer, "output", "task_id") or text(answer, "task_id"))

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        """Another prefix than the order's."""
        return f"/v1/tasks/{quote(task, safe='')}", {}

    def read_status(self, answer: Any, task: str) -> TaskStatus:
        """In the gateway's own form, or in DashScope's. Progress sits at 30 for minutes and says nothing."""
        status = (text(answer, "status") or text(answer, "output", "task_status")).lower()
        if status in ("completed", "succeeded"):
            result = text(answer, "result_url") or text(answer, "output", "video_url")
            billed = billed_seconds(answer)  # where it shows the task in DashScope's own form
            return TaskStatus(state="finished", detail=status, clip_url=result, billed_seconds=billed)
        if status in ("failed", "canceled", "cancelled"):
            raise self.task_failed(*_reason(answer))
        if status == "unknown":
            raise self.task_forgotten(task)
        return TaskStatus(state="pending", detail=status, is_known=status in _PENDING, is_queued=status in _QUEUED)

    def error_in(self, answer: Answer) -> ProviderError | None:
        """Balance hides behind 429, moderation behind 403, and what upstream could not read behind 500."""
        said = answer.said()
        if answer.status == 429 and any(word in said.lower() for word in _UNPAID):
            return Terminal(f"{self.name}: {said}", service=self.name, hint="top up the balance at apiyi.com")
        code, _ = unbracketed("", said)
        kind = text(answer.body, "type") or text(answer.body, "error", "type")
        refusal = verdict(Refused, "refused it", service=self.name, code="", reason=said)
        if answer.status == 403 and (code or refusal.is_content):
            return refusal
        if answer.status >= 500 and (kind in _UNREADABLE or code.startswith("Invalid")):
            return refusal
        return None


def _reason(answer: Any) -> tuple[str, str]:
    """Code and text. The form of a failure is not published; each of these was seen or told of."""
    error = text(answer, "error", "message") or text(answer, "error") or text(answer, "fail_reason")
    if error:
        return text(answer, "error", "code"), error
    return text(answer, "output", "code"), text(answer, "output", "message")
