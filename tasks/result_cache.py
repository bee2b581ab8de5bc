"""Run a Prefect task with a cache key that is computed beforehand, and check its cached result before it is used."""

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
"""Raised for a result that another run is writing or left half written: Prefect writes in place (seen with 3.8.8)."""


@dataclass
class KnownKey(CachePolicy):
    """A cache policy with a fixed key, which can be pickled."""

    key: str = ""
    tags: tuple[str, ...] = ()
    """Tags for the task run. With tags in the options of the task each run asks the server for concurrency limits of
    these names and waits for the answer: 200 runs took 45 to 71 s instead of 2 (3.9.1). The key is computed in every
    run, a cached one too, after that request; the tags are sent with the next state of the run."""

    def compute_key(
        self, task_ctx: TaskRunContext, inputs: dict[str, Any], flow_parameters: dict[str, Any], **kwargs: Any
    ) -> str | None:
        """The key, independent of inputs. Adds the tags to the task run."""
        task_ctx.task_run.tags = sorted({*task_ctx.task_run.tags, *self.tags})
        return self.key


async def run_cached(
    task: Task[..., Any],
    name: str,
    key: str,
    is_valid: Callable[[Any], bool],
    *arguments: Any,
    anew: bool = False,
    tags: Collection[str] = (),
    **named: Any,
) -> Result:
    """The cached result of a task, if it can be read and `is_valid`, else that of a run under this name and tags.

    With `anew` the task runs in any case. `is_valid` is called in a thread. Prefect searches the arguments for results
    of other tasks, from which it draws edges: wrap what is not a result in `quote`, or an empty tuple in it, which is
    one object everywhere in Python, adds an edge from any task with one in its result.
    """
    known = task.with_options(cache_policy=KnownKey(key=key, tags=tuple(tags)), task_run_name=name, refresh_cache=anew)
    with suppress(*_HALF_WRITTEN):
        result: Result = await known(*arguments, **named)
        if await asyncio.to_thread(is_valid, result):
            return result
    fresh: Result = await known.with_options(refresh_cache=True)(*arguments, **named)
    return fresh
