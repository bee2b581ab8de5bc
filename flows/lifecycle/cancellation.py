"""A run that is stopped before its end: why it stops, and what is recorded.

The reasons, and what each does:
- *Cancelled*: Ctrl-C, `prefect flow-run cancel`, or the run's page. Orders are called off where the service can do
  that; what is left running there is reported. A deployed run hears of it from its runner or in its own record,
  whichever comes first.
- *Handed over*: the process of a deployed run ends and the run was not cancelled, as when a worker is stopped for new
  code: by SIGTERM, Ctrl-C at `storyreel serve`, the terminal of that, or anything else that ends the event loop.
  Orders stand, and the run is scheduled again, so that another process continues it.
- *Begun again*: the server was away when a deployed run needed it, or has counted the run as lost, as it does on its
  return. The run is scheduled again as soon as the server answers.
- *Taken*: Prefect's record says that the run has ended or belongs to another process, or the runner says that it sees
  to that. This process stops and changes nothing.
Everything else that ends a process is a crash; the process cannot record that.

A run does not need its console: where that is closed, the run goes on without it.

Prefect's own handler of SIGTERM raises wherever the event loop happens to be: while an order is recorded, or in a
callback where the exception is lost and the run hangs (seen with 3.8.8). Here SIGTERM cancels, as Ctrl-C does.
"""

from __future__ import annotations

import asyncio
import inspect
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
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

from storyreel.flows.errors import Interrupted
from storyreel.flows.lifecycle.automations import picked_up
from storyreel.flows.lifecycle.deployed import is_deployed, mark_flow
from storyreel.flows.lifecycle.outcome import kept_outcome
from storyreel.flows.markdown import escape
from storyreel.flows.servers.availability import PATIENCE, current_server, pause_after, watch_server
from storyreel.flows.servers.choose import is_server_lost, uses_ephemeral_server
from storyreel.flows.servers.prefect_internals import (
    EndedRun,
    announced_end,
    keep_state,
    outlast_console,
    outlast_deployment_slot,
    pass_for_prefects,
)  # fmt: skip
from storyreel.tasks.studio import Studio

P = ParamSpec("P")
Result = TypeVar("Result")

_WATCH_ANSWER_SECONDS = 15.0
"""Time for the record. Prefect's client repeats a request for minutes, after which a cancel is seen late."""
_DEPLOYED_SECONDS = 3600.0
"""Time that a deployed run waits for a server that does not answer: no person waits for it, and it must be recorded."""
_HANDOVER_SECONDS = 5.0
"""Time for the server to answer about a run whose process is told to end, or to store that it is handed over: a process
manager grants some ten seconds in all. A run that is not recorded counts as lost, and is continued later."""
STOPPED_SECONDS = 4.0
"""Time for each of the last reports of a deployed run that is stopped: its end is to be recorded before a runner, which
grants 30 s, kills its process."""


class StopReason(Enum):
    """A reason why a run stops; the value is the message of its state."""

    CANCELLED = "cancelled; what was finished is kept, and the next run continues from there"
    HANDED_OVER = "its process was stopped; another one continues from there"
    SERVER_WAS_AWAY = "Prefect's server did not answer when it was needed; the run begins again, and goes on from there"
    COUNTED_AS_LOST = "Prefect's server had counted this run as lost; it begins again, and goes on from there"
    TAKEN = "Prefect's record says that this run has ended or that another process has it, so this one has stopped"


class Stopped(EndedRun):
    """A run was stopped, and its state is recorded. `lines` say how far it came, and what is left at services."""

    def __init__(self, reason: StopReason, lines: Sequence[str] = (), state: State[Any] | None = None) -> None:
        self.reason = reason
        super().__init__("\n".join((reason.value, *lines)), state)


