"""What a cancelled caller leaves of work in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from storyreel.tasks.threads import Lane, ended, finish_in_thread, in_threads, outlast


async def cancelled(task: asyncio.Future[object]) -> None:
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_of_a_lane_is_done_in_order_and_the_last_at_the_end() -> None:
    lane, done = Lane(2), list[str]()
    hold = threading.Event()
    held = lane.start(hold.wait)
    others = [lane.start(lambda name=name: done.append(name)) for name in "abc"]  # type: ignore[misc]
    await asyncio.gather(*others)
    last = lane.close(lambda: done.append("last"))
    await asyncio.sleep(0.05)
    assert done == ["a", "b", "c"] and not last.done(), "the last waits for all"
    hold.set()
    await last
    assert done == ["a", "b", "c", "last"] and held.done()


async def test_work_that_has_not_begun_is_not_done_for_a_caller_who_has_gone() -> None:
    lane, done, hold = Lane(1), list[str](), threading.Event()
    held = lane.start(hold.wait)
    waiting = lane.start(lambda: done.append("never"))
    waiting.cancel()
    hold.set()
    await held
    await lane.close(lambda: done.append("last"))
    assert done == ["last"]


async def test_what_outlasts_a_cancellation_is_done_before_it_is_raised() -> None:
    hold, done = threading.Event(), list[str]()

    def work() -> None:
        hold.wait()
        done.append("done")

    for call in (lambda: finish_in_thread(work), lambda: outlast(Lane(1).start(work))):
        done.clear()
        hold.clear()
        task = asyncio.ensure_future(call())
        await asyncio.sleep(0.02)
        task.cancel()
        assert not await ended(task, 0.05)
        task.cancel()  # once more, as by a second Ctrl-C
        assert not await ended(task, 0.05)
        hold.set()
        await cancelled(task)
        assert done == ["done"]


async def test_a_context_in_threads_is_left_whenever_its_block_is_cancelled() -> None:
    told = list[str]()
    entering, may_enter = threading.Event(), threading.Event()

    @contextmanager
    def context() -> Iterator[str]:
        entering.set()
        may_enter.wait()
        told.append("entered")
        try:
            yield "inside"
        except BaseException as error:
            told.append(type(error).__name__)
            raise
        finally:
            told.append("left")

    async def block() -> None:
        async with in_threads(context()) as inside:
            told.append(inside)
            await asyncio.sleep(60)

    for begins in (False, True):
        told.clear()
        entering.clear()
        may_enter.clear()
        task = asyncio.ensure_future(block())
        await asyncio.to_thread(entering.wait)
        if begins:
            may_enter.set()
            while "inside" not in told:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.02)
        may_enter.set()
        await cancelled(task)
        assert told == ["entered", *(["inside"] if begins else []), "CancelledError", "left"]


async def test_an_error_that_a_context_makes_of_another_is_raised() -> None:
    @contextmanager
    def context() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LookupError("in words") from error

    with pytest.raises(LookupError, match="in words"):
        async with in_threads(context()):
            raise OSError
