"""Whether the Prefect server of a run answers, and how long the run waits for it.

Every client of Prefect has a patience of its own: a request is repeated for a minute, or seven minutes if the server is
frozen, an event for ten seconds each (3.9.1). Their sum was 218 s after a film was finished. A run therefore asks the
server itself every few seconds, and ends each wait for it by one rule: so many seconds after the last answer. Before
anything is made a server that accepts connections is waited for longer: it is up, on a machine that is busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from math import inf
from typing import Literal

import httpx
from prefect.settings import PREFECT_API_URL

from storyreel.specs.problems.phrases import lasting
from storyreel.tasks.storage.bucket import without_password

PATIENCE = 20.0
"""Seconds without an answer after which a run that a person waits for is not recorded any further."""
SLOW_PATIENCE = 180.0
"""The same before anything is made, for a server that accepts connections and answers late."""
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 3.0, 6.0
"""Between two questions."""
_PAUSE_FACTOR = 20
"""The pause after an answer, in times of its length: many films ask one server, which works for each answer."""
_PAUSE_WITHOUT_ANSWER = 1.0
_ANSWER_SECONDS = 10.0
"""Time for one answer. A server that many films share needs several seconds; one that is slow is given twice the time
of the question before, up to a minute."""
_LONGEST_ANSWER_SECONDS = 60.0
_LAST_ANSWER_SECONDS = 1.0
"""Time for the last answer, at least."""
_NOTICED = 6.0
"""Seconds without an answer that are told: states and events of that time may be missing in the server's record."""


_Answer = Literal["ready", "slow", "gone"]


def pause_after(seconds: float) -> float:
    """Seconds until a server is asked again that has answered within so many."""
    return min(max(_PAUSE_SECONDS, _PAUSE_FACTOR * seconds), _LONGEST_PAUSE_SECONDS)