class StopHandler:
    """Stops one run on SIGTERM or when Prefect's record of it says so, and records how it ended."""

    def __init__(self, run: UUID, *, is_deployed: bool) -> None:
        self.reason: StopReason | None = None
        self.left: tuple[str, ...] = ()
        """A line for each order left running at a service; set before `record_end`."""
        self.summary: tuple[str, ...] = ()
        """Lines on how far the run came and what it called off; set before `record_end`."""
        self._run, self._is_deployed = run, is_deployed
        self._task = asyncio.current_task()
        self._studio: Studio | None = None
        self._on_signal: asyncio.Task[None] | None = None
        self._recording: asyncio.Timeout | None = None
        self._process: str | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether a run that is stopping was cancelled, and not handed over or taken.

        Without a reason its asyncio task was cancelled: by Ctrl-C or its caller, or, if it is deployed, by no person.
        """
        return self.reason is StopReason.CANCELLED or (self.reason is None and not self._is_deployed)

    def use_studio(self, studio: Studio) -> None:
        """Set the studio whose orders stand when the run is handed over or taken."""
        self._studio = studio
        studio.keeps_orders = not self.is_cancelled

    def stop(self, reason: StopReason) -> None:
        """Cancel the run's asyncio task; only the first reason counts."""
        if self.reason is None and self._task:
            self.reason = reason
            if self._studio:
                self._studio.keeps_orders = not self.is_cancelled
            self._task.cancel()

    @property
    def signals(self) -> list[signal.Signals]:
        """The signals that stop the run. nohup and the like have a run ignore the end of its terminal."""
        if not self._is_deployed:
            return [signal.SIGTERM]
        is_hangup_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        return [signal.SIGTERM, signal.SIGINT, *([] if is_hangup_ignored else [signal.SIGHUP])]

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Stop the run on SIGTERM inside, a deployed one also on Ctrl-C and when its terminal is closed; another one
        goes on without its terminal. Does nothing outside of the main thread, which alone gets signals."""
        if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
            yield
            return
        _SIGNALS.add(self)
        try:
            yield
        finally:
            _SIGNALS.remove(self)

    @property
    def is_ending(self) -> bool:
        """Whether a deployed run has stopped, or was told to by a signal: no signal changes what becomes of it."""
        return self._is_deployed and (self.reason is not None or self._on_signal is not None)

    def on_signal(self) -> None:
        if self._on_signal is None:
            self._on_signal = asyncio.create_task(self._stop_on_signal())
            if self._recording and (end := self._recording.when()):
                self._recording.reschedule(min(end, asyncio.get_running_loop().time() + self._recording_seconds))

    async def _stop_on_signal(self) -> None:
        self.stop(await self._reason_without_request())

    async def _reason_without_request(self) -> StopReason:
        """The reason of a run whose process is told to end. The runner of a deployed run sends SIGTERM both when it is
        asked to cancel the run and when it is stopped itself. It announces the one, unless the run was too busy to hear
        it: then the run's record says it."""
        announced = announced_end()
        if not self._is_deployed or announced == "cancel":
            return StopReason.CANCELLED
        if announced:
            return StopReason.TAKEN
        record = None
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(_HANDOVER_SECONDS), get_client() as client:
                record = await client.read_flow_run(self._run)
        return (record and self._reason_in(record)) or StopReason.HANDED_OVER

    @asynccontextmanager
    async def watch_record(self) -> AsyncIterator[None]:
        """Stop the run inside when Prefect's record says so. An ephemeral server has no other client and is skipped."""
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

    async def follow_record(self) -> None:
        """Stop the run now if Prefect's record of it says so: for what Prefect has refused."""
        reason = None
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(_WATCH_ANSWER_SECONDS), get_client() as client:
                reason = self._reason_in(await client.read_flow_run(self._run))
        if reason:
            self.stop(reason)
            await asyncio.sleep(0)  # which is cancelled

    async def _watch(self) -> None:
        clock, server, pause = asyncio.get_running_loop().time, current_server(), pause_after(0)
        async with get_client() as client:
            while True:
                await asyncio.sleep(pause)
                begun, pause = clock(), pause_after(0)
                with suppress(httpx.HTTPError, TimeoutError):
                    async with asyncio.timeout(_WATCH_ANSWER_SECONDS):
                        record = await client.read_flow_run(self._run)
                    pause = pause_after(clock() - begun)
                    server.note_answer()
                    if reason := self._reason_in(record):
                        self.stop(reason)
                        return

    def _reason_in(self, record: FlowRun) -> StopReason | None:
        """The reason that the record gives for stopping the run; None if it asks for no stop."""
        state = record.state
        if state is None:
            return None
        if state.is_cancelling() or state.is_cancelled():
            return StopReason.CANCELLED
        # A worker records its process a moment after the run has begun.
        self._process = self._process or record.infrastructure_pid
        is_another_process = record.infrastructure_pid != self._process
        if state.is_crashed() and self._is_deployed and not is_another_process:
            # The automation that picks up crashed runs acts late where the server was restarted (3.9.1).
            return StopReason.COUNTED_AS_LOST
        if state.is_final() or state.is_scheduled() or state.is_pending() or is_another_process:
            return StopReason.TAKEN
        return None

    async def carry_out(self, work: Awaitable[Result]) -> Result:
        """The result of the flow's own code. A deployed run waits with it until the server can record it.

        A deployed run whose code needed the server while it was away is scheduled again.
        """
        server = current_server()
        try:
            return await work
        except Exception as error:
            if self._is_deployed and is_server_lost(error) and await server.wait():
                self.stop(StopReason.SERVER_WAS_AWAY)
                await asyncio.sleep(0)  # which is cancelled
            raise
        finally:
            if self._is_deployed and self.reason is None:
                await server.wait()
            if server.remark:
                get_run_logger().warning("%s", server.remark)

    async def record_end(self) -> Stopped:
        """Log what is left at services and record the run's state; returns the exception to raise."""
        reason = self.reason = self.reason or await self._reason_without_request()
        for line in self.left:
            get_run_logger().warning(line)
        try:
            recording = self._recording = asyncio.timeout(self._recording_seconds)
            async with current_server().while_answering(), recording:
                return Stopped(reason, (*self.summary, *self.left), await self._record_state(reason))
            raise TimeoutError("the server does not answer")
        except (httpx.HTTPError, TimeoutError) as error:
            state = reason.name.lower().replace("_", " ")
            get_run_logger().warning("the state of this run could not be recorded as %s: %s", state, error)
            return Stopped(reason, (*self.summary, *self.left))

    @property
    def _recording_seconds(self) -> float:
        """Time for the server to store how the run ended."""
        if not self._is_deployed:
            return PATIENCE
        if self.reason is StopReason.CANCELLED:
            return _DEPLOYED_SECONDS
        # What serves it cancels a run that does not end soon after it was told to.
        is_told = self._on_signal is not None or self.reason is StopReason.HANDED_OVER
        return _HANDOVER_SECONDS if is_told else _DEPLOYED_SECONDS

    async def _record_state(self, reason: StopReason) -> State[Any] | None:
        """Record the state; returns it if the run ends in it, None if the run continues elsewhere."""
        if reason is StopReason.TAKEN:
            return None
        if reason is StopReason.CANCELLED and self.left:
            # A runner replaces the message of the state by one of its own.
            lines = "\n".join(f"- {escape(line)}" for line in self.left)
            await acreate_markdown_artifact(lines, key="left-at-services", description="What was left running")
        message = "\n".join((reason.value, *self.summary, *self.left))
        async with get_client() as client:
            if reason is not StopReason.CANCELLED:
                # While it was stopping, another process may have got the run, or a person have cancelled it.
                since = self._reason_in(await client.read_flow_run(self._run))
                if reason is StopReason.COUNTED_AS_LOST:
                    state, is_ours = picked_up(message), since is reason
                else:
                    state = AwaitingRetry(message=message)
                    is_ours = since not in (StopReason.TAKEN, StopReason.CANCELLED)
                if is_ours:
                    await client.set_flow_run_state(self._run, state)
                return None
            result: OrchestrationResult[Any] = await client.set_flow_run_state(
                self._run, Cancelled(message=message), force=True
            )
            return result.state


