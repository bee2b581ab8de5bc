"""APIYI on this machine: a create in DashScope's form under `/wan`, a poll in its own form at `/v1/tasks/{id}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from uuid import uuid4

from storyreel.testing.faults import Answer, Call
from storyreel.testing.wire import HttpRequest, Reply, json_reply
from tests.services import wan
from tests.services.checking import Violation, violations
from tests.services.emulator import Emulator, Rate, Refusal, Route, Settings
from tests.services.jobs import Failure, Job, Phase
from tests.services.references import Finding, Reference

RATES = (Rate(Call.POLL, 1, 3),)
"""Looks at a task no more often than every 3 s, says the overview."""

WORDS = {
    Phase.WAITING: "submitted",
    Phase.RUNNING: "in_progress",
    Phase.DONE: "completed",
    Phase.FAILED: "failed",
    Phase.CANCELED: "failed",
    Phase.FORGOTTEN: "UNKNOWN",
}

REFUSALS: Mapping[str, tuple[int, str, str]] = {
    "key": (401, "task_error", "Invalid token"),
    "moderation": (403, "task_error", "[DataInspectionFailed] Input data may contain inappropriate content."),
    "group": (403, "task_error", "no available channel for model wan2.7-r2v under the group of this token"),
    "rate": (429, "task_error", "Too many requests, please try again later"),
    "balance": (429, "task_error", "Insufficient balance, please top up"),
    "media": (500, "task_error", "[InvalidParameter] Field required: input.media"),
    "upstream": (500, "task_error", "upstream error, please try again later"),
}
"""HTTP status, `type` and `message` of the refusals that its pages describe. 429 has two meanings, told by text."""

_BY_STATUS = {
    400: "[InvalidParameter] invalid request",
    401: "Invalid token",
    403: "Forbidden",
    404: "task not found",
    429: "Too many requests, please try again later",
    500: "upstream error, please try again later",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True, kw_only=True)
class ApiyiSettings(Settings):
    """Settings for what APIYI does not document."""

    renews_links: bool = True
    synchronous_status: int = 403
    """Status of a create without `X-DashScope-Async`; its text is known, its code is not."""
    poll: Literal["own", "native"] = "own"
    """Whether polls are answered in its own form or in DashScope's, as gateways of this kind may."""
    failure: Literal["error", "fail_reason", "both", "none"] = "error"
    """Where a failed task's reason stands: `error.message`, `fail_reason`, both, or nowhere."""
    error: Literal["flat", "nested"] = "flat"
    """Whether `type` and `message` of a refusal stand at the top or under `error`."""
    passes_undocumented_media: bool = False
    """Whether i2v passes `last_frame` on; the pages name `first_frame` and `driving_audio`, and later `first_clip`."""
    takes_data_uris: bool = True
    """Base64 images: not in the pages, "verified working" in their skill text."""
    refuses_long_prompt: bool = True
    """The page states 5000 characters; upstream cuts in silence."""
    unknown_task: Literal["404", "UNKNOWN"] = "404"
    """The answer to an id that is not known (any more)."""
    labels_gzip: bool = False
    """Plain replies labelled `Content-Encoding: gzip` unless the client asks for identity."""