class Availability:
    """Whether the Prefect server at `api` answers, watched while the context of `watch_server` lasts."""

    def __init__(self, api: str, patience: float, on_wait: Callable[[str], None] | None = None) -> None:
        self.is_record_complete = True
        """False once events of the run could not be delivered."""
        self.is_lost = False
        """Whether the server has not answered for so long that nothing waits for it any more."""
        self._api, self._patience, self._on_wait = api, patience, on_wait
        self._clock = asyncio.get_running_loop().time
        self._answered = self._accepted = self._clock()
        """Times of the server's last answer, and of the last connection that it accepted."""
        self._questioned: float | None = None
        """Time of the first question since the last answer; None before it. Time without an answer counts from then on,
        as a server that has answered other questions is not asked for up to two pauses."""
        self._is_slow = False
        self._limited: float | None = None
        """The time at which the patience with a slow server ended; None before that."""
        self._longest = 0.0
        self._limits: set[asyncio.Timeout] = set()
        self._pause = _PAUSE_SECONDS
        self._is_asked = asyncio.Event()
        self._has_answered = asyncio.Event()
        self._is_heard = False
        """Whether another question was answered since the server was last asked whether it is there."""

    @property
    def remark(self) -> str:
        """A sentence on what may be missing in the server's record of the run; empty if nothing is known to be."""
        if self.is_lost:
            return "Prefect's server does not answer, so its record of this run is incomplete"
        if self._longest >= _NOTICED:
            away = lasting(round(self._longest))
            return f"Prefect's server did not answer for {away}, so its record of this run may be incomplete"
        return "" if self.is_record_complete else "Prefect's server has not taken all events of this run"

    @property
    def silence(self) -> str:
        """A clause on how the server that is waited for behaves."""
        if self._is_slow:
            return f"accepts connections but has not answered for {lasting(round(self._clock() - self._answered))}"
        return "does not answer"

    def limit_patience(self) -> None:
        """From now on wait no longer for a server that is slow than for one that is gone: something is made, or the
        run has ended. What was waited for until now was recorded."""
        if self._limited is None:
            self._limited, self._longest = self._clock(), 0.0

    def note_answer(self) -> None:
        """Note that the server has answered another question of the run, so that it need not be asked meanwhile."""
        self._note("ready")
        self._is_heard = True

    @asynccontextmanager
    async def while_answering(self) -> AsyncIterator[None]:
        """End the block, without an error, when the server has not answered for the run's patience."""
        # It ends by a question that is not answered, and not by a clock, which goes on while the loop stands still.
        limit = asyncio.timeout(0 if self.is_lost else None)
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
        if not self._api:  # It is not watched.
            return True
        self._has_answered.clear()
        self._is_asked.set()
        async with self.while_answering():
            await self._has_answered.wait()
        return self._has_answered.is_set()

    async def watch(self) -> None:
        """Ask the server again and again."""
        # Nothing secret is sent, so its certificate does not matter. What a proxy says in its place is a 5xx.
        async with httpx.AsyncClient(verify=False) as client:
            seconds = _ANSWER_SECONDS
            while True:
                answer: _Answer = "ready"
                if self._is_asked.is_set() or not self._is_heard:
                    self._is_asked.clear()
                    begun = self._clock()
                    self._questioned = begun if self._questioned is None else self._questioned
                    answer = await self._ask(client, seconds)
                    self._note(answer)
                    if answer == "ready":
                        self._pause = pause_after(self._clock() - begun)
                self._is_heard = False
                seconds = min(2 * seconds, _LONGEST_ANSWER_SECONDS) if answer == "slow" else _ANSWER_SECONDS
                # A waiter gets its answer at once, but a silent server is not asked again and again.
                first, then = (self._pause, 0) if answer == "ready" else (_PAUSE_WITHOUT_ANSWER,) * 2
                with self._discounting(first + then):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(first):
                            await self._is_asked.wait()
                    await asyncio.sleep(then)

    async def _ask(self, client: httpx.AsyncClient, seconds: float) -> _Answer:
        """The server's answer within so many seconds, and not after the end of the run's patience."""
        if not self.is_lost:
            seconds = min(seconds, max(self._deadline - self._clock(), _LAST_ANSWER_SECONDS))
        with self._discounting(seconds):
            try:
                async with asyncio.timeout(seconds):
                    # Unlike /health, it tells whether the server's database answers.
                    answer = await client.get(f"{self._api}/ready", timeout=httpx.Timeout(None, connect=seconds / 2))
                return "ready" if answer.status_code < 500 else "gone"
            except TimeoutError:
                return "slow"
            except httpx.HTTPError:
                return "gone"

    @contextmanager
    def _discounting(self, seconds: float) -> Iterator[None]:
        """Count no time that the block takes beyond so many seconds: the loop stood still, as in a blocking call of
        Prefect's engine, and no answer was heard."""
        begun = self._clock()
        yield
        stood_still = max(0.0, self._clock() - begun - seconds)
        self._answered += stood_still
        if self._questioned is not None:
            self._questioned += stood_still

    @property
    def _deadline(self) -> float:
        """The time at which the patience ends if no answer comes."""
        if self._limited is not None:
            return max(self._answered, self._limited) + self._patience
        if self._is_slow:
            return self._answered + max(self._patience, SLOW_PATIENCE)
        return max(self._answered, self._accepted) + self._patience

    def _note(self, answer: _Answer) -> None:
        now = self._clock()
        self._is_slow = answer == "slow"
        if answer == "ready":
            if self._questioned is not None:
                self._longest = max(self._longest, now - self._questioned)
            self._answered, self._questioned = now, None
            self.is_lost = False
            self._has_answered.set()
            return
        if self._is_slow:
            self._accepted = now
        if now >= self._deadline:
            self.is_lost = True
            for limit in self._limits:
                if not limit.expired():
                    limit.reschedule(now)
        elif self._limited is None and self._on_wait and now - self._answered >= _NOTICED:
            pages = without_password(self._api.removesuffix("/api"))
            self._on_wait(f"waits for the Prefect server at {pages}, which {self.silence}")
            self._on_wait = None


_current: ContextVar[Availability | None] = ContextVar("availability", default=None)


@asynccontextmanager
async def watch_server(
    patience: float = PATIENCE, on_wait: Callable[[str], None] | None = None
) -> AsyncIterator[Availability]:
    """Watch the server that Prefect's settings name, unless a watch is around this one. `on_wait` is given a sentence
    once if the server is waited for before anything is made."""
    if around := _current.get():
        yield around
        return
    api = PREFECT_API_URL.value()
    # Without an address the run has a server that Prefect has started in this process's own session.
    server = Availability(api or "", patience if api else inf, on_wait)
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
