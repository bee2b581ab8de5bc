"""The set-up of deployments/README, typed line by line into a shell in a home in which nothing was ever used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storyreel.flows.servers.local import free_port
from tests.test_pages import ROOT, blocks
from tests.workers import wait_until

FILM = """\
storyboard: 1
title: One Room
format: {fps: 12}
shots:
  - {shot: 1A, action: Ana enters., duration: 6f}
"""
_SECONDS = 240


class Shell:
    """A shell of a user who has installed Storyreel; its lines are typed one after the other."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        scripts = Path(sys.executable).parent
        own = {"PATH": f"{scripts}:/usr/bin:/bin", "PREFECT_SERVER_API_PORT": str(free_port())}
        self.environment = {**environment, **own, "PREFECT_WORKER_QUERY_SECONDS": "1"}
        self._running: list[subprocess.Popen[bytes]] = []

    def type(self, line: str) -> str:
        """Type a line and wait for its end; what it printed."""
        done = subprocess.run(
            ["/bin/sh", "-c", line], cwd=self._folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    def type_and_leave(self, line: str) -> Path:
        """Type a line into another terminal and leave it running; the file of what it prints."""
        log = self._folder / f"terminal-{len(self._running)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["/bin/sh", "-c", line], cwd=self._folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        self._running.append(process)
        return log

    def end(self) -> None:
        for process in self._running:
            os.killpg(process.pid, signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        self.type("storyreel ui --stop")


@pytest.fixture
def shell(tmp_path: Path, fresh_environment: dict[str, str]) -> Iterator[Shell]:
    (tmp_path / "film.yaml").write_text(FILM)
    shell = Shell(tmp_path, fresh_environment)
    yield shell
    shell.end()


def test_the_documented_set_up_works_as_it_is_written(shell: Shell, tmp_path: Path) -> None:
    (page,) = [block for block in blocks(ROOT / "deployments" / "README.md", "sh") if "storyreel ui" in block]
    *lines, worker = page.strip().splitlines()
    assert len(lines) == 3 and worker.startswith("storyreel worker")
    *_, deployed = [shell.type(line) for line in lines]
    assert f"  {worker}\n" in deployed, "what is printed is what is documented"
    _render(shell, worker, deployed, tmp_path)


@pytest.mark.matrix
def test_without_a_profile_the_printed_commands_work_as_they_are_pasted(shell: Shell, tmp_path: Path) -> None:
    assert "export PREFECT_API_URL=" in shell.type("storyreel ui --no-open")
    refused = subprocess.run(
        ["storyreel", "deploy", "film.yaml", "--pool", "render"], cwd=tmp_path, env=shell.environment,
        executable=Path(sys.executable).with_name("storyreel"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    shell.type(refused.stderr.strip().splitlines()[-1].removeprefix("next: "))
    deployed = shell.type("storyreel deploy film.yaml --pool render")
    _render(shell, _pasted(deployed, "storyreel worker"), deployed, tmp_path)


def _render(shell: Shell, worker: str, deployed: str, folder: Path) -> None:
    """Start the worker and a run, as printed, and wait for the film."""
    log = shell.type_and_leave(worker)
    shell.type(_pasted(deployed, "prefect deployment run"))
    film = folder / "renders" / "one-room" / "sequence.mp4"
    wait_until(lambda: film.exists() or "ValueError" in log.read_text(), log.read_text())
    assert film.exists(), log.read_text()


def _pasted(printed: str, command: str) -> str:
    (line,) = [line.strip() for line in printed.splitlines() if command in line]
    return line
