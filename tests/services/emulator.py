"""The base of the four emulators: settings, recorded requests and orders, scripted tasks, faults, real sockets."""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, Literal

from storyreel.testing.emulated import EmulatedService, Refusal, Work
from storyreel.testing.faults import Call
from storyreel.testing.footage import PictureForm, footage, speech, still
from storyreel.testing.wire import HttpRequest, Reply
from tests.services.clock import Clock
from tests.services.jobs import Failure, Job, Jobs, Phase, Script
from tests.services.references import Finding, Reference, examine
from tests.services.results import Link, ResultHost
from tests.services.sales import Order, Refused, Sale

DAY = 24 * 3600.0
_TICK = 0.02
"""Seconds between two checks of tasks that go by time."""


@dataclass(frozen=True)
class Rate:
    """At most `hits` calls of one kind in so many seconds; further ones get 429."""

    call: Call
    hits: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings that a test can choose. Fields for undocumented behaviour say what each value means."""

    key: str = "sk-emulator"
    """The only API key that is accepted."""
    script: Script = field(default_factory=Script)
    """The script of tasks for which no other was given."""
    at_once: int | None = None
    """Tasks that run at the same time; more wait. None: no limit."""
    remembered: float | None = DAY
    """Seconds that a task id is valid. 24 h at DashScope and APIYI, unpublished elsewhere."""
    link_seconds: float | None = DAY
    """Seconds that a link to a clip is valid. 24 h at DashScope and APIYI, unpublished elsewhere."""
    link_gets: int | None = None
    """How many times a link can be used; None without limit."""
    renews_links: bool = False
    """Whether each poll at a finished task gives a fresh link. APIYI: "usually"; undocumented elsewhere."""
    unknown_fields: Literal["refuse", "ignore"] = "refuse"
    """How undocumented fields are treated is not documented; refusing them finds mistakes of a client."""
    balance: int | None = None
    """Creates that the account can still pay for; None: any number."""
    rates: tuple[Rate, ...] = ()
    """Limits that are enforced. Each service's published ones are the RATES of its module."""
    fetches_references: bool = False
    """Whether references on this machine are fetched and opened. Remote ones never are."""
    bad_reference: Literal["refuse", "fail"] = "refuse"
    """Whether an unusable reference is refused at create or fails the task."""


@dataclass(frozen=True)
class Route:
    """One call of the interface. `path` is a regular expression for all of it; its groups become arguments."""

    call: Call
    method: str
    path: str
    handle: Callable[..., Awaitable[Reply]]


