"""Freepik, also called Magnific, on this machine: create, poll, list, uploads and signed webhooks."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal
from uuid import uuid4

from storyreel.testing.faults import Call
from storyreel.testing.footage import PictureForm
from storyreel.testing.wire import HttpRequest, Reply, json_reply
from tests.services import wan
from tests.services.checking import Field, Violation, violations
from tests.services.emulator import DAY, Rate, Refusal, Route, Settings
from tests.services.jobs import Failure, Job, Phase
from tests.services.references import Finding, Kind, Reference
from tests.services.sales import Order, nearest_ratio, ordered
from tests.services.uploads import UploadingEmulator
from tests.services.webhooks import Outbox, Post

RATES = (Rate(Call.POLL, 250, 5), Rate(Call.POLL, 1200, 120))
"""Published: 50 hits a second over 5 s, 10 a second on average over 2 minutes."""

Form = Literal["r2v", "i2v", "t2v", "horse-r2v", "horse-i2v", "horse-t2v", "horse-edit"]
SOLD: Mapping[str, Form] = {
    "reference-to-video/wan-2-7": "r2v",
    "image-to-video/wan-2-7": "i2v",
    "text-to-video/wan-2-7": "t2v",
    "reference-to-video/happy-horse-1-1": "horse-r2v",
    "image-to-video/happy-horse-1-1": "horse-i2v",
    "text-to-video/happy-horse-1-1": "horse-t2v",
    "video-edit/happy-horse-1": "horse-edit",
}
"""By path. Those of Happy Horse: the list of endpoints at docs.magnific.com, read 2026-11-29."""

WORDS = {
    Phase.WAITING: "CREATED",
    Phase.RUNNING: "IN_PROGRESS",
    Phase.DONE: "COMPLETED",
    Phase.FAILED: "FAILED",
    Phase.CANCELED: "FAILED",
    Phase.FORGOTTEN: "FAILED",
}

_MESSAGES = {
    400: "Parameter ':attribute' is not valid",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable. Please try again later.",
}

_URL = Field("url")
_CHARACTERS = Field("list", item=Field("object", fields={"url": Field("url", needed=True), "reference_voice": _URL}))
_COMMON = {
    "resolution": Field("text", choices=("720P", "1080P")),
    "seed": Field("integer", least=0, most=2**31 - 1),
    "additional_settings": Field("object", fields={"prompt_extend": Field("boolean")}),
    "webhook_url": _URL,
}
_PROMPT = Field("text", needed=True, least=1, most=wan.PROMPT)
_NEGATIVE = Field("text", most=wan.NEGATIVE)
_RATIO = Field("text", choices=("16:9", "9:16", "1:1", "4:3", "3:4"))
_HORSE = {name: field for name, field in _COMMON.items() if name != "additional_settings"}
_HORSE_PROMPT = Field("text", least=1, most=2500)
_HORSE_SECONDS = {"duration": Field("integer", least=3, most=15)}
_PICTURES = Field("list", least=1, most=9, item=Field("object", fields={"url": Field("url", needed=True)}))
_FIELDS: Mapping[Form, Mapping[str, Field]] = {
    "horse-r2v": _HORSE
    | _HORSE_SECONDS
    | {
        "prompt": replace(_HORSE_PROMPT, needed=True),
        "image_urls": replace(_PICTURES, needed=True),
        "aspect_ratio": _RATIO,
        "watermark": Field("boolean"),
    },
    "horse-i2v": _HORSE | _HORSE_SECONDS | {"prompt": _HORSE_PROMPT, "image_url": Field("url", needed=True)},
    "horse-t2v": _HORSE | _HORSE_SECONDS | {"prompt": replace(_HORSE_PROMPT, needed=True), "aspect_ratio": _RATIO},
    "horse-edit": _HORSE
    | {
        "prompt": replace(_HORSE_PROMPT, needed=True),
        "video_url": Field("url", needed=True),
        "image_urls": replace(_PICTURES, most=5),
        "audio_setting": Field("text", choices=("auto", "origin")),
    },
    "r2v": _COMMON
    | {
        "prompt": _PROMPT,
        "negative_prompt": _NEGATIVE,
        "image_urls": _CHARACTERS,
        "video_urls": _CHARACTERS,
        "start_image_url": _URL,
        "aspect_ratio": _RATIO,
        "duration": Field("integer", least=2, most=10),
    },
    "i2v": _COMMON
    | {
        "prompt": Field("text", most=wan.PROMPT),
        "start_image_url": _URL,
        "end_image_url": _URL,
        "audio_url": _URL,
        "video_url": _URL,
        "duration": Field("integer", least=2, most=15),
    },
    "t2v": _COMMON
    | {
        "prompt": _PROMPT,
        "audio_url": _URL,
        "aspect_ratio": _RATIO,
        "duration": Field("integer", least=2, most=15),
    },
}
_SINGLE: Mapping[str, tuple[str, Kind]] = {
    "start_image_url": ("first_frame", "image"),
    "end_image_url": ("last_frame", "image"),
    "video_url": ("first_clip", "clip"),
    "audio_url": ("driving_audio", "audio"),
}
"""Fields that name one file: Model Studio's word for it, and what it must be."""


