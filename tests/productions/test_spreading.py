"""A film whose scenes are runs of their own, on several workers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling

from storyreel.flows.production.slots import service_limits
from storyreel.flows.render import render_storyboard
from storyreel.flows.scene import shoot_scene
from storyreel.specs.money import Money
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import State
from tests.flows import warm
from tests.flows.staging import Stage, staged
from tests.pauses import PATIENCE
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.dashscope import Dashscope
from tests.services.jobs import Failure, Phase, Script
from tests.workers import Worker, begin, client, deploy, make_pool, run_of, state_of, wait_until, working

pytestmark = pytest.mark.usefixtures("prefect_server")

POOL = "spreading"
FILM = """\
storyboard: 1
title: Two Rooms
format: {fps: 12}
defaults: {provider: aimlapi, duration: 12f}
scenes:
  - scene: 1
    shots:
      - {shot: 1A, action: Ana enters.}
      - {shot: 1B, action: She sits.}
  - scene: 2
    shots:
      - {shot: 2A, action: She stands., continues: 1B}
      - {shot: 2B, action: Ana leaves., transition: {type: dissolve, duration: 6f}}
"""


SPOKEN = (
    FILM.replace("defaults:", "speech: {provider: dashscope, voice: Ethan}\ndefaults:").replace(
        "duration: 6f}}", "duration: 6f}, narration: The light has gone out.}"
    )
    + "      - {shot: 2C, action: The door., provider: animatic, duration: speech, narration: Nobody has seen her.}\n"
)
"""The same with a shot that lasts as its line."""


@pytest.fixture
def stage(tmp_path: Path, fresh_environment: dict[str, str], standing_server: str) -> Iterator[Stage]:
    service = Aimlapi(AimlapiSettings(script=Script(waiting=1, running=1, seconds=2)))
    told = {**fresh_environment, "PREFECT_API_URL": standing_server, "STORYREEL_POLL_SECONDS": "0.5"}
    with staged(tmp_path, FILM, service, told) as stage:
        yield stage


@pytest.fixture(scope="module")
def standing_worker(standing_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker that outlives what happens to its runs; what a run needs comes with its deployment."""
    folder = tmp_path_factory.mktemp("worker")
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG") if name in os.environ}
    told = {**kept, "HOME": str(folder), "PATH": "/nowhere", "PREFECT_API_URL": standing_server}
    make_pool(POOL)
    with working(POOL, told, folder) as worker:
        yield worker


@pytest.fixture
def pool(standing_worker: Worker) -> Iterator[str]:
    """The pool of the standing worker, whose log is shown with a test that fails."""
    begun = len(standing_worker.said())
    yield POOL
    print(standing_worker.said()[begun:])


async def spread(stage: Stage, pool: str, **parameters: Any) -> UUID:
    """A run of the film that gives its scenes away."""
    make_pool(pool)
    await deploy(shoot_scene, pool, pool, stage.environment)
    film = await deploy(render_storyboard, pool, pool, stage.environment)
    told = {"storyboard": str(stage.folder / "film.yaml"), "out": str(stage.folder / "out"), "spread": "scenes"}
    return await begin(film, **told, **parameters)


def scenes_of(run: UUID) -> list[FlowRun]:
    """The runs that a film's run has begun, by scene."""
    only = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run]))
    return sorted(client().read_flow_runs(flow_run_filter=only), key=lambda each: each.name)


def tasks_of(run: UUID) -> set[str]:
    only = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
    return {each.name for each in client().read_task_runs(flow_run_filter=only)}


def committed(stage: Stage, run: UUID) -> Money:
    """The most that a run may have spent, by the ledger."""
    with closing(Home.of(stage.environment).ledger()) as ledger:
        (found,) = ledger.committed("run", run=str(run))
    return found


@pytest.fixture
def speech(stage: Stage) -> Iterator[Dashscope]:
    """The service that speaks in the film of the stage, which has lines."""
    speech = Dashscope()
    (stage.folder / "film.yaml").write_text(SPOKEN)
    with speech.served(port=0) as base_url:
        stage.environment |= {"DASHSCOPE_API_KEY": "sk-emulator", "DASHSCOPE_BASE_URL": base_url}
        yield speech


