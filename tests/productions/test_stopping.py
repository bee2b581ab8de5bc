"""Runs that are stopped: by a person, in Prefect or with Ctrl-C, and by a worker that is stopped for new code."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect import get_client
from prefect.states import Cancelling, Crashed

from storyreel.flows.render import render_storyboard
from storyreel.tasks.ledger.ledger import State
from tests.flows.staging import STORYREEL, Stage, staged
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.jobs import Script
from tests.workers import PATIENCE, begin, client, deploy, make_pool, run_of, state_of, wait_until, working

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: Two Rooms
format: {fps: 12}
defaults: {provider: aimlapi, duration: 6f}
shots:
  - {shot: 1A, action: Ana enters.}
  - {shot: 1B, action: She sits.}
"""


@pytest.fixture
def stage(tmp_path: Path, fresh_environment: dict[str, str], standing_server: str) -> Iterator[Stage]:
    """A film, and a service at which its takes do not come to an end until `let_them_finish`."""
    service = Aimlapi(AimlapiSettings(script=Script(waiting=1, running=100_000)))
    told = {**fresh_environment, "PREFECT_API_URL": standing_server, "STORYREEL_POLL_SECONDS": "0.5"}
    with staged(tmp_path, FILM, service, told) as stage:
        yield stage


def both_are_ordered(stage: Stage) -> bool:
    return stage.states() == [State.SUBMITTED] * 2


def let_them_finish(stage: Stage) -> None:
    """From now on the service is quick, also with what it has at hand."""
    stage.service.use_script(Script(waiting=0, running=0))
    for job in stage.service.jobs.all():
        job.script = Script(waiting=0, running=0)


async def picked_up(stage: Stage, pool: str) -> UUID:
    make_pool(pool)
    deployed = await deploy(render_storyboard, pool, pool, stage.environment)
    return await begin(deployed, **parameters(stage))


def parameters(stage: Stage) -> dict[str, str]:
    return {"storyboard": str(stage.folder / "film.yaml"), "out": str(stage.folder / "out")}


async def test_a_worker_that_is_told_to_end_hands_its_run_over(stage: Stage, tmp_path: Path) -> None:
    pool = "handing-over"
    run = await picked_up(stage, pool)
    with working(pool, stage.environment, tmp_path, "first") as first:
        wait_until(lambda: both_are_ordered(stage), "two orders")
        told = datetime.now(UTC)
        first.tell_to_end()
        first.wait()
    wait_until(lambda: state_of(run).is_scheduled(), "scheduled again")
    print(f"\nhanded over {(state_of(run).timestamp - told).total_seconds():.1f} s after SIGTERM to the worker")
    let_them_finish(stage)
    with working(pool, stage.environment, tmp_path, "second"):
        wait_until(lambda: state_of(run).is_final(), "the end")
    assert state_of(run).name == "Completed"
    assert (tmp_path / "out" / "sequence.mp4").exists()
    assert len(stage.bought) == 2, "nothing was bought twice"


async def test_a_flow_process_that_is_told_to_end_hands_its_run_over(stage: Stage, tmp_path: Path) -> None:
    pool = "told-to-end"
    run = await picked_up(stage, pool)
    with working(pool, stage.environment, tmp_path):
        wait_until(lambda: both_are_ordered(stage), "two orders")
        process = run_of(run).infrastructure_pid
        let_them_finish(stage)
        os.kill(int((process or "").rpartition(":")[2]), signal.SIGTERM)
        wait_until(lambda: state_of(run).is_final(), "the end")
    assert state_of(run).name == "Completed"
    assert run_of(run).infrastructure_pid != process, "another process went on with it"
    assert len(stage.bought) == 2


async def test_a_process_that_serves_hands_its_run_over_when_it_is_told_to_end(stage: Stage, tmp_path: Path) -> None:
    with serving("served", stage.environment, tmp_path) as first:
        run = await begin("render storyboard/served", **parameters(stage))
        wait_until(lambda: both_are_ordered(stage), "two orders")
        # As Ctrl-C does it: to the command and to the run's process.
        os.killpg(first.pid, signal.SIGINT)
        assert first.wait(PATIENCE) == 0
    assert state_of(run).name == "AwaitingRetry", "scheduled again before the process has ended"
    log = tmp_path / "serving.log"
    assert "then 1 run will continue" in log.read_text() and "this changes" not in log.read_text()
    let_them_finish(stage)
    with serving("served", stage.environment, tmp_path, "--interval", "1d"):
        wait_until(lambda: state_of(run).is_final(), "the end")
    assert "schedule: none → every 1d, UTC" in log.read_text()
    assert state_of(run).name == "Completed"
    assert len(stage.bought) == 2


