"""The base of a service on this machine: real sockets, recorded requests, planned faults."""

from __future__ import annotations

import asyncio
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from socket import socket
from typing import Any, TypeAlias

from storyreel.testing.faults import Call, Fault, FaultPlan, Trouble, always
from storyreel.testing.wire import App, HttpRequest, Reply, app, listening_socket, serving

Work: TypeAlias = Callable[[], Awaitable[Reply]]


class Refusal(Exception):
    """Ends a request with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class EmulatedService(ABC):
    """One service on this machine. `with emulator.served() as base_url:` opens it to clients.

    Tests read the requests (`requests`), the accepted orders (`accepted`) and the downloads (`fetches`), and plan
    faults with `fault`. `now` is its clock, in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.requests: list[HttpRequest] = []
        """All requests to the service itself."""
        self.fetches: list[HttpRequest] = []
        """All requests to the host of the clips."""
        self.accepted: list[Any] = []
        """Every accepted order; subclasses append to it."""
        self.base_url = self.results_url = ""
        self._plan = FaultPlan()
        self._broken: list[str] = []

    def fault(
        self,
        call: Call,
        trouble: Trouble,
        *,
        accepted: bool = False,
        times: int = 1,
        after: int = 0,
        when: Callable[[HttpRequest], bool] = always,
    ) -> None:
        """Plan a fault of a call. `accepted`: the service does its work first, so a create is accepted all the same."""
        self._plan.add(Fault(call, trouble, accepted, times, after, when))

    @contextmanager
    def served(self, port: int = 0) -> Iterator[str]:
        """Serve clients on this machine while the context lasts; yields the base URL.

        Raises RuntimeError at the end if the emulator itself raised an error.
        """
        with serving(*self.origins(port), background=self.background):
            yield self.base_url
        if self._broken:
            raise RuntimeError("the emulator broke:\n" + "\n".join(self._broken))

    def origins(self, port: int) -> list[tuple[App, socket]]:
        """The applications and the sockets they are served on: the service itself, and the host of its clips."""
        front, results = listening_socket(port), listening_socket()
        self.base_url, self.results_url = address(front), address(results)
        return [(app(self.answer, self.now), front), (app(self.answer_fetch, self.now), results)]

    async def answer(self, request: HttpRequest) -> Reply:
        """The reply to any request at the service's own address."""
        self.requests.append(request)
        if found := self.call_of(request):
            call, work = found
            return await self.with_fault(call, request, work)
        return self.recorded(request, self.not_found(request))

    async def answer_fetch(self, request: HttpRequest) -> Reply:
        """The reply to any request at the address of the clips."""
        self.fetches.append(request)
        return await self.with_fault(Call.FETCH, request, lambda: asyncio.to_thread(self.clip, request))

    async def with_fault(self, call: Call, request: HttpRequest, work: Work) -> Reply:
        """The reply of `work`, or what a planned fault makes of it."""
        fault = self._plan.due(call, request)
        if fault is None:
            return await self._done(call, request, work)
        if fault.accepted or fault.trouble.needs_reply:
            return fault.trouble.spoil(await self._done(call, request, work), request, self.error_reply)
        return fault.trouble.spoil(Reply(), request, self.error_reply)

    async def _done(self, call: Call, request: HttpRequest, work: Work) -> Reply:
        try:
            self.check(call, request)
            return self.recorded(request, await work())
        except Refusal as refusal:
            return self.recorded(request, refusal.reply)
        except Exception:
            self._broken.append(traceback.format_exc())
            raise

    # For subclasses

    @abstractmethod
    def call_of(self, request: HttpRequest) -> tuple[Call, Work] | None:
        """The call that a request makes, and the work that answers it; None for a path that the service lacks."""

    @abstractmethod
    def clip(self, request: HttpRequest) -> Reply:
        """The reply to a download. Called in a thread."""

    @abstractmethod
    def error_reply(self, status: int) -> Reply:
        """Its reply with an error status."""

    @abstractmethod
    def not_found(self, request: HttpRequest) -> Reply:
        """The reply to a path that it does not have."""

    def check(self, call: Call, request: HttpRequest) -> None:  # noqa: B027
        """Called before the work of each call. Raises Refusal if it may not be done. Optional."""

    def recorded(self, request: HttpRequest, reply: Reply) -> Reply:
        """Called with each reply before it is sent. Optional."""
        return reply

    async def background(self) -> None:
        """Run beside the requests. Optional."""
        await asyncio.Event().wait()


def address(listening: socket) -> str:
    """The base URL of a socket."""
    host, port = listening.getsockname()
    return f"http://{host}:{port}"