async def test_scenes_are_made_by_two_workers_and_the_film_is_the_same(
    stage: Stage, speech: Dashscope, tmp_path: Path
) -> None:
    await service_limits.ensure_limits(["dashscope"], {})
    run = await spread(stage, "two-workers")
    with (
        working("two-workers", stage.environment, tmp_path, "first"),
        working("two-workers", stage.environment, tmp_path, "second"),
    ):
        wait_until(lambda: state_of(run).is_final(), "the end")
    assert state_of(run).name == "Completed", state_of(run).message
    assert [(each.name, each.state and each.state.name) for each in scenes_of(run)] == [
        ("Two Rooms scene 1", "Completed"), ("Two Rooms scene 2", "Completed"),
    ]  # fmt: skip
    one, two = (tasks_of(each.id) for each in scenes_of(run))
    assert {"1A take 1", "1B take 1", "conform 1A", "conform 1B"} <= one
    assert {"2A take 1", "2B take 1", "conform 2A", "conform 2B", "conform 2C"} <= two
    of_film = tasks_of(run)
    assert {"2B@narration-1 take 1", "2C@narration-1 take 1"} <= of_film, "speech, on which lengths hang, comes first"
    assert len(stage.bought) == 4 and len(speech.accepted) == 2
    assert committed(stage, run) == Money(amount=4 * Decimal("0.45"), currency="USD"), (
        "scenes count in the film's budget"
    )
    film = (tmp_path / "out" / "sequence.mp4").read_bytes()
    (tmp_path / "again").mkdir()
    alone = Stage(tmp_path / "again", SPOKEN, stage.service, stage.environment)
    code, _, err = alone.run()
    assert code == 0, err
    assert (tmp_path / "again" / "out" / "sequence.mp4").read_bytes() == film


@pytest.mark.matrix
async def test_takes_for_deliverables_are_made_by_scene_and_what_is_joined_of_them_by_the_films_own_run(
    stage: Stage, pool: str, tmp_path: Path
) -> None:
    shape = "format: {aspect_ratio: '9:16'}"
    deliverables = f"deliverables: [{{name: web, {shape}}}, {{name: shot, {shape}, shoot: [1A]}}]\n"
    (stage.folder / "film.yaml").write_text(FILM + deliverables)
    run = await spread(stage, pool, deliverables=["web", "shot"])
    wait_until(lambda: state_of(run).is_final(), "the end")
    assert state_of(run).name == "Completed", state_of(run).message
    one, two = (tasks_of(each.id) for each in scenes_of(run))
    assert "1A@shot take 1" in one and "2A take 1" in two and {"deliver web", "deliver shot"} <= tasks_of(run)
    assert len(stage.bought) == 5, "each once, and one of them in the shape"
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())["deliverables"]
    assert [(each["name"], each["width"], each["height"], each["frames"]) for each in told] == [
        ("web", 720, 1280, 48), ("shot", 720, 1280, 48),
    ]  # fmt: skip


async def test_a_deployed_draft_is_made_by_scene_or_whole_and_nothing_of_its_film_is_bought(
    stage: Stage, tmp_path: Path
) -> None:
    film = FILM.replace("Two Rooms\n", "Two Drafts\ndraft: {resolution: 720p}\n")
    (tmp_path / "film.yaml").write_text(film.replace("fps: 12", "fps: 12, resolution: 1080p"))
    make_pool("drafts")
    command = ["deploy", "film.yaml", "--pool", "drafts", "--draft", "--spread", "scenes", "--yes", "--json"]
    deploying = warm.begin(command, tmp_path, stage.environment)
    said, err = deploying.communicate(timeout=PATIENCE)
    assert deploying.returncode == 0, err
    told = json.loads(said)
    made = Path(told["out"]) / "draft" / "sequence.mp4"
    with working("drafts", stage.environment, tmp_path):
        by_scene = await begin(told["deployment"])
        wait_until(lambda: state_of(by_scene).is_final(), "the end")
        assert state_of(by_scene).name == "Completed", state_of(by_scene).message
        clip = made.read_bytes()
        whole = await begin(told["deployment"], spread="none")
        wait_until(lambda: state_of(whole).is_final(), "the end of the second run")
    assert state_of(whole).name == "Completed", state_of(whole).message
    assert [each.state and each.state.name for each in scenes_of(by_scene)] == ["Completed"] * 2
    assert scenes_of(whole) == [] and made.read_bytes() == clip
    assert [json.loads(order)["resolution"] for order in stage.bought] == ["720p"] * 4
    assert not (Path(told["out"]) / "sequence.mp4").exists()
    runs = [run_of(by_scene), *scenes_of(by_scene), run_of(whole)]
    assert all({"draft", "film:Two Drafts"} <= set(run.tags) for run in runs)


