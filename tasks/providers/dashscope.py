"""DashScope, Alibaba's Model Studio: upstream of the others. Tasks can be listed, and called off while they wait.

Source: its API references for Wan 2.7, asynchronous tasks, error codes and temporary files.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import ProviderError, Refused, Terminal, Transient
from storyreel.tasks.providers.hosted import AttachmentUrls, HostedProvider
from storyreel.tasks.providers.http.response import Answer, text, told
from storyreel.tasks.providers.http.uploading import hand_over
from storyreel.tasks.providers.provider import RemoteTask, Submission, TaskStatus
from storyreel.tasks.providers.refusals import verdict
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.wan import wan
from storyreel.tasks.providers.wan_request import billed_seconds, form

_CREATE = "/api/v1/services/aigc/video-generation/video-synthesis"
_BEIJING = timezone(timedelta(hours=8))
"""Its times carry no zone and are Beijing's."""
_PENDING = ("PENDING", "RUNNING", "SUSPENDED")
_QUEUED = ("PENDING",)
_UNPAID = ("CommodityNotPurchased", "PrepaidBillOverdue", "PostpaidBillOverdue", "Arrearage")
"""Codes that no waiting cures, though some come as 429."""
_PASSING = (
    "InvalidParameter.DataInspection",
    "InvalidURL.ConnectionRefused",
    "InvalidURL.Timeout",
    "BadRequest.InputDownloadFailed",
)
"""Refusals over a reference that the service could not download; it may be able to later."""
_THEIRS = ("InternalError", "RequestTimeOut", "RewriteFailed", "ModelUnavailable", "ModelServingError")
"""Codes of trouble at the service, which leave open what became of an order, whatever the status they come with."""
_WINDOW = timedelta(hours=23)
"""Of a list; the service shows at most 24 hours at once."""
_PAGE = 50


