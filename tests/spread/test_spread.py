"""A team's set-up in earnest: a Prefect server on PostgreSQL and Redis, a bucket, and two workers, of which one dies.

The parts are those that `deployments/stack.py` brings up; each worker has a home and a host name of its own, so that
the ledger takes the two for different hosts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import s3fs

from deployments.stack import Stack
from storyreel.tasks.ledger.ledger import Ledger, Purchase, State
from storyreel.tasks.media.probe import probe
from tests.needs import insist_on_postgresql_and_redis
from tests.services.dashscope import Dashscope, DashscopeSettings
from tests.services.jobs import Script

WORKERS = ("worker-1", "worker-2")
AT_ONCE = 5
"""Takes of both films at the service, by the global limit; three of the eight are ordered after the kill."""
FILM = """\
storyboard: 1
title: {title}
format: {{fps: 12}}
defaults: {{provider: dashscope, duration: 12f}}
scenes:
  - scene: 1
    shots:
      - {{shot: 1A, action: "{title}: Ana enters."}}
      - {{shot: 1B, action: "{title}: She sits."}}
  - scene: 2
    shots:
      - {{shot: 2A, action: "{title}: Ben enters."}}
      - {{shot: 2B, action: "{title}: He leaves.", transition: {{type: dissolve, duration: 6f}}}}
