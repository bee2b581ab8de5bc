"""Prefect's server is stopped, killed or frozen while a film is made: it is whole, and what is missing is told.

A run is held at a moment, the server goes away, and the run goes on without it. `--matrix` has every moment.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import imageio_ffmpeg
import pytest

from storyreel.tasks.media.probe import probe
from storyreel.testing.faults import Call, Silence
from tests.flows import warm
from tests.restarts import UiServer
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.jobs import Script
from tests.workers import working

FILM = """\
storyboard: 1
title: Two Rooms
format: {fps: 12}
defaults: {provider: aimlapi, duration: 6f}
shots:
  - {shot: 1A, action: Ana enters.}
  - {shot: 1B, action: Ana sits.}
"""
HOLDING_FFMPEG = """\
#!/bin/sh
for hold in "{folder}"/hold-*; do
  [ -f "$hold" ] || continue
  case "$*" in $(cat "$hold"))
    touch "{folder}/reached"
    while [ -f "$hold" ]; do sleep 0.05; done ;;
  esac
done
exec "{ffmpeg}" "$@"
"""
ENCODES = {"conforming": "*/home/clips/*libx264*", "joining": "*sound.nut*"}
"""Patterns of ffmpeg's arguments at two moments."""
MOMENTS = ("queueing", "generating", "downloading", "conforming", "joining", "last state")
AWAY_SECONDS = {"stop": 3, "kill": 3, "freeze": 30, "kill for 80 s": 80}
"""How the server goes away, and for how long at least: then it is started, which takes its time, or goes on."""
SAFETY_SECONDS = 600


class Production:
    """A film of two takes, their service and a server, with a run that is held at a moment until it is let go on."""

    def __init__(self, folder: Path, environment: dict[str, str], service: Aimlapi, base_url: str) -> None:
        self.folder, self.service = folder, service
        ffmpeg = folder / "ffmpeg"
        ffmpeg.write_text(HOLDING_FFMPEG.format(folder=folder, ffmpeg=imageio_ffmpeg.get_ffmpeg_exe()))
        ffmpeg.chmod(0o755)
        (folder / "film.yaml").write_text(FILM)
        told = {
            "PATH": str(Path(shutil.which("sh") or "/bin/sh").parent),
            "AIMLAPI_API_KEY": "sk-emulator",
            "AIMLAPI_BASE_URL": base_url,
            "STORYREEL_POLL_SECONDS": "0.1",
            "STORYREEL_FFMPEG": str(ffmpeg),
        }
        self.server = UiServer(folder, {**environment, **told})
        self.environment = self.server.environment
        self._go_on, self._is_fetched = threading.Event(), threading.Event()

    @property
    def film(self) -> Path:
        return self.folder / "out" / "sequence.mp4"

    def begin(self, moment: str) -> None:
        """Start the server, with a limit at the service, and have the run wait at a moment that is to come."""
        self.server.start()
        slots = 1 if moment == "queueing" else 4
        self.post("v2/concurrency_limits/", name="storyreel-aimlapi", limit=slots, active=True)
        if moment in ("queueing", "generating"):
            self.service.use_script(Script(end=None), times=2)
        elif moment == "downloading":
            self.service.fault(Call.FETCH, Silence(), times=2, when=self._is_held)
        elif moment in ENCODES:
            (self.folder / f"hold-{moment}").write_text(ENCODES[moment])

    def is_at(self, moment: str) -> bool:
        """Whether the run has come to the moment."""
        jobs = self.service.jobs.all()
        match moment:
            case "queueing":
                return len(jobs) == 1 and jobs[0].polls > 2
            case "generating":
                return len(jobs) == 2 and all(job.polls > 2 for job in jobs)
            case "downloading":
                return self._is_fetched.is_set()
            case "last state":
                return self.film.with_name("manifest.json").exists()
        return (self.folder / "reached").exists()

    def let_go(self) -> None:
        """Let the run go on."""
        self._go_on.set()
        self.service._scripts.clear()
        for job in self.service.jobs.all():
            job.script = Script(waiting=0, running=0)
        for hold in self.folder.glob("hold-*"):
            hold.unlink()

    def take_away(self, how: str) -> None:
        """Let the server go away, in one of the ways of AWAY_SECONDS."""
        {"stop": self.server.stop, "freeze": self.server.freeze}.get(how.split()[0], self.server.kill)()

    def assert_whole(self) -> None:
        """The film has both takes, each bought once."""
        assert probe(self.film).frames == 12
        bought = [str(sale.body) for sale in self.service.accepted]
        assert len(bought) == len(set(bought)) == 2

    def assert_no_slot_is_taken(self) -> None:
        """All slots of the limit come back, at the latest when the leases have ended."""
        limits = f"{self.server.api}/v2/concurrency_limits/storyreel-aimlapi"
        wait(lambda: httpx.get(limits, timeout=60).json()["active_slots"] == 0, "all slots are free", pause=1)

    def post(self, path: str, **body: object) -> Any:
        """The server's answer to a POST, which is repeated while SQLite is locked (503), as Prefect's clients do."""
        while (answer := httpx.post(f"{self.server.api}/{path}", json=body, timeout=60)).status_code == 503:
            time.sleep(1)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _is_held(self, _: object) -> bool:
        self._is_fetched.set()
        self._go_on.wait(SAFETY_SECONDS)
        return False


