"""DashScope, Alibaba's Model Studio, which is behind the others. Tasks can be listed, and cancelled while they wait.

Source: its API references for Wan 2.7, asynchronous tasks, error codes and temporary files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import ProviderError, Refused, Terminal, Transient
from storyreel.tasks.providers.hosted import AttachmentUrls, HostedProvider
from storyreel.tasks.providers.http.local_files import upload_file
from storyreel.tasks.providers.http.response import Response, id_at, odd_amount, text_at, url_part, value_at
from storyreel.tasks.providers.provider import RemoteTask, Submission, TaskStatus
from storyreel.tasks.providers.refusals import refusal
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.sent_file import SentFile
from storyreel.tasks.providers.wan import wan
from storyreel.tasks.providers.wan_request import BILLED, billed_seconds, order_body

_BEIJING = timezone(timedelta(hours=8))
"""The zone of its times, which name none."""
_UNPAID = ("CommodityNotPurchased", "PrepaidBillOverdue", "PostpaidBillOverdue", "Arrearage")
"""Codes about payment, some of which come as 429; waiting does not help."""
_REFERENCE_UNREACHABLE = (
    "InvalidParameter.DataInspection",
    "InvalidURL.ConnectionRefused",
    "InvalidURL.Timeout",
    "BadRequest.InputDownloadFailed",
)
"""Codes about a reference that the service could not download; it may be able to later."""
_INTERNAL = ("InternalError", "RequestTimeOut", "RewriteFailed", "ModelUnavailable", "ModelServingError")
"""Codes of faults inside the service. They do not tell whether an order was accepted, whatever their status."""
_WINDOW = timedelta(hours=23)
"""The time that one list covers; the service allows at most 24 hours."""
_PAGE = 50
_MOST_PAGES = 2000
"""Pages that are read of one list: 100,000 tasks in a day."""


class DashScope(HostedProvider):
    """dashscope.aliyuncs.com and its hosts in other regions."""

    name = "dashscope"
    default_base_url = "https://dashscope.aliyuncs.com"
    order_path = "/api/v1/services/aigc/video-generation/video-synthesis"
    min_poll_seconds = 2
    advised_poll_seconds = 15  # its page on asynchronous tasks
    lists_every_task = True
    store_prefix = "oss://"
    max_concurrent = 5
    queued_words = ("pending",)
    running_words = ("running", "suspended")
    capabilities: ClassVar = {
        Mode.REFERENCE: wan(Mode.REFERENCE, "wan2.7-r2v", data_uris=("first_frame", "image"), uploads=True),
        Mode.IMAGE: wan(
            Mode.IMAGE, "wan2.7-i2v", data_uris=("first_frame", "last_frame"), uploads=True, last_frame=True
        ),
        Mode.TEXT: wan(Mode.TEXT, "wan2.7-t2v"),
    }

    def submit_headers(self, urls: AttachmentUrls) -> dict[str, str]:
        """Ask for an asynchronous task, and to resolve addresses of the service's own store."""
        headers = {"X-DashScope-Async": "enable"}
        if any(url.startswith(self.store_prefix) for url in urls.values()):
            headers["X-DashScope-OssResourceResolve"] = "enable"
        return headers

    def body(self, request: Request, urls: AttachmentUrls) -> dict[str, Any]:
        return order_body(request, urls)

    def read_submission(self, answer: Any, request: Request) -> Submission:
        return Submission(task=id_at(answer, "output", "task_id"))

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        return f"/api/v1/tasks/{url_part(task)}", {}

    def read_status(self, answer: Any, task: str) -> TaskStatus:
        """A failure comes as HTTP 200; an id that is too old, or of another account, as UNKNOWN."""
        status = text_at(answer, "output", "task_status")
        if status == "SUCCEEDED":
            return TaskStatus(
                state="finished",
                detail="succeeded",
                clip_url=text_at(answer, "output", "video_url"),
                billed_seconds=billed_seconds(answer),
                remark=odd_amount(answer, *BILLED),
            )
        if status in ("FAILED", "CANCELED"):
            code, reason = text_at(answer, "output", "code"), text_at(answer, "output", "message")
            raise self.task_failed(code, reason or ("it was cancelled" if status == "CANCELED" else ""))
        if status == "UNKNOWN":
            raise self.task_forgotten(task)
        return self.pending(status.lower())

    def error_in(self, response: Response) -> ProviderError | None:
        """By the code in the body, which tells more than the status: a refusal may even come as 200."""
        code = text_at(response.body, "code")
        if not code or text_at(response.body, "output", "task_id") or code.startswith(_INTERNAL):
            return None
        message = f"{code}: {response.message()}"
        if code.startswith(_UNPAID):
            hint = "settle the account in Model Studio"
            return Terminal(f"{self.name}: {message}", service=self.name, hint=hint)
        if code.startswith("Throttling"):
            busy = Transient(f"{self.name} is busy: {message}", service=self.name)
            busy.retry_after = response.retry_after
            return busy
        if code.startswith(_REFERENCE_UNREACHABLE):
            return Transient(f"{self.name} could not download a reference: {message}", service=self.name)
        if "AccessDenied" in code or code.startswith(("InvalidApiKey", "AllocationQuota")):
            return Terminal(f"{self.name} denies access: {message}", service=self.name, next="storyreel doctor")
        if response.status < 500 and response.status != 429:
            return refusal(Refused, "refused it", service=self.name, code=code, reason=response.message())
        return None

    async def cancel(self, task: str) -> bool:
        """Cancel a task that still waits, which is then not billed. False if it has begun or ended."""
        try:
            await self._client.post(f"/api/v1/tasks/{url_part(task)}/cancel")
        except Refused:
            return False
        return True

    async def list_tasks(self, since: datetime, until: datetime) -> list[RemoteTask] | None:
        """The account's tasks that were created between two times.

        The service does not document the zone of a query's times. The query begins eight hours early in Beijing's time
        and thereby ends eight hours late in UTC, so that in either zone it covers all that is wanted.
        """
        found: dict[str, RemoteTask] = {}
        begin, end = since.astimezone(_BEIJING) - timedelta(hours=8), until.astimezone(_BEIJING) + timedelta(seconds=1)
        while begin < end:
            window_end = min(end, begin + _WINDOW)
            async for task in self._listed(begin, window_end):
                if task.created is None or since <= task.created <= until:
                    found[task.task] = task
            begin = window_end
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
            answer = await self._client.get("/api/v1/tasks/", query)
            entries, total = value_at(answer, "data"), value_at(answer, "total_page")
            if not isinstance(entries, list) or not isinstance(total, int):
                raise Transient(f"{self.name} gave no list of tasks", service=self.name)
            # What is missing in a list that is not whole would count as never ordered.
            if total > _MOST_PAGES or (total > page and not entries):
                raise Transient(f"{self.name} gave a list of {total} pages that does not end", service=self.name)
            pages = total
            for entry in entries:
                yield RemoteTask(
                    task=id_at(entry, "task_id"),
                    model=text_at(entry, "model_name"),
                    created=_time(value_at(entry, "gmt_create")) or _time(value_at(entry, "start_time")),
                    detail=text_at(entry, "status").lower(),
                )
            page += 1

    async def upload(self, file: SentFile, model: str) -> str:
        """Upload to the temporary store, which keeps a file for 48 hours, for this model and account alone."""
        answer = await self._client.get("/api/v1/uploads", {"action": "getPolicy", "model": model})
        host, folder = text_at(answer, "data", "upload_host"), text_at(answer, "data", "upload_dir")
        if not host or not folder:
            raise Transient(f"{self.name} gave no address to upload {file.path.name} to", service=self.name)
        key = f"{folder}/{file.name}"
        fields = {
            "OSSAccessKeyId": text_at(answer, "data", "oss_access_key_id"),
            "Signature": text_at(answer, "data", "signature"),
            "policy": text_at(answer, "data", "policy"),
            "key": key,
            "x-oss-object-acl": text_at(answer, "data", "x_oss_object_acl"),
            "x-oss-forbid-overwrite": text_at(answer, "data", "x_oss_forbid_overwrite"),
            "success_action_status": "200",
        }
        parts = {"file": (file.name, file.content)}
        await upload_file(
            "POST", host, service=self.name, hosts=self.hosts, what=file.path.name, data=fields, files=parts
        )
        return f"{self.store_prefix}{key}"


def _time(value: object) -> datetime | None:
    """A time from `2026-04-02 12:00:00.000` or from milliseconds since the epoch; None if it is neither."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000, UTC)
        return datetime.fromisoformat(str(value)).replace(tzinfo=_BEIJING)
    except (ValueError, OverflowError, OSError):
        return None
