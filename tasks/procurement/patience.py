"""The time limit of a run's wait for one take, through all its tries, and the messages about each wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from logging import Logger, LoggerAdapter
from typing import Any, TypeAlias

from storyreel.specs.problems.phrases import lasting
from storyreel.tasks.progress import Stage, report_stage
from storyreel.tasks.providers.errors import ProviderError, Transient

Log: TypeAlias = "Logger | LoggerAdapter[Any]"

_TELL_SECONDS = 2.0
"""Seconds after which a wait for a place that other runs hold is reported, and its reason is read again."""


class Overdue(ProviderError):
    """The take was not made in time. An order that was accepted stays open, and the next run goes on with it."""


class TimeIsUp(Exception):
    """The time of a take ended while something was under way; the caller says what that means for its order."""


class Patience:
    """The time that a run waits for a take: its `timeout`, shared by all tries, without the time in a queue for a slot.

    It begins at the first use.
    """

    def __init__(self, seconds: float, slate: str, take: int) -> None:
        self.seconds = seconds
        self._slate, self._take = slate, take
        self._end: float | None = None
        self._told = ""

    def __str__(self) -> str:
        return f"the {lasting(self.seconds)} that a run waits for a take"

    @property
    def left(self) -> float:
        """Seconds that are left, 0 if the time is up."""
        if self._end is None:
            self._end = time.monotonic() + self.seconds
        return max(0.0, self._end - time.monotonic())

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """A context whose time does not count."""
        left = self.left
        try:
            yield
        finally:
            self._end = time.monotonic() + left

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """A context that is cancelled when the time is up, and then raises TimeIsUp."""
        limit = asyncio.timeout(self.left)
        try:
            async with limit:
                yield
        except TimeoutError:
            if limit.expired():
                raise TimeIsUp from None
            raise

    def tell(self, log: Log, stage: Stage, reason: str, again: float | None = None) -> None:
        """Report the reason why the take waits to listeners, and once to the log; `again` is in seconds."""
        text = reason if again is None else f"{reason}; again in {lasting(again)}"
        report_stage(self._slate, self._take, stage, detail=text, waits_for=reason)
        if reason != self._told:
            self._told = reason
            log.warning("%s take %d: %s", self._slate, self._take, text)

    @contextmanager
    def telling(self, log: Log, reason: Callable[[], str]) -> Iterator[None]:
        """A context of a wait that is reported if it lasts, and again whenever its reason changes."""
        telling = asyncio.create_task(self._tell_again(log, reason))
        try:
            yield
        finally:
            telling.cancel()

    async def _tell_again(self, log: Log, reason: Callable[[], str]) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            if why := reason():
                self.tell(log, "waiting", why)

    async def pause(self, log: Log, error: Transient, seconds: float) -> None:
        """Wait before another try. Raises Overdue at once if there is not so much time; its hint is that of `error`."""
        said = error.message.rstrip(".")
        if seconds >= self.left:
            why = "there is no time for another try in"
            if error.retry_after:
                why = f"it asks to wait {lasting(seconds)}, longer than is left of"
            raise Overdue(f"{said}; {why} {self}", service=error.service, hint=error.hint, next=error.next) from error
        self._told = ""
        self.tell(log, "waiting", said, seconds)
        await asyncio.sleep(seconds)
