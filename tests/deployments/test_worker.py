"""The end of a worker: its runs are told first, and what hands them over is given its time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

WRAPPED = Path(__file__).parents[2] / "deployments" / "worker.py"

ATTENDANT = """\
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdin.read()
time.sleep(1)
print("attendant: handed over", flush=True)
"""
RUN = f"""\
import signal, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {ATTENDANT!r}], stdin=subprocess.PIPE, start_new_session=True)
def end(*_):
    print("run: told", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("run: begun", flush=True)
time.sleep(600)
"""
WORKER = f"""\
import signal, subprocess, sys, time
run = subprocess.Popen([sys.executable, "-c", {RUN!r}])
def end(*_):
    run.kill()
    print("worker: told", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    if run.poll() is not None:
        print("worker: takes the run up again", flush=True)
    time.sleep(0.05)
"""


def test_runs_are_told_before_their_worker_and_attendants_are_waited_for(
    tmp_path: Path, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen([sys.executable, WRAPPED, sys.executable, "-c", WORKER], stdout=out)
    wait_until(lambda: "run: begun" in said.read_text())
    time.sleep(0.2)
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == 0
    assert said.read_text().splitlines() == ["run: begun", "run: told", "worker: told", "attendant: handed over"]
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family)


@pytest.mark.parametrize("code", [0, 3])
def test_a_worker_that_ends_by_itself_gives_its_exit_code(code: int) -> None:
    ended = subprocess.run([sys.executable, WRAPPED, "sh", "-c", f"exit {code}"], timeout=60, check=False)
    assert ended.returncode == code
