"""A film rendered by a worker and by `serve`, from a folder that holds another `flows` and `tasks`; the files in
deployments/ as they are; what overlaps."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import yaml
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings

from storyreel.tasks.media.probe import probe
from tests.pauses import PATIENCE
from tests.players import is_played
from tests.pools import Team

FILM = """\
storyboard: 1
title: Weekly
vars: {city: Paris}
format: {fps: 12, resolution: 480p}
defaults: {duration: 1s}
shots:
  - {shot: 1A, action: "A lamp in ${city}."}
"""
DEPLOYMENTS = Path(__file__).parents[2] / "deployments"


@pytest.fixture
def team(tmp_path: Path, fresh_environment: dict[str, str], server: str) -> Iterator[Team]:
    """In a folder whose own `flows`, `tasks` and `prefect.py` break whatever imports them."""
    for package in ("flows", "tasks"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(f"raise RuntimeError('{package} of the user')\n")
    (tmp_path / "prefect.py").write_text("raise RuntimeError('prefect.py of the user')\n")
    (tmp_path / "film.yaml").write_text(FILM)
    with Team(tmp_path, server, fresh_environment) as team:
        yield team


def test_a_worker_renders_what_was_deployed_on_its_schedule_and_when_asked(team: Team) -> None:
    deployed = team.deployed("--set", "city=Lyon", "--interval", "2d", "--timezone", "Asia/Tokyo")
    with team.client() as client:
        (schedule,) = client.read_deployment_schedules(UUID(deployed["id"]))
        assert schedule.schedule.timezone == "Asia/Tokyo"
    team.worker("worker")
    asked = team.send_off(deployed["id"])
    team.wait_for(asked, "Completed")
    assert probe(team.folder / "renders" / "weekly" / "sequence.mp4").frames == 12
    # One that is due at once, by its schedule.
    team.deployed("--interval", "20s")
    due = team.wait(lambda: [run for run in _runs(team, deployed["id"]) if run != asked])
    ended = team.wait_for(due[0], "Completed", "Failed", "Crashed")
    assert ended.name == "Completed", ended.message
    team.deployed("--no-schedule")


def test_a_run_with_a_word_that_the_film_does_not_have_is_refused_before_it_exists(team: Team) -> None:
    deployed = team.deployed()
    with pytest.raises(PrefectHTTPStatusError, match="town"):
        team.send_off(deployed["id"], vars={"town": "Lyon"})


def test_two_runs_of_a_film_come_one_after_the_other_or_the_second_is_left_out(team: Team) -> None:
    waits = team.deployed("--name", "waits")
    skips = team.deployed("--name", "skips", "--overlap", "skip")
    team.worker("worker")
    first, second = team.send_off(waits["id"]), team.send_off(waits["id"])
    one, other = team.send_off(skips["id"]), team.send_off(skips["id"])
    ends = [team.wait_for(run, "Completed", "Cancelled", "Failed", "Crashed").name for run in (one, other)]
    assert sorted(ends) == ["Cancelled", "Completed"]
    for run in (first, second):
        team.wait_for(run, "Completed")
    spans = sorted(
        (next(state.timestamp for state in states if state.name == "Running"), states[-1].timestamp)
        for states in map(team.states, (first, second))
    )
    assert spans[0][1] <= spans[1][0]


def test_this_machine_serves_and_plays_a_film_until_it_is_told_to_end(team: Team, server: str) -> None:
    serving = team.begin("serve", "storyreel", "serve", "film.yaml", "--set", "city=Lyon", "--interval", "15s")
    log = team.folder / "serve.log"
    made = team.wait(lambda: re.search(r"deployments/deployment/([0-9a-f-]{36})", log.read_text()))[1]
    run = team.wait(lambda: _runs(team, made))[0]
    assert team.wait_for(run, "Completed", "Failed", "Crashed").name == "Completed"
    assert probe(team.folder / "renders" / "weekly" / "sequence.mp4").frames == 12
    assert "Finished in state Completed" in log.read_text(), "the log of a run is printed"
    # Of the latest run: the link of a film that a later one has replaced plays nothing.
    play = team.wait(lambda: next(filter(is_played, _links(server, "storyreel-weekly-film")), None))
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(PATIENCE) == 0, log.read_text()
    assert not is_played(play)
    assert "Traceback" not in log.read_text()
    with team.client() as client:
        served = client.read_deployment(UUID(made))
    assert served.paused
    form = (served.parameter_openapi_schema or {})["properties"]
    assert form["vars"]["properties"]["city"]["default"] == "Lyon" and "agreed" not in form


def test_the_file_for_deployments_in_git_deploys_and_runs(team: Team) -> None:
    text = (DEPLOYMENTS / "prefect.yaml").read_text()
    here = text.replace("name: render", f"name: {team.pool}")
    here = here.replace("/films/the-keeper.yaml", str(team.folder / "film.yaml"))
    (team.folder / "deployments").mkdir()
    file = team.folder / "deployments" / "prefect.yaml"
    file.write_text(here.replace("/films/renders/the-keeper", str(team.folder / "film")))
    team.ran("prefect", "--no-prompt", "deploy", "--all", cwd=file.parent)
    with team.client() as client:
        made = client.read_deployment_by_name("render storyboard/the-keeper")
    assert made.work_pool_name == team.pool and made.entrypoint == "storyreel.flows.render.render_storyboard"
    assert made.global_concurrency_limit is not None and made.global_concurrency_limit.limit == 1
    team.worker("worker", is_cold=True)
    run = team.send_off(str(made.id))
    assert team.wait_for(run, "Completed", "Failed", "Crashed").name == "Completed"
    assert probe(team.folder / "film" / "sequence.mp4").frames == 12


def test_the_example_automations_are_taken_and_pause_the_film_of_an_unknown_order(team: Team) -> None:
    deployed = team.deployed("--name", "doubtful")
    written = yaml.safe_load((DEPLOYMENTS / "automation.yaml").read_text())["automations"]
    team.ran("prefect", "automation", "create", "--from-file", str(DEPLOYMENTS / "automation.yaml"))
    with team.client() as client:
        assert {one["name"] for one in written} <= {one.name for one in client.read_automations()}

        def emit(event: str, slate: str) -> None:
            related = {
                "prefect.resource.id": f"prefect.deployment.{deployed['id']}",
                "prefect.resource.role": "deployment",
            }
            emit_event(
                event, resource={"prefect.resource.id": f"storyreel.film.weekly.shot.{slate}"}, related=[related]
            )
            asyncio.run(_sent())

        def is_paused() -> bool:
            return client.read_deployment(UUID(deployed["id"])).paused

        with temporary_settings({PREFECT_API_URL: team.api}):
            told = 0.0

            def is_paused_by_what_is_told() -> bool:
                """Those who carry automations out hear of a new one in their own time: what is told before is lost."""
                nonlocal told
                if time.monotonic() - told > 30:
                    emit("storyreel.shot.unknown", "1A")
                    told = time.monotonic()
                return is_paused()

            team.wait(is_paused_by_what_is_told)
            client.resume_deployment(UUID(deployed["id"]))
            for slate in ("1A", "1B"):
                emit("storyreel.shot.failed", slate)
            assert not is_paused()
            emit("storyreel.shot.failed", "1C")
            team.wait(is_paused)


async def _sent() -> None:
    await EventsWorker.drain_all(timeout=20, at_exit=False)  # type: ignore[misc]


def _links(server: str, artifact: str) -> list[str]:
    """The links in the latest version of an artifact."""
    found = httpx.post(f"{server}/artifacts/latest/filter", json={"artifacts": {"key": {"any_": [artifact]}}})
    return [link for one in found.json() for link in re.findall(r"\((http\S+)\)", one["data"])]


def _runs(team: Team, deployment: str) -> list[UUID]:
    """The runs of a deployment that have begun."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

    chosen = DeploymentFilter(id=DeploymentFilterId(any_=[UUID(deployment)]))
    with team.client() as client:
        return [run.id for run in client.read_flow_runs(deployment_filter=chosen) if run.run_count]
