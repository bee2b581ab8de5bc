"""Whether the current flow run is a deployment's own."""

from __future__ import annotations

from prefect.context import FlowRunContext


def is_deployed() -> bool:
    """Whether the current flow run was created from a deployment.

    A subflow of a deployed run was not: `prefect.runtime.deployment.id` is its parent's there.
    """
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.deployment_id)
