"""The end of a worker: its runs get SIGTERM first, and it does not take them up again."""

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

WRAPPER = Path(__file__).parents[2] / "deployments" / "worker.py"

RUN = """\
import signal, sys, time
def end(*_):
    print("run: ended", flush=True)
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
    print("worker: ended", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    if run.poll() is not None:
        print("worker: takes the run up again", flush=True)
    time.sleep(0.05)
"""


def test_runs_end_before_their_worker_which_does_not_take_them_up_again(
    tmp_path: Path, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    output = tmp_path / "output"
    with output.open("wb") as out:
        process = subprocess.Popen([sys.executable, WRAPPER, sys.executable, "-c", WORKER], stdout=out)
    wait_until(lambda: "run: begun" in output.read_text())
    time.sleep(0.2)
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == 0
    assert output.read_text().splitlines() == ["run: begun", "run: ended", "worker: ended"]
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family)


def test_a_worker_that_a_script_starts_in_the_background_can_be_interrupted() -> None:
    asks = "import signal, sys; sys.exit(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    begin = f"trap '' INT; exec {sys.executable} {WRAPPER} {sys.executable} -c '{asks}'"
    assert subprocess.run(["sh", "-c", begin], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("code", [0, 3])
def test_a_worker_that_ends_by_itself_gives_its_exit_code(code: int) -> None:
    ended = subprocess.run([sys.executable, WRAPPER, "sh", "-c", f"exit {code}"], timeout=60, check=False)
    assert ended.returncode == code