PICTURE_MODELS = ("seedream-v4-5", "seedream-v4-5-edit")
PICTURE_SIZES: Mapping[str, tuple[int, int]] = {
    "square_1_1": (2048, 2048),
    "widescreen_16_9": (2730, 1536),
    "social_story_9_16": (1536, 2730),
    "portrait_2_3": (1672, 2508),
    "traditional_3_4": (1774, 2364),
    "standard_3_2": (2508, 1672),
    "classic_4_3": (2364, 1774),
    "cinematic_21_9": (3062, 1312),
}
"""Pixels of a picture: its pages on Seedream 4.5, read 2026-11-29."""
_PICTURE: Mapping[str, Field] = {
    "prompt": Field("text", needed=True, least=1, most=4096),
    "webhook_url": _URL,
    "aspect_ratio": Field("text", choices=tuple(PICTURE_SIZES)),
    "seed": Field("integer", least=0, most=2**32 - 1),
    "enable_safety_checker": Field("boolean"),
}
_FROM_PICTURES: Mapping[str, Field] = {
    "reference_images": Field("list", needed=True, least=1, most=14, item=Field("url"))
}
"""It takes base64 too, which is not sent."""


@dataclass(frozen=True, kw_only=True)
class FreepikSettings(Settings):
    """Settings for what Freepik does not document."""

    key_header: Literal["x-freepik-api-key", "x-magnific-api-key"] = "x-freepik-api-key"
    """By the name under which it is called."""
    remembered: float | None = None
    invalid: Literal["message", "problem", "nested"] = "message"
    """A 400 as `{message}`, as problem+json with `invalid_params`, or that under `problem`."""
    broke_status: int = 403
    """Status of a create that the account cannot pay for: no page names it."""
    reason: Literal["none", "message", "error"] = "none"
    """Where a failed task's reason stands: no page shows one."""
    not_found_body: bool = True
    """Whether 404 and 429, whose bodies are not in its specification, say anything at all."""
    negative_prompt_everywhere: bool = False
    """Its pages list `negative_prompt` for reference-to-video alone."""
    lists_last: int | None = None
    """No page says how long the list is; None: all tasks."""
    upload_reply: Literal["data", "files"] = "data"
    """Whether the addresses for uploads come as a list under `data` or under `files`; the page names the two fields."""
    webhook_secret: str = "c3RvcnlyZWVsLWVtdWxhdG9y"
    """Valid base64, so that both ways of using it differ."""
    webhook_secret_is_base64: bool = False
    """The documentation's samples disagree: three take the secret as text, one decodes it."""
    webhook_tries: int = 1
    """No page says whether a webhook that meets an error is sent again."""