class Emulator(EmulatedService):
    """One service on this machine. `with emulator.served() as base_url:` opens it to clients.

    Tests read the requests (`requests`), accepted orders (`accepted`), refusals (`refused`) and downloads (`fetches`);
    they plan faults with `fault` and the course of tasks with `use_script`.
    """

    name: ClassVar[str]
    oss: ClassVar[bool] = False
    """Whether clips are in Alibaba's OSS, which refuses an Authorization header with a signed link."""
    picture_form: ClassVar[PictureForm] = "PNG"
    """The format of its pictures."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock()
        super().__init__(self.clock.now)
        self.accepted: list[Sale] = []
        """Every accepted create, in order."""
        self.refused: list[Refused] = []
        self.jobs = Jobs(self.clock.now, settings.at_once, settings.remembered, self.changed)
        self.results = ResultHost(self.clock.now, refuses_authorization=self.oss)
        self._scripts: list[tuple[Script, Callable[[Order], bool]]] = []
        self._hits: dict[Rate, deque[float]] = {}

    # For tests

    def use_script(self, script: Script, *, times: int = 1, when: Callable[[Order], bool] = lambda order: True) -> None:
        """The script of the next tasks, of those whose order fits."""
        self._scripts += [(script, when)] * times

    # For clients

    def call_of(self, request: HttpRequest) -> tuple[Call, Work] | None:
        for route in self.routes():
            if route.method == request.method and (found := re.fullmatch(route.path, request.path)):
                return route.call, partial(route.handle, request, **found.groupdict())
        return None

    def clip(self, request: HttpRequest) -> Reply:
        return self.results.answer(request)

    def check(self, call: Call, request: HttpRequest) -> None:
        if self._exceeds_rate(call, request):
            raise Refusal(self.error_reply(429))

    def recorded(self, request: HttpRequest, reply: Reply) -> Reply:
        if reply.status >= 400:
            self.refused.append(Refused(request, reply.status, reply.body))
        return reply

    def _exceeds_rate(self, call: Call, request: HttpRequest) -> bool:
        for rate in self.settings.rates:
            if rate.call is not call:
                continue
            times = self._hits.setdefault(rate, deque())
            while times and times[0] <= request.at - rate.seconds:
                times.popleft()
            if len(times) >= rate.hits:
                return True
            times.append(request.at)
        return False

    async def background(self) -> None:
        """Run beside the requests: end tasks whose time is over without a poll."""
        while True:
            self.jobs.advance()
            await asyncio.sleep(_TICK)

    # For subclasses

    @abstractmethod
    def routes(self) -> tuple[Route, ...]:
        """All calls that its documentation lists."""

    @abstractmethod
    def malformed(self, request: HttpRequest, detail: str) -> Reply:
        """The reply to a body that is not JSON."""

    @abstractmethod
    def reference_refusal(self, reference: Reference, finding: Finding) -> tuple[Reply, Failure]:
        """Its refusal of a reference at create, and the failure of a task because of it."""

    @abstractmethod
    def result_target(self, job: Job) -> str:
        """Path and query of a new link to a task's clip."""

    def changed(self, job: Job) -> None:
        """Called at each change of a task's phase. Optional."""

    def stored(self, url: str) -> bytes | None:
        """The content of an upload, by the address that a create names it by. Optional."""
        return None

    # Shared

    def json_body(self, request: HttpRequest) -> Any:
        """The JSON body of a request. Raises Refusal if it is not JSON or not labelled so."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refusal(self.malformed(request, f"Content-Type is {kind or 'missing'}, expected application/json"))
        try:
            return request.json()
        except ValueError as error:
            raise Refusal(self.malformed(request, str(error))) from error

    async def check_references(self, references: Sequence[Reference]) -> tuple[dict[str, Finding], Failure | None]:
        """The findings of each reference by its field, and the failure that the first bad one leads to.

        Raises Refusal if bad references are refused at create.
        """
        findings: dict[str, Finding] = {}
        failure: Failure | None = None
        for reference in references:
            finding = await examine(reference, self.stored, fetches=self.settings.fetches_references)
            findings[reference.where] = finding
            if finding.problem:
                refusal, why = self.reference_refusal(reference, finding)
                if self.settings.bad_reference == "refuse":
                    raise Refusal(refusal)
                failure = failure or why
        return findings, failure

    def sell(
        self, request: HttpRequest, body: Mapping[str, Any], order: Order, task: str, failure: Failure | None
    ) -> Job:
        """Record an accepted create, whatever response the client gets. With a failure the task later fails with it."""
        sale = Sale(task, order, body, request)
        script = self._script_for(order)
        if failure:
            script = replace(script, end=Phase.FAILED, failure=failure)
        self.accepted.append(sale)
        return self.jobs.add(task, sale, script)

    def sell_at_once(self, request: HttpRequest, body: Mapping[str, Any], order: Order, id: str) -> Job:
        """Record an accepted create whose product is in its answer; there is no task of it."""
        sale = Sale(id, order, body, request)
        self.accepted.append(sale)
        now = self.clock.now()
        return Job(id, len(self.accepted), sale, self._script_for(order), now, now, now, Phase.DONE)

    def is_balance_spent(self) -> bool:
        """Whether the balance covers no further create."""
        return self.settings.balance is not None and len(self.accepted) >= self.settings.balance

    def link_to(self, job: Job) -> str:
        """The URL of a finished task's clip at the result host."""
        if not job.link or self.settings.renews_links:
            start = self.clock.now() if self.settings.renews_links or job.ended is None else job.ended
            expires = None if self.settings.link_seconds is None else start + self.settings.link_seconds
            target = self.result_target(job)
            self.results.publish(target, self._link(job, expires))
            job.link = target
        return self.results_url + job.link

    def _link(self, job: Job, expires: float | None) -> Link:
        order = job.sale.order
        kind = "audio/wav" if order.voice else f"image/{self.picture_form.lower()}" if order.is_picture else "video/mp4"
        return Link(lambda: _made(job, self.picture_form), expires, self.settings.link_gets, kind)

    def _script_for(self, order: Order) -> Script:
        for entry in list(self._scripts):
            script, when = entry
            if when(order):
                self._scripts.remove(entry)
                return script
        return self.settings.script


def _made(job: Job, picture_form: PictureForm) -> bytes:
    if job.script.delivers:
        return job.script.delivers.read_bytes()
    order = job.sale.order
    if order.voice:
        return speech(order.prompt, order.voice, job.id)
    if order.is_picture:
        return still(order.width, order.height, job.id, picture_form)
    return footage(order.seconds, order.width, order.height, job.id)
