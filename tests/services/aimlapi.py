"""AIMLAPI on this machine: orders and looks at `/v2/video/generations`, its log of requests, its catalogue of models.

Field tables are those of its published OpenAPI files; messages are those of its pages on errors.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar, Literal
from uuid import uuid4

from storyreel.testing.faults import Call
from storyreel.testing.wire import HttpRequest, Reply, json_reply
from tests.services import aimlapi_logs, aimlapi_models, aimlapi_wan_3
from tests.services.aimlapi_models import OTHERS, ListedModel, by_resolution
from tests.services.checking import Field, Violation, plain, violations
from tests.services.clock import utc
from tests.services.emulator import Emulator, Refusal, Route, Settings
from tests.services.jobs import Failure, Job, Phase
from tests.services.references import Finding, Reference
from tests.services.sales import Order, nearest_ratio, ordered

_PATH = "/v2/video/generations"
_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")
_CREDITS_A_USD = 2_000_000
"""3 900 000 credits were 1.95 USD in the create reply that the r2v page shows."""

WORDS = {Phase.WAITING: "queued", Phase.RUNNING: "generating", Phase.DONE: "completed", Phase.FAILED: "error"}

_MESSAGES = {
    400: "Body validation error!",
    401: "This request requires a valid API key. You can create a new API key on the Billing page: "
    "https://aimlapi.com/app/keys",
    403: "You've run out of credits. Please top up your balance or update your payment method to continue: "
    "https://aimlapi.com/app/billing/",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Something wrong with the server. Please, try again later.",
    502: "Bad Gateway",
    503: "Service unavailable",
    504: "Generation timeout",
}

FREE_TIER = (
    "Free-tier limit: You've reached your free limit for the hour. Get AI/ML Subscription to use API, visit "
    "https://aimlapi.com/app/billing/ !"
)
"""The other message that comes with 429."""


@dataclass(frozen=True, kw_only=True)
class AimlapiSettings(Settings):
    """Settings for what AIMLAPI does not document."""

    duration_as_text: bool = True
    """`"5"` is taken for 5: the page's own cURL call sends it, the schema says integer."""
    whole_floats: bool = True
    """5.0 is taken for 5: JavaScript knows no difference, the schema's language does."""
    combined_references: int | None = None
    """Images and videos together at most. Unstated; upstream 5. None: five of each."""
    needs_reference: bool = False
    """Whether r2v without any reference is refused, as upstream does."""
    fifteen_with_video: Literal["sell", "refuse", "cap"] = "sell"
    """15 s with a reference video: upstream makes no more than 10 s. `cap` delivers 10 s for the price of 15."""
    prompt_limit: int | None = None
    """Characters. Unstated; upstream 5000."""
    takes_data_uris: bool = False
    """Whether r2v takes base64 as i2v's image_url does; the schemas ask for a uri in both."""
    created: int = 200
    """The schema's status of a create; the general page on errors names 201 and 204 too."""
    ids: Literal["short", "uuid", "path"] = "short"
    """21 URL-safe characters as in the r2v sample, a UUID as in the schema's example, or with `:` and `/` inside."""
    details: Literal["list", "map", "none"] = "list"
    """The layout of what is wrong, in a 400."""
    failure: Literal["message", "nameless", "detail", "text", "none"] = "message"
    """`{name, message}` as in the schema, `{message}` or `{detail: [{loc, msg, type}]}` as in samples, a bare text,
    or no reason at all."""
    usage_at_create: bool = True
    """Whether the create reply states the cost, as the sample's does; the schema lets it be missing."""
    usage_at_end: bool = False
    """Whether the finished task's reply repeats `meta`, which the sample's does not."""
    usd_a_second_720p: Decimal = Decimal("0.09")
    """No page states it; two thirds of the larger size's, as upstream."""
    usd_a_second_1080p: Decimal = Decimal("0.13")
    """From the sample: 1.95 USD for 10 s of output and 5 s of input video."""
    unknown_task: int = 404
    """Status of a poll of an unknown id."""
    log_seconds: float = 0
    """Time from the end of a task to its row in the log. Its pages say that a charge is recorded after a generation
    reports `completed`, and not how long after."""
    video: Literal["object", "list"] = "object"
    """Whether a finished task's `video` is an object, as in its samples, or a list: its schema of Wan 3.0 has both."""
    keeps_client_ids: bool = True
    """Whether the header of an order arrives; a proxy may drop it."""
    catalogue: tuple[ListedModel, ...] | None = None
    """The models that it lists; None: its three of Wan 2.7 at the prices that it charges, and others."""


