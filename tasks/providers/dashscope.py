"""DashScope, Alibaba's Model Studio, which is behind the others. Tasks can be listed, and cancelled while they wait.

Source: its API references for Wan 2.7 and its pictures, asynchronous tasks, error codes and temporary files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any, ClassVar

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.answer_table import CLIENT_ERRORS, AnswerTable, Meaning, Rule
from storyreel.tasks.providers.capability import model_of
from storyreel.tasks.providers.errors import Refused, TaskFailed, Transient
from storyreel.tasks.providers.hosted import AttachmentUrls, HostedProvider, listed_task
from storyreel.tasks.providers.http.response import amount_at, id_at, link_id, odd_amount, text_at, url_part, value_at
from storyreel.tasks.providers.provider import RemoteTask, Submission, TaskStatus
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.sent_file import SentFile
from storyreel.tasks.providers.wan.answers import INTERNAL_CODES, TASK_FORM
from storyreel.tasks.providers.wan.capabilities import HAPPY_HORSE, happy_horse, wan, wan_3, wan_image
from storyreel.tasks.providers.wan.request import (
    BILLED,
    PICTURES,
    billed_pictures,
    billed_seconds,
    order_body,
    picture_body,
    picture_link,
)
from storyreel.tasks.providers.wan.speech import (
    CHARACTERS,
    INSTRUCTED_VOICES,
    PATH,
    qwen_speech,
    speech_body,
    speech_link,
)

_BEIJING = timezone(timedelta(hours=8))
"""The zone of its times, which name none."""
_ANSWERED = CLIENT_ERRORS | {200, 429}
"""Statuses under which its codes are believed. Its own SDK expects them under 200: dashscope 2.0.2, read 2026-11-21."""

ANSWERS = AnswerTable(
    forms=(TASK_FORM,),
    new_task=(("output", "task_id"),),
    # Model Studio's page on error codes: `{code, message, request_id}`, and all codes below. Read 2026-11-21.
    messages=(("message",),),
    codes=(("code",),),
    needs_code=True,
    unsure=INTERNAL_CODES,
    rules=(
        Rule(
            meaning=Meaning.UNPAID,
            # Some come as 429; waiting does not help.
            statuses=_ANSWERED,
            codes=("CommodityNotPurchased", "PrepaidBillOverdue", "PostpaidBillOverdue", "Arrearage"),
            hint="settle the account in Model Studio",
        ),
        Rule(meaning=Meaning.BUSY, statuses=_ANSWERED, codes=("Throttling",)),
        Rule(
            meaning=Meaning.UNREACHABLE,
            statuses=_ANSWERED,
            codes=(
                "InvalidParameter.DataInspection",
                "InvalidURL.ConnectionRefused",
                "InvalidURL.Timeout",
                "BadRequest.InputDownloadFailed",
            ),
        ),
        Rule(
            meaning=Meaning.KEY,
            statuses=_ANSWERED,
            codes=("InvalidApiKey",),
            # Its page "Base URL overview", read 2026-11-29: a key of another region is turned down like this.
            hint="a key is of one region, and of one workspace at its own host: look at DASHSCOPE_BASE_URL",
        ),
        Rule(
            meaning=Meaning.UNPAID,
            statuses=_ANSWERED,
            codes=("AllocationQuota",),
            hint="switch off its mode of free use alone, in Model Studio",
        ),
        Rule(
            meaning=Meaning.DENIED,
            statuses=_ANSWERED,
            codes=("AccessDenied.Unpurchased",),
            hint="switch the model on in Model Studio",
        ),
        Rule(
            meaning=Meaning.DENIED,
            statuses=_ANSWERED,
            codes=("AccessDenied", "Model.AccessDenied", "Workspace.AccessDenied"),
        ),
        Rule(
            meaning=Meaning.REFUSED,
            statuses=_ANSWERED,
            codes=(
                "InvalidParameter",
                "InvalidURL",
                "InvalidImage",
                "InvalidFile",
                "BadRequest",
                "DataInspectionFailed",
                "IPInfringementSuspect",
                "CustomRoleBlocked",
                "UnsupportedOperation",
                "ModelNotFound",
                "NotFound",
            ),
        ),
        # Codes that the page does not list.
        Rule(meaning=Meaning.BUSY, statuses=frozenset({429})),
        Rule(meaning=Meaning.KEY, statuses=frozenset({401})),
        Rule(meaning=Meaning.DENIED, statuses=frozenset({402, 403})),
        Rule(meaning=Meaning.REFUSED),
    ),
)
_WINDOW = timedelta(hours=23)
"""The time that one list covers; the service allows at most 24 hours."""
_PAGE = 50
_NO_TIME = 4_000_000_000
"""Seconds since the epoch, in 2096: a link that lives so long has no end that is known."""
_MOST_PAGES = 2000
"""Pages that are read of one list: 100,000 tasks in a day."""


_SENT: Mapping[str, Any] = {"data_uris": ("first_frame", "last_frame", "image"), "uploads": True}
"""Pictures inside the request, and what else there is through its store."""


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
    answers = ANSWERS
    models: ClassVar = {
        "wan2.7": model_of(
            wan(Mode.REFERENCE, "wan2.7-r2v", data_uris=("first_frame", "image"), uploads=True),
            wan(Mode.IMAGE, "wan2.7-i2v", data_uris=("first_frame", "last_frame"), uploads=True, last_frame=True),
            wan(Mode.TEXT, "wan2.7-t2v", uploads=True),
            wan(Mode.EDIT, "wan2.7-videoedit", data_uris=("image",), uploads=True),
        ),
        "wan3.0-video": wan_3("wan3.0-video", **_SENT),
        "wan3.0-video-prime": wan_3("wan3.0-video-prime", **_SENT),
        "happyhorse-1.1": happy_horse(HAPPY_HORSE, **_SENT),
        # Through its store, as its SDK sends them (dashscope 2.0.2): inside a request nine pictures would be many
        # megabytes, and a sheet goes along with many stills.
        "wan2.7-image": wan_image("wan2.7-image", uploads=True),
        "wan2.7-image-pro": wan_image("wan2.7-image-pro", uploads=True),
        "qwen3-tts-flash": qwen_speech("qwen3-tts-flash"),
        "qwen3-tts-instruct-flash": qwen_speech("qwen3-tts-instruct-flash", speakers=INSTRUCTED_VOICES, delivery=True),
    }

    def submit_path(self, request: Request) -> str:
        """Pictures have a path for asynchronous tasks of their own; the other one answers with the picture itself, so
        that a lost answer would be a lost picture. Qwen Cloud's reference for wan2.7-image, read 2026-11-29. For speech
        there is that other one alone."""
        if request.mode is Mode.SPEECH:
            return PATH
        if request.mode is Mode.STILL:
            return "/api/v1/services/aigc/image-generation/generation"
        return self.order_path

    def submit_headers(self, urls: AttachmentUrls) -> dict[str, str]:
        """Ask for an asynchronous task, and to resolve addresses of the service's own store."""
        headers = {"X-DashScope-Async": "enable"}
        if any(url.startswith(self.store_prefix) for url in urls.values()):
            headers["X-DashScope-OssResourceResolve"] = "enable"
        return headers

    def order_headers(self, request: Request, urls: AttachmentUrls) -> dict[str, str]:
        """The headers of an order. None for speech, which is answered at once and has no task."""
        return {} if request.mode is Mode.SPEECH else super().order_headers(request, urls)

    def body(self, request: Request, urls: AttachmentUrls) -> dict[str, Any]:
        if request.mode is Mode.SPEECH:
            return speech_body(request)
        if request.mode is Mode.STILL:
            return picture_body(request, urls)
        return order_body(request, urls, self.capability_of(request))

    def read_submission(self, answer: Any, request: Request) -> Submission:
        """The task; of speech the id of its answer, and the link to the sound."""
        link = speech_link(answer)
        if request.mode is not Mode.SPEECH or not link:
            return super().read_submission(answer, request)
        remark, billed = odd_amount(answer, *CHARACTERS), amount_at(answer, *CHARACTERS)
        status = TaskStatus(
            state="finished",
            detail=text_at(answer, "output", "finish_reason"),
            clip_url=link,
            billed_characters=None if billed is None else Fraction(billed),
            expires=_time_of(value_at(answer, "output", "audio", "expires_at")),
        )
        task = id_at(answer, "output", "audio", "id") or id_at(answer, "request_id") or link_id(link)
        return Submission(task=task, remark=remark, answer=status)

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        return f"/api/v1/tasks/{url_part(task)}", {}

    def read_finished(self, answer: Any, word: str) -> TaskStatus:
        url = text_at(answer, "output", "video_url") or picture_link(answer)
        remark = odd_amount(answer, *BILLED) or odd_amount(answer, *PICTURES)
        seconds, pictures = billed_seconds(answer), billed_pictures(answer)
        return TaskStatus(
            state="finished",
            detail=word,
            clip_url=url,
            billed_seconds=seconds,
            billed_pictures=pictures,
            remark=remark,
        )

    def read_reason(self, answer: Any) -> tuple[str, str]:
        return text_at(answer, "output", "code"), text_at(answer, "output", "message")

    async def cancel(self, task: str) -> bool:
        """Cancel a task that still waits, which is then not billed. False if it has begun, or does not say CANCELED."""
        try:
            await self._client.post(f"/api/v1/tasks/{url_part(task)}/cancel")
            await self.poll(task)
        except TaskFailed:
            return True
        except Refused:
            pass
        return False

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
        """The tasks of one window. Raises Transient unless all are there: one that is not counts as never accepted."""
        wanted = 0
        found: set[str] = set()
        for page in range(1, _MOST_PAGES + 1):
            query: dict[str, str | int] = {
                "start_time": f"{begin:%Y%m%d%H%M%S}",
                "end_time": f"{end:%Y%m%d%H%M%S}",
                "page_no": page,
                "page_size": _PAGE,
            }
            answer = await self._client.get("/api/v1/tasks/", query)
            entries, total = value_at(answer, "data"), value_at(answer, "total")
            if not isinstance(entries, list) or not isinstance(total, int) or isinstance(total, bool):
                raise Transient(f"{self.name} gave no list of tasks", service=self.name)
            if page == 1:
                wanted = total
            before = len(found)
            for entry in entries:
                task = listed_task(self.name, entry)
                found.add(task)
                yield RemoteTask(
                    task=task,
                    model=text_at(entry, "model_name"),
                    created=_time(value_at(entry, "gmt_create")) or _time(value_at(entry, "start_time")),
                    detail=text_at(entry, "status").lower(),
                )
            if len(found) >= wanted or len(found) == before:
                break
        if len(found) < wanted:
            what = f"{self.name} listed {len(found)} of {wanted} tasks"
            raise Transient(what, service=self.name)

    async def upload(self, file: SentFile, model: str) -> str:
        """Upload to the temporary store, which keeps a file for 48 hours, for this model and account alone."""
        from storyreel.tasks.providers.http.local_files import upload_file

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


def _time_of(seconds: object) -> datetime | None:
    """A time from seconds since the epoch; None if it is none, or not one of this century."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds < _NO_TIME:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _time(value: object) -> datetime | None:
    """A time from `2026-04-02 12:00:00.000` or from milliseconds since the epoch; None if it is neither."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000, UTC)
        return datetime.fromisoformat(str(value)).replace(tzinfo=_BEIJING)
    except (ValueError, OverflowError, OSError):
        return None
