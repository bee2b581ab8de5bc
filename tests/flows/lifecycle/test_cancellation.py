"""Runs that are stopped while others of the same process go on."""

from __future__ import annotations

import asyncio
import os
import signal
from uuid import UUID, uuid4

import pytest
from prefect import flow, get_client
from prefect.runtime import flow_run
from prefect.states import Cancelling

from storyreel.flows.errors import Interrupted
from storyreel.flows.lifecycle import cancellation
from storyreel.flows.lifecycle.cancellation import StopHandler, stoppable


async def test_sigterm_stops_a_run_beside_which_another_one_has_ended() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def run(seconds: float) -> None:
        with StopHandler(uuid4(), is_deployed=False).handle_sigterm():
            await asyncio.sleep(seconds)

    short, long = asyncio.create_task(run(0.01)), asyncio.create_task(run(60))
    await short
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(asyncio.CancelledError):
        await long
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("prefect_server")
async def test_a_cancelled_subflow_is_an_error_to_its_parent_which_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "_WATCH_SECONDS", 0.1)
    runs: list[UUID] = []

    @flow
    @stoppable
    async def film() -> None:
        runs.append(UUID(flow_run.id))
        async with get_client() as client:
            await client.set_flow_run_state(runs[0], Cancelling())
        await asyncio.sleep(60)

    @flow
    async def parent() -> str:
        with pytest.raises(Interrupted, match="cancelled; what was finished is kept"):
            await film()
        return "goes on"

    state = await parent(return_state=True)
    assert state.is_completed()
    async with get_client() as client:
        record = await client.read_flow_run(runs[0])
    assert record.state and record.state.is_cancelled()
