"""Processes that begin runs are killed, alone or with their hosts, at each stage of a run: every film is whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import imageio_ffmpeg
import pytest
from prefect.client.schemas.objects import StateType

from storyreel.flows.lifecycle import automations
from storyreel.tasks.media.probe import probe
from storyreel.testing.faults import Call, Slow
from tests.pauses import PATIENCE
from tests.pools import Began, Team
from tests.services.dashscope import Dashscope, DashscopeSettings
from tests.services.jobs import Phase, Script

FILM = """\
storyboard: 1
title: Orphans
format: {fps: 12}
defaults: {provider: dashscope, duration: 6f}
shots:
  - {shot: 1A, action: Ana enters.}
  - {shot: 1B, action: She sits., transition: {type: dissolve, duration: 6f}}
"""
WORKER_PY = Path(__file__).parents[2] / "deployments" / "worker.py"
HELD = {"conforming": "-noautorotate", "dissolving": "-noaccurate_seek", "joining": "/.sequence-"}
"""Stages at which ffmpeg works, with what its command line then holds."""
STAGES = ("taken", "begun", "queued", "generating", "downloading", *HELD)
DEATHS = {"kill": "SIGKILL to what begins runs alone", "host": "SIGKILL to all", "stop": "SIGTERM to what begins runs"}
CASES = [
    pytest.param(kind, death, stage, marks=() if (kind, death, stage) == ("worker", "kill", "generating") else matrix)
    for matrix in [pytest.mark.matrix]
    for kind in ("worker", "worker.py", "serve")
    for death in DEATHS
    for stage in STAGES
]


@pytest.fixture
def service() -> Dashscope:
    """A service whose tasks wait until `let_go`."""
    return Dashscope(DashscopeSettings(script=Script(waiting=100_000)))


@pytest.fixture
def team(tmp_path: Path, fresh_environment: dict[str, str], server: str, service: Dashscope) -> Iterator[Team]:
    (tmp_path / "film.yaml").write_text(FILM)
    ffmpeg = tmp_path / "ffmpeg"
    # It waits for as long as the file `hold` is there and names a part of its command line.
    ffmpeg.write_text(
        f'#!/bin/sh\ncd "$PWD"\nif [ -e {tmp_path}/hold ]; then case "$*" in *"$(cat {tmp_path}/hold)"*)\n'
        f"touch {tmp_path}/held; while [ -e {tmp_path}/hold ]; do sleep 0.1; done;; esac; fi\n"
        f'exec {imageio_ffmpeg.get_ffmpeg_exe()} "$@"\n'
    )
    ffmpeg.chmod(0o755)
    with service.served(port=0) as base_url:
        told = {
            "DASHSCOPE_API_KEY": "sk-emulator",
            "DASHSCOPE_BASE_URL": base_url,
            "STORYREEL_FFMPEG": str(ffmpeg),
        }
        with Team(tmp_path, server, {**fresh_environment, **told}) as team:
            yield team


class Beginner:
    """A process that begins runs: a worker, one that hands over, or the command that serves the film."""

    def __init__(self, team: Team, kind: str) -> None:
        self._team, self._kind, self._number = team, kind, 0
        if kind != "serve":
            team.deployed("--yes", "--lost-after", "40")

    def start(self) -> Began:
        """Start one, and another one when the last is gone."""
        self._number += 1
        name = f"{self._kind}-{self._number}"
        if self._kind == "worker":
            return self._team.worker(name)
        if self._kind == "serve":
            begun = self._team.begin(name, "storyreel", "serve", "film.yaml", "--yes", "--lost-after", "40")
            self._team.wait(lambda: "or on request" in (self._team.folder / f"{name}.log").read_text())
            return begun
        worker = ("prefect", "worker", "start", "--pool", self._team.pool, "--name", name)
        return self._team.begin(name, "python", str(WORKER_PY), *worker)

    def deployment(self) -> UUID:
        with self._team.client() as client:
            return client.read_deployments()[0].id


def let_go(service: Dashscope) -> None:
    """From now on tasks are at the service for a moment only."""
    quick = Script(waiting=0, running=1)
    service.use_script(quick, times=100)
    for job in service.jobs.all():
        job.script = quick


def reach(stage: str, team: Team, service: Dashscope, run: UUID) -> None:
    """Wait until a run is at a stage; it stays there for a while."""
    if stage == "taken":
        team.wait(lambda: team.states(run)[-1].type is StateType.PENDING)
    elif stage == "begun":
        team.wait(lambda: team.states(run)[-1].type is StateType.RUNNING)
    else:
        team.wait_for_orders(2)
    if stage == "generating":
        for job in service.jobs.all():
            job.script = Script(waiting=0, running=100_000)
        team.wait(lambda: all(job.announced is Phase.RUNNING for job in service.jobs.all()))
    elif stage == "downloading":
        service.fault(Call.FETCH, Slow(slow_bytes=150))
        let_go(service)
        team.wait(lambda: list((team.folder / "home" / "clips" / "arriving").glob("*/*")))
    elif stage in HELD:
        (team.folder / "hold").write_text(HELD[stage])
        let_go(service)
        team.wait((team.folder / "held").exists)


def taken_slots(team: Team, deployment: UUID) -> int:
    """Slots that are taken at the service, and of the deployment's own limit."""
    with team.client() as client:
        own: Any = client.read_deployment(deployment).global_concurrency_limit
        return client.read_global_concurrency_limit_by_name("storyreel-dashscope").active_slots + (
            own.active_slots if own else 0
        )


@pytest.mark.parametrize(("kind", "death", "stage"), CASES)
async def test_a_film_is_whole_although_what_began_it_is_gone(
    kind: str, death: str, stage: str, team: Team, service: Dashscope, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginner = Beginner(team, kind)
    first = beginner.start()
    if kind != "serve":  # which sets the automations right as it begins: a changed one forgets what it was watching
        monkeypatch.setattr(automations, "BEGINS_WITHIN", 60)
    with team.client():
        await automations.ensure_automations()
    deployment = beginner.deployment()
    run = team.send_off(str(deployment))
    reach(stage, team, service, run)
    if death == "host":
        team.kill(first)
    else:
        os.kill(first.pid, signal.SIGKILL if death == "kill" else signal.SIGTERM)
        first.wait(PATIENCE)
    let_go(service)
    (team.folder / "hold").unlink(missing_ok=True)
    if death != "kill" or stage in ("taken", "begun"):
        beginner.start()

    end = team.wait_for(run, "Completed", "Failed", "Cancelled", seconds=600)
    names = [state.name for state in team.states(run)]
    print(f"\n{kind} {death} {stage}: {names}")
    assert end.name == "Completed", (names, end.message)
    if death == "kill" and stage not in ("taken", "begun"):
        assert names.count("Running") == 1, "it went on without the one that began it"
    assert "Cancelling" not in names and "Cancelled" not in names
    assert probe(team.folder / "renders" / "orphans" / "sequence.mp4").frames == 12
    assert len(service.accepted) == 2, "nothing was bought twice"
    team.wait(lambda: taken_slots(team, deployment) == 0)
