"""Whether the current flow run is a deployment's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect.context import FlowRunContext

_MARK = "is_storyreel_flow"


def mark_flow(function: Callable[..., Any]) -> None:
    """Mark the function of a flow whose deployed runs `is_deployed` finds."""
    setattr(function, _MARK, True)


def is_deployed() -> bool:
    """Whether the current flow run was created from a deployment of a marked flow.

    A subflow of a deployed run was not: `prefect.runtime.deployment.id` is its parent's there. Neither was the run of
    another flow that calls a marked function itself, as `render_storyboard.fn`.
    """
    context = FlowRunContext.get()
    if context is None or context.flow is None or context.flow_run is None:
        return False
    return context.flow_run.deployment_id is not None and hasattr(context.flow.fn, _MARK)
