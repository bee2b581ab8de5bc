"""Who watches a run: the work says what it is doing, and a watcher, if there is one, shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from specs.frozen import Frozen

Stage = Literal["waiting", "ordering", "generating", "fetching", "conforming", "joining", "done", "cached", "failed"]


class Sighting(Frozen):
    """What is being done to one take, or to the whole film when `slate` is empty."""

    slate: str
    take: int
    stage: Stage
    fraction: float = 0.0
    """Of this stage, from 0 to 1."""
    detail: str = ""
    """In words: the service's own state, a failure's message."""


Watcher = Callable[[Sighting], None]

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Show the watcher all that happens inside."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def tell(slate: str, take: int, stage: Stage, fraction: float = 0.0, detail: str = "") -> None:
    """Say what is being done; nobody need be watching."""
    if watcher := _watcher.get():
        watcher(Sighting(slate=slate, take=take, stage=stage, fraction=fraction, detail=detail))
