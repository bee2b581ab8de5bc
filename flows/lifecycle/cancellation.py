"""A run that is stopped before its end: by whom, and what becomes of it then.

This is the one place that tells them apart:
- *Cancelled* by a person: Ctrl-C, `prefect flow-run cancel`, the run's page. Orders are called off where the service
  can do that, and what is left running there is told.
- *Handed over*: the process of a deployed run is told to end and nobody has cancelled the run, as when a worker is
  stopped for new code. Orders stand, and the run is scheduled again, so that another process goes on with it.
- *Taken*: Prefect's record says that the run is over, or another process's, while this one still lives. It stops
  itself and changes nothing.
Whatever else ends a process is a crash, of which it can say nothing.

Prefect's own handler of SIGTERM raises wherever the event loop happens to be: in the middle of noting an order, or in
some callback where the exception is lost and the run hangs (seen with 3.8.8). Here SIGTERM cancels, as Ctrl-C does.
"""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from enum import Enum
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import httpx
from prefect import State, get_client, get_run_logger
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run
from prefect.states import AwaitingRetry, Cancelled

from storyreel.flows.lifecycle.deployed import is_deployed
from storyreel.flows.lifecycle.watchdog import Attendant, attended
from storyreel.flows.servers.choose import uses_ephemeral_server
from storyreel.flows.servers.prefect_internals import EndedRun
from storyreel.tasks.studio import Studio

P = ParamSpec("P")
Result = TypeVar("Result")

_LOOK_SECONDS = 3.0
"""Between two looks at the run's own record."""
_SAY_SECONDS = 5.0
"""How long the server may take to tell, or to note, a state: a process manager grants some ten seconds in all."""


class Why(Enum):
    """Who stopped a run."""

    CANCELLED = "cancelled; what was finished is kept, and the next run goes on from there"
    HANDED_OVER = "its process was told to end; another one goes on from there"
    TAKEN = "Prefect's record says that this run has ended or that another process has it, so this one has stopped"


class Stopped(EndedRun):
    """A run was stopped; its state is recorded already."""

    def __init__(self, why: Why, left: Sequence[str] = (), state: State[Any] | None = None) -> None:
        self.why, self.left = why, tuple(left)
        """What was left running at services, a line each."""
        super().__init__("\n".join((why.value, *left)), state)


