"""Whether the current flow run is a deployment's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from prefect import get_client
from prefect.client.schemas.responses import DeploymentResponse
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment, flow_run

_MARK = "is_storyreel_flow"


def mark_flow(function: Callable[..., Any]) -> None:
    """Mark the function of a flow whose deployed runs `is_deployed` finds."""
    setattr(function, _MARK, True)


def is_own_run() -> bool:
    """Whether the current flow run is of a marked flow, and not of another flow that calls a marked function itself, as
    `render_storyboard.fn`."""
    context = FlowRunContext.get()
    return context is not None and context.flow is not None and hasattr(context.flow.fn, _MARK)


def is_deployed() -> bool:
    """Whether the current flow run was created from a deployment of a marked flow.

    A subflow of a deployed run was not: `prefect.runtime.deployment.id` is its parent's there. Neither was the run of
    another flow that calls a marked function itself, as `render_storyboard.fn`.
    """
    context = FlowRunContext.get()
    if context is None or context.flow is None or context.flow_run is None:
        return False
    return context.flow_run.deployment_id is not None and hasattr(context.flow.fn, _MARK)


async def then_again(command: str) -> str:
    """The next step: `command`, and in a subflow also the flow that called it, which fails with it, once more."""
    return await asyncio.to_thread(_then_again, command)


def _then_again(command: str) -> str:
    """The same. Blocks: `prefect.runtime` asks the server."""
    if not flow_run.parent_flow_run_id:
        return command
    if deployment.id:  # that of the outermost run
        return f"{command}, then prefect flow-run retry {flow_run.root_flow_run_id}"
    return f"{command}, then the flow that called this one again"


async def was_begun_by(run: str) -> bool:
    """Whether another flow run has begun the current one, and not a person, who can give any run's id."""
    return run == await asyncio.to_thread(lambda: str(flow_run.parent_flow_run_id))


async def own_deployment() -> DeploymentResponse:
    """The deployment that the current flow run was created from. Raises ObjectNotFound if it was deleted."""
    context = FlowRunContext.get()
    assert context and context.flow_run and context.flow_run.deployment_id, "the run is not deployed"
    async with get_client() as client:
        return await client.read_deployment(context.flow_run.deployment_id)


async def own_parameters() -> Mapping[str, Any] | None:
    """The parameters of the deployment of the current flow run; None if it is not deployed. Other values were given by
    a person. Empty if the deployment was deleted: then all were."""
    if not is_deployed():
        return None
    try:
        return (await own_deployment()).parameters
    except ObjectNotFound:
        return {}
