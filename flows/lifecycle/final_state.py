"""The state in which a run ends: what was made, or what went wrong and how far the run came, without a traceback.

A run ends in the state that its flow returns. Callers of the flow get the result, or the error, all the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from prefect import get_run_logger
from prefect.states import Completed, Failed

from storyreel.flows.lifecycle.deployed import is_own_run
from storyreel.specs.errors import StoryreelError

P = ParamSpec("P")
Result = TypeVar("Result")


def completed(result: Result, message: str) -> Result:
    """The return value of a flow that gives the final state of its run a message."""
    return cast("Result", Completed(message=message, data=result)) if is_own_run() else result


def fails_in_words(work: Callable[P, Awaitable[Result]]) -> Callable[P, Awaitable[Result]]:
    """Decorator for a flow's function: an error that can be foreseen is logged, and is the message of the Failed state.

    Notes that were added to the error follow it. Prefect alone would log its traceback, and begin the message with the
    name of its class.
    """

    @wraps(work)
    async def work_in_words(*args: P.args, **kwargs: P.kwargs) -> Result:
        try:
            return await work(*args, **kwargs)
        except StoryreelError as error:
            if not is_own_run():
                raise
            message = "\n".join((str(error), *getattr(error, "__notes__", ())))
            get_run_logger().error("%s", message)
            return cast("Result", Failed(message=message, data=error))

    return work_in_words
