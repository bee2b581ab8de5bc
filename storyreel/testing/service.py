"""A hosted service that is tested: its adapter, its answers, and an emulator of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.errors import ProviderError
from storyreel.tasks.providers.hosted import HostedProvider
from storyreel.tasks.providers.provider import Provider, TaskStatus
from storyreel.tasks.providers.request import Request
from storyreel.tasks.settings import service_variable
from storyreel.testing.emulated import EmulatedService, address
from storyreel.testing.faults import Answer
from storyreel.testing.recorded import KEY, Complaint, RecordedAnswers, RecordedService, no_complaint
from storyreel.testing.requests import request_for
from storyreel.testing.wire import HttpRequest, Reply, app, listening_socket, serving

_PATIENCE = 20
"""Looks at a task before it counts as stuck."""


@dataclass(frozen=True, kw_only=True)
class HostedService:
    """A hosted service and what its contract is tested with.

    A subclass may return an emulator of its own from `emulated`; it serves clips at `results_url`, and its tasks end
    sooner or later.
    """

    adapter: type[HostedProvider]
    answers: RecordedAnswers
    objects: Complaint = no_complaint
    """The service's objection to an order: a function of path and body that returns a sentence, or nothing."""

    @property
    def name(self) -> str:
        """Its name in storyboards."""
        return self.adapter.name

    @property
    def key_variable(self) -> str:
        """The variable with its key."""
        return service_variable(self.name, "API_KEY")

    @property
    def base_url_variable(self) -> str:
        """The variable with its address."""
        return service_variable(self.name, "BASE_URL")

    def emulated(self, **settings: Any) -> EmulatedService:
        """An emulator of it; without `settings`, a task is finished at the first look."""
        pictures = [one.model for one in self.capabilities if one.mode is Mode.STILL]
        at_once = [one.model for one in self.capabilities if one.answers_at_once]
        usual: dict[str, Any] = {"looks": ("finished",), "picture_models": pictures, "speech_models": at_once}
        return RecordedService(self.answers, objects=self.objects, **usual | settings)

    def environment(self, base_url: str, key: str = KEY, **more: str) -> dict[str, str]:
        """The variables with which its adapter asks an emulator."""
        return {self.key_variable: key, self.base_url_variable: base_url, **more}

    def provider(self, base_url: str, *, key: str = KEY, timeout: float = 10, **more: str) -> HostedProvider:
        """Its adapter, not opened yet, which asks the service at an address."""
        return self.adapter(self.environment(base_url, key, **more), timeout=timeout)

    def request(self, mode: Mode | None = None, **changes: Any) -> Request:
        """A request in a mode or the first one, of the first model that has it; `changes` are fields of Request."""
        capability = next(one for one in self.capabilities if mode in (None, one.mode))
        return request_for(self.adapter, capability, **changes)

    @property
    def capabilities(self) -> list[Capability]:
        """Its abilities, once for each mode: those of the first model that has it."""
        found: dict[Mode, Capability] = {}
        for model in self.adapter.models.values():
            found |= {mode: one for mode, one in model.modes.items() if mode not in found}
        return list(found.values())

    def refusal(self, status: int, message: str) -> Answer:
        """An error in the service's own form."""
        return Answer(status, content=self.answers.written("error", message=message, status=status))

    @asynccontextmanager
    async def opened(self, timeout: float = 10) -> AsyncIterator[tuple[HostedProvider, EmulatedService]]:
        """An open adapter and the emulator that it is connected to."""
        emulator = self.emulated()
        with emulator.served() as base_url:
            async with self.provider(base_url, timeout=timeout) as provider:
                yield provider, emulator

    @asynccontextmanager
    async def answering(
        self, answer: Callable[[HttpRequest], bytes | Reply], key: str = KEY
    ) -> AsyncIterator[HostedProvider]:
        """An open adapter of a service that answers every request as a function says, with 200 if it gives bytes."""

        async def reply(request: HttpRequest) -> Reply:
            answered = answer(request)
            return Reply(200, answered) if isinstance(answered, bytes) else answered

        listening = listening_socket()

        with serving((app(reply, lambda: 0.0), listening), background=asyncio.Event().wait):
            async with self.provider(address(listening), key=key) as provider:
                yield provider

    async def look_at(self, answer: Callable[[HttpRequest], bytes]) -> TaskStatus:
        """The status in an answer to a look at the task `t-1`."""
        accepted = self.answers.written("accepted")
        async with self.answering(lambda of: accepted if of.method == "POST" else answer(of)) as provider:
            return await provider.poll((await provider.submit(self.request())).task)

    async def told(self, text: str, key: str = KEY) -> list[ProviderError]:
        """The errors in which the service says a text: a refused order, a failed task."""
        refused, accepted, failed = (
            self.answers.written(kind, message=text) for kind in ("error", "accepted", "failed")
        )
        async with self.answering(lambda _: Reply(400, refused), key) as provider:
            order = await _error_of(provider.submit(self.request()))
        async with self.answering(lambda of: accepted if of.method == "POST" else failed, key) as provider:
            look = await _error_of(provider.poll((await provider.submit(self.request())).task))
        return [order, look]


async def _error_of(work: Awaitable[object]) -> ProviderError:
    try:
        await work
    except ProviderError as error:
        return error
    raise AssertionError("it was no error")


async def finished(provider: Provider, task: str) -> TaskStatus:
    """The status of a task once it is finished. Raises AssertionError if it does not end."""
    for _ in range(_PATIENCE):
        status = await provider.poll(task)
        if status.state == "finished":
            return status
    raise AssertionError(f"{task} is not finished after {_PATIENCE} looks")
