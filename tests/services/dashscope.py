"""DashScope on this machine: create, poll, list, cancel, and uploads to its OSS."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, ClassVar, Literal
from uuid import uuid4

from storyreel.testing.faults import Answer, Call
from storyreel.testing.wire import HttpRequest, Reply, json_reply
from tests.services import qwen_speech, wan, wan_image
from tests.services.checking import Field, Violation, violations
from tests.services.clock import BEIJING
from tests.services.dashscope_codes import BY_STATUS, CODES
from tests.services.emulator import DAY, Rate, Refusal, Route, Settings
from tests.services.jobs import Failure, Job, Phase
from tests.services.references import Finding, Reference
from tests.services.sales import Order
from tests.services.uploads import UploadingEmulator

RATES = (Rate(Call.CREATE, 5, 1), Rate(Call.POLL, 20, 1), Rate(Call.LIST, 20, 1), Rate(Call.UPLOAD, 100, 1))
"""Published: 5 submits a second for wan2.7, 20 polls and lists, 100 upload policies."""

AT_ONCE = 5
"""Published: tasks of an account that are processed at the same time; more wait in PENDING."""

_PACKAGE = {"extend_prompt": Field("boolean"), "function": Field("text")}
"""In no page, but the `dashscope` package puts them into every create's `input`."""
_SCHEMES = ("http", "https", "oss", "data")
_TICKET_SECONDS = 300
_WINDOW = "%Y%m%d%H%M%S"
_REASONS: Mapping[tuple[str, str], str] = {
    ("image", "format"): "InvalidImage.FileFormat",
    ("image", "size"): "InvalidImage.ImageSize",
    ("image", "shape"): "InvalidImage.ImageSize",
    ("image", "bytes"): "InvalidImage.ImageSize",
    ("*", "format"): "InvalidFile.Format",
    ("*", "size"): "InvalidFile.Size",
    ("*", "bytes"): "InvalidFile.Size",
    ("*", "shape"): "InvalidFile.AspectRatio",
    ("*", "duration"): "InvalidFile.Duration",
}


@dataclass(frozen=True, kw_only=True)
class DashscopeSettings(Settings):
    """Settings for what DashScope does not document."""

    at_once: int | None = AT_ONCE
    beyond_at_once: Literal["queue", "refuse"] = "queue"
    """A submit while five run: the pages say that it waits."""
    long_prompt: Literal["cut", "refuse"] = "cut"
    """A prompt beyond 5000 characters is cut in silence, and billed."""
    unresolved: Literal["refuse", "fail"] = "refuse"
    """The answer to an `oss://` address without the header that has it resolved."""
    list_zone: tzinfo = BEIJING
    """The zone of `start_time` and `end_time` in a list; no page names it."""


