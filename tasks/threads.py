"""Work that would hold up the event loop, in threads: a database, files, YAML. What a cancelled caller leaves of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")


class Lane:
    """Threads that do work of one kind in the order in which it comes, at most so many pieces at a time.

    Unlike those of asyncio, they are not shared with other work, and do not keep a process from ending: a database
    that does not answer would stop downloads, and Ctrl-C.
    """

    def __init__(self, threads: int) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._most, self._threads, self._ended = threads, 0, 0
        self._last: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def start(self, work: Callable[[], Result]) -> asyncio.Future[Result]:
        """Queue work; returns its future. If that is cancelled, work that has not begun is not done."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._put(partial(copy_context().run, _do, work, result))
        return result

    def close(self, last: Callable[[], Result]) -> asyncio.Future[Result]:
        """Do `last` when all work is done, and end the threads. Returns its future."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._last = partial(copy_context().run, _do, last, result)
        for _ in range(max(1, self._threads)):
            self._put(None)
        return result

    def _put(self, work: Callable[[], None] | None) -> None:
        self._work.put(work)
        if self._threads < (self._most if work else 1):
            self._threads += 1
            threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while work := self._work.get():
            work()
        with self._lock:
            self._ended += 1
            is_last = self._ended == self._threads
        if is_last and self._last:
            self._last()


def _do(work: Callable[[], Result], result: asyncio.Future[Result]) -> None:
    if result.cancelled():
        return
    settle: Callable[[], None]
    try:
        settle = partial(result.set_result, work())
    except BaseException as error:
        settle = partial(result.set_exception, error)
    with suppress(RuntimeError):  # The loop is closed, and nothing waits.
        result.get_loop().call_soon_threadsafe(_settle, result, settle)


def _settle(result: asyncio.Future[Result], settle: Callable[[], None]) -> None:
    if not result.cancelled():
        settle()


async def ended(work: asyncio.Future[Result], seconds: float | None = None) -> bool:
    """Wait until a future is done, also if the caller is cancelled meanwhile; False if it is not in so many seconds."""
    clock = asyncio.get_running_loop().time
    end = None if seconds is None else clock() + seconds
    while not work.done():
        left = None if end is None else end - clock()
        if left is not None and left <= 0:
            return False
        with suppress(asyncio.CancelledError):
            await asyncio.wait([work], timeout=left)
    if not work.cancelled():
        work.exception()  # Read it, or asyncio would warn of an exception that was never retrieved.
    return True


async def outlast(work: Awaitable[Result]) -> Result:
    """The result of work that is done to its end whatever happens: a cancellation is raised after it."""
    future = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await ended(future)
        raise


async def finish_in_thread(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """The result of work in a thread, which has ended before this returns or raises."""
    return await outlast(in_own_thread(work, *args, **kwargs))


async def in_own_thread(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """The result of work that may wait for long, in a thread of its own. A cancelled caller leaves it alone there."""
    return await Lane(1).close(partial(work, *args, **kwargs))


@asynccontextmanager
async def in_threads(context: AbstractContextManager[Result]) -> AsyncIterator[Result]:
    """A context that is entered and left in threads, to its end whatever happens. It must not suppress errors."""
    entering = asyncio.ensure_future(in_own_thread(context.__enter__))
    try:
        entered = await asyncio.shield(entering)
    except asyncio.CancelledError as error:
        await ended(entering)
        if not entering.exception():
            await finish_in_thread(context.__exit__, type(error), error, error.__traceback__)
        raise
    try:
        yield entered
    except BaseException as error:
        await finish_in_thread(context.__exit__, type(error), error, error.__traceback__)
        raise
    await finish_in_thread(context.__exit__, None, None, None)
