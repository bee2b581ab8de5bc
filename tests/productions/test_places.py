"""A Prefect server that goes while takes are at a service takes no place with it: films are whole, and all places free
again, also those of a run that is gone, too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from storyreel.flows.servers.local import free_port, pages_url, recorded_server
from storyreel.tasks.media.probe import probe
from tests.flows import warm
from tests.flows.conftest import Command
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.jobs import Script

FILM = """\
storyboard: 1
title: Crowd
format: {fps: 12}
defaults: {provider: aimlapi, duration: 6f}
shots:
  - {shot: 1A, action: Ana enters.}
  - {shot: 1B, action: She sits.}
  - {shot: 1C, action: She leaves.}
"""
PLACES = 2
PATIENCE = 240
STORAGE = "prefect.server.concurrency.lease_storage"
GOES = ("stopped", "killed", "frozen")


class Machine:
    """A machine with a server of `storyreel ui`, at which two takes may be at the service."""

    def __init__(self, folder: Path, storyreel: Command, environment: dict[str, str], service: Aimlapi) -> None:
        self.folder, self.service, self.port = folder, service, free_port()
        self.environment = {**environment, "STORYREEL_HOME": str(folder / "storyreel")}
        self._storyreel = storyreel
        self.start()
        limit = {"name": "storyreel-aimlapi", "limit": PLACES}
        httpx.post(f"{self._limits}/", json=limit, timeout=60).raise_for_status()

    @property
    def _limits(self) -> str:
        return f"{pages_url(self.port)}/api/v2/concurrency_limits"

    def start(self) -> None:
        done = self._storyreel("ui", "--no-open", "--port", str(self.port), **self.environment)
        assert done.returncode == 0, done.stderr

    def server(self) -> psutil.Process:
        recorded = recorded_server(self.environment)
        assert recorded
        return psutil.Process(recorded.process.pid)

    def end(self) -> None:
        with suppress(AssertionError, psutil.Error):
            self.server().kill()

    def go(self, how: str) -> None:
        """The server goes and comes back."""
        if how == "stopped":
            assert self._storyreel("ui", "--stop", **self.environment).returncode == 0
        elif how == "killed":
            server = self.server()
            server.kill()
            server.wait(20)
        else:
            os.kill(self.server().pid, signal.SIGSTOP)
            time.sleep(70)  # longer than a lease
            os.kill(self.server().pid, signal.SIGCONT)
            return
        self.start()

    def taken(self) -> int:
        answer = httpx.get(f"{self._limits}/storyreel-aimlapi", timeout=60).raise_for_status().json()
        return int(answer["active_slots"])

    def render(self, film: str) -> warm.Run:
        (self.folder / f"{film}.yaml").write_text(FILM.replace("Crowd", film).replace("Ana", film))
        arguments = ("render", f"{film}.yaml", "--yes", "--out", film)
        return warm.begin(arguments, self.folder, self.environment)

    def ends_whole(self, film: str, run: warm.Run) -> None:
        """Wait for the end of a run, by which its film is whole."""
        printed, said = run.communicate(PATIENCE)
        assert run.returncode == 0, printed + said
        assert probe(self.folder / film / "sequence.mp4").frames == 18


@pytest.fixture
def machine(
    tmp_path: Path, storyreel: Command, fresh_environment: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[Machine]:
    service = Aimlapi(AimlapiSettings(script=Script(seconds=12)))
    with service.served(port=0) as base:
        told = {"AIMLAPI_API_KEY": "sk-emulator", "AIMLAPI_BASE_URL": base, "STORYREEL_POLL_SECONDS": "0.5"}
        if storage := getattr(request, "param", ""):
            told["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"] = f"{STORAGE}.{storage}"
        machine = Machine(tmp_path, storyreel, {**fresh_environment, **told}, service)
        yield machine
        machine.end()


def wait_until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.5)


def cases(sample: tuple[str, str]) -> list[object]:
    """A server that keeps its leases as `ui` has it, or in memory, and that goes in each way."""
    every = [(storage, how) for storage in ("memory", "") for how in GOES]
    marks = {each: () if each == sample else (pytest.mark.matrix,) for each in every}
    return [pytest.param(*each, id=f"{each[1]}, {each[0] or 'on disk'}", marks=marks[each]) for each in every]


@pytest.mark.parametrize(("machine", "how"), cases(("memory", "killed")), indirect=["machine"])
def test_a_server_that_goes_while_takes_are_at_a_service_keeps_no_place(machine: Machine, how: str) -> None:
    run = machine.render("Ana")
    wait_until(lambda: len(machine.service.jobs.all()) == PLACES)
    assert machine.taken() == PLACES
    machine.go(how)
    machine.ends_whole("Ana", run)
    assert machine.taken() == 0
    assert len(machine.service.jobs.all()) == 3, "bought twice"


@pytest.mark.matrix
@pytest.mark.parametrize(("machine", "how"), cases(("", "killed")), indirect=["machine"])
def test_a_server_that_goes_with_a_run_leaves_places_for_the_next(machine: Machine, how: str) -> None:
    run = machine.render("Ana")
    wait_until(lambda: len(machine.service.jobs.all()) == PLACES)
    run.kill()
    machine.go(how)
    machine.ends_whole("Mira", machine.render("Mira"))
    assert machine.taken() == 0
