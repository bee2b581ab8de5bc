"""Progress of a run: the work reports its stages, and listeners show them: the terminal, Prefect's pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from storyreel.specs.foreign_text import printable
from storyreel.specs.frozen import Frozen
from storyreel.specs.secrets import hidden

Progress = Callable[[float], None]
"""Called with the fraction of one piece of work that is done, from 0 to 1."""

Stage = Literal[
    "waiting", "ordering", "submitted", "queued", "generating", "fetching", "conforming", "joining",
    "done", "cached", "failed", "unknown", "stopped",
]  # fmt: skip
"""In the order of a take's life. `queued` only if the service's own word says that it has not begun; `stopped` with its
run."""


class StageReport(Frozen):
    """The stage of one take, or of the whole film if `slate` is empty."""

    slate: str
    take: int
    stage: Stage
    fraction: float = 0.0
    """The fraction of this stage that is done, from 0 to 1."""
    detail: str = ""
    """Text: the service's own status, the message of a failure, for what it waits. Printable, without secrets."""
    waits_for: str = ""
    """The reason why the take waits, without the time until the next try; empty if nothing is wrong."""


StageListener = Callable[[StageReport], None]

_listeners: ContextVar[tuple[StageListener, ...]] = ContextVar("listeners", default=())


@contextmanager
def listening(listener: StageListener) -> Iterator[None]:
    """Call `listener` with each report made in this context, in addition to the listeners around it."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


def report_stage(
    slate: str, take: int, stage: Stage, fraction: float = 0.0, detail: str = "", waits_for: str = ""
) -> None:
    """Report the stage of a take to all listeners of this context; without any, do nothing."""
    if listeners := _listeners.get():
        told, why = (printable(hidden(text)) for text in (detail, waits_for))
        report = StageReport(slate=slate, take=take, stage=stage, fraction=fraction, detail=told, waits_for=why)
        for listener in listeners:
            listener(report)