_COMMON = {
    "model": Field("text", needed=True),
    "prompt": Field("text", needed=True),
    "resolution": Field("text", choices=("720p", "1080p")),
    "duration": Field("integer", choices=(5, 10, 15)),
    "enhance_prompt": Field("boolean"),
    "seed": Field("integer"),
}
_RATIO = {"aspect_ratio": Field("text", choices=_RATIOS)}
_NEGATIVE = {"negative_prompt": Field("text", most=500), "watermark": Field("boolean")}
_FIELDS: Mapping[str, Mapping[str, Field]] = {
    **aimlapi_wan_3.FIELDS,
    "alibaba/wan-2-7-r2v": _COMMON
    | _RATIO
    | _NEGATIVE
    | {
        "first_frame_image": Field("url"),
        "image_urls": Field("list", most=5, item=Field("url")),
        "video_urls": Field("list", most=5, item=Field("url")),
    },
    "alibaba/wan-2-7-i2v": _COMMON
    | _NEGATIVE
    | {
        "image_url": Field("url", needed=True, schemes=("http", "https", "data")),
        "audio_url": Field("url"),
        "enable_prompt_expansion": Field("boolean"),
    },
    "alibaba/wan-2-7-t2v": _COMMON
    | _RATIO
    | {
        "audio_url": Field("url"),
        "negative_prompt": Field("text"),
        "shot_type": Field("text", choices=("single", "multi")),
        "generate_audio": Field("boolean"),
    },
}


