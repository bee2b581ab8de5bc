"""`storyreel ui`: a server that stays, is found again by runs, and says plainly what stands in its way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from threading import Thread

import httpx
import psutil
import pytest

from storyreel.flows.servers.local import free_port, pages_url, recorded_server
from tests.flows.conftest import Command

FILM = """\
storyboard: 1
title: One Room
format: {fps: 12}
shots:
  - {shot: 1A, action: Ana enters., duration: 6f}
"""


class Machine:
    """A machine on which runs were made before there was a server, and the command on it."""

    def __init__(self, storyreel: Command, environment: dict[str, str]) -> None:
        self._storyreel, self._environment = storyreel, environment

    def run(self, *arguments: str | Path, **more: str) -> CompletedProcess[str]:
        return self._storyreel(*arguments, **{**self._environment, **more})

    def end(self) -> None:
        if (server := recorded_server(self._environment)) and server.process.is_alive():
            os.kill(server.process.pid, signal.SIGKILL)


@pytest.fixture
def machine(tmp_path: Path, storyreel: Command, lived_in: dict[str, str]) -> Iterator[Machine]:
    (tmp_path / "film.yaml").write_text(FILM)
    machine = Machine(storyreel, {**lived_in, "STORYREEL_HOME": str(tmp_path / "storyreel")})
    yield machine
    machine.end()


def films_at(page: str) -> set[str]:
    """The titles of the runs that a server shows."""
    runs = httpx.post(f"{page}/api/flow_runs/filter", json={}, timeout=60).raise_for_status().json()
    return {tag.removeprefix("film:") for run in runs for tag in run["tags"] if tag.startswith("film:")}


def test_a_server_stays_shows_earlier_runs_is_found_by_later_ones_and_is_stopped(machine: Machine) -> None:
    port = free_port()
    page = pages_url(port)
    early = machine.run("render", "film.yaml")
    assert early.returncode == 0 and "run: storyreel ui" in early.stdout, early.stderr

    started = machine.run("ui", "--no-open", "--port", str(port))
    assert started.returncode == 0, started.stderr
    assert f"was started, and stays until storyreel ui --stop: {page}" in started.stdout
    assert films_at(page) == {"One Room"}, "the run that was made without a server"
    assert "html" in httpx.get(page, follow_redirects=True, timeout=60).headers["content-type"]

    again = machine.run("ui", "--no-open")
    assert f"runs already: {page}" in again.stdout

    late = machine.run("render", "film.yaml", "--out", "late")
    assert late.returncode == 0 and f"run: {page}/runs/flow-run/" in late.stdout, late.stdout + late.stderr

    stopped = machine.run("ui", "--stop")
    assert (stopped.returncode, stopped.stdout) == (0, f"the server at {page} is stopped; its runs are kept\n")
    assert "no server is running" in machine.run("ui", "--stop").stdout
    with pytest.raises(httpx.ConnectError):
        httpx.get(page)


def test_a_server_that_was_killed_is_told_and_started_anew(machine: Machine, tmp_path: Path) -> None:
    port = str(free_port())
    assert machine.run("ui", "--no-open", "--port", port).returncode == 0
    killed = recorded_server({"STORYREEL_HOME": str(tmp_path / "storyreel")})
    assert killed
    process = psutil.Process(killed.process.pid)
    process.kill()
    process.wait(10)

    without = machine.run("render", "film.yaml")
    assert without.returncode == 0, "a run has a server of its own then"
    anew = machine.run("ui", "--no-open", "--port", port)
    assert anew.stdout.startswith(
        f"The server at {pages_url(int(port))} had ended without being stopped. Prefect's server"
    )
    assert " was started" in anew.stdout


def test_a_server_that_hangs_is_told(machine: Machine, tmp_path: Path) -> None:
    assert machine.run("ui", "--no-open", "--port", str(free_port())).returncode == 0
    hanging = recorded_server({"STORYREEL_HOME": str(tmp_path / "storyreel")})
    assert hanging
    os.kill(hanging.process.pid, signal.SIGSTOP)
    told = machine.run("ui", "--no-open")
    os.kill(hanging.process.pid, signal.SIGCONT)
    assert told.returncode == 1
    assert "does not answer; its log is" in told.stderr and "next: storyreel ui --stop" in told.stderr


def test_a_program_that_is_no_prefect_server_is_not_taken_for_one(machine: Machine) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        port = other.server_port
        serving = Thread(target=other.serve_forever, daemon=True)
        serving.start()
        told = machine.run("ui", "--no-open", "--port", str(port))
        other.shutdown()
        serving.join(10)
    assert told.returncode == 1
    assert f"Port {port} is taken by a program that is no Prefect server" in told.stderr
    assert "next: storyreel ui --port " in told.stderr


def test_where_a_server_is_named_none_is_started(machine: Machine, tmp_path: Path) -> None:
    told = machine.run("ui", "--no-open", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert told.returncode == 0 and "http://127.0.0.1:9" in told.stdout
    assert recorded_server({"STORYREEL_HOME": str(tmp_path / "storyreel")}) is None


def test_a_note_that_cannot_be_read_is_no_server(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text("{")
    assert recorded_server({"STORYREEL_HOME": str(tmp_path)}) is None