@pytest.fixture
def production(tmp_path: Path, fresh_environment: dict[str, str]) -> Iterator[Production]:
    service = Aimlapi(AimlapiSettings(script=Script(waiting=0, running=0)))
    with service.served(port=0) as base_url:
        production = Production(tmp_path, fresh_environment, service, base_url)
        try:
            yield production
        finally:
            production.let_go()
            production.server.end()


@contextmanager
def rendering(production: Production) -> Iterator[warm.Run]:
    """A run of the command line, of which nothing stays."""
    run = warm.begin(["render", "film.yaml", "--yes", "--out", "out"], production.folder, production.environment)
    try:
        yield run
    finally:
        run.kill()
        print(*run.communicate(), sep="\n")


def wait(is_so: Callable[[], object], what: str, pause: float = 0.02) -> None:
    """Wait for something to become true; fail when it does not."""
    deadline = time.monotonic() + SAFETY_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(pause)


def assert_film_is_told(production: Production, run: warm.Run) -> str:
    """The command has named the film and ended with 0; returns what else it said, which has no lines of Prefect's."""
    run.wait(SAFETY_SECONDS)
    out, said = run.communicate()
    assert run.returncode == 0, said
    assert re.search(rf"^✓ {re.escape(str(production.film))}$", out, re.MULTILINE)
    assert max(map(len, said.splitlines())) < 250 and "Error logging" not in said and "Traceback" not in said
    production.assert_whole()
    return said


def _times(moments: tuple[str, ...], ways: Iterable[str], sample: tuple[str, str] | None = None) -> list[Any]:
    """Every moment with every way to go away; all but the sample are left to `--matrix`."""
    cases = [(moment, how) for how in ways for moment in moments]
    return [pytest.param(*case, marks=() if case == sample else pytest.mark.matrix) for case in cases]


@pytest.mark.parametrize(("moment", "how"), _times(MOMENTS, ("kill", "freeze"), ("last state", "kill")))
def test_a_film_is_told_though_its_server_is_gone_for_good(production: Production, moment: str, how: str) -> None:
    production.begin(moment)
    with rendering(production) as run:
        wait(lambda: production.is_at(moment), moment)
        production.take_away(how)
        production.let_go()
        wait(production.film.exists, "a film")
        made = time.monotonic()
        said = assert_film_is_told(production, run)
        print(f"told {time.monotonic() - made:.1f} s after the film was there")
    assert "Prefect's server does not answer, so its record of this run is incomplete" in said


@pytest.mark.parametrize(("moment", "how"), _times(MOMENTS, AWAY_SECONDS))
def test_a_film_is_whole_and_all_slots_are_free_when_its_server_comes_back(
    production: Production, moment: str, how: str
) -> None:
    production.begin(moment)
    with rendering(production) as run:
        wait(lambda: production.is_at(moment), moment)
        production.take_away(how)
        production.let_go()
        time.sleep(AWAY_SECONDS[how])
        production.server.start()
        said = assert_film_is_told(production, run)
    production.assert_no_slot_is_taken()
    (shown,) = production.post("flow_runs/filter")
    assert shown["state_name"] == "Completed" or "record of this run is incomplete" in said


