"""The states that a task run passes through: told by name, not too often, and never the last."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect import flow, get_client, task
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.context import TaskRunContext
from prefect.runtime import flow_run

from storyreel.flows.monitoring.task_states import TaskStates, elapsed_mark
from storyreel.tasks.progress import Stage, listening, report_stage
from tests.pauses import PATIENCE


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, ""), (19.9, ""), (20, "20 s"), (25, "20 s"), (59, "40 s"), (60, "1 min"), (185, "3 min")],
)
def test_a_stage_that_lasts_is_counted_at_few_marks(seconds: float, words: str) -> None:
    assert elapsed_mark(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(19, ""), (45, ""), (60, "1 min"), (170, "2 min"), (239, "2 min"), (240, "4 min"), (1000, "16 min")],
)
def test_in_a_run_of_many_takes_it_is_counted_at_fewer(seconds: float, words: str) -> None:
    assert elapsed_mark(seconds, takes=500) == words


async def passed(run: str) -> list[tuple[str, str]]:
    """The states of the only task of a run, in order, with what they say, once the last has arrived."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    async with get_client() as client:
        while True:
            runs = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))
            if runs and runs[0].state and runs[0].state.is_final():
                break
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.1)
        states: list[Any] = await client.read_task_run_states(runs[0].id)
        assert runs[0].run_count == 1
        assert runs[0].state.name == sorted(states, key=lambda state: state.timestamp)[-1].name
    return [(state.name, state.message or "") for state in sorted(states, key=lambda state: state.timestamp)]


@pytest.mark.usefixtures("prefect_server")
async def test_stages_of_a_take_are_states_of_its_task_run_until_the_final_state() -> None:
    states, now = TaskStates(), asyncio.get_running_loop().time

    @task
    async def make() -> int:
        report_stage("1A", 1, "ordering")
        states.emit_due(now())  # too short to be read
        report_stage("1A", 1, "waiting")
        states.emit_due(now() + 2)
        states.emit_due(now() + 200)  # how long it has to wait for a place is not elapsed_mark
        report_stage("1A", 1, "queued", detail="pending")
        states.emit_due(now() + 2)
        report_stage("1A", 1, "generating", detail="in_progress")
        states.emit_due(now() + 2)
        states.emit_due(now() + 3)  # nothing is new
        states.emit_due(now() + 12)  # no mark is passed yet
        states.emit_due(now() + 22)
        states.emit_due(now() + 130)
        report_stage("1A", 1, "fetching")
        states.emit_due(now() + 2)
        report_stage("1A", 1, "conforming")  # it has a task run of its own
        states.emit_due(now() + 4)
        return 1

    @flow
    async def film() -> str:
        await make()
        states.emit_due(now() + 60)  # it is over: nothing more is said of it
        return str(flow_run.id)

    with listening(states):
        run = await film()
    assert await passed(run) == [
        ("Pending", ""), ("Running", ""), ("Waiting", ""), ("Queued", "pending"), ("Generating", "in_progress"),
        ("Generating 20 s", "in_progress"), ("Generating 2 min", "in_progress"), ("Downloading", ""), ("Completed", ""),
    ]  # fmt: skip


@pytest.mark.usefixtures("prefect_server")
async def test_at_most_fifty_states_are_emitted_at_once() -> None:
    states, told = TaskStates(), []
    now = asyncio.get_running_loop().time

    @task(persist_result=False)
    async def make(number: int) -> None:
        report_stage("1A", number, "queued")
        await gate.wait()

    @flow
    async def film() -> None:
        making = [asyncio.ensure_future(make(number)) for number in range(120)]
        while len(states._stages) < 120:
            await asyncio.sleep(0.05)
        for _ in range(4):
            states.emit_due(now() + 2)
            told.append(sum(bool(one.emitted) for one in states._stages.values()))
        gate.set()
        await asyncio.gather(*making)

    gate = asyncio.Event()
    with listening(states):
        await film()
    assert told == [50, 100, 120, 120]


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("takes", "shown"),
    [(100, ["Waiting", "Ordering", "Generating", "Generating 20 s", "Downloading"]), (500, ["Waiting", "Generating"])],
)
async def test_in_a_run_of_many_takes_short_stages_have_no_states(takes: int, shown: list[str]) -> None:
    """A take of 25 s, of which a machine with much to do needs two for each short stage."""
    states, now, seen = TaskStates(takes), asyncio.get_running_loop().time, list[str]()

    @task(persist_result=False)
    async def make(stages: dict[Stage, float]) -> None:
        within = TaskRunContext.get()
        assert within
        for stage, seconds in stages.items():
            report_stage("1A", 1, stage)
            for passed in range(int(seconds) + 1):
                states.emit_due(now() + passed)
                if within.task_run.state and within.task_run.state.name not in (*seen[-1:], "Running"):
                    seen.append(within.task_run.state.name or "")

    @flow
    async def film() -> None:
        await make({"waiting": 30, "ordering": 2, "generating": 25, "fetching": 2})

    with listening(states):
        await film()
    assert seen == shown
