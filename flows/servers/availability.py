"""Whether the Prefect server of a run answers, and how long the run waits for it.

Every client of Prefect has a patience of its own: a request is repeated for a minute, or seven minutes if the server is
frozen, an event for ten seconds each (3.9.1). Their sum was 218 s after a film was finished. A run therefore asks the
server itself every few seconds, and ends each wait for it by one rule: so many seconds after the last answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from math import inf

import httpx
from prefect.settings import PREFECT_API_URL

from storyreel.specs.problems.phrases import lasting

PATIENCE = 20.0
"""Seconds without an answer after which a run that a person waits for is not recorded any further."""
_PAUSE_SECONDS = 3.0
"""Between two questions."""
_PAUSE_WITHOUT_ANSWER = 1.0
_ANSWER_SECONDS = 10.0
"""Time for one answer. A server that many films share needs several seconds."""
_NOTICED = 6.0
"""Seconds without an answer that are told: states and events of that time may be missing in the server's record."""


class Availability:
    """Whether the Prefect server at `api` answers, watched while the context of `watch_server` lasts."""

    def __init__(self, api: str, patience: float) -> None:
        self.is_record_complete = True
        """False once events of the run could not be delivered."""
        self._api, self._patience = api, patience
        self._clock = asyncio.get_running_loop().time
        self._answered = self._clock()
        self._longest = 0.0
        self._limits: set[asyncio.Timeout] = set()
        self._is_asked = asyncio.Event()
        self._has_answered = asyncio.Event()

    @property
    def is_lost(self) -> bool:
        """Whether the server has not answered for so long that nothing waits for it any more."""
        return self._clock() >= self._answered + self._patience

    @property
    def remark(self) -> str:
        """A sentence on what may be missing in the server's record of the run; empty if nothing is known to be."""
        if self.is_lost:
            return "Prefect's server does not answer, so its record of this run is incomplete"
        if self._longest >= _NOTICED:
            away = lasting(round(self._longest))
            return f"Prefect's server did not answer for {away}, so its record of this run may be incomplete"
        return "" if self.is_record_complete else "Prefect's server has not taken all events of this run"

    @asynccontextmanager
    async def while_answering(self) -> AsyncIterator[None]:
        """End the block, without an error, when the server has not answered for the run's patience."""
        limit = asyncio.timeout_at(self._answered + self._patience)
        try:
            async with limit:
                self._limits.add(limit)
                yield
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._limits.discard(limit)

    async def wait(self) -> bool:
        """Wait until the server answers; False if it has not within the run's patience."""
        if not self._api:  # nobody asks it
            return True
        self._has_answered.clear()
        self._is_asked.set()
        async with self.while_answering():
            await self._has_answered.wait()
        return self._has_answered.is_set()

    async def watch(self) -> None:
        """Ask the server again and again."""
        # Nothing secret is sent, so its certificate does not matter. What a proxy says in its place is a 5xx.
        async with httpx.AsyncClient(verify=False, timeout=_ANSWER_SECONDS) as client:
            while True:
                self._is_asked.clear()
                answers = False
                with suppress(httpx.HTTPError, TimeoutError):
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        # Unlike /health, it tells whether the server's database answers.
                        answers = (await client.get(f"{self._api}/ready")).status_code < 500
                if answers:
                    self._note_answer()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PAUSE_SECONDS if answers else _PAUSE_WITHOUT_ANSWER):
                        await self._is_asked.wait()
                    if not answers:
                        await asyncio.sleep(_PAUSE_WITHOUT_ANSWER)

    def _note_answer(self) -> None:
        now = self._clock()
        self._longest, self._answered = max(self._longest, now - self._answered - _PAUSE_SECONDS), now
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(now + self._patience)
        self._has_answered.set()


_current: ContextVar[Availability | None] = ContextVar("availability", default=None)


@asynccontextmanager
async def watch_server(patience: float = PATIENCE) -> AsyncIterator[Availability]:
    """Watch the server that Prefect's settings name, unless a watch is around this one."""
    if around := _current.get():
        yield around
        return
    api = PREFECT_API_URL.value()
    # Without an address the run has a server that Prefect has started in this process's own session.
    server = Availability(api or "", patience if api else inf)
    watching = asyncio.create_task(server.watch() if api else asyncio.sleep(0))
    token = _current.set(server)
    try:
        yield server
    finally:
        _current.reset(token)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def current_server() -> Availability:
    """The watched server of the current run; one that is always waited for, if none is watched."""
    return _current.get() or Availability("", inf)