class Apiyi(Emulator):
    """The emulator of APIYI."""

    name: ClassVar[str] = "apiyi"
    oss: ClassVar[bool] = True

    def __init__(self, settings: ApiyiSettings | None = None) -> None:
        self.doubts = settings or ApiyiSettings()
        super().__init__(self.doubts)

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(Call.CREATE, "POST", "/wan/api/v1/services/aigc/video-generation/video-synthesis", self.create),
            Route(Call.CREATE, "POST", "/v1/videos", self.lose_media),
            Route(Call.POLL, "GET", "/v1/tasks/(?P<id>[^/]+)", self.poll),
        )

    async def answer(self, request: HttpRequest) -> Reply:
        reply = await super().answer(request)
        if self.doubts.labels_gzip and request.headers.get("accept-encoding") != "identity" and reply.body:
            return reply.with_header("content-encoding", "gzip")
        return reply

    async def create(self, request: HttpRequest) -> Reply:
        """Check as the gateway does, pass on, accept."""
        self._check_key(request)
        if request.headers.get("x-dashscope-async") != "enable":
            refusal = "current user api does not support synchronous calls"
            raise Refusal(self._error(self.doubts.synchronous_status, refusal))
        body = self.json_body(request)
        self._check(body)
        findings, failure = await self.check_references(wan.references(body))
        if violation := wan.too_long(body, findings):
            raise Refusal(self._invalid(violation))
        if self.is_balance_spent():
            raise Refusal(self._refusal("balance"))
        job = self.sell(request, body, wan.order(body, findings), str(uuid4()), failure)
        return json_reply({"output": {"task_id": job.id, "task_status": "PENDING"}, "request_id": str(uuid4())})

    async def lose_media(self, request: HttpRequest) -> Reply:
        """The tempting path, which drops the references on the way upstream."""
        self._check_key(request)
        self.json_body(request)
        raise Refusal(self._refusal("media"))

    async def poll(self, request: HttpRequest, id: str) -> Reply:
        """Answer a request for the state of a task."""
        self._check_key(request)
        job = self.jobs.find(id)
        if job is None:
            if self.doubts.unknown_task == "404":
                raise Refusal(self._error(404, _BY_STATUS[404]))
            return json_reply({"task_id": id, "status": "UNKNOWN", "progress": 0})
        polls = job.polls
        phase, word = self.jobs.poll(job)
        link = self.link_to(job) if phase is Phase.DONE else ""
        if self.doubts.poll == "native":
            return json_reply({"request_id": str(uuid4())} | wan.task_reply(job, phase, word, link))
        # Its progress knows four values and says nothing about time.
        progress = {Phase.WAITING: 10 if polls else 0, Phase.RUNNING: 30}.get(phase, 100)
        reply: dict[str, object] = {"task_id": job.id, "status": word or WORDS[phase], "progress": progress}
        if link:
            reply["result_url"] = link
        if phase in (Phase.FAILED, Phase.CANCELED):
            reply |= self._reason(job.script.failure)
        return json_reply(reply)

    def error_reply(self, status: int) -> Reply:
        return self._error(status, _BY_STATUS.get(status, "Something went wrong"))

    def refusal(self, name: str) -> Answer:
        """One of the REFUSALS, to be planned as a fault."""
        status, kind, message = REFUSALS[name]
        return Answer(status, self._error_body(message, kind))

    def not_found(self, request: HttpRequest) -> Reply:
        return self._error(404, f"Invalid URL ({request.method} {request.path})")

    def malformed(self, request: HttpRequest, detail: str) -> Reply:
        return self._error(400, detail, "parse_request_failed")

    def reference_refusal(self, reference: Reference, finding: Finding) -> tuple[Reply, Failure]:
        code = {"image": "InvalidImageUrl", "video": "InvalidVideoUrl"}.get(reference.kind, "InvalidUrl")
        failure = Failure(code, f"{reference.where}: {finding.detail}")
        return self._error(400, f"[{code}] {failure.message}"), failure

    def result_target(self, job: Job) -> str:
        return wan.oss_target(job, self.clock.now() + (self.settings.link_seconds or 0))

    def _check_key(self, request: HttpRequest) -> None:
        if request.headers.get("authorization") != f"Bearer {self.settings.key}":
            raise Refusal(self._refusal("key"))

    def _check(self, body: Any) -> None:
        model = body.get("model") if isinstance(body, dict) else None
        mode = wan.MODELS.get(model) if isinstance(model, str) else None
        if mode is None:
            raise Refusal(self._error(403, f"no available channel for model {model}"))
        inputs = body.get("input")
        if mode in wan.NEEDS_MEDIA and isinstance(inputs, dict) and not inputs.get("media"):
            image = f"image-to-video model {model} must provide an image"
            raise Refusal(self._error(500, image, "build_request_failed") if "i2v" in mode else self._refusal("media"))
        schemes = ("http", "https", "data") if self.doubts.takes_data_uris else ("http", "https")
        table = wan.fields(mode, schemes=schemes, refuses_long=self.doubts.refuses_long_prompt)
        wrong = violations(table, body, unknown_fields=self.settings.unknown_fields)
        for violation in wrong:
            if violation.problem == "type" and violation.expected in _GO:
                raise Refusal(self._error(400, _unmarshal(violation), "parse_request_failed"))
        sets = (
            wan.DOCUMENTED_SETS
            if self.doubts.passes_undocumented_media
            else (*wan.DOCUMENTED_SETS[:2], ("first_clip",))
        )
        wrong = wrong or wan.combinations(mode, body, sets)
        if wrong:
            raise Refusal(self._invalid(wrong[0]))

    def _invalid(self, first: Violation) -> Reply:
        return self._error(400, f"[InvalidParameter] {first.path}: expected {first.expected}, got {first.received}")

    def _reason(self, failure: Failure) -> dict[str, object]:
        text = f"[{failure.code}] {failure.message}" if failure.code else failure.message
        shape = failure.shape or self.doubts.failure
        reason: dict[str, object] = {"error": {"message": text}} if shape in ("error", "both") else {}
        return reason | ({"fail_reason": text} if shape in ("fail_reason", "both") else {})

    def _refusal(self, name: str) -> Reply:
        status, kind, message = REFUSALS[name]
        return self._error(status, message, kind)

    def _error(self, status: int, message: str, kind: str = "task_error") -> Reply:
        return json_reply(self._error_body(message, kind), status)

    def _error_body(self, message: str, kind: str) -> dict[str, object]:
        body: dict[str, object] = {"type": kind, "message": message}
        return body if self.doubts.error == "flat" else {"error": body}


_GO = {"text": "string", "integer": "int", "boolean": "bool", "object": "struct", "list": "slice"}


def _unmarshal(violation: Violation) -> str:
    """The message of Go's JSON decoder for a wrong type."""
    sent = {"integer": "number", "boolean": "bool"}.get(violation.received, violation.received)
    return (
        f"json: cannot unmarshal {sent} into Go struct field WanRequest.{violation.path} of type "
        f"{_GO[violation.expected]}"
    )