class Stopping:
    """What may stop one run, and whether it has."""

    def __init__(self, run: UUID, *, is_deployed: bool) -> None:
        self.why: Why | None = None
        self.left: tuple[str, ...] = ()
        self._run, self._is_deployed = run, is_deployed
        self._task = asyncio.current_task()
        self._studio: Studio | None = None
        self._attendant: Attendant | None = None
        self._asked: asyncio.Task[None] | None = None
        self._process: str | None = None

    @property
    def is_by_a_person(self) -> bool:
        """Whether a run that is being cancelled was cancelled by a person. Ctrl-C cancels without asking here."""
        return self.why in (None, Why.CANCELLED)

    def works_in(self, studio: Studio) -> None:
        """Whose orders are called off, or left standing."""
        self._studio = studio
        if self._attendant:
            self._attendant.holds_for(studio.ledger.owner)

    def stop(self, why: Why) -> None:
        """Cancel the run; only the first reason counts."""
        if self.why is None and self._task:
            self.why = why
            if self._studio and not self.is_by_a_person:
                self._studio.orders_stand = True
            self._task.cancel()

    @contextmanager
    def by_sigterm(self) -> Iterator[None]:
        """Stop on SIGTERM, inside; only the main thread can be asked to."""
        loop = asyncio.get_running_loop()
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGTERM)
        try:
            loop.add_signal_handler(signal.SIGTERM, self._told_to_end)
        except NotImplementedError:  # Windows has no SIGTERM to wait for
            yield
            return
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            # A worker says it twice; the second one must not make a crash of what is ending in order.
            signal.signal(signal.SIGTERM, signal.SIG_IGN if self._asked and self._is_deployed else before)

    def _told_to_end(self) -> None:
        if self._asked is None:
            self._asked = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """Stop for the reason that the run's record shows: a runner that was asked to cancel sends SIGTERM too."""
        if not self._is_deployed:
            self.stop(Why.CANCELLED)
            return
        record = None
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(_SAY_SECONDS), get_client() as client:
                record = await client.read_flow_run(self._run)
        self.stop((record and self._seen_in(record)) or Why.HANDED_OVER)

    @contextmanager
    def by_a_kill(self) -> Iterator[None]:
        """Have a deployed run handed over by its attendant when it is killed, inside."""
        if not self._is_deployed:
            yield
            return
        with attended(self._run) as self._attendant:
            yield

    @asynccontextmanager
    async def by_its_record(self) -> AsyncIterator[None]:
        """Stop when Prefect's record of the run says so, inside. Nobody can have a run of a server that is our own."""
        if uses_ephemeral_server():
            yield
            return
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        async with get_client() as client:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                with suppress(httpx.HTTPError):
                    if why := self._seen_in(await client.read_flow_run(self._run)):
                        self.stop(why)
                        return

    def _seen_in(self, record: FlowRun) -> Why | None:
        state = record.state
        if state is None:
            return None
        if state.is_cancelling() or state.is_cancelled():
            return Why.CANCELLED
        # A worker notes its process a moment after the run has begun.
        self._process = self._process or record.infrastructure_pid
        if state.is_final() or state.is_scheduled() or state.is_pending() or record.infrastructure_pid != self._process:
            return Why.TAKEN
        return None

    async def ended(self) -> Stopped:
        """Note what became of the run; gives what is to be raised."""
        why = self.why = self.why or Why.CANCELLED
        for line in self.left:
            get_run_logger().warning(line)
        try:
            async with asyncio.timeout(_SAY_SECONDS):
                return Stopped(why, self.left, await self._note(why))
        except (httpx.HTTPError, TimeoutError) as trouble:
            get_run_logger().warning("could not be noted as %s: %s", why.name.lower().replace("_", " "), trouble)
            return Stopped(why, self.left)

    async def _note(self, why: Why) -> State[Any] | None:
        """The state that the run ends in here; None where it goes on elsewhere."""
        if why is Why.TAKEN:
            return None
        if why is Why.CANCELLED and self.left:
            # A runner writes a message of its own over the state's.
            lines = "\n".join(f"- {line}" for line in self.left)
            await acreate_markdown_artifact(lines, key="left-at-services", description="What was left running")
        message = "\n".join((why.value, *self.left))
        async with get_client() as client:
            if why is Why.HANDED_OVER:
                await client.set_flow_run_state(self._run, AwaitingRetry(message=message))
                return None
            said: OrchestrationResult[Any] = await client.set_flow_run_state(
                self._run, Cancelled(message=message), force=True
            )
            return said.state


_stopping: ContextVar[Stopping] = ContextVar("stopping")


def stopping() -> Stopping:
    """What may stop the run that this is asked in."""
    return _stopping.get()


def stoppable(work: Callable[P, Awaitable[Result]]) -> Callable[P, Awaitable[Result]]:
    """A flow's function that ends in order, with Stopped, however it is stopped."""

    @wraps(work)
    async def stops(*args: P.args, **kwargs: P.kwargs) -> Result:
        return await _to_its_end(lambda: work(*args, **kwargs))

    # Prefect makes the form of a flow's parameters, and looks for what they are called in this module otherwise.
    stops.__signature__ = inspect.signature(work, eval_str=True)  # type: ignore[attr-defined]
    return stops


async def _to_its_end(work: Callable[[], Awaitable[Result]]) -> Result:
    this = Stopping(UUID(flow_run.id), is_deployed=is_deployed())
    token = _stopping.set(this)
    try:
        with this.by_a_kill(), this.by_sigterm():
            try:
                async with this.by_its_record():
                    return await work()
            except asyncio.CancelledError:
                stopped = await this.ended()
            raise stopped
    finally:
        _stopping.reset(token)
