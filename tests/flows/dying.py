"""A run's death by SIGKILL at one exact step: nothing of its process lives on to tidy up."""

from __future__ import annotations

import importlib
import inspect
import os
import signal
from collections.abc import Callable
from typing import Any


def die_at(step: str) -> None:
    """Die at a step, said as `MODULE:CLASS.METHOD before|after NUMBER`.

    The process dies right before, or right after, the NUMBERth call of the method. What the method does is real.
    """
    place, when, number = step.split()
    module, _, path = place.partition(":")
    owner_name, _, name = path.rpartition(".")
    owner = getattr(importlib.import_module(module), owner_name) if owner_name else importlib.import_module(module)
    setattr(owner, name, _deadly(getattr(owner, name), when, int(number)))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _deadly(method: Callable[..., Any], when: str, number: int) -> Callable[..., Any]:
    calls = 0

    def counts() -> bool:
        nonlocal calls
        calls += 1
        return calls == number

    async def dying_async(*arguments: Any, **named: Any) -> Any:
        last = counts()
        if last and when == "before":
            _die()
        result = await method(*arguments, **named)
        if last:
            _die()
        return result

    def dying(*arguments: Any, **named: Any) -> Any:
        last = counts()
        if last and when == "before":
            _die()
        result = method(*arguments, **named)
        if last:
            _die()
        return result

    return dying_async if inspect.iscoroutinefunction(method) else dying
