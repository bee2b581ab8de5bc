"""Task runs that a lost process left: without an end they would be shown as running for ever."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import State, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, TaskRunFilter, TaskRunFilterState
from prefect.client.schemas.filters import TaskRunFilterStateType as StateTypes
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

_PAGE = 200
"""Task runs that the server returns at most."""


async def end_lost_tasks(run: UUID, message: str = "its process was lost; the run goes on in another one") -> None:
    """End all task runs of a flow run that have not ended, as Crashed. Call while none of its tasks runs."""
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
    unfinished = StateTypes(any_=[StateType.PENDING, StateType.RUNNING, StateType.SCHEDULED])
    wanted = TaskRunFilter(state=TaskRunFilterState(type=unfinished))
    left: list[UUID] = []
    async with get_client() as client:
        while len(left) % _PAGE == 0:
            page = await client.read_task_runs(
                flow_run_filter=of_run, task_run_filter=wanted, limit=_PAGE, offset=len(left)
            )
            if not page:
                break
            left += [each.id for each in page]
        state: State[Any] = Crashed(message=message)
        for each in left:
            await client.set_task_run_state(each, state, force=True)