class Dashscope(UploadingEmulator):
    """The emulator of DashScope."""

    name: ClassVar[str] = "dashscope"
    oss: ClassVar[bool] = True
    keeps: ClassVar[float] = 2 * DAY

    def __init__(self, settings: DashscopeSettings | None = None) -> None:
        self.doubts = settings or DashscopeSettings()
        super().__init__(self.doubts)

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(Call.CREATE, "POST", "/api/v1/services/aigc/video-generation/video-synthesis", self.create),
            Route(Call.CREATE, "POST", "/api/v1/services/aigc/image-generation/generation", self.create_picture),
            Route(Call.CREATE, "POST", "/api/v1/services/aigc/multimodal-generation/generation", self.create_speech),
            Route(Call.LIST, "GET", "/api/v1/tasks/?", self.list_tasks),
            Route(Call.POLL, "GET", "/api/v1/tasks/(?P<id>[^/]+)", self.poll),
            Route(Call.CANCEL, "POST", "/api/v1/tasks/(?P<id>[^/]+)/cancel", self.cancel),
            Route(Call.UPLOAD, "GET", "/api/v1/uploads", self.policy),
        )

    async def create(self, request: HttpRequest) -> Reply:
        """Check, accept, queue."""
        body = self._asynchronous(request)
        self._check(body)
        failure = self._unresolved(request, body, wan.references(body))
        findings, bad_reference = ({}, None) if failure else await self.check_references(wan.references(body))
        if violation := wan.too_long(body, findings):
            raise Refusal(self._no("InvalidParameter", _sentence(violation)))
        return self._accepted(request, body, wan.order(body, findings), failure or bad_reference)

    async def create_picture(self, request: HttpRequest) -> Reply:
        """Check an order of a picture, accept, queue."""
        body = self._asynchronous(request)
        refuses_long = self.doubts.long_prompt == "refuse"
        table = wan_image.fields(schemes=_SCHEMES, refuses_long=refuses_long)
        wrong = violations(table, body, unknown_fields=self.settings.unknown_fields) or wan_image.combinations(body)
        if wrong:
            raise Refusal(self._no("InvalidParameter", _sentence(wrong[0])))
        pictures = wan_image.references(body)
        failure = self._unresolved(request, body, pictures)
        if not failure:
            _, failure = await self.check_references(pictures)
        return self._accepted(request, body, wan_image.order(body), failure)

    async def create_speech(self, request: HttpRequest) -> Reply:
        """Check an order of speech, and answer with the sound."""
        self._check_key(request)
        if request.headers.get("x-dashscope-async") == "enable":
            raise Refusal(self._no("AccessDenied", "current user api does not support asynchronous calls."))
        body = self.json_body(request)
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(model, str) or model not in qwen_speech.VOICES:
            raise Refusal(self._no("ModelNotFound"))
        table = qwen_speech.fields(model)
        wrong = violations(table, body, unknown_fields=self.settings.unknown_fields) or qwen_speech.combinations(body)
        if wrong:
            raise Refusal(self._no("InvalidParameter", _sentence(wrong[0])))
        if self.is_balance_spent():
            raise Refusal(self._no("Arrearage"))
        id = str(uuid4())
        job = self.sell_at_once(request, body, qwen_speech.order(body), id)
        expires = self.clock.now() + (self.settings.link_seconds or DAY)
        return json_reply(qwen_speech.answer(id, body["input"]["text"], self.link_to(job), expires))

    def _asynchronous(self, request: HttpRequest) -> Any:
        """The body of a create that asks for a task."""
        self._check_key(request)
        if request.headers.get("x-dashscope-async") != "enable":
            raise Refusal(self._no("AccessDenied", "current user api does not support synchronous calls."))
        return self.json_body(request)

    def _accepted(self, request: HttpRequest, body: Mapping[str, Any], order: Order, failure: Failure | None) -> Reply:
        if self.is_balance_spent():
            raise Refusal(self._no("Arrearage"))
        if self.doubts.beyond_at_once == "refuse" and self._is_full():
            raise Refusal(self._no("Throttling"))
        job = self.sell(request, body, order, str(uuid4()), failure)
        return json_reply({"output": {"task_status": "PENDING", "task_id": job.id}, "request_id": str(uuid4())})

    async def poll(self, request: HttpRequest, id: str) -> Reply:
        """Answer a request for the state of a task. A failed or forgotten one is HTTP 200 as well."""
        self._check_key(request)
        job = self.jobs.find(id)
        if job is None:
            return json_reply({"request_id": str(uuid4()), "output": {"task_id": id, "task_status": "UNKNOWN"}})
        phase, word = self.jobs.poll(job)
        link = self.link_to(job) if phase is Phase.DONE else ""
        task_reply = wan_image.task_reply if job.sale.order.is_picture else wan.task_reply
        return json_reply({"request_id": str(uuid4())} | task_reply(job, phase, word, link))

    async def cancel(self, request: HttpRequest, id: str) -> Reply:
        """End a task that has not begun."""
        self._check_key(request)
        job = self.jobs.find(id)
        if job is None or not self.jobs.cancel(job):
            raise Refusal(self._no("UnsupportedOperation"))
        return json_reply({"request_id": str(uuid4())})

    async def list_tasks(self, request: HttpRequest) -> Reply:
        """The account's tasks of at most 24 hours, newest first, in pages."""
        self._check_key(request)
        self.jobs.advance()
        start, end = self._window(request)
        page, size = self._number(request, "page_no", 1), self._number(request, "page_size", 10)
        wanted = [
            job
            for job in reversed(self.jobs.all())
            if self.jobs.find(job.id)
            and start <= job.created <= end
            and request.query_value("model_name") in (None, job.sale.order.model)
            and request.query_value("status") in (None, wan.WORDS[job.phase])
            and request.query_value("task_id") in (None, job.id)
        ]
        return json_reply(
            {
                "total": len(wanted),
                "data": [self._entry(job) for job in wanted[(page - 1) * size : page * size]],
                "total_page": math.ceil(len(wanted) / size),
                "page_no": page,
                "request_id": str(uuid4()),
                "page_size": size,
            }
        )

    async def policy(self, request: HttpRequest) -> Reply:
        """Answer with a place for an upload for a model, and its signature."""
        self._check_key(request)
        model = request.query_value("model") or ""
        if request.query_value("action") != "getPolicy" or model not in (*wan.MODELS, *wan_image.MODELS):
            raise Refusal(self._no("InvalidParameter", "action must be getPolicy and model a known one"))
        place = f"dashscope-instant/{secrets.token_hex(8)}/{datetime.fromtimestamp(request.at, BEIJING):%Y-%m-%d}"
        ticket = self.uploads.ticket(f"{place}/{uuid4()}", seconds=_TICKET_SECONDS, model=model)
        return json_reply(
            {
                "request_id": str(uuid4()),
                "data": {
                    "policy": ticket.policy,
                    "signature": ticket.secret,
                    "upload_dir": ticket.place,
                    "upload_host": self.uploads_url,
                    "expire_in_seconds": _TICKET_SECONDS,
                    "max_file_size_mb": 100,
                    "capacity_limit_mb": 999_999_999,
                    "oss_access_key_id": "LTAIemulator",
                    "x_oss_object_acl": "private",
                    "x_oss_forbid_overwrite": "true",
                },
            }
        )

    async def take(self, request: HttpRequest) -> Reply:
        return await self.uploads.take_form(request)

    def stored(self, url: str) -> bytes | None:
        upload = self.uploads.find(url.removeprefix("oss://")) if url.startswith("oss://") else None
        return upload.content if upload else None

    def error_reply(self, status: int) -> Reply:
        if status in BY_STATUS:
            return self._no(BY_STATUS[status])
        # A gateway in front of it, which knows nothing of codes.
        return Reply(status, b"<html><body>upstream error</body></html>", (("content-type", "text/html"),))

    def refusal(self, code: str, *, status: int | None = None) -> Answer:
        """One of the CODES, to be planned as a fault; `status` 200 is what a careless gateway makes of it."""
        documented, message = CODES[code]
        return Answer(status or documented, {"code": code, "message": message, "request_id": str(uuid4())})

    def not_found(self, request: HttpRequest) -> Reply:
        return self._no("NotFound")

    def malformed(self, request: HttpRequest, detail: str) -> Reply:
        return self._no("BadRequest.IllegalInput", f"The input parameter requires json format. {detail}")

    def reference_refusal(self, reference: Reference, finding: Finding) -> tuple[Reply, Failure]:
        code = _REASONS.get((reference.kind, finding.problem)) or _REASONS.get(("*", finding.problem))
        code = code or "InvalidParameter.DataInspection"
        message = CODES[code][1] if finding.problem == "unreachable" else f"{CODES[code][1]} {finding.detail}"
        return self._no(code, message), Failure(code, message)

    def result_target(self, job: Job) -> str:
        return wan.oss_target(job, self.clock.now() + (self.settings.link_seconds or 0))

    def _check_key(self, request: HttpRequest) -> None:
        given = request.headers.get("authorization", "")
        if not given:
            raise Refusal(self._no("InvalidApiKey", "No API-key provided."))
        if given != f"Bearer {self.settings.key}":
            raise Refusal(self._no("InvalidApiKey"))

    def _check(self, body: Any) -> None:
        model = body.get("model") if isinstance(body, dict) else None
        if not model:
            raise Refusal(self._no("BadRequest.EmptyModel"))
        mode = wan.MODELS.get(model) if isinstance(model, str) else None
        if mode is None:
            raise Refusal(self._no("ModelNotFound"))
        if not body.get("input"):
            raise Refusal(self._no("BadRequest.EmptyInput"))
        table = wan.fields(mode, schemes=_SCHEMES, refuses_long=self.doubts.long_prompt == "refuse", also=_PACKAGE)
        wrong = violations(table, body, unknown_fields=self.settings.unknown_fields) or wan.combinations(mode, body)
        if wrong:
            raise Refusal(self._no("InvalidParameter", _sentence(wrong[0])))

    def _unresolved(
        self, request: HttpRequest, body: Mapping[str, Any], references: Sequence[Reference]
    ) -> Failure | None:
        """Uploads are found with the header alone, and by the model alone that they were made for."""
        resolves = request.headers.get("x-dashscope-ossresourceresolve") == "enable"
        for reference in references:
            if not reference.url.startswith("oss://"):
                continue
            upload = self.uploads.find(reference.url.removeprefix("oss://"))
            if not resolves or upload is None or upload.ticket.model != body["model"]:
                code = "InvalidParameter.DataInspection"
                if self.doubts.unresolved == "refuse":
                    raise Refusal(self._no(code))
                return Failure(code, CODES[code][1])
        return None

    def _is_full(self) -> bool:
        self.jobs.advance()
        running = [job for job in self.jobs.all() if job.outcome is None]
        return self.settings.at_once is not None and len(running) >= self.settings.at_once

    def _window(self, request: HttpRequest) -> tuple[float, float]:
        """Both ends in seconds since 1970; without them the last 24 hours."""
        now = self.clock.now()
        try:
            asked = [self._moment(request.query_value(name)) for name in ("start_time", "end_time")]
        except ValueError as error:
            raise Refusal(self._no("InvalidParameter", f"time must be YYYYMMDDhhmmss: {error}")) from error
        end = now if asked[1] is None else asked[1]
        start = end - DAY if asked[0] is None else asked[0]
        if end - start > DAY or end < start:
            raise Refusal(self._no("InvalidParameter", "The time range must be within 24 hours."))
        # A second written without its fraction means all of it.
        return start, end + (1 if asked[1] is not None else 0)

    def _moment(self, written: str | None) -> float | None:
        if written is None:
            return None
        return datetime.strptime(written, _WINDOW).replace(tzinfo=self.doubts.list_zone).timestamp()

    def _number(self, request: HttpRequest, name: str, usual: int) -> int:
        written = request.query_value(name) or str(usual)
        if not written.isdigit() or int(written) < 1:
            raise Refusal(self._no("InvalidParameter", f"{name} must be a positive number"))
        return int(written)

    def _entry(self, job: Job) -> dict[str, object]:
        begun = job.started if job.phase is not Phase.WAITING else None
        times = {"start_time": begun, "end_time": job.ended}
        return {
            "api_key_id": "15",
            "caller_parent_id": "1",
            "caller_uid": "1",
            "gmt_create": int(job.created * 1000),
            "model_name": job.sale.order.model,
            "region": "cn-beijing",
            "request_id": str(uuid4()),
            "status": wan.WORDS[job.phase],
            "task_id": job.id,
            "user_api_unique_key": f"apikey:v1:aigc:video-generation:video-synthesis:{job.sale.order.model}",
        } | {name: int(at * 1000) for name, at in times.items() if at is not None}

    def _no(self, code: str, message: str = "") -> Reply:
        status, usual = CODES[code]
        return json_reply({"code": code, "message": message or usual, "request_id": str(uuid4())}, status)


def _sentence(violation: Violation) -> str:
    if violation.problem == "missing":
        return f"Field required: {violation.path}"
    return f"{violation.path}: expected {violation.expected}, received {violation.received}"
