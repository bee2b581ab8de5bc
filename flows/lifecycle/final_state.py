"""The state in which a run fails: what went wrong and how far the run came, without a traceback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from prefect import get_run_logger
from prefect.states import Failed

from storyreel.specs.errors import StoryreelError

P = ParamSpec("P")
Result = TypeVar("Result")


def fails_in_words(work: Callable[P, Awaitable[Result]]) -> Callable[P, Awaitable[Result]]:
    """Decorator for a flow's function: an error that can be foreseen is logged, and is the message of the Failed state.

    Callers of the flow still get the error itself. Prefect alone would log its traceback, and begin the message with
    the name of its class. Notes that were added to the error follow it.
    """

    @wraps(work)
    async def work_in_words(*args: P.args, **kwargs: P.kwargs) -> Result:
        try:
            return await work(*args, **kwargs)
        except StoryreelError as error:
            message = "\n".join((str(error), *getattr(error, "__notes__", ())))
            get_run_logger().error("%s", message)
            # A run ends in the state that its flow returns.
            return cast("Result", Failed(message=message, data=error))

    return work_in_words