class Aimlapi(Emulator):
    """The emulator of AIMLAPI."""

    name: ClassVar[str] = "aimlapi"

    def __init__(self, settings: AimlapiSettings | None = None) -> None:
        self.doubts = settings or AimlapiSettings()
        super().__init__(self.doubts)

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(Call.CREATE, "POST", _PATH, self.create),
            Route(Call.POLL, "GET", _PATH, self.poll),
            Route(Call.LIST, "GET", aimlapi_logs.PATH, self.log),
            Route(Call.PRICES, "GET", aimlapi_models.PATH, self.models),
        )

    async def create(self, request: HttpRequest) -> Reply:
        """Check, accept, begin."""
        self._check_key(request)
        body = self.json_body(request)
        wrong = self._violations(body)
        if wrong:
            raise Refusal(self._invalid(wrong))
        is_later = body["model"] in aimlapi_wan_3.FIELDS
        findings, failure = await self.check_references((aimlapi_wan_3.references if is_later else _references)(body))
        if is_later and (wrong := aimlapi_wan_3.too_long(body, findings)):
            raise Refusal(self._invalid(wrong))
        if self.is_balance_spent():
            raise Refusal(self._error(403))
        order = self._order(body, findings)
        job = self.sell(request, body, order, self._new_id(), failure)
        meta = {"meta": self._usage(job)} if self.doubts.usage_at_create else {}
        reply = json_reply({"id": job.id, "status": WORDS[Phase.WAITING]} | meta, self.doubts.created)
        if self.doubts.created == 204:
            reply = Reply(204)
        # Its page on request tracing and cost headers.
        for name, value in (self._headers(job) | self._cost_headers(job)).items():
            reply = reply.with_header(name, value)
        return reply

    async def poll(self, request: HttpRequest) -> Reply:
        """The status of a generation."""
        self._check_key(request)
        id = request.query_value("generation_id")
        if not id:
            missing = Violation(("generation_id",), "missing", "text", "undefined")
            raise Refusal(self._invalid([missing], "Query validation error!"))
        job = self.jobs.find(id)
        if job is None:
            raise Refusal(self._error(self.doubts.unknown_task))
        phase, word = self.jobs.poll(job)
        reply: dict[str, object] = {"id": job.id, "status": word or WORDS.get(phase, "error")}
        if phase is Phase.DONE:
            video = {"url": self.link_to(job)}
            reply["video"] = video if self.doubts.video == "object" else [video]
            if self.doubts.usage_at_end:
                reply["meta"] = self._usage(job)
        elif phase in (Phase.FAILED, Phase.CANCELED, Phase.FORGOTTEN):
            reply |= self._reason(job.script.failure)
        return json_reply(reply)

    async def log(self, request: HttpRequest) -> Reply:
        """A page of the log: the requests that have ended, of this key alone."""
        self._check_key(request)
        strict = self.settings.unknown_fields == "refuse"
        if wrong := aimlapi_logs.violations(request, unknown=strict):
            raise Refusal(self._invalid(wrong, "Query validation error!"))
        prefix = request.query_value("key_prefix")
        if prefix is not None and not self.settings.key.startswith(prefix):
            raise Refusal(self._error(403, "This key may not list the requests of another one"))
        return json_reply(aimlapi_logs.page(request, self.clock.now()).of(self._rows()))

    async def models(self, request: HttpRequest) -> Reply:
        """The catalogue. Anybody may read it."""
        return aimlapi_models.answer(request, self.catalogue)

    @property
    def catalogue(self) -> tuple[ListedModel, ...]:
        """The models that it lists now."""
        if self.doubts.catalogue is not None:
            return self.doubts.catalogue
        prices = by_resolution(p720=str(self.doubts.usd_a_second_720p), p1080=str(self.doubts.usd_a_second_1080p))
        return (*(ListedModel(name, prices, aliases=(name.partition("/")[2],)) for name in _FIELDS), *OTHERS)

    def _rows(self) -> list[aimlapi_logs.Row]:
        """A failed request is billed nothing: what was held for it is given back."""
        self.jobs.advance()
        ended = [job for job in self.jobs.all() if job.ended is not None]
        return [
            aimlapi_logs.Row(
                created=job.sale.at,
                succeeded=job.outcome is Phase.DONE,
                model=job.sale.order.model,
                usd=(usd := self._usd(job) if job.outcome is Phase.DONE else Decimal(0)),
                credits=int(usd * _CREDITS_A_USD),
                inference=job.id,
                client=self._headers(job).get("x-client-request-id"),
            )
            for job in ended
            if job.ended is not None and self.clock.now() >= job.ended + self.doubts.log_seconds
        ]

    def _headers(self, job: Job) -> dict[str, str]:
        """The ids that come with the answer to an order."""
        client = job.sale.request.headers.get("x-client-request-id", "")
        is_kept = self.doubts.keeps_client_ids and aimlapi_logs.CLIENT_ID.fullmatch(client)
        return {"x-inference-id": job.id} | ({"x-client-request-id": client} if is_kept else {})

    def _cost_headers(self, job: Job) -> dict[str, str]:
        usd = self._usd(job)
        return {"x-aimlapi-credits-used": str(int(usd * _CREDITS_A_USD)), "x-aimlapi-usd-spent": f"{usd:.9f}"}

    def error_reply(self, status: int) -> Reply:
        return self._error(status)

    def not_found(self, request: HttpRequest) -> Reply:
        return self._error(404, f"Cannot {request.method} {request.path}")

    def malformed(self, request: HttpRequest, detail: str) -> Reply:
        return self._error(400, detail)

    def reference_refusal(self, reference: Reference, finding: Finding) -> tuple[Reply, Failure]:
        violation = Violation((reference.where,), "type", f"a usable {reference.kind}", finding.detail)
        return self._invalid([violation]), Failure(f"{reference.kind}_error", finding.detail)

    def result_target(self, job: Job) -> str:
        return f"/generations/alligator/{int(job.created * 1000)}-{job.number:08d}-{secrets.token_hex(6)}.mp4"

    def _check_key(self, request: HttpRequest) -> None:
        if request.headers.get("authorization") != f"Bearer {self.settings.key}":
            raise Refusal(self._error(401))

    def _violations(self, body: Any) -> list[Violation]:
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(model, str) or model not in _FIELDS:
            expected = " | ".join(f"'{name}'" for name in _FIELDS)
            return [Violation(("model",), "choice", expected, str(model))]
        wrong = violations(self._fields(model), body, unknown_fields=self.settings.unknown_fields)
        combinations = aimlapi_wan_3.combinations if model in aimlapi_wan_3.FIELDS else self._combinations
        return wrong or combinations(body)

    def _fields(self, model: str) -> dict[str, Field]:
        fields = dict(_FIELDS[model])
        for name in ("duration", "seed"):
            fields[name] = replace(fields[name], whole_floats=self.doubts.whole_floats)
        fields["duration"] = replace(fields["duration"], text_numbers=self.doubts.duration_as_text)
        fields["prompt"] = replace(fields["prompt"], most=self.doubts.prompt_limit or fields["prompt"].most)
        if self.doubts.takes_data_uris and model.endswith("r2v"):
            taken = Field("url", schemes=("http", "https", "data"))
            fields |= {"first_frame_image": taken, "image_urls": replace(fields["image_urls"], item=taken)}
        return fields

    def _combinations(self, body: Mapping[str, Any]) -> list[Violation]:
        images, videos = len(body.get("image_urls", [])), len(body.get("video_urls", []))
        most, wrong = self.doubts.combined_references, []
        if most is not None and images + videos > most:
            wrong.append(Violation(("video_urls",), "combination", f"at most {most} references", str(images + videos)))
        if self.doubts.needs_reference and body["model"].endswith("r2v") and not images + videos:
            wrong.append(Violation(("image_urls",), "combination", "at least one reference", "none"))
        if self.doubts.fifteen_with_video == "refuse" and videos and _seconds(body) == 15:
            wrong.append(Violation(("duration",), "combination", "at most 10 with a reference video", "15"))
        return wrong

    def _order(self, body: Mapping[str, Any], findings: Mapping[str, Finding]) -> Order:
        first = findings.get("image_url") or findings.get("first_frame_image")
        ratio = body.get("aspect_ratio", "16:9").replace("adaptive", "16:9")
        ratio = nearest_ratio(first.width, first.height) if first and first.width else ratio
        videos = bool(body.get("video_urls"))
        is_capped = videos and self.doubts.fifteen_with_video == "cap" and body["model"] not in aimlapi_wan_3.FIELDS
        seconds = 10 if is_capped else 30
        edited = aimlapi_wan_3.edited_seconds(body, findings)
        return ordered(
            model=body["model"],
            prompt=body["prompt"],
            seconds=edited or min(seconds, _seconds(body)),
            resolution=body.get("resolution", "1080p"),
            ratio=ratio,
            with_video=videos,
            input_seconds=edited or aimlapi_wan_3.input_seconds(body, findings)
            if body["model"] in aimlapi_wan_3.FIELDS
            else None,
        )

    def _usd(self, job: Job) -> Decimal:
        order = job.sale.order
        price = self.doubts.usd_a_second_720p if order.resolution == "720p" else self.doubts.usd_a_second_1080p
        asked = order.seconds if "video_url" in job.sale.body else _seconds(job.sale.body)
        return price * (asked + order.input_seconds)

    def _usage(self, job: Job) -> dict[str, object]:
        usd = self._usd(job)
        return {"usage": {"credits_used": int(usd * _CREDITS_A_USD), "usd_spent": float(usd)}}

    def _reason(self, failure: Failure) -> dict[str, object]:
        match failure.shape or self.doubts.failure:
            case "message":
                return {"error": {"name": failure.code, "message": failure.message}}
            case "nameless":
                return {"error": {"message": failure.message}}
            case "detail":
                detail = {"loc": ["body", "image_url"], "msg": failure.message, "type": failure.code, "input": ""}
                return {"error": {"detail": [detail]}}
            case "text":
                return {"error": failure.message}
        return {}

    def _invalid(self, wrong: list[Violation], message: str = _MESSAGES[400]) -> Reply:
        match self.doubts.details:
            case "list":
                return self._error(
                    400, message, details=[{"path": list(one.where), "message": _sentence(one)} for one in wrong]
                )
            case "map":
                return self._error(400, message, details={one.path: _sentence(one) for one in wrong})
        return self._error(400, f"{message} {'; '.join(_sentence(one) for one in wrong)}")

    def _error(self, status: int, message: str = "", **more: object) -> Reply:
        now = self.clock.now()
        body = {
            "message": message or _MESSAGES.get(status, "Something wrong"),
            "path": _PATH,
            "requestId": str(uuid4()),
            "statusCode": str(status),
            "timestamp": utc(now),
        }
        return json_reply(body | more, status)

    def _new_id(self) -> str:
        match self.doubts.ids:
            case "uuid":
                return str(uuid4())
            case "path":
                return f"{secrets.token_urlsafe(12)}:wan-2-7/r2v/pro"
        return secrets.token_urlsafe(16)[:21]


def _seconds(body: Mapping[str, Any]) -> int:
    return int(plain(Field("integer", text_numbers=True, whole_floats=True), body.get("duration", 10)))


def _references(body: Mapping[str, Any]) -> list[Reference]:
    found = [Reference(body[name], "image", name) for name in ("first_frame_image", "image_url") if name in body]
    found += [Reference(url, "image", f"image_urls[{at}]") for at, url in enumerate(body.get("image_urls", []))]
    found += [Reference(url, "video", f"video_urls[{at}]") for at, url in enumerate(body.get("video_urls", []))]
    return found + [Reference(body[name], "audio", name) for name in ("audio_url",) if name in body]


def _sentence(violation: Violation) -> str:
    if violation.problem == "choice":
        return f"Invalid enum value. Expected {violation.expected}, received '{violation.received}'"
    if violation.problem == "missing":
        return f"Required: {violation.path}"
    if violation.problem == "unknown":
        return f"Unrecognized key(s) in object: '{violation.where[-1]}'"
    return f"Expected {violation.expected}, received {violation.received}"
