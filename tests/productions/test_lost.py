"""A run whose worker is gone is picked up by another one, and nothing is bought twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import State
from prefect.client.schemas.objects import StateType

from storyreel.flows.lifecycle import automations
from storyreel.tasks.media.probe import probe
from tests.pools import Team
from tests.services.dashscope import Dashscope, DashscopeSettings
from tests.services.jobs import Script

FILM = """\
storyboard: 1
title: Lost
format: {fps: 12}
defaults: {provider: dashscope, duration: 6f}
shots:
  - {shot: 1A, action: Ana enters.}
  - {shot: 1B, action: She sits.}
"""


@pytest.fixture
def service() -> Dashscope:
    return Dashscope(DashscopeSettings(script=Script(seconds=15)))


@pytest.fixture
def team(tmp_path: Path, fresh_environment: dict[str, str], server: str, service: Dashscope) -> Iterator[Team]:
    (tmp_path / "film.yaml").write_text(FILM)
    with service.served(port=0) as base_url:
        told = {"DASHSCOPE_API_KEY": "sk-emulator", "DASHSCOPE_BASE_URL": base_url}
        with Team(tmp_path, server, {**fresh_environment, **told}) as team:
            yield team


def test_a_run_whose_host_is_gone_goes_on_at_another_worker(team: Team, service: Dashscope) -> None:
    deployed = team.deployed("--yes", "--lost-after", "40")
    first = team.worker("first")
    run = team.send_off(deployed["id"])
    team.wait_for_orders(2)
    team.kill(first)
    team.worker("second")
    team.wait_for(run, "Completed")
    names = [state.name for state in team.states(run)]
    assert names.count("Crashed") == names.count("PickedUp") == 1, names
    assert team.unfinished_tasks(run) == [], "the lost process left them"
    assert len(service.accepted) == 2
    assert probe(team.folder / "renders" / "lost" / "sequence.mp4").frames == 12


def test_a_run_that_a_person_cancels_is_not_picked_up_and_one_whose_process_is_killed_is_by_the_same_worker(
    team: Team, service: Dashscope
) -> None:
    service.use_script(Script(running=100_000), times=2)
    deployed = team.deployed("--yes", "--lost-after", "120")
    team.worker("worker")
    cancelled = team.send_off(deployed["id"])
    team.wait_for_orders(2)
    with team.client() as client:
        client.set_flow_run_state(cancelled, State(type=StateType.CANCELLING))
    assert team.wait_for(cancelled, "Cancelled", "Crashed", "Completed").type is StateType.CANCELLED

    looks = _looks(service)
    run = team.send_off(deployed["id"])
    team.wait(lambda: _looks(service) > looks + 2)
    with team.client() as client:
        process = client.read_flow_run(run).infrastructure_pid or ""
    os.kill(int(process.rpartition(":")[2]), signal.SIGKILL)
    for job in service.jobs.all():
        job.script = Script(waiting=0, running=0)
    team.wait_for(run, "Completed")
    assert "PickedUp" in [state.name for state in team.states(run)]
    assert len(service.accepted) == 2
    # Had the cancelled one been picked up, it would have come before the one behind it.
    assert team.states(cancelled)[-1].type is StateType.CANCELLED


def _looks(service: Dashscope) -> int:
    """The number of times that runs have asked for the state of their tasks."""
    return sum(job.polls for job in service.jobs.all())


async def test_a_run_whose_worker_is_gone_before_it_sent_a_heartbeat_is_picked_up(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = team.deployed("--yes")
    monkeypatch.setattr(automations, "BEGINS_WITHIN", 10)
    stopped, unloadable = (
        State(type=StateType.CRASHED, message=f"Process exited with status code: {code}. It …") for code in (-15, 1)
    )
    pasts = {"taken": None, "begun": State(type=StateType.RUNNING), "stopped": stopped, "unloadable": unloadable}
    runs = {}
    with team.client() as client:
        await automations.ensure_automations(lost_after=10)
        for name, state in pasts.items():
            runs[name] = team.send_off(deployed["id"])
            client.set_flow_run_state(runs[name], State(type=StateType.PENDING), force=True)
            if state:
                client.set_flow_run_state(runs[name], state, force=True)
    for name in ("taken", "begun", "stopped"):
        assert team.wait_for(runs[name], "PickedUp").type is StateType.SCHEDULED, name
    assert team.states(runs["unloadable"])[-1].type is StateType.CRASHED, "it would be picked up for ever"
