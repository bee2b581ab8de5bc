"""The command `storyreel`, killed by SIGKILL at one exact step.

    python tests/flows/dying.py MODULE:CLASS.METHOD before|after NUMBER ARGUMENT…

The process dies right before, or right after, the NUMBERth call of the method. What the method does is real; nothing
of the process lives on to tidy up.
"""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable
from typing import Any


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


if __name__ == "__main__":
    place, when, number, *arguments = sys.argv[1:]
    module, _, path = place.partition(":")
    owner_name, _, name = path.rpartition(".")
    owner = getattr(importlib.import_module(module), owner_name) if owner_name else importlib.import_module(module)
    setattr(owner, name, _deadly(getattr(owner, name), when, int(number)))
    sys.argv = ["storyreel", *arguments]
    from flows.cli import main

    main()
