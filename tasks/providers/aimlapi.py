"""AIMLAPI: Wan 2.7 for text, images and references. It sells 5, 10 or 15 seconds and names the cost at once.

Orders carry the take's key, and are in its log of requests once they have ended.

Source: its published OpenAPI files for `alibaba/wan-2-7-r2v`, `-i2v` and `-t2v`, its pages on errors and, for the log,
"Usage logs" and "Request tracing and cost headers", read 2026-11-29.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Decimal
from types import MappingProxyType
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from storyreel.specs.money import DECIMALS, Money
from storyreel.specs.problems.phrases import shown
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.answer_table import AnswerTable, Meaning, Rule, TaskForm
from storyreel.tasks.providers.capability import model_of
from storyreel.tasks.providers.errors import Transient
from storyreel.tasks.providers.hosted import AttachmentUrls, HostedProvider
from storyreel.tasks.providers.http.response import amount_at, id_at, odd_amount, text_at, value_at
from storyreel.tasks.providers.provider import PublishedPrice, PublishedPrices, RemoteTask, Submission, TaskStatus
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.wan.capabilities import happy_horse, wan, wan_3

_SOLD = (5, 10, 15)
# Its published schemas of both versions, read 2026-11-29: 1.1 takes no video, and 1.0 makes an edit of `video_url`.
_HAPPY_HORSE = dict.fromkeys((Mode.REFERENCE, Mode.IMAGE, Mode.TEXT), "alibaba/happyhorse-1.1") | {
    Mode.EDIT: "alibaba/happyhorse-1-0"
}
_SPENT = ("meta", "usage", "usd_spent")
_OUTCOMES: Mapping[str, Literal["succeeded", "failed"]] = MappingProxyType(
    {"succeeded": "succeeded", "failed": "failed"}
)
_CATALOGUE = "/v1/models"
_CURRENCY = re.compile("[A-Z]{3}")
_SMALLEST = Decimal(1).scaleb(-DECIMALS)
_WINDOW = timedelta(days=90)
"""The time that one request for the log covers; it takes at most 92 days."""
_PAGE = 100
"""Rows of a page of the log; the most that it gives."""
_MOST_PAGES = 100
"""Pages that are read of it, which are fewer than the requests that it allows in a minute."""

ANSWERS = AnswerTable(
    # Its OpenAPI files of the three models: `id` and `status` are required, and there are four words. Read 2026-11-21.
    forms=(
        TaskForm(
            word=("status",),
            tasks=(("id",),),
            # `waiting` and `active` are in the samples of its other pages on video. Read 2026-11-21.
            queued=("queued", "waiting"),
            running=("generating", "active"),
            finished=("completed",),
            failed=("error",),
        ),
    ),
    new_task=(("id",),),
    # Its pages "Errors with status code 4xx" and "5xx": `{message, path, requestId, statusCode, timestamp}`; 400, 401,
    # 403, 404, 429. Read 2026-11-21, and again 2026-11-29. 402 and 422 are not listed; in its form they say the same.
    messages=(("message",),),
    rules=(
        Rule(meaning=Meaning.BUSY, statuses=frozenset({429})),
        Rule(meaning=Meaning.KEY, statuses=frozenset({401})),
        Rule(
            meaning=Meaning.UNPAID,
            statuses=frozenset({402, 403}),
            # "You've run out of credits. Please top up your balance or update your payment method to continue".
            words=("credits", "balance", "payment"),
            hint="top up the balance at aimlapi.com/app/billing",
        ),
        # "The request is authenticated but not allowed (e.g., no credits)."
        Rule(meaning=Meaning.DENIED, statuses=frozenset({402, 403})),
        # What its web framework says of a path that it does not have.
        Rule(
            meaning=Meaning.DENIED,
            statuses=frozenset({404}),
            words=("cannot get /", "cannot post /"),
            hint="look at AIMLAPI_BASE_URL",
        ),
        Rule(meaning=Meaning.NOT_FOUND, statuses=frozenset({404, 410})),
        Rule(meaning=Meaning.REFUSED),
    ),
)


class Aimlapi(HostedProvider):
    """api.aimlapi.com"""

    name = "aimlapi"
    default_base_url = "https://api.aimlapi.com"
    order_path = "/v2/video/generations"
    id_header = "x-inference-id"
    min_poll_seconds = 3
    advised_poll_seconds = 15  # as its sample does
    max_concurrent = 4
    publishes_prices = True
    lists_every_task = True
    lists_keys = True
    # A row appears when the video is made. DashScope, behind it, gives a task up after 3 hours; this is twice as long.
    listed_after = timedelta(hours=6)
    # As far back as it can be asked at once. How long rows are kept is not published.
    listed_for = timedelta(days=92)
    answers = ANSWERS
    models: ClassVar = {
        "wan2.7": model_of(
            wan(
                Mode.REFERENCE,
                "alibaba/wan-2-7-r2v",
                durations=_SOLD,
                # DashScope, behind it, makes at most 10 s from a reference video; what happens to 15 s is nowhere said.
                durations_with_video=(5, 10),
                voice=False,
                follows_first_frame=False,
            ),
            wan(Mode.IMAGE, "alibaba/wan-2-7-i2v", durations=_SOLD, data_uris=("first_frame",), first_clip=None),
            wan(Mode.TEXT, "alibaba/wan-2-7-t2v", durations=_SOLD, watermark=False),
        ),
        # Its published schemas of both, read 2026-11-29.
        "wan3.0-video": wan_3("alibaba/wan3.0-video"),
        "happyhorse-1.1": happy_horse(_HAPPY_HORSE, data_uris=("first_frame",)),
    }

    def order_id_headers(self, request: Request) -> dict[str, str]:
        """Its page on request tracing, read 2026-11-29: 1 to 128 of `A-Za-z0-9._:-`; anything else is dropped."""
        return {"X-Client-Request-Id": request.key}

    def body(self, request: Request, urls: AttachmentUrls) -> dict[str, Any]:
        """Flat."""
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": request.prompt,
            "resolution": request.resolution,
            "duration": int(request.seconds),
            "seed": request.seed,
        }
        capability = self.capability_of(request)
        if capability.prompt_expansion:
            body["enhance_prompt"] = request.expand_prompt
        if request.negative_prompt:
            body["negative_prompt"] = request.negative_prompt
        if request.mode not in (Mode.IMAGE, Mode.EDIT):
            body["aspect_ratio"] = request.aspect_ratio
        if capability.watermark:
            body["watermark"] = request.watermark
        if request.edited:
            # "The option does not work if a video reference is provided."
            del body["duration"]
        if capability.form == "all in one":
            return body | _all_in_one(request, urls)
        if request.mode is Mode.IMAGE and request.first_frame:
            body["image_url"] = urls["first_frame", request.first_frame.digest]
            # The published schema has two switches with one description.
            body["enable_prompt_expansion"] = request.expand_prompt
        if request.sound and request.mode is not Mode.REFERENCE:
            body["audio_url"] = urls["sound", request.sound.digest]
        if request.mode is Mode.REFERENCE:
            if request.first_frame:
                body["first_frame_image"] = urls["first_frame", request.first_frame.digest]
            for field, kind in (("image_urls", "image"), ("video_urls", "video")):
                if sent := [urls[item.kind, item.digest] for item in request.references if item.kind == kind]:
                    body[field] = sent
        return body

    def read_submission(self, answer: Any, request: Request) -> Submission:
        """The id and the cost, which the final response may not repeat."""
        remark = odd_amount(answer, *_SPENT)
        return Submission(task=self.answers.task_in(answer), cost=_cost(answer), remark=remark)

    async def list_tasks(self, since: datetime, until: datetime) -> list[RemoteTask]:
        """The orders that have ended. Raises Transient if the log cannot be read to its end."""
        found: dict[str, RemoteTask] = {}
        while since < until:
            end = min(since + _WINDOW, until)
            found |= await self._list(since, end)
            since = end
        return list(found.values())

    async def _list(self, since: datetime, until: datetime) -> dict[str, RemoteTask]:
        """The rows of one window by id. One that is added meanwhile moves others to the next page: they come twice."""
        # Not only those of our models: it may know a model by another name than the one that was ordered.
        window = {name: time.astimezone(UTC).isoformat() for name, time in (("start", since), ("end", until))}
        found: dict[str, RemoteTask] = {}
        wanted = 0
        for page in range(_MOST_PAGES):
            answer = await self._client.get("/v2/logs", window | {"limit": _PAGE, "offset": page * _PAGE})
            rows, total = value_at(answer, "data"), value_at(answer, "pagination", "total")
            more = value_at(answer, "pagination", "has_more")
            if not isinstance(rows, list) or not isinstance(more, bool) or type(total) is not int:
                raise Transient(f"{self.name} gave no list of requests", service=self.name)
            wanted = wanted or total
            found |= {task.task: task for task in map(_listed, rows)}
            if not more:
                break
        if more or len(found) < wanted:
            raise Transient(f"{self.name} listed {len(found)} of {wanted} requests", service=self.name)
        return found

    async def published_prices(self, models: Sequence[str]) -> PublishedPrices:
        """Its page "Complete model list", read 2026-11-29: a model is found by its id or an alias, in any case."""
        answer = await self.get_public(_CATALOGUE, {"id": ",".join(models), "include": "pricing"})
        entries = value_at(answer, "data")
        if not isinstance(entries, list):
            raise Transient(f"{self.name} gave no list of models", service=self.name)
        named = {name.casefold(): entry for entry in entries for name in _names(entry)}
        prices: list[PublishedPrice] = []
        unclear: list[str] = []
        for model in models:
            try:
                prices += _prices(model, value_at(named.get(model.casefold()), "pricing"))
            except ValueError as error:
                unclear.append(f"{model}: {error}")
        host = urlsplit(self.base).netloc
        return PublishedPrices(source=f"{host}{_CATALOGUE}", prices=tuple(prices), unclear=tuple(unclear))

    def status_path(self, task: str) -> tuple[str, dict[str, str | int]]:
        """The id is a query parameter: ids of some models hold `:` and `/`."""
        return self.order_path, {"generation_id": task}

    def read_finished(self, answer: Any, word: str) -> TaskStatus:
        return TaskStatus(
            state="finished",
            detail=word,
            # A list in the published schema of Wan 3.0, read 2026-11-29.
            clip_url=text_at(answer, "video", "url") or text_at(answer, "video", 0, "url"),
            cost=_cost(answer),
            remark=odd_amount(answer, *_SPENT),
        )

    def read_reason(self, answer: Any) -> tuple[str, str]:
        """From an error that is a message with or without a name, a list of details, or a text."""
        return _reason(value_at(answer, "error"))


def _names(entry: Any) -> Iterator[str]:
    yield text_at(entry, "id")
    aliases = value_at(entry, "aliases")
    yield from (name for name in aliases if isinstance(name, str)) if isinstance(aliases, list) else ()


def _prices(model: str, pricing: Any) -> Iterator[PublishedPrice]:
    """The prices of a second in the `pricing` of a catalogue's entry, for each resolution the dearest.

    Raises ValueError if it has none. "Read `kind` first", and "always read `per` together with `price`".
    """
    kind = text_at(pricing, "kind")
    rates = value_at(pricing, {"fixed": "units", "variants": "variants"}.get(kind, ""))
    currency = text_at(pricing, "currency") or "USD"
    if not pricing:
        raise ValueError("the list does not have it, or no price of it")
    if not isinstance(rates, list) or not rates or (kind == "fixed" and len(rates) > 1):
        raise ValueError(f"the list has no price of a second, its kind of price is `{shown(kind, 40)}`")
    found: dict[str, list[Decimal]] = {}
    dimensions: set[str] = set()
    for rate in rates:
        unit = text_at(rate, "unit") or text_at(rate, "name")
        price, per = amount_at(rate, "price"), amount_at(rate, "per")
        if unit != "second" or not price or not per or not _CURRENCY.fullmatch(currency):
            raise ValueError(f"the list has no price of a second, but {shown(rate, 100)}")
        when = value_at(rate, "when")
        dimensions |= when.keys() - {"resolution"} if isinstance(when, dict) else set()
        found.setdefault(text_at(rate, "when", "resolution").lower(), []).append(price / per)
    doubt = f"the dearest of its prices by {shown(', '.join(sorted(dimensions)))}" if dimensions else ""
    for resolution, prices in found.items():
        amount = max(prices).quantize(_SMALLEST, ROUND_UP).normalize()
        dearest = Money(amount=amount, currency=currency)
        yield PublishedPrice(model=model, resolution=resolution, price=dearest, doubt=doubt)


def _listed(row: Any) -> RemoteTask:
    """A row of the log. Raises Transient if it has no id: the log is then no proof of anything."""
    task = id_at(row, "inference_id")
    if not task:
        raise Transient("aimlapi gave a list in which a request has no id", service="aimlapi")
    status, charged = text_at(row, "status"), amount_at(row, "cost", "usd")
    return RemoteTask(
        task=task,
        model=text_at(row, "model"),
        created=_time(text_at(row, "created")),
        detail=status,
        key=text_at(row, "client_request_id"),
        outcome=_OUTCOMES.get(status, ""),
        cost=None if charged is None else Money(amount=charged, currency="USD"),
    )


def _time(text: str) -> datetime | None:
    """A time in ISO 8601, in UTC if it names no zone; None if it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _all_in_one(request: Request, urls: AttachmentUrls) -> dict[str, Any]:
    """The media of a model that has one id and one set of fields for all modes."""
    media: dict[str, Any] = {}
    if request.first_frame and request.mode is Mode.IMAGE:
        media["image_url"] = urls["first_frame", request.first_frame.digest]
    if request.last_frame and request.mode is Mode.IMAGE:
        media["last_image_url"] = urls["last_frame", request.last_frame.digest]
    if request.edited:
        media |= {"video_url": urls["edited", request.edited.digest], "audio_setting": request.audio}
    sent: dict[str, list[str]] = {"reference_image_urls": [], "video_urls": [], "audio_urls": []}
    for reference in request.references:
        field = "reference_image_urls" if reference.kind == "image" else "video_urls"
        sent[field].append(urls[reference.kind, reference.digest])
        if reference.voice:
            sent["audio_urls"].append(urls["voice", reference.voice.digest])
    return media | {field: addresses for field, addresses in sent.items() if addresses}


def _cost(answer: Any) -> Money | None:
    spent = amount_at(answer, *_SPENT)
    return None if spent is None else Money(amount=spent, currency="USD")


def _reason(error: Any) -> tuple[str, str]:
    if isinstance(error, str):
        return "", error
    if message := text_at(error, "message"):
        return text_at(error, "name"), message
    details = value_at(error, "detail")
    if isinstance(details, list):
        messages = "; ".join(filter(None, (text_at(detail, "msg") for detail in details)))
        return text_at(details, 0, "type"), messages
    return text_at(error, "name"), json.dumps(error)[:300] if error else ""