class DashScope(HostedProvider):
    """dashscope.aliyuncs.com, and its hosts in other regions."""

    name = "dashscope"
    default_base_url = "https://dashscope.aliyuncs.com"
    min_poll_seconds = 2
    advised_poll_seconds = 15  # its page on asynchronous tasks
    lists_every_task = True
    store_prefix = "oss://"
    max_concurrent = 5
    capabilities: ClassVar = {
        Mode.REFERENCE: wan(Mode.REFERENCE, "wan2.7-r2v", data_uris=("first_frame", "image"), uploads=True),
        Mode.IMAGE: wan(
            Mode.IMAGE, "wan2.7-i2v", data_uris=("first_frame", "last_frame"), uploads=True, last_frame=True
        ),
        Mode.TEXT: wan(Mode.TEXT, "wan2.7-t2v"),
    }

    def headers(self, key: str) -> dict[str, str]:
        """Bearer."""
        return {"Authorization": f"Bearer {key}"}

    def submit_path(self, request: Request) -> str:
        """One path for all models; the body names the model."""
        return _CREATE

    def submit_headers(self, places: AttachmentUrls) -> dict[str, str]:
        """Orders are asynchronous; an address in its own store must be resolved."""
        headers = {"X-DashScope-Async": "enable"}
        if any(place.startswith(self.store_prefix) for place in places.values()):
            headers["X-DashScope-OssResourceResolve"] = "enable"
        return headers

    def body(self, request: Request, places: AttachmentUrls) -> dict[str, Any]:
        """As `dashscope_form` says."""
        return form(request, places)

    def read_submission(self, answer: Any, request: Request) -> Submission:
        """The task's id."""
        return Submission(task=text(answer, "output", "task_id"))

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        """By id."""
        return f"/api/v1/tasks/{quote(task, safe='')}", {}

    def read_status(self, answer: Any, task: str) -> TaskStatus:
        """A failure comes as HTTP 200; an id that is too old, or another account's, is UNKNOWN."""
        status = text(answer, "output", "task_status")
        if status == "SUCCEEDED":
            return TaskStatus(
                state="finished",
                detail="succeeded",
                clip_url=text(answer, "output", "video_url"),
                billed_seconds=billed_seconds(answer),
            )
        if status in ("FAILED", "CANCELED"):
            code, reason = text(answer, "output", "code"), text(answer, "output", "message")
            raise self.task_failed(code, reason or ("it was called off" if status == "CANCELED" else ""))
        if status == "UNKNOWN":
            raise self.task_forgotten(task)
        return TaskStatus(
            state="pending", detail=status.lower(), is_known=status in _PENDING, is_queued=status in _QUEUED
        )

    def error_in(self, answer: Answer) -> ProviderError | None:
        """Codes say more than the HTTP status does; a refusal may even come as 200."""
        code = text(answer.body, "code")
        if not code or text(answer.body, "output", "task_id") or code.startswith(_THEIRS):
            return None
        said = f"{code}: {answer.said()}"
        if code.startswith(_UNPAID):
            hint = "settle the account in Model Studio"
            return Terminal(f"{self.name}: {said}", service=self.name, hint=hint)
        if code.startswith("Throttling"):
            busy = Transient(f"{self.name} is busy: {said}", service=self.name)
            busy.retry_after = answer.retry_after
            return busy
        if code.startswith(_PASSING):
            return Transient(f"{self.name} could not fetch a reference: {said}", service=self.name)
        if "AccessDenied" in code or code.startswith(("InvalidApiKey", "AllocationQuota")):
            return Terminal(f"{self.name} does not let us in: {said}", service=self.name, next="storyreel doctor")
        if answer.status < 500 and answer.status != 429:
            return verdict(Refused, "refused it", service=self.name, code=code, reason=answer.said())
        return None

    async def cancel(self, task: str) -> bool:
        """Only what still waits can be called off; what is called off is not billed."""
        try:
            await self._wire.send(f"/api/v1/tasks/{quote(task, safe='')}/cancel")
        except Refused:
            return False
        return True

    async def list_tasks(self, since: datetime, until: datetime) -> list[RemoteTask] | None:
        """The account's tasks of a time, from all that it may call by that time.

        No page says in which zone a list's times are asked for. Read in Beijing's, the question begins eight hours too
        early; read in UTC, it ends eight hours too late. Either way all that was wanted is among what comes.
        """
        found: dict[str, RemoteTask] = {}
        begin, end = since.astimezone(_BEIJING) - timedelta(hours=8), until.astimezone(_BEIJING) + timedelta(seconds=1)
        while begin < end:
            upto = min(end, begin + _WINDOW)
            async for task in self._listed(begin, upto):
                if task.created is None or since <= task.created <= until:
                    found[task.task] = task
            begin = upto
        return list(found.values())

    async def _listed(self, begin: datetime, end: datetime) -> AsyncIterator[RemoteTask]:
        page, pages = 1, 1
        while page <= pages:
            query: dict[str, str | int] = {
                "start_time": f"{begin:%Y%m%d%H%M%S}",
                "end_time": f"{end:%Y%m%d%H%M%S}",
                "page_no": page,
                "page_size": _PAGE,
            }
            answer = await self._wire.read("/api/v1/tasks/", query)
            entries, total = told(answer, "data"), told(answer, "total_page")
            if not isinstance(entries, list) or not isinstance(total, int):
                raise Transient(f"{self.name} gave no list of tasks", service=self.name)
            pages = total
            for entry in entries:
                yield RemoteTask(
                    task=text(entry, "task_id"),
                    model=text(entry, "model_name"),
                    created=_time(told(entry, "gmt_create")) or _time(told(entry, "start_time")),
                    detail=text(entry, "status").lower(),
                )
            page += 1

    async def upload(self, file: Path, name: str, model: str) -> str:
        """The temporary store: 48 hours, for this model and account alone."""
        answer = await self._wire.read("/api/v1/uploads", {"action": "getPolicy", "model": model})
        host, folder = text(answer, "data", "upload_host"), text(answer, "data", "upload_dir")
        if not host or not folder:
            raise Transient(f"{self.name} gave no address to upload {file.name} to", service=self.name)
        key = f"{folder}/{name}"
        fields = {
            "OSSAccessKeyId": text(answer, "data", "oss_access_key_id"),
            "Signature": text(answer, "data", "signature"),
            "policy": text(answer, "data", "policy"),
            "key": key,
            "x-oss-object-acl": text(answer, "data", "x_oss_object_acl"),
            "x-oss-forbid-overwrite": text(answer, "data", "x_oss_forbid_overwrite"),
            "success_action_status": "200",
        }
        content = await asyncio.to_thread(file.read_bytes)
        parts = {"file": (name, content)}
        await hand_over("POST", host, service=self.name, what=file.name, data=fields, files=parts)
        return f"{self.store_prefix}{key}"


def _time(written: object) -> datetime | None:
    """`2026-04-02 12:00:00.000`, or milliseconds since the epoch."""
    if isinstance(written, int | float):
        return datetime.fromtimestamp(written / 1000, UTC)
    try:
        return datetime.fromisoformat(str(written)).replace(tzinfo=_BEIJING)
    except ValueError:
        return None
