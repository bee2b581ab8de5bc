"""DashScope on this machine: create, look, list, cancel, and uploads to its OSS."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, ClassVar, Literal
from uuid import uuid4

from tests.services import wan
from tests.services.checking import Field, Violation, violations
from tests.services.clock import BEIJING
from tests.services.dashscope_codes import BY_STATUS, CODES
from tests.services.emulator import DAY, Rate, Refusal, Route, Settings
from tests.services.faults import Answer, Call
from tests.services.jobs import Failure, Job, Phase
from tests.services.references import Finding, Reference
from tests.services.uploads import UploadingEmulator
from tests.services.wire import Heard, Reply, said

RATES = (Rate(Call.CREATE, 5, 1), Rate(Call.LOOK, 20, 1), Rate(Call.LIST, 20, 1), Rate(Call.UPLOAD, 100, 1))
"""Published: 5 submits a second for wan2.7, 20 looks and lists, 100 upload policies."""

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
    """The doubts about DashScope."""

    at_once: int | None = AT_ONCE
    beyond_at_once: Literal["queue", "refuse"] = "queue"
    """A submit while five run: the pages say that it waits."""
    long_prompt: Literal["cut", "refuse"] = "cut"
    """A prompt beyond 5000 characters is cut in silence, and billed."""
    unresolved: Literal["refuse", "fail"] = "refuse"
    """What becomes of an `oss://` address without the header that has it resolved."""
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
            Route(Call.LIST, "GET", "/api/v1/tasks/?", self.list_tasks),
            Route(Call.LOOK, "GET", "/api/v1/tasks/(?P<id>[^/]+)", self.look),
            Route(Call.CANCEL, "POST", "/api/v1/tasks/(?P<id>[^/]+)/cancel", self.cancel),
            Route(Call.UPLOAD, "GET", "/api/v1/uploads", self.policy),
        )

    async def create(self, heard: Heard) -> Reply:
        """Check, take the money, queue."""
        self._let_in(heard)
        if heard.headers.get("x-dashscope-async") != "enable":
            raise Refusal(self._no("AccessDenied", "current user api does not support synchronous calls."))
        body = self.json_body(heard)
        self._check(body)
        failure = self._unresolved(heard, body)
        findings, unfit = await self.opened(wan.references(body)) if failure is None else ({}, None)
        if self.has_no_money():
            raise Refusal(self._no("Arrearage"))
        if self.doubts.beyond_at_once == "refuse" and self._is_full():
            raise Refusal(self._no("Throttling"))
        job = self.sell(heard, body, wan.order(body, findings), str(uuid4()), failure or unfit)
        return said({"output": {"task_status": "PENDING", "task_id": job.id}, "request_id": str(uuid4())})

    async def look(self, heard: Heard, id: str) -> Reply:
        """Where a task stands. A failed or forgotten one is HTTP 200 as well."""
        self._let_in(heard)
        job = self.jobs.find(id)
        if job is None:
            return said({"request_id": str(uuid4()), "output": {"task_id": id, "task_status": "UNKNOWN"}})
        phase, word = self.jobs.look(job)
        link = self.link_to(job) if phase is Phase.DONE else ""
        return said({"request_id": str(uuid4())} | wan.standing(job, phase, word, link))

    async def cancel(self, heard: Heard, id: str) -> Reply:
        """End a task that has not begun."""
        self._let_in(heard)
        job = self.jobs.find(id)
        if job is None or not self.jobs.cancel(job):
            raise Refusal(self._no("UnsupportedOperation"))
        return said({"request_id": str(uuid4())})

    async def list_tasks(self, heard: Heard) -> Reply:
        """The account's tasks of at most 24 hours, newest first, in pages."""
        self._let_in(heard)
        self.jobs.advance()
        start, end = self._window(heard)
        page, size = self._number(heard, "page_no", 1), self._number(heard, "page_size", 10)
        wanted = [
            job
            for job in reversed(self.jobs.all())
            if self.jobs.find(job.id)
            and start <= job.created <= end
            and heard.asked("model_name") in (None, job.sale.order.model)
            and heard.asked("status") in (None, wan.WORDS[job.phase])
            and heard.asked("task_id") in (None, job.id)
        ]
        return said(
            {
                "total": len(wanted),
                "data": [self._entry(job) for job in wanted[(page - 1) * size : page * size]],
                "total_page": math.ceil(len(wanted) / size),
                "page_no": page,
                "request_id": str(uuid4()),
                "page_size": size,
            }
        )

    async def policy(self, heard: Heard) -> Reply:
        """Where to upload a file, for a model, and with what signature."""
        self._let_in(heard)
        model = heard.asked("model") or ""
        if heard.asked("action") != "getPolicy" or model not in wan.MODELS:
            raise Refusal(self._no("InvalidParameter", "action must be getPolicy and model a known one"))
        place = f"dashscope-instant/{secrets.token_hex(8)}/{datetime.fromtimestamp(heard.at, BEIJING):%Y-%m-%d}"
        ticket = self.uploads.ticket(f"{place}/{uuid4()}", seconds=_TICKET_SECONDS, model=model)
        return said(
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

    async def take(self, heard: Heard) -> Reply:
        return await self.uploads.take_form(heard)

    def stored(self, url: str) -> bytes | None:
        upload = self.uploads.find(url.removeprefix("oss://")) if url.startswith("oss://") else None
        return upload.content if upload else None

    def own_words(self, status: int) -> Reply:
        if status in BY_STATUS:
            return self._no(BY_STATUS[status])
        # A gateway in front of it, which knows nothing of codes.
        return Reply(status, b"<html><body>upstream error</body></html>", (("content-type", "text/html"),))

    def refusal(self, code: str, *, status: int | None = None) -> Answer:
        """One of the CODES, to be planned as a fault; `status` 200 is what a careless gateway makes of it."""
        documented, message = CODES[code]
        return Answer(status or documented, {"code": code, "message": message, "request_id": str(uuid4())})

    def not_found(self, heard: Heard) -> Reply:
        return self._no("NotFound")

    def malformed(self, heard: Heard, detail: str) -> Reply:
        return self._no("BadRequest.IllegalInput", f"The input parameter requires json format. {detail}")

    def unfit(self, reference: Reference, finding: Finding) -> tuple[Reply, Failure]:
        code = _REASONS.get((reference.kind, finding.problem)) or _REASONS.get(("*", finding.problem))
        code = code or "InvalidParameter.DataInspection"
        message = CODES[code][1] if finding.problem == "unreachable" else f"{CODES[code][1]} {finding.detail}"
        return self._no(code, message), Failure(code, message)

    def result_target(self, job: Job) -> str:
        return wan.oss_target(job, self.clock.now() + (self.settings.link_seconds or 0))

    def _let_in(self, heard: Heard) -> None:
        given = heard.headers.get("authorization", "")
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

    def _unresolved(self, heard: Heard, body: Mapping[str, Any]) -> Failure | None:
        """Uploads are found with the header alone, and by the model alone that they were made for."""
        resolves = heard.headers.get("x-dashscope-ossresourceresolve") == "enable"
        for reference in wan.references(body):
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

    def _window(self, heard: Heard) -> tuple[float, float]:
        """Both ends in seconds since 1970; without them the last 24 hours."""
        now = self.clock.now()
        try:
            asked = [self._moment(heard.asked(name)) for name in ("start_time", "end_time")]
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

    def _number(self, heard: Heard, name: str, usual: int) -> int:
        written = heard.asked(name) or str(usual)
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
        return said({"code": code, "message": message or usual, "request_id": str(uuid4())}, status)


def _sentence(violation: Violation) -> str:
    if violation.problem == "missing":
        return f"Field required: {violation.path}"
    return f"{violation.path}: expected {violation.expected}, received {violation.received}"