class DeployedRun:
    """A run of the film's deployment, whose worker ends with the context."""

    def __init__(self, production: Production, folder: Path) -> None:
        self._production, self._folder = production, folder
        self._id = ""

    @contextmanager
    def going(self) -> Iterator[None]:
        """Deploy the film and have a worker make it."""
        production = self._production
        environment = production.environment | {"PREFECT_API_URL": production.server.api}
        production.post("work_pools/", name="films", type="process")
        deploy = ["deploy", "film.yaml", "--pool", "films", "--yes", "--out", str(production.film.parent), "--json"]
        told = warm.command(*deploy, folder=self._folder, environment=environment)
        assert told.returncode == 0, told.stderr
        (made,) = production.post("deployments/filter")
        with working("films", environment, self._folder) as worker:
            begun = production.post(f"deployments/{made['id']}/create_flow_run", state={"type": "SCHEDULED"})
            self._id = begun["id"]
            try:
                yield
            finally:
                print(worker.said()[-6000:])
            assert max(map(len, worker.said().splitlines())) < 1000

    def wait_for(self, name: str) -> None:
        """Wait for a state; fail at another end."""
        ends = {name, "Completed", "Failed", "Cancelled"}
        # A server that has just begun on a busy machine answers slowly, and is not to be asked all the time.
        wait(lambda: {state for state, _ in self._states()[-1:]} & ends, f"the run is {name}", pause=2)
        states = self._states()
        assert states[-1][0] == name, states

    def approve(self) -> None:
        """Answer the form of the review."""
        answer = {f"shot_{slate}": {"decision": "approve"} for slate in ("1A", "1B")}
        result = self._production.post(f"flow_runs/{self._id}/resume", run_input=answer)
        assert result["status"] == "ACCEPT", result

    def _states(self) -> list[tuple[str, str | None]]:
        address = f"{self._production.server.api}/flow_run_states/"
        answer = httpx.get(address, params={"flow_run_id": self._id}, timeout=SAFETY_SECONDS)
        states = answer.raise_for_status().json()
        states.sort(key=lambda each: each["timestamp"])
        return [(each["name"], each["message"]) for each in states]


@pytest.mark.parametrize(("moment", "how"), _times(MOMENTS, AWAY_SECONDS))
def test_a_deployed_run_ends_completed_when_its_server_comes_back(
    production: Production, moment: str, how: str, tmp_path: Path
) -> None:
    production.begin(moment)
    run = DeployedRun(production, tmp_path)
    with run.going():
        wait(lambda: production.is_at(moment), moment)
        production.take_away(how)
        production.let_go()
        time.sleep(AWAY_SECONDS[how])
        production.server.start()
        run.wait_for("Completed")
    production.assert_whole()
    production.assert_no_slot_is_taken()


@pytest.mark.parametrize(("moment", "how"), _times(("conforming", "suspended", "joining"), AWAY_SECONDS))
def test_a_run_that_is_suspended_ends_completed_when_its_server_comes_back(
    production: Production, moment: str, how: str, tmp_path: Path
) -> None:
    """The server goes away before the run is suspended, while it is, or after it was answered."""
    (tmp_path / "film.yaml").write_text(FILM.replace("format:", "review: required\nformat:"))
    production.begin(moment)
    run = DeployedRun(production, tmp_path)
    with run.going():
        if moment != "conforming":
            run.wait_for("Suspended")
        if moment == "joining":
            run.approve()
        wait(lambda: moment == "suspended" or production.is_at(moment), moment)
        production.take_away(how)
        production.let_go()
        time.sleep(AWAY_SECONDS[how])
        production.server.start()
        if moment != "joining":
            run.wait_for("Suspended")
            run.approve()
        run.wait_for("Completed")
    production.assert_whole()
    production.assert_no_slot_is_taken()