async def test_scenes_that_nobody_picks_up_are_made_by_the_films_own_run(stage: Stage, tmp_path: Path) -> None:
    stage.environment["STORYREEL_PICKUP_SECONDS"] = "5"
    make_pool("full")
    async with get_client() as server:
        await server.update_work_pool("full", WorkPoolUpdate(concurrency_limit=1))
    run = await spread(stage, "full")
    with working("full", stage.environment, tmp_path):
        wait_until(lambda: state_of(run).is_final(), "the end")
    assert state_of(run).name == "Completed", state_of(run).message
    assert {each.state.name for each in scenes_of(run) if each.state} == {"Cancelled"}
    assert len(stage.bought) == 4 and (tmp_path / "out" / "sequence.mp4").exists()


async def test_a_take_that_failed_in_its_scene_is_told_by_shot_and_not_ordered_again(stage: Stage, pool: str) -> None:
    broken = Script(waiting=0, running=0, end=Phase.FAILED, failure=Failure(message="too dark"))
    stage.service.use_script(broken, when=lambda order: "Ana leaves" in str(order))
    run = await spread(stage, pool)
    wait_until(lambda: state_of(run).is_final(), "the end")
    state = state_of(run)
    assert state.name == "Failed" and "2B take 1 (aimlapi): " in (state.message or "")
    assert len(stage.bought) == 4, "one order a take"


async def test_cancelling_a_film_cancels_its_scenes(stage: Stage, pool: str) -> None:
    for _ in range(3):
        stage.service.use_script(Script(waiting=1, running=100_000))
    run = await spread(stage, pool)
    wait_until(lambda: stage.states() == [State.SUBMITTED] * 3, "three orders")
    async with get_client() as server:
        await server.set_flow_run_state(run, Cancelling())
    wait_until(lambda: state_of(run).is_final(), "the film's end")
    wait_until(lambda: all(each.state and each.state.is_final() for each in scenes_of(run)), "the scenes' end")
    assert state_of(run).name == "Cancelled", state_of(run).message
    assert {each.state.name for each in scenes_of(run) if each.state} == {"Cancelled"}
    assert stage.states() == [State.SUBMITTED] * 3


async def test_scenes_go_on_while_their_film_is_handed_over_and_one_that_is_killed_is_made_by_the_films_own_run(
    stage: Stage, pool: str
) -> None:
    for _ in range(3):
        stage.service.use_script(Script(waiting=1, running=100_000))
    run = await spread(stage, pool)
    wait_until(lambda: stage.states() == [State.SUBMITTED] * 3, "three orders, as 2A waits for 1B")
    begun = scenes_of(run)
    process = run_of(run).infrastructure_pid
    os.kill(_process_of(run_of(run)), signal.SIGTERM)
    wait_until(lambda: run_of(run).infrastructure_pid != process, "another process")
    assert [each.state and each.state.name for each in scenes_of(run)] == ["Running", "Running"]
    os.kill(_process_of(begun[1]), signal.SIGKILL)
    for job in stage.service.jobs.all():
        job.script = Script(waiting=0, running=0)
    wait_until(lambda: state_of(run).is_final(), "the end")
    assert state_of(run).name == "Completed", state_of(run).message
    assert [each.state and each.state.name for each in scenes_of(run)] == ["Completed", "Crashed"]
    assert [each.id for each in scenes_of(run)] == [each.id for each in begun], "no scene was begun twice"
    assert len(stage.bought) == 4


def _process_of(run: FlowRun) -> int:
    return int((run.infrastructure_pid or "").rpartition(":")[2])
