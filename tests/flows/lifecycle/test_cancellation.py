"""Runs that are stopped while others of the same process go on."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from types import SimpleNamespace
from typing import cast
from uuid import UUID, uuid4

import pytest
from prefect import State, flow, get_client
from prefect.client.schemas.objects import StateType
from prefect.flow_engine import run_flow
from prefect.runtime import flow_run
from prefect.states import Cancelling, Crashed, Running

from storyreel.flows.errors import Interrupted
from storyreel.flows.lifecycle import cancellation
from storyreel.flows.lifecycle.automations import count_pickups, picked_up
from storyreel.flows.lifecycle.cancellation import StopHandler, Stopped, stop_handler, stoppable
from storyreel.tasks.studio import Studio


async def test_sigterm_stops_a_run_beside_which_another_one_has_ended() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def run(seconds: float) -> None:
        with StopHandler(uuid4(), is_deployed=False).handle_signals():
            await asyncio.sleep(seconds)

    short, long = asyncio.create_task(run(0.01)), asyncio.create_task(run(60))
    await short
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(asyncio.CancelledError):
        await long
    assert signal.getsignal(signal.SIGTERM) is before


async def test_a_run_outlasts_its_terminal() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with StopHandler(uuid4(), is_deployed=False).handle_signals():
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
    assert signal.getsignal(signal.SIGHUP) is before


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("reason", ["cancelled", signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_deployed_run_whose_process_ends_is_handed_over_and_keeps_its_orders(
    reason: str | signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellation, "is_deployed", lambda: True)
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    runs: list[UUID] = []
    studio, begun = SimpleNamespace(keeps_orders=False), asyncio.Event()

    @flow
    @stoppable
    async def film() -> None:
        runs.append(UUID(flow_run.id))
        stop_handler().use_studio(cast("Studio", studio))
        begun.set()
        await asyncio.sleep(60)

    running = asyncio.create_task(film())
    await begun.wait()
    if isinstance(reason, signal.Signals):
        os.kill(os.getpid(), reason)
    else:
        # As asyncio does when anything ends the event loop.
        running.cancel()
    with pytest.raises(Stopped, match="another one continues"):
        await running
    assert studio.keeps_orders
    async with get_client() as client:
        record = await client.read_flow_run(runs[0])
    assert record.state and record.state.name == "AwaitingRetry"
    for each, handler in zip((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), before, strict=True):
        signal.signal(each, handler)


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("is_asked", [True, False])
async def test_a_run_that_goes_on_and_is_counted_as_lost_has_another_process_continue_it(
    is_asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the automation of a server that was away for longer than a run may send no heartbeat."""
    monkeypatch.setattr(cancellation, "pause_after", lambda _: 60 if is_asked else 0.1)
    studio = SimpleNamespace(keeps_orders=False)

    @flow
    @stoppable
    async def film() -> None:
        stop_handler().use_studio(cast("Studio", studio))
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Crashed(message="no heartbeat for 90 s"), force=True)
        if is_asked:
            await stop_handler().follow_record()
        await asyncio.sleep(60)

    async with get_client() as client:
        deployment = await film.ato_deployment("counted as lost")
        run = await client.create_flow_run_from_deployment(await deployment.aapply())
    with pytest.raises(Stopped, match="counted this run as lost"):
        await run_flow(film, run)
    assert studio.keeps_orders
    async with get_client() as client:
        states = await client.read_flow_run_states(run.id)
    last = max(states, key=lambda state: state.timestamp)
    assert (last.type, last.name) == (StateType.SCHEDULED, "PickedUp")
    began_again = Running(timestamp=last.timestamp + timedelta(seconds=1))
    assert count_pickups([*states, began_again]) == 1, "as one of the times after which it is given up"


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("since", [Running(), Cancelling()], ids=["continued", "cancelled"])
async def test_a_run_that_is_counted_as_lost_is_not_taken_from_the_process_that_continues_it(
    since: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the answer to an order before it ends, and the automation is quicker."""
    monkeypatch.setattr(cancellation, "pause_after", lambda _: 0.1)

    @flow
    @stoppable
    async def film() -> None:
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Crashed(message="no heartbeat for 90 s"), force=True)
            try:
                await asyncio.sleep(60)
            finally:
                for state in (picked_up("by the automation"), Running(), since):
                    await client.set_flow_run_state(run.id, state, force=True)

    async with get_client() as client:
        deployment = await film.ato_deployment("continued meanwhile")
        run = await client.create_flow_run_from_deployment(await deployment.aapply())
    with pytest.raises(Stopped, match="counted this run as lost"):
        await run_flow(film, run)
    async with get_client() as client:
        record = await client.read_flow_run(run.id)
    assert record.state and record.state.type is since.type


@pytest.mark.usefixtures("prefect_server")
async def test_a_cancelled_subflow_is_an_error_to_its_parent_which_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "pause_after", lambda _: 0.1)
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
