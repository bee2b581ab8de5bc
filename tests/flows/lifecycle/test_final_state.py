"""What Prefect's pages say of a run, however it ends: its name, its tags, its state, its log and its board."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, get_client, tags
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.logging.handlers import APILogWorker

from storyreel.flows.lifecycle.cancellation import Stopped
from storyreel.flows.names import film_tag
from storyreel.flows.production.outcomes import ShotsFailed
from storyreel.flows.render import render_storyboard
from tests.flows.deployed import APPROVED, NO_REVIEW, Set, on_a_set
from tests.flows.monitoring.test_observe import seen
from tests.flows.selling import selling
from tests.pauses import PATIENCE
from tests.services.jobs import Failure, Phase, Script
from tests.tasks.providers.hosted_services import SERVICES

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def on_set(tmp_path: Path) -> Iterator[Set]:
    with on_a_set(tmp_path) as made:
        yield made


async def read(run: UUID) -> FlowRun:
    async with get_client() as client:
        return await client.read_flow_run(run)


async def log_of(run: UUID) -> list[str]:
    await asyncio.to_thread(APILogWorker.drain_all, timeout=10)
    async with get_client() as client:
        lines = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])), limit=200)
    return [line.message for line in lines]


async def run_of(title: str) -> FlowRun:
    async with get_client() as client:
        runs = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[film_tag(title)]))
        )
    return runs[-1]


def tags_of(run: FlowRun, kind: str) -> list[str]:
    return [tag for tag in run.tags if tag.startswith(kind)]


async def test_a_deployed_run_is_called_by_its_film_at_each_attempt_and_says_for_whom_it_waits(on_set: Set) -> None:
    deployed = await on_set.deployed(title="A {long} Night")
    run = await deployed.begin()
    first = await read(run)
    assert re.fullmatch(r"A \{long\} Night \d\d \w{3} \d\d:\d\d", first.name)
    assert first.state and first.state.name == "Suspended"
    assert first.state.message == "waits for a person to approve 1A, 1.B-2: Resume on this page"

    on_set.file.write_text(on_set.file.read_text() + "ending: {type: fade, duration: 4f}\n")
    await deployed.resume(run, {"shot_1A": APPROVED, "shot_1_B_2": APPROVED})
    second = await read(run)
    assert second.name == first.name
    assert second.state and second.state.message == "2 takes, about 0.336 USD, 1 s"
    began = [line for line in await log_of(run) if line.startswith("Beginning flow run")]
    assert began == [f"Beginning flow run {first.name!r} for flow 'render storyboard'"] * 2
    assert tags_of(second, "version:") != tags_of(first, "version:") and len(tags_of(second, "version:")) == 1
    assert tags_of(second, "film:") == ["film:A {long} Night"] and "storyreel" in second.tags


async def test_a_film_with_a_new_title_since_it_was_deployed_is_called_by_that(on_set: Set) -> None:
    deployed = await on_set.deployed(NO_REVIEW, title="Old", budget="0.1 USD")
    on_set.file.write_text(on_set.file.read_text().replace("title: Old", "title: New"))
    run = await deployed.begin()
    waiting = await read(run)
    assert waiting.name.startswith("New ") and tags_of(waiting, "film:") == ["film:New"]
    assert waiting.state and waiting.state.message == (
        "waits for a person to decide on its budget: it would cost 0.336 USD in all: Resume on this page"
    )
    # Prefect asks for a name on the event loop, where no file is read: until the film is planned, the deployed title.
    assert (await log_of(run))[0].startswith("Beginning flow run 'Old ")


async def test_a_run_that_fails_says_why_and_how_far_it_came_and_logs_no_traceback(on_set: Set) -> None:
    on_set.file.write_text(NO_REVIEW.replace("The Keeper", "The Refusal"))
    refused = Script(end=Phase.FAILED, failure=Failure("moderation", "the content was refused"))
    on_set.apiyi.use_script(refused, when=lambda order: "climbs" in order.prompt)
    with pytest.raises(ShotsFailed):
        await render_storyboard(str(on_set.file), out=str(on_set.folder / "out"), buy=True)
    run = await run_of("The Refusal")
    assert run.state and run.state.name == "Failed" and run.state.message
    said = run.state.message.splitlines()
    assert said[0] == "1 of 2 shots could not be made; what was finished is kept" and "refused" in said[1]
    assert said[-2:] == [f"next: storyreel render {on_set.file} --out {on_set.folder / 'out'}",
                         "1 of 2 takes is finished, about 0.168 USD spent"]  # fmt: skip
    log = await log_of(run.id)
    assert run.state.message in log
    assert not any("Traceback" in line or "Encountered exception" in line for line in log)


async def test_a_run_that_is_cancelled_says_on_each_page_what_was_called_off_and_what_is_left(on_set: Set) -> None:
    endless = Script(waiting=10**6, running=10**6)
    on_set.apiyi.use_script(endless)
    on_set.file.write_text(
        NO_REVIEW.replace("The Keeper", "The End").replace("She waits.", "She waits., provider: dashscope")
    )
    dashscope = SERVICES["dashscope"].emulated()
    dashscope.use_script(endless)
    with selling(dashscope):
        running = asyncio.create_task(render_storyboard(str(on_set.file), out=str(on_set.folder / "out"), buy=True))
        async with asyncio.timeout(PATIENCE):
            while not (on_set.apiyi.accepted and dashscope.accepted and await _are_polled(on_set.apiyi, dashscope)):
                await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(Stopped) as stopped:
            await running
    run = await run_of("The End")
    pages = await seen(str(run.id), finals=0)
    assert run.state and run.state.name == "Cancelled"
    called_off = "1.B-2 take 1: called off with the run; dashscope does not charge for it"
    assert str(stopped.value) == run.state.message
    assert "0 of 2 takes are finished, about 0.168 USD spent" in str(stopped.value)
    assert called_off in str(stopped.value) and "left at apiyi: 1A take 1" in str(stopped.value)
    assert called_off in pages.log and not any("Crash" in line for line in pages.log)
    board = pages.artifacts["storyreel-the-end-board"].data
    assert board.startswith("0 of 2 takes are finished, 2 stopped")
    assert re.search(r"\| stopped: left at apiyi as \S+ \|", board)
    assert "| stopped: called off with the run; dashscope does not charge for it |" in board
    assert {name: task.state.name for name, task in pages.tasks.items()} == dict.fromkeys(
        ["1A take 1", "1.B-2 take 1"], "Cancelled"
    )


async def _are_polled(*services: Any) -> bool:
    return all(service.jobs.all() and all(job.polls for job in service.jobs.all()) for service in services)


async def test_a_flow_that_calls_the_function_gets_the_film_and_keeps_its_name_and_tags(on_set: Set) -> None:
    on_set.file.write_text(NO_REVIEW.replace("apiyi", "animatic"))

    @flow
    async def nightly() -> str:
        made = await render_storyboard.fn(str(on_set.file), out=str(on_set.folder / "out"))
        assert made.sequence == on_set.film
        return made.flow_run

    with tags("version:7"):
        run = await read(UUID(await nightly()))
    assert not run.name.startswith("The Keeper") and run.state and run.state.message is None
    assert {"version:7", "film:The Keeper"} <= {*run.tags}