class _Signals:
    """Process-wide handler of the signals that stop the runs of the main thread, of which a flow may gather several."""

    def __init__(self) -> None:
        self._handlers: list[StopHandler] = []
        self._before: dict[signal.Signals, Any] = {}
        self._prefects: Any = None
        """Prefect's own handler of SIGTERM."""

    def add(self, handler: StopHandler) -> None:
        if not self._handlers:
            self._before = {each: signal.getsignal(each) for each in handler.signals}
            for each in self._before:
                asyncio.get_running_loop().add_signal_handler(each, self._stop_all)
            self._prefects = pass_for_prefects(signal.getsignal(signal.SIGTERM))
            if signal.SIGHUP not in self._before and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
                # Programs that are started meanwhile, as ffmpeg, go on as well.
                self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._handlers.append(handler)

    def remove(self, handler: StopHandler) -> None:
        self._handlers.remove(handler)
        if not self._handlers:
            pass_for_prefects(self._prefects)
            for each, before in self._before.items():
                asyncio.get_running_loop().remove_signal_handler(each)
                # A worker sends SIGTERM twice, or long after the run has seen that it is cancelled. By Prefect's
                # handler a run that is ending in order would crash, and that be recorded over its end.
                signal.signal(each, signal.SIG_IGN if handler.is_ending else before)

    def _stop_all(self) -> None:
        for handler in self._handlers:
            handler.on_signal()


_SIGNALS = _Signals()
_handler: ContextVar[StopHandler] = ContextVar("stop_handler")


def stop_handler() -> StopHandler:
    """The stop handler of the current run."""
    return _handler.get()


def stoppable(work: Callable[P, Awaitable[Result]]) -> Callable[P, Awaitable[Result]]:
    """Decorator for a flow's function: however the run is stopped, its state is recorded and Stopped is raised.

    A subflow in its parent's process raises Interrupted: Stopped would end the parent, too, without a final state.
    """

    @wraps(work)
    async def stoppable_work(*args: P.args, **kwargs: P.kwargs) -> Result:
        outlast_console()
        deployed = is_deployed()
        handler = StopHandler(UUID(flow_run.id), is_deployed=deployed)
        token = _handler.set(handler)
        try:
            with kept_outcome() as keep, handler.handle_signals():
                try:
                    async with watch_server(_DEPLOYED_SECONDS if deployed else PATIENCE), handler.watch_record():
                        with outlast_deployment_slot() if deployed else nullcontext():
                            result = await handler.carry_out(work(*args, **kwargs))
                        keep(result)
                        return result
                except asyncio.CancelledError:
                    stopped = await handler.record_end()
                if not deployed and flow_run.parent_flow_run_id:
                    keep_state(stopped.state)
                    raise Interrupted(str(stopped))
                raise stopped
        finally:
            _handler.reset(token)

    # Prefect makes a form of the parameters, and would look for the names in their annotations in this module.
    stoppable_work.__signature__ = inspect.signature(work, eval_str=True)  # type: ignore[attr-defined]
    mark_flow(stoppable_work)
    return stoppable_work
