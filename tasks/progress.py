"""Who watches a run: the work says what it is doing, and whoever watches shows it: a terminal, Prefect's pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from storyreel.specs.frozen import Frozen

Progress = Callable[[float], None]
"""Called with the fraction of one piece of work that is done, from 0 to 1."""

Stage = Literal[
    "waiting",
    "ordering",
    "submitted",
    "queued",
    "generating",
    "fetching",
    "conforming",
    "joining",
    "done",
    "cached",
    "failed",
    "unknown",
]
"""In the order of a take's life; `queued` only where the service's own word says that it has not begun."""


class StageReport(Frozen):
    """What is being done to one take, or to the whole film when `slate` is empty."""

    slate: str
    take: int
    stage: Stage
    fraction: float = 0.0
    """Of this stage, from 0 to 1."""
    detail: str = ""
    """In words: the service's own state, a failure's message."""


StageListener = Callable[[StageReport], None]

_watchers: ContextVar[tuple[StageListener, ...]] = ContextVar("watchers", default=())


@contextmanager
def listening(watcher: StageListener) -> Iterator[None]:
    """Show the watcher all that happens inside, beside those who watch already."""
    token = _watchers.set((*_watchers.get(), watcher))
    try:
        yield
    finally:
        _watchers.reset(token)


def report_stage(slate: str, take: int, stage: Stage, fraction: float = 0.0, detail: str = "") -> None:
    """Say what is being done; nobody need be watching."""
    if watchers := _watchers.get():
        sighting = StageReport(slate=slate, take=take, stage=stage, fraction=fraction, detail=detail)
        for watcher in watchers:
            watcher(sighting)