@contextmanager
def serving(name: str, environment: dict[str, str], folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command that serves the film."""
    with (folder / "serving.log").open("ab") as log:
        process = subprocess.Popen(
            [STORYREEL, "serve", "film.yaml", "--name", name, "--yes", *options],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(lambda: "or on request" in (folder / "serving.log").read_text(), "a process that serves")
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def test_a_deployed_run_that_is_cancelled_says_what_it_leaves(stage: Stage, tmp_path: Path) -> None:
    pool = "cancelled"
    run = await picked_up(stage, pool)
    with working(pool, stage.environment, tmp_path):
        wait_until(lambda: both_are_ordered(stage), "two orders")
        async with get_client() as server:
            await server.set_flow_run_state(run, Cancelling())
        wait_until(lambda: state_of(run).is_final(), "the end")
        wait_until(lambda: len(left(run)) == 2, "both lines in the artifact")
    assert state_of(run).name == "Cancelled"
    assert stage.states() == [State.SUBMITTED] * 2
    assert all("0.45 USD; the next run continues it" in line for line in left(run))


def left(run: UUID) -> list[str]:
    """The lines of the artifact on orders left at services."""
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    found = client().read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run])))
    return [line for each in found if each.key == "left-at-services" for line in str(each.data).splitlines()]


async def test_a_run_from_the_command_line_that_is_cancelled_in_prefect_ends_itself(stage: Stage) -> None:
    begun = stage.start()
    wait_until(lambda: both_are_ordered(stage), "two orders")
    run = await newest_run()
    async with get_client() as server:
        await server.set_flow_run_state(run, Cancelling())
    _, told = begun.communicate()
    assert begun.returncode == 130
    assert told.count("left at aimlapi: 1") == 2 and "next: storyreel render" in told
    assert state_of(run).name == "Cancelled"
    assert "left at aimlapi: 1A take 1, task " in (state_of(run).message or "")
    let_them_finish(stage)
    code, out, err = stage.run()
    assert code == 0, err
    assert json.loads(out)["frames"] == 12 and len(stage.bought) == 2


async def test_a_run_that_was_given_up_in_prefect_stops_itself_and_leaves_all_as_it_is(stage: Stage) -> None:
    begun = stage.start()
    wait_until(lambda: both_are_ordered(stage), "two orders")
    run = await newest_run()
    async with get_client() as server:
        await server.set_flow_run_state(run, Crashed(message="nothing was heard of it"), force=True)
    _, told = begun.communicate()
    assert begun.returncode == 130 and "Prefect's record says" in told
    assert state_of(run).message == "nothing was heard of it"
    assert stage.states() == [State.SUBMITTED] * 2


async def test_ctrl_c_is_recorded_as_cancelled_and_says_what_it_leaves(stage: Stage) -> None:
    begun = stage.start()
    wait_until(lambda: both_are_ordered(stage), "two orders")
    run = await newest_run()
    os.kill(begun.pid, signal.SIGINT)
    _, told = begun.communicate()
    assert begun.returncode == 130
    assert told.count("0.45 USD; the next run continues it") == 2
    assert state_of(run).name == "Cancelled"


async def test_a_run_goes_on_whose_terminal_is_closed(stage: Stage) -> None:
    pid, window = pty.fork()
    if pid == 0:
        os.chdir(stage.folder)
        os.execve(STORYREEL, ["storyreel", *stage.render()], stage.environment)
    begun = psutil.Process(pid)

    def all_is_ordered() -> bool:
        while select.select([window], [], [], 0)[0]:
            os.read(window, 10_000)
        return both_are_ordered(stage)

    wait_until(all_is_ordered, "two orders")
    os.close(window)
    let_them_finish(stage)
    begun.wait(PATIENCE)
    assert (stage.folder / "out" / "sequence.mp4").exists()
    assert state_of(await newest_run()).name == "Completed"


async def newest_run() -> UUID:
    from prefect.client.schemas.sorting import FlowRunSort

    async with get_client() as server:
        return (await server.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1))[0].id
