from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from storyreel.tasks.media.ffmpeg import in_thread


async def test_the_loop_goes_on_meanwhile_and_hears_of_progress() -> None:
    loop_thread, told = threading.get_ident(), []

    def work(tell: Callable[[float], None]) -> int:
        tell(0.5)
        return threading.get_ident()

    worker = await in_thread(work, lambda done: told.append((done, threading.get_ident())))
    assert worker != loop_thread
    assert told == [(0.5, loop_thread)]


async def test_an_error_arrives() -> None:
    def work(tell: Callable[[float], None]) -> None:
        raise ValueError("what is wrong")

    with pytest.raises(ValueError, match="what is wrong"):
        await in_thread(work)


async def test_cancelling_ends_the_work_before_it_returns() -> None:
    begun, ended = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(tell: Callable[[float], None]) -> None:
        loop.call_soon_threadsafe(begun.set)
        try:
            while True:
                tell(0)
                time.sleep(0.001)
        finally:
            ended.set()

    working = asyncio.create_task(in_thread(work))
    await begun.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert ended.is_set()
