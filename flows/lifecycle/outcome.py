"""The outcome of a run: what its flow returned or raised, whether or not Prefect's server could record it.

Prefect's engine gives a flow's result only when the server has taken the run's last state, and raises an error of the
client if it does not. A film that is on the disk does not wait for that, and neither does the message of a failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar
from uuid import UUID

from prefect import State
from prefect.runtime import flow_run

from storyreel.flows.errors import RunFailed
from storyreel.flows.lifecycle.late_record import keep_end
from storyreel.flows.servers.availability import current_server
from storyreel.flows.servers.choose import is_server_lost
from storyreel.flows.servers.prefect_internals import drop_unsent, send_unsent
from storyreel.tasks.home import Home

Result = TypeVar("Result")

_AT_ONCE = 20
"""Cancellations without a pause: the engine must not come so far as to report a crash."""
_PAUSE_SECONDS = 0.05


class _Outcome:
    """The result or error of one run's flow, as far as it is known."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[Any] = loop.create_future()
        self.run: UUID | None = None


_expected: ContextVar[_Outcome | None] = ContextVar("outcome", default=None)


@contextmanager
def kept_outcome() -> Iterator[Callable[[Any], None]]:
    """Context that keeps the outcome of a flow's code: an error raised inside, or the result passed to what it yields.

    Does nothing unless `outcome_of` waits for it. Only the outermost flow of a run counts.
    """
    outcome = _expected.get()
    if outcome is None or outcome.begun.done():
        yield lambda result: None
        return
    outcome.run = UUID(flow_run.id)
    outcome.begun.set_result(None)
    try:
        yield outcome.ended.set_result
    except BaseException as error:
        if not outcome.ended.done():
            outcome.ended.set_exception(error)
            # Read, or asyncio might warn of it although the flow raises it, too.
            outcome.ended.exception()
        raise


async def outcome_of(flow: Callable[[], Awaitable[Result]]) -> Result:
    """The result of a flow whose server is watched. It is recorded there unless the server is lost.

    Raises what the flow raises, and RunFailed if the server is lost before the flow has begun.
    """
    outcome, server = _Outcome(), current_server()
    token = _expected.set(outcome)
    running = asyncio.ensure_future(flow())
    _expected.reset(token)
    try:
        async with server.while_answering():
            await _first(running, outcome.begun)
        if outcome.begun.done():
            await _first(running, outcome.ended)
            server.limit_patience()
            async with server.while_answering():
                await asyncio.wait({running})
    except asyncio.CancelledError:  # by Ctrl-C: what is finished stays finished, all else is stopped in order
        server.limit_patience()
        if not outcome.ended.done():
            running.cancel()
            await _first(running, outcome.ended)
            async with server.while_answering():
                await asyncio.wait({running})
    is_abandoned = not running.done()
    if is_abandoned:
        await _abandon(running)
    async with server.while_answering():
        await send_unsent()
    drop_unsent()
    if not is_abandoned and not (outcome.ended.done() and is_server_lost(running.exception())):
        return running.result()
    if outcome.ended.done():
        if outcome.run:
            end = outcome.ended.exception() or outcome.ended.result()
            await asyncio.to_thread(keep_end, Home.of(), outcome.run, end)
        ended = outcome.ended.result()
        # A flow may return the state that it ends in.
        result: Result = await ended.aresult() if isinstance(ended, State) else ended
        return result
    raise RunFailed(
        f"the Prefect server {server.silence}; nothing was made", hint="storyreel doctor shows whether it answers again"
    )


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def _abandon(running: asyncio.Future[Any]) -> None:
    """End a flow that waits for its server. Cancelled once, the engine would report a crash, and wait for that."""
    cancelled = 0
    while not running.done():
        running.cancel()
        cancelled += 1
        await asyncio.sleep(0 if cancelled < _AT_ONCE else _PAUSE_SECONDS)
