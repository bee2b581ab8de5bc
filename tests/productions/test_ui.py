"""`storyreel ui`: a server that stays, is found again by runs, and says plainly what stands in its way."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest

from storyreel.flows.player.running import stop
from storyreel.flows.servers.kept import kept_server
from storyreel.flows.servers.local import free_port, pages_url, recorded_server
from storyreel.flows.servers.prefect_settings import local_port
from storyreel.tasks.home import Home
from tests.flows.conftest import Command
from tests.players import is_played
from tests.prefect_server import move_in, serving

FILM = """\
storyboard: 1
title: One Room
format: {fps: 12, resolution: 480p}
shots:
  - {shot: 1A, action: Ana enters., duration: 6f}
"""


class Machine:
    """A machine on which runs were made before there was a server, and the command on it."""

    def __init__(self, storyreel: Command, environment: dict[str, str]) -> None:
        self._storyreel, self.environment = storyreel, environment

    def run(self, *arguments: str | Path, **more: str) -> CompletedProcess[str]:
        return self._storyreel(*arguments, **{**self.environment, **more})

    @property
    def profiles(self) -> dict[str, Any]:
        """Prefect's profiles."""
        return tomllib.loads((Path(self.environment["HOME"]) / ".prefect" / "profiles.toml").read_text())

    def end(self) -> None:
        stop(Home.of(self.environment))
        if (server := recorded_server(self.environment)) and server.process.is_alive():
            os.kill(server.process.pid, signal.SIGKILL)


@pytest.fixture
def machine(tmp_path: Path, storyreel: Command, fresh_environment: dict[str, str]) -> Iterator[Machine]:
    (tmp_path / "film.yaml").write_text(FILM)
    # Prefect's own default is that of the home in which it was imported.
    prefect = {"PREFECT_HOME": f"{fresh_environment['HOME']}/.prefect", "PREFECT_SERVER_API_PORT": str(free_port())}
    own = {"STORYREEL_HOME": str(tmp_path / "storyreel"), **prefect}
    machine = Machine(storyreel, {**fresh_environment, **own})
    yield machine
    machine.end()


def films_at(page: str) -> set[str]:
    """The titles of the runs that a server shows."""
    runs = httpx.post(f"{page}/api/flow_runs/filter", json={}, timeout=60).raise_for_status().json()
    return {tag.removeprefix("film:") for run in runs for tag in run["tags"] if tag.startswith("film:")}


def block_types(page: str) -> set[str]:
    """The types of blocks that a server knows, which its pages offer."""
    return {one["slug"] for one in httpx.post(f"{page}/api/block_types/filter", json={}, timeout=60).json()}


