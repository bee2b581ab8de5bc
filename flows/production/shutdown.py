"""However a run ends, nothing of it is left under way, and what it leaves at services is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from prefect.runtime import flow_run

from storyreel.flows.lifecycle.cancellation import stop_handler
from storyreel.flows.planning.model import Plan
from storyreel.flows.production.leaving import left_behind
from storyreel.flows.production.takes import Shooting
from storyreel.flows.servers.choose import wait_for_task_runs
from storyreel.flows.servers.prefect_internals import confirm_events, wait_for_events
from storyreel.tasks.studio import Studio


@asynccontextmanager
async def ended_in_order(plan: Plan, shooting: Shooting, studio: Studio) -> AsyncIterator[None]:
    """End all takes of a run at its end, note what is left at services when it was stopped, and lose no record."""
    confirm_events()
    try:
        yield
    except asyncio.CancelledError:
        await shooting.end()
        stop_handler().left = left_behind(plan, studio)
        raise
    finally:
        await shooting.end()
        await wait_for_events()
        await wait_for_task_runs(UUID(flow_run.id), shooting.task_runs)