class Freepik(UploadingEmulator):
    """The emulator of Freepik."""

    name: ClassVar[str] = "freepik"
    picture_form: ClassVar[PictureForm] = "JPEG"
    keeps: ClassVar[float] = DAY

    def __init__(self, settings: FreepikSettings | None = None) -> None:
        self.doubts = settings or FreepikSettings()
        super().__init__(self.doubts)
        self.webhooks = Outbox(
            self.clock.now, self.doubts.webhook_secret, self.doubts.webhook_secret_is_base64, self.doubts.webhook_tries
        )

    def posts(self, post: Post, *, times: int = 1) -> None:
        """Send the next webhooks like this."""
        self.webhooks.posts.extend([post] * times)

    def routes(self) -> tuple[Route, ...]:
        found = [Route(Call.UPLOAD, "POST", "/v1/ai/uploads/request-url", self.request_url)]
        for name, mode in SOLD.items():
            path = f"/v1/ai/{name}"
            found += [
                Route(Call.CREATE, "POST", path, partial(self.create, mode=mode)),
                Route(Call.LIST, "GET", path, partial(self.list_tasks, mode=mode)),
                Route(Call.POLL, "GET", path + "/(?P<id>[^/]+)", partial(self.poll, mode=mode)),
            ]
        for model in PICTURE_MODELS:
            path = f"/v1/ai/text-to-image/{model}"
            found += [
                Route(Call.CREATE, "POST", path, partial(self.create_picture, model=model)),
                Route(Call.LIST, "GET", path, partial(self.list_tasks, mode=model)),
                Route(Call.POLL, "GET", path + "/(?P<id>[^/]+)", partial(self.poll, mode=model)),
            ]
        return tuple(found)

    async def create(self, request: HttpRequest, mode: Form) -> Reply:
        """Check, accept, begin."""
        self._check_key(request)
        body = self.json_body(request)
        wrong = violations(self._fields(mode), body, unknown_fields=self.settings.unknown_fields)
        wrong = wrong or _combinations(mode, body)
        if wrong:
            raise Refusal(self._invalid(wrong))
        findings, failure = await self.check_references(_references(mode, body))
        return self._accepted(request, body, _order(mode, body, findings), failure)

    async def create_picture(self, request: HttpRequest, model: str) -> Reply:
        """Check an order of a picture, accept, begin."""
        self._check_key(request)
        body = self.json_body(request)
        table = _PICTURE | (_FROM_PICTURES if model.endswith("-edit") else {})
        if wrong := violations(table, body, unknown_fields=self.settings.unknown_fields):
            raise Refusal(self._invalid(wrong))
        pictures = [
            Reference(url, "image", f"reference_images[{at}]", sides=(256, 6000), formats=("JPEG", "PNG"))
            for at, url in enumerate(body.get("reference_images", []))
        ]
        _, failure = await self.check_references(pictures)
        shape = body.get("aspect_ratio", "square_1_1")
        width, height = PICTURE_SIZES[shape]
        ordered = Order(model, body["prompt"], 0, "1080p", nearest_ratio(width, height), width, height)
        return self._accepted(request, body, ordered, failure)

    def _accepted(self, request: HttpRequest, body: Mapping[str, Any], order: Order, failure: Failure | None) -> Reply:
        if self.is_balance_spent():
            raise Refusal(self.error_reply(self.doubts.broke_status))
        job = self.sell(request, body, order, str(uuid4()), failure)
        return json_reply({"data": {"generated": [], "task_id": job.id, "status": "CREATED"}})

    async def poll(self, request: HttpRequest, mode: str, id: str) -> Reply:
        """The status of a task; each path knows only its own tasks."""
        self._check_key(request)
        job = self.jobs.find(id)
        if job is None or job.sale.order.model != mode:
            raise Refusal(self.error_reply(404))
        phase, word = self.jobs.poll(job)
        return json_reply({"data": self._task_data(job, phase, word)})

    async def list_tasks(self, request: HttpRequest, mode: str) -> Reply:
        """All tasks of a mode or model, newest first: ids and statuses, nothing more."""
        self._check_key(request)
        self.jobs.advance()
        known = [job for job in reversed(self.jobs.all()) if job.sale.order.model == mode]
        return json_reply(
            {
                "data": [
                    {"task_id": job.id, "status": job.word or WORDS[job.phase]}
                    for job in known[: self.doubts.lists_last]
                ]
            }
        )

    async def request_url(self, request: HttpRequest) -> Reply:
        """An address to PUT each file to, and the one that a create may then name."""
        self._check_key(request)
        item = Field("object", fields={"content_type": Field("text", needed=True)})
        table = {"files": Field("list", needed=True, least=1, item=item)}
        body = self.json_body(request)
        wrong = violations(table, body, unknown_fields=self.settings.unknown_fields)
        if wrong:
            raise Refusal(self._invalid(wrong))
        issued = []
        for file in body["files"]:
            ticket = self.uploads.ticket(f"uploads/{uuid4()}", seconds=600, content_type=file["content_type"])
            asset = f"{self.uploads_url}/{ticket.place}"
            issued.append({"upload_url": f"{asset}?signature={ticket.secret}", "asset_url": asset})
        return json_reply({self.doubts.upload_reply: issued})

    async def take(self, request: HttpRequest) -> Reply:
        return await self.uploads.take_put(request)

    def stored(self, url: str) -> bytes | None:
        upload = self.uploads.find(url.removeprefix(f"{self.uploads_url}/"))
        return upload.content if upload else None

    def changed(self, job: Job) -> None:
        url = job.sale.body.get("webhook_url")
        if url:
            self.webhooks.put(url, self._task_data(job, job.phase, job.word))

    async def background(self) -> None:
        await asyncio.gather(super().background(), self.webhooks.run())

    def error_reply(self, status: int) -> Reply:
        if status in (404, 429) and not self.doubts.not_found_body:
            return Reply(status)
        return json_reply({"message": _MESSAGES.get(status, "Bad Gateway")}, status)

    def not_found(self, request: HttpRequest) -> Reply:
        return self.error_reply(404)

    def malformed(self, request: HttpRequest, detail: str) -> Reply:
        return json_reply({"message": f"The request body is not valid: {detail}"}, 400)

    def reference_refusal(self, reference: Reference, finding: Finding) -> tuple[Reply, Failure]:
        violation = Violation((reference.where,), "type", f"a usable {reference.kind}", finding.detail)
        return self._invalid([violation]), Failure("", f"{reference.where}: {finding.detail}")

    def result_target(self, job: Job) -> str:
        ending = "jpg" if job.sale.order.is_picture else "mp4"
        return f"/content/mg-upscaler/{secrets.token_hex(8)}/{job.id}.{ending}?token=exp~{int(self.clock.now())}"

    def _check_key(self, request: HttpRequest) -> None:
        given = request.headers.get(self.doubts.key_header)
        if given != self.settings.key:
            raise Refusal(json_reply({"message": "Invalid API key" if given else "Missing API key"}, 401))

    def _fields(self, mode: Form) -> Mapping[str, Field]:
        is_wan = not mode.startswith("horse")
        more = {"negative_prompt": _NEGATIVE} if self.doubts.negative_prompt_everywhere and is_wan else {}
        return {**_FIELDS[mode], **more}

    def _task_data(self, job: Job, phase: Phase, word: str | None) -> dict[str, object]:
        generated = [self.link_to(job)] if phase is Phase.DONE else []
        reply: dict[str, object] = {"generated": generated, "task_id": job.id, "status": word or WORDS[phase]}
        if phase is Phase.FAILED:
            failure = job.script.failure
            match failure.shape or self.doubts.reason:
                case "message":
                    reply["message"] = failure.message
                case "error":
                    reply["error"] = {"code": failure.code, "message": failure.message}
        return reply

    def _invalid(self, wrong: list[Violation]) -> Reply:
        if self.doubts.invalid == "message":
            return json_reply({"message": _MESSAGES[400].replace(":attribute", wrong[0].path)}, 400)
        problem: dict[str, object] = {
            "message": "Your request parameters didn't validate.",
            "invalid_params": [
                {"name": one.path, "reason": f"Parameter '{one.path}' must be {one.expected}"} for one in wrong
            ],
        }
        return json_reply(
            {"problem": problem} if self.doubts.invalid == "nested" else problem,
            400,
            ("content-type", "application/problem+json"),
        )