def test_a_server_stays_shows_earlier_runs_is_found_by_later_ones_and_is_stopped(
    machine: Machine, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    port = free_port()
    page = pages_url(port)
    early = machine.run("render", "film.yaml", STORYREEL_KEEP_MINUTES="2")
    assert early.returncode == 0 and "run: storyreel ui" in early.stdout, early.stderr
    assert "Prefect: a server of this run's own, which stays for 2 minutes after it" in early.stderr
    left = kept_server(machine.environment)
    assert left
    server = psutil.Process(left.process.pid)
    assert "server of an earlier run, which stays for 2 min" in machine.run("render", "film.yaml", "--out", "b").stderr
    assert kept_server(machine.environment) == left

    started = machine.run("ui", "--no-open", "--port", str(port))
    assert started.returncode == 0, started.stderr
    assert f"was started, and stays until storyreel ui --stop: {page}" in started.stdout
    assert f"`prefect` uses it in a terminal after: export PREFECT_API_URL={page}/api\n" in started.stdout
    assert films_at(page) == {"One Room"}, "the runs that were made without this server"
    server.wait(30)
    (player,) = re.findall(r"played from their pages, by (http://127.0.0.1:\d+)", started.stdout)
    assert "html" in httpx.get(page, follow_redirects=True, timeout=60).headers["content-type"]

    again = machine.run("ui", "--no-open")
    assert f"runs already: {page}" in again.stdout

    # The last is of a package that is not installed.
    wait_until(lambda: {"secret", "slack-webhook", "github-repository"} <= block_types(page))
    wait_until((Path(machine.environment["PREFECT_HOME"]) / "memo_store.toml").exists)

    late = machine.run("render", "film.yaml", "--out", "late")
    assert late.returncode == 0 and f"run: {page}/runs/flow-run/" in late.stdout, late.stdout + late.stderr
    assert f"Prefect: {page}, started by storyreel ui\n" in late.stderr
    (play,) = re.findall(r"^  play: (\S+)$", late.stdout, re.MULTILINE)
    assert play.startswith(f"{player}/film/") and "<title>One Room</title>" in httpx.get(play).text

    stopped = machine.run("ui", "--stop")
    assert (stopped.returncode, stopped.stdout) == (0, f"the server at {page} is stopped; its runs are kept\n")
    assert "no server is running" in machine.run("ui", "--stop").stdout
    with pytest.raises(httpx.ConnectError):
        httpx.get(page)
    assert not is_played(play)


def test_a_server_that_hangs_is_told_and_one_that_was_killed_is_started_anew(machine: Machine, tmp_path: Path) -> None:
    port = str(free_port())
    assert machine.run("ui", "--no-open", "--port", port).returncode == 0
    killed = recorded_server({"STORYREEL_HOME": str(tmp_path / "storyreel")})
    assert killed
    process = psutil.Process(killed.process.pid)
    process.suspend()
    hanging = machine.run("ui", "--no-open")
    assert hanging.returncode == 1
    assert "does not answer; its log is" in hanging.stderr and "next: storyreel ui --stop" in hanging.stderr
    process.kill()
    process.wait(10)

    without = machine.run("render", "film.yaml")
    assert without.returncode == 0, "a run has a server of its own then"
    anew = machine.run("ui", "--no-open", "--port", port)
    assert anew.stdout.startswith(
        f"The server at {pages_url(int(port))} had ended without being stopped. Prefect's server"
    )
    assert " was started" in anew.stdout


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


@pytest.mark.matrix
def test_a_profile_names_the_server_for_prefect_and_after_a_restart(machine: Machine) -> None:
    page = pages_url(int(machine.environment["PREFECT_SERVER_API_PORT"]))
    odd = machine.run("ui", "--no-open", "--profile", "a b")
    assert odd.returncode == 2 and "is not a name" in odd.stderr

    started = machine.run("ui", "--no-open", "--profile", "films")
    assert started.returncode == 0 and page in started.stdout, started.stderr
    assert machine.profiles == {"active": "films", "profiles": {"films": {"PREFECT_API_URL": f"{page}/api"}}}
    named = machine.run("render", "film.yaml")
    assert f"Prefect: {page}, named by Prefect's profile `films`\n" in named.stderr
    other = machine.run("ui", "--no-open", "--port", "9")
    assert other.returncode == 2 and "next: storyreel ui --port 9 --profile films" in other.stderr

    stopped = machine.run("ui", "--stop")
    prefect = Path(sys.executable).with_name("prefect")
    remedy = f"{prefect} profile use ephemeral"
    assert f"Prefect's profile `films` still names it; to render without it: {remedy}\n" in stopped.stdout
    dead = machine.run("render", "film.yaml")
    assert dead.returncode == 1 and dead.stderr.endswith("next: storyreel ui\n"), dead.stderr
    again = machine.run("ui", "--no-open")
    assert again.returncode == 0 and f"was started, and stays until storyreel ui --stop: {page}\n" in again.stdout
    assert "export" not in again.stdout, "it is named already"
    machine.run("ui", "--stop")
    subprocess.run(shlex.split(remedy), env=machine.environment, capture_output=True, check=True, timeout=120)
    assert "which ends with it" in machine.run("render", "film.yaml").stderr


def test_on_a_terminal_it_asks_whether_prefect_shall_use_the_server(machine: Machine, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    try:
        asked = subprocess.Popen(
            [Path(sys.executable).with_name("storyreel"), "ui", "--no-open"], cwd=tmp_path,
            env={**machine.environment, "TERM": "xterm"}, stdin=follower, stdout=follower, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.write(leader, b"y\n")
        _, told = asked.communicate(timeout=120)
    finally:
        os.close(follower)
        os.close(leader)
    assert asked.returncode == 0 and b"Let `prefect` use this server too" in told
    assert machine.profiles["active"] == "storyreel"


def test_a_server_that_something_else_started_is_used_only_where_it_is_named(machine: Machine, tmp_path: Path) -> None:
    home = tmp_path / "another user"
    move_in(home)
    with serving(home) as api:
        port = {"PREFECT_SERVER_API_PORT": str(local_port(api))}
        shown = machine.run("ui", "--no-open", **port)
        assert shown.returncode == 0 and "runs already that this command did not start" in shown.stdout
        assert f"`prefect` and `storyreel` use it in a terminal after: export PREFECT_API_URL={api}\n" in shown.stdout
        without = machine.run("render", "film.yaml", **port)
        assert without.returncode == 0, without.stderr
        assert f"is used after: export PREFECT_API_URL={api}\n" in without.stderr
        page = api.removesuffix("/api")
        assert films_at(page) == set()
        assert machine.run("render", "film.yaml", PREFECT_API_URL=api).returncode == 0
        assert films_at(page) == {"One Room"}
        named = machine.run("ui", "--no-open", PREFECT_API_URL=api)
        assert f"Runs report to the server that PREFECT_API_URL names: {page}\n" in named.stdout
        assert "export" not in named.stdout


def test_a_named_server_of_another_machine_that_does_not_answer_is_told(machine: Machine, tmp_path: Path) -> None:
    told = machine.run("ui", "--no-open", PREFECT_API_URL="http://127.0.0.1:9/away/api")
    assert told.returncode == 1
    assert "http://127.0.0.1:9/away, which PREFECT_API_URL names, does not answer: " in told.stderr
    assert "next: unset PREFECT_API_URL, and storyreel ui starts one here" in told.stderr
    both = machine.run("ui", "--profile", "films", PREFECT_API_URL="http://127.0.0.1:9/away/api")
    assert both.returncode == 2 and "is stronger than a profile" in both.stderr
    assert recorded_server({"STORYREEL_HOME": str(tmp_path / "storyreel")}) is None


def test_a_note_that_cannot_be_read_is_no_server(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text("{")
    assert recorded_server({"STORYREEL_HOME": str(tmp_path)}) is None
