"""Prefect's cache, held to the truth: a task is known by a key computed beforehand, and a result whose files are
gone is made again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str | None:
        """The key, whatever the inputs are."""
        return self.key


async def run_known(
    task: Task[..., Any],
    name: str,
    key: str,
    is_there: Callable[[Any], bool],
    *arguments: Any,
    anew: bool = False,
    **named: Any,
) -> Result:
    """Run a task under a name, or have its result from the cache; `anew` when it is known that it must run.

    A cached result is believed only if it can be read and `is_there`, which may take its time: it is asked in a
    thread. Else the task runs and replaces it.
    """
    known = task.with_options(cache_policy=KnownKey(key=key), task_run_name=name, refresh_cache=anew)
    with suppress(*_HALF_WRITTEN):
        result: Result = await known(*arguments, **named)
        if await asyncio.to_thread(is_there, result):
            return result
    fresh: Result = await known.with_options(refresh_cache=True)(*arguments, **named)
    return fresh