def _combinations(mode: Form, body: Mapping[str, Any]) -> list[Violation]:
    if mode == "r2v":
        count = len(body.get("image_urls", [])) + len(body.get("video_urls", []))
        wrong = Violation(("image_urls",), "combination", "1 to 5 together with video_urls", str(count))
        return [] if 1 <= count <= 5 else [wrong]
    if mode == "i2v":
        given = sorted(word for name, (word, _) in _SINGLE.items() if name in body)
        if given not in [sorted(one) for one in wan.DOCUMENTED_SETS]:
            return [
                Violation(
                    ("start_image_url",),
                    "combination",
                    "a start image or a video to continue",
                    " + ".join(given) or "none",
                )
            ]
    return []


def _references(mode: Form, body: Mapping[str, Any]) -> list[Reference]:
    if mode.startswith("horse"):
        pictures = enumerate(body.get("image_urls", []))
        found = [Reference(item["url"], "image", f"image_urls[{at}].url") for at, item in pictures]
        found = [replace(one, sides=(400, 8000), formats=("JPEG", "PNG", "WEBP")) for one in found]
        if "image_url" in body:
            found.append(Reference(body["image_url"], "image", "image_url", sides=(300, 8000), shape=2.5))
        edited = body.get("video_url")
        return found + ([Reference(edited, "clip", "video_url", seconds=(3, 60))] if edited else [])
    found = [Reference(body[name], kind, name) for name, (_, kind) in _SINGLE.items() if name in body]
    kinds: Mapping[str, Kind] = {"image_urls": "image", "video_urls": "video"}
    for name, kind in kinds.items():
        for at, item in enumerate(body.get(name, [])):
            found.append(Reference(item["url"], kind, f"{name}[{at}].url"))
            if "reference_voice" in item:
                found.append(Reference(item["reference_voice"], "voice", f"{name}[{at}].reference_voice"))
    return found


def _order(mode: Form, body: Mapping[str, Any], findings: Mapping[str, Finding]) -> Order:
    ratio = body.get("aspect_ratio", "16:9")
    first = findings.get("start_image_url") or findings.get("video_url") or findings.get("image_url")
    if first and first.width:
        ratio = nearest_ratio(first.width, first.height)
    return ordered(
        model=mode,
        prompt=body.get("prompt", ""),
        seconds=body.get("duration", 5) if mode != "horse-edit" else _edited_seconds(findings),
        resolution=body.get("resolution", "1080P"),
        ratio=ratio,
        with_video=bool(body.get("video_urls")),
    )


def _edited_seconds(findings: Mapping[str, Finding]) -> int:
    return min(round(findings.get("video_url", Finding()).seconds) or 5, 15)
