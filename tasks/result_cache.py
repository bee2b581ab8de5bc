"""Prefect's cache, held to the truth: a task is known by a key computed beforehand, and a result whose files are
gone is made again. And its tags, which must not cost a question each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import Any, TypeVar

from prefect import Task
from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext

Result = TypeVar("Result")


_HALF_WRITTEN = (EOFError, UnpicklingError)
"""Raised for a result that another run is writing just now, or was killed while writing: Prefect writes them in place
(seen with 3.8.8)."""


@dataclass
class KnownKey(CachePolicy):
    """A cache policy that holds its key, so that it pickles and needs nothing of the run."""

    key: str = ""
    tags: tuple[str, ...] = ()
    """Put on the task run. Tags that are given to a task beforehand make each of its runs ask the server for limits of
    these names and wait for the answer: 200 runs took 45 to 71 s instead of 2 (3.9.1). This policy is asked once in
    every run, one from the cache too, after that question; a tag travels with the run's next state."""

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str | None:
        """The key, whatever the inputs are."""
        task_ctx.task_run.tags = sorted({*task_ctx.task_run.tags, *self.tags})
        return self.key


async def run_known(
    task: Task[..., Any],
    name: str,
    key: str,
    is_there: Callable[[Any], bool],
    *arguments: Any,
    anew: bool = False,
    tags: Collection[str] = (),
    **named: Any,
) -> Result:
    """Run a task under a name and with tags, or have its result from the cache; `anew` when it must run.

    A cached result is believed only if it can be read and `is_there`, which may take its time: it is asked in a
    thread. Else the task runs and replaces it.
    """
    known = task.with_options(cache_policy=KnownKey(key=key, tags=tuple(tags)), task_run_name=name, refresh_cache=anew)
    with suppress(*_HALF_WRITTEN):
        result: Result = await known(*arguments, **named)
        if await asyncio.to_thread(is_there, result):
            return result
    fresh: Result = await known.with_options(refresh_cache=True)(*arguments, **named)
    return fresh
