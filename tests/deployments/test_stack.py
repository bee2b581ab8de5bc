"""The script that brings the parts up: what it refuses, and that it ends what it began and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deployments import postgresql
from deployments.processes import Part, Processes, wait_for
from tests.needs import give_up, insist_on_postgresql_and_redis

ROOT = Path(__file__).parents[2]
SLEEPS = ("sleep", "600")
FAMILY = ("sh", "-c", "sleep 600 & sleep 600")
STUBBORN = (sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True)\n"
            "time.sleep(600)")  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may enter, as PostgreSQL's user has to."""
    made = Path(tempfile.mkdtemp(prefix="storyreel-stack-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def stack(*arguments: str | Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deployments.stack", *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def part(folder: Path, command: tuple[str, ...], name: str = "part") -> Part:
    return Part(name=name, command=command, environment=dict(os.environ), folder=folder)


def test_a_missing_program_is_named_with_its_package(folder: Path) -> None:
    if postgresql.programs() is None:
        give_up("POSTGRESQL", "postgresql")
    refused = stack("up", "--folder", folder, path="/nowhere")
    assert refused.returncode == 1
    assert "apt-get install redis-server" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (folder / "pids").exists(), "nothing was started"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_a_folder_that_postgresql_cannot_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    insist_on_postgresql_and_redis()
    refused = stack("up", "--folder", tmp_path / "stack")
    assert refused.returncode == 1
    assert "may not enter" in refused.stderr


@pytest.mark.parametrize("what", ["status", "down"])
def test_a_folder_without_a_stack_is_said_to_be_one(tmp_path: Path, what: str) -> None:
    said = stack(what, "--folder", tmp_path)
    assert said.returncode == 2
    assert "nothing was started" in said.stderr
    assert not list(tmp_path.iterdir())


def test_down_ends_what_an_up_left_that_failed_half_way(folder: Path) -> None:
    if postgresql.programs() is None:
        give_up("POSTGRESQL", "postgresql")
    broken = folder / "bin" / "redis-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nif [ $# = 1 ]; then echo no room for redis; exit 1; fi\n")
    broken.chmod(0o755)
    failed = stack("up", "--folder", folder, "--clips", "s3://elsewhere", path=f"{broken.parent}:{os.environ['PATH']}")
    assert failed.returncode == 1, failed.stdout
    assert "no room for redis" in failed.stderr
    assert "Traceback" not in failed.stderr
    processes = Processes(folder)
    database = processes.find("postgresql")
    assert database is not None
    assert stack("down", "--folder", folder).returncode == 0
    assert not database.is_running()
    assert not processes.names()


def test_a_program_and_its_children_end(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start(part(tmp_path, FAMILY))
    process = processes.find("part")
    assert process
    wait_for("its children", lambda: len(process.children()) == 2, processes, "part", 10)
    family = [process, *process.children()]
    processes.stop("part", 5)
    assert not any(_runs(each) for each in family)
    assert processes.names() == []


def test_a_program_that_does_not_listen_is_ended_all_the_same(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start(part(tmp_path, STUBBORN))
    wait_for("its word", lambda: processes.log_tail("part") == "up", processes, "part", 10)
    process = processes.find("part")
    assert process
    processes.stop("part", 0.2)
    assert not _runs(process)


def test_a_process_that_has_its_number_now_is_left_alone(tmp_path: Path) -> None:
    """After a restart of the machine the number in a pid file may be anybody's."""
    processes = Processes(tmp_path)
    other = subprocess.Popen(SLEEPS)
    try:
        processes.start(part(tmp_path, SLEEPS))
        ours = processes.find("part")
        assert ours
        record = tmp_path / "pids" / "part.json"
        record.write_text(
            record.read_text().replace(str(ours.pid), str(other.pid)).replace('"started": ', '"started": 1')
        )
        processes.stop("part", 1)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        ours.send_signal(signal.SIGKILL)
        ours.wait(10)


def test_begun_twice_it_runs_once(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start(part(tmp_path, SLEEPS))
    first = processes.find("part")
    processes.start(part(tmp_path, SLEEPS))
    assert processes.find("part") == first
    processes.stop("part", 5)


def test_what_does_not_come_up_is_told_with_its_last_words(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start(part(tmp_path, ("sh", "-c", "echo the disk is full; exit 1")))
    time.sleep(0.1)
    with pytest.raises(RuntimeError, match="the disk is full"):
        wait_for("it", lambda: False, processes, "part", 30)


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
