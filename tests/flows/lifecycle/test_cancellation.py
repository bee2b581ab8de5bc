"""Runs that are stopped while others of the same process go on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect import Flow, State, flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import TerminationSignal
from prefect.flow_engine import run_flow
from prefect.runtime import flow_run
from prefect.states import Cancelling, Crashed, Running

from storyreel.flows.errors import Interrupted
from storyreel.flows.lifecycle import cancellation
from storyreel.flows.lifecycle.automations import count_pickups, picked_up
from storyreel.flows.lifecycle.cancellation import StopHandler, Stopped, stop_handler, stoppable
from storyreel.tasks.studio import Studio


async def deployed_run(film: Flow[..., Any], name: str) -> FlowRun:
    """A run of a deployment of the flow, not begun."""
    async with get_client() as client:
        deployment = await film.ato_deployment(name)
        return await client.create_flow_run_from_deployment(await deployment.aapply())


async def states_of(run: FlowRun) -> list[str]:
    """The names of the states that a run has had, from the first one."""
    async with get_client() as client:
        states = await client.read_flow_run_states(run.id)
    return [state.name or "" for state in sorted(states, key=lambda state: state.timestamp)]


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


def _sigterm_comes_last(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """The flow's function, whose process gets SIGTERM when it has come to its end."""

    @wraps(work)
    async def work_and_sigterm() -> None:
        try:
            await work()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    return work_and_sigterm


@pytest.mark.usefixtures("prefect_server")
async def test_a_run_that_has_recorded_its_cancelling_does_not_crash_by_the_sigterm_of_its_runner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy machine a run sees in its record that it was cancelled before its runner hears of it."""
    monkeypatch.setattr(cancellation, "pause_after", lambda _: 0.1)
    signal.signal(signal.SIGTERM, lambda *_: None)  # after a crash Prefect has the process end by it

    @flow
    @_sigterm_comes_last
    @stoppable
    async def film() -> None:
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Cancelling())
        await asyncio.sleep(60)

    run = await deployed_run(film, "cancelled late")
    with suppress(Stopped, TerminationSignal):
        await run_flow(film, run)
    assert (await states_of(run))[-2:] == ["Cancelling", "Cancelled"]


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("asked", "recorded"), [(Cancelling(), "Cancelled"), (Crashed(message="no heartbeat for 90 s"), "PickedUp")]
)
async def test_the_end_of_a_run_is_recorded_by_a_slow_server_if_no_signal_ends_its_process(
    asked: State, recorded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellation, "pause_after", lambda _: 0.1)
    monkeypatch.setattr(cancellation, "_HANDOVER_SECONDS", 0)

    @flow
    @stoppable
    async def film() -> None:
        async with get_client() as client:
            await client.set_flow_run_state(run.id, asked, force=True)
        await asyncio.sleep(60)

    run = await deployed_run(film, "slowly recorded")
    with pytest.raises(Stopped):
        await run_flow(film, run)
    assert (await states_of(run))[-1] == recorded


@pytest.mark.usefixtures("prefect_server")
async def test_a_lost_run_whose_process_is_told_to_end_waits_no_longer_for_a_slow_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`storyreel serve` cancels what has not ended 25 s after Ctrl-C: nothing would continue it."""
    monkeypatch.setattr(cancellation, "pause_after", lambda _: 0.1)
    monkeypatch.setattr(cancellation, "_HANDOVER_SECONDS", 0.2)

    record = PrefectClient.set_flow_run_state

    async def record_late(client: PrefectClient, run: UUID, state: State, force: bool = False) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(10)
        return await record(client, run, state, force)

    @flow
    @stoppable
    async def film() -> None:
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Crashed(message="no heartbeat for 90 s"), force=True)
        slow.setattr(PrefectClient, "set_flow_run_state", record_late)
        await asyncio.sleep(60)

    run = await deployed_run(film, "counted as lost and stopped")
    with pytest.raises(Stopped, match="counted this run as lost"), pytest.MonkeyPatch.context() as slow:
        await run_flow(film, run)
    assert (await states_of(run))[-1] == "Crashed", "an automation has another process continue it"


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

    run = await deployed_run(film, "counted as lost")
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

    run = await deployed_run(film, "continued meanwhile")
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