"""
FILMS = {"Film One": ("--spread", "scenes"), "Film Two": ()}
"""The first is spread scene by scene, the second is one run."""
FRAMES = 4 * 12


@pytest.fixture(autouse=True)
def needed() -> None:
    """Skip the tests if the parts are not installed, or fail them if the environment says that they are needed."""
    insist_on_postgresql_and_redis()


@pytest.fixture
def service() -> Dashscope:
    """A service at which no take comes to an end until `let_finish` is called."""
    return Dashscope(DashscopeSettings(script=Script(waiting=0, running=100_000), at_once=None))


def let_finish(service: Dashscope) -> None:
    """From now on takes are at the service for three seconds, those that are there already, too."""
    script = Script(waiting=0, running=1, seconds=3)
    service.use_script(script, times=100)
    for job in service.jobs.all():
        job.script = script


@pytest.fixture
def stack(service: Dashscope, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="storyreel-spread-"))
    folder.chmod(0o711)  # PostgreSQL's user passes through it
    with service.served(port=0) as base_url:
        told = {
            "DASHSCOPE_API_KEY": "sk-emulator",
            "DASHSCOPE_BASE_URL": base_url,
            "STORYREEL_POLL_SECONDS": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
        }
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        stack = Stack(folder, apart=True)
        try:
            stack.up(len(WORKERS))
            yield stack
        finally:
            stack.down()
            shutil.rmtree(folder, ignore_errors=True)


class Team:
    """Deploys films to the stack, and asks it about their runs."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG") if name in os.environ}
        self._environment = {
            **kept,
            **stack.environment,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            # No STORYREEL_HOME: it would travel with the deployment, and each worker has its own.
            "HOME": str(folder),
            "PREFECT_HOME": str(folder / "prefect"),
            "TERM": "dumb",
        }

    def deployed(self, title: str, *options: str) -> str:
        """Deploy a film; gives the deployment's id."""
        file = self.folder / f"{title}.yaml"
        file.write_text(FILM.format(title=title))
        command = ["storyreel", "deploy", str(file), "--pool", self.stack.pool, "--yes", "--json"]
        limits = ["--limit", f"dashscope={AT_ONCE}", "--lost-after", "45"]
        done = subprocess.run([*command, *limits, *options], cwd=self.folder, env=self._environment,
                              capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        found: str = json.loads(done.stdout)["id"]
        return found

    def ask(self, path: str, body: object | None = None) -> Any:
        """The answer of Prefect's API."""
        url = f"{self.stack.api}/{path}"
        answer = httpx.get(url, timeout=60) if body is None else httpx.post(url, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def send_off(self, deployment: str) -> str:
        """Begin a run; gives its id."""
        run: str = self.ask(f"deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})["id"]
        return run

    def runs(self) -> list[dict[str, Any]]:
        """All flow runs: the films' own, and those of scenes."""
        found: list[dict[str, Any]] = self.ask("flow_runs/filter", {"limit": 100})
        return found

    def purchases(self) -> list[Purchase]:
        """The ledger's rows."""
        ledger = Ledger(self.stack.environment["STORYREEL_LEDGER_URL"])
        try:
            return ledger.list()
        finally:
            ledger.close()

    def sequence(self, title: str) -> Path:
        """The film that lies in the bucket, brought here."""
        told = self.stack.environment
        files = s3fs.S3FileSystem(key=told["AWS_ACCESS_KEY_ID"], secret=told["AWS_SECRET_ACCESS_KEY"],
                                  endpoint_url=told["AWS_ENDPOINT_URL_S3"], skip_instance_cache=True)  # fmt: skip
        slug = title.lower().replace(" ", "-")
        brought = self.folder / f"{slug}.mp4"
        files.get_file(f"{told['STORYREEL_CLIPS_URL']}/films/{slug}/sequence.mp4", str(brought))
        return brought

    def told(self) -> str:
        """A report for a test that fails: runs, purchases, and the ends of logs."""
        runs = [f"{run['name']}: {run['state_name']}, {(run['state'] or {}).get('message')}" for run in self.runs()]
        rows = [
            f"{each.order.slate} of {each.order.film}: {each.state} at {each.owner.name}" for each in self.purchases()
        ]
        logs = [f"--- {name}\n{self.stack.processes.log_tail(name, 40)}" for name in (*WORKERS, "services")]
        return "\n".join((*runs, *rows, *logs))


def wait_for(what: str, is_so: Callable[[], bool], team: Team, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: it never came to that\n{team.told()}"
        time.sleep(1.5)  # each look asks a server and a database that have other work


def runs_of(stack: Stack, worker: str) -> set[str]:
    """The flow runs that a worker's processes are at work on."""
    process = stack.processes.find(worker)
    assert process, f"{worker} runs"
    told = [child.environ().get("PREFECT__FLOW_RUN_ID") for child in process.children(recursive=True)]
    return {run for run in told if run}


def test_two_films_are_whole_and_bought_once_although_a_worker_is_killed(
    stack: Stack, service: Dashscope, tmp_path: Path
) -> None:
    team = Team(stack, tmp_path)
    deployments = {title: team.deployed(title, *options) for title, options in FILMS.items()}
    films = {title: team.send_off(deployment) for title, deployment in deployments.items()}

    def all_places_are_taken() -> bool:
        states = [each.state for each in team.purchases()]
        return states.count(State.SUBMITTED) == AT_ONCE and State.INTENDED not in states

    # With all places taken no order is under way, so that the kill cannot leave one that nobody knows of.
    wait_for("as many orders as may be", all_places_are_taken, team, 180)
    holders = [each.owner.name for each in team.purchases()]
    victim = max(WORKERS, key=holders.count)
    other = next(name for name in WORKERS if name != victim)
    killed = runs_of(stack, victim)
    assert killed, "it was at work on something"
    stack.processes.kill(victim)
    let_finish(service)

    wait_for("the end of both films", lambda: _ended(team, set(films.values())), team, 300)
    runs = {run["id"]: run for run in team.runs()}
    for title, run in films.items():
        assert runs[run]["state_type"] == "COMPLETED", f"{title}\n{team.told()}"
        assert probe(team.sequence(title)).frames == FRAMES
    for run in killed:
        names = [state["name"] for state in team.ask(f"flow_run_states/?flow_run_id={run}")]
        assert names.count("Running") >= 2, f"{runs[run]['name']} was not picked up: {names}"
    assert victim not in {each.owner.name for each in team.purchases()}, f"{other} took over what {victim} had ordered"

    bodies = [json.dumps(sale.body, sort_keys=True) for sale in service.accepted]
    assert len(bodies) == len(set(bodies)) == 2 * 4, "every take was bought once"
    assert [each.state for each in team.purchases()] == [State.FINISHED] * 8


def _ended(team: Team, films: set[str]) -> bool:
    """Whether both films have come to an end that nobody picks them up from."""
    states = {run["id"]: run["state_type"] for run in team.runs() if run["id"] in films}
    if "FAILED" in states.values() or "CANCELLED" in states.values():
        return True
    return set(states.values()) == {"COMPLETED"}
