"""However a run ends, nothing of it is left under way, and what it leaves at services is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from prefect.runtime import flow_run

from storyreel.flows.lifecycle.cancellation import stopping
from storyreel.flows.planning.model import Plan
from storyreel.flows.production.leaving import left_behind
from storyreel.flows.production.takes import Shooting
from storyreel.flows.servers.choose import flush
from storyreel.flows.servers.prefect_internals import all_confirmed, confirm_as_sent
from storyreel.tasks.studio import Studio


@asynccontextmanager
async def ended_in_order(plan: Plan, shooting: Shooting, studio: Studio) -> AsyncIterator[None]:
    """End all takes of a run at its end, note what is left at services when it was stopped, and lose no record."""
    confirm_as_sent()
    try:
        yield
    except asyncio.CancelledError:
        await shooting.end()
        stopping().left = left_behind(plan, studio)
        raise
    finally:
        await shooting.end()
        await all_confirmed()
        await flush(UUID(flow_run.id), shooting.task_runs)
