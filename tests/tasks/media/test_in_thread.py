from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from storyreel.tasks.media.ffmpeg import in_thread


async def test_work_runs_in_another_thread_and_reports_progress_to_the_loop() -> None:
    loop_thread, reported = threading.get_ident(), []

    def work(report: Callable[[float], None]) -> int:
        report(0.5)
        return threading.get_ident()

    worker = await in_thread(work, lambda done: reported.append((done, threading.get_ident())))
    assert worker != loop_thread
    assert reported == [(0.5, loop_thread)]


async def test_an_error_in_the_work_is_raised() -> None:
    def work(report: Callable[[float], None]) -> None:
        raise ValueError("what is wrong")

    with pytest.raises(ValueError, match="what is wrong"):
        await in_thread(work)


async def test_cancelling_ends_the_work_before_it_returns() -> None:
    begun, ended = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work(report: Callable[[float], None]) -> None:
        loop.call_soon_threadsafe(begun.set)
        try:
            while True:
                report(0)
                time.sleep(0.001)
        finally:
            ended.set()

    working = asyncio.create_task(in_thread(work))
    await begun.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert ended.is_set()
