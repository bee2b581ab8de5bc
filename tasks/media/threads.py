"""Work that keeps a core busy, in a thread beside the event loop; it ends when who waits for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from storyreel.tasks.media.ffmpeg import Progress

Result = TypeVar("Result")


class _Stopped(Exception):
    """The task that waited for the work was cancelled."""


async def in_thread(work: Callable[[Progress], Result], progress: Progress | None = None) -> Result:
    """Do `work` in a thread. It is given a function to tell its progress by, from 0 to 1, as often as it likes.

    On cancellation the next such call ends the work, and the thread is done when this returns.
    """
    loop = asyncio.get_running_loop()
    stopped = False

    def tell(done: float) -> None:
        if stopped:
            raise _Stopped
        if progress:
            loop.call_soon_threadsafe(progress, done)

    working = asyncio.ensure_future(asyncio.to_thread(work, tell))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        stopped = True
        await asyncio.wait([working])
        working.exception()
        raise
