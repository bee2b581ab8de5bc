"""Owners: processes that are running, that have ended, that are hidden."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from storyreel.tasks.ledger import owner
from storyreel.tasks.ledger.owner import Owner, new_run, this_process


def the_owner_of(code: str) -> Owner:
    """The owner that a process of its own says that it is."""
    say = f"{code}\nfrom storyreel.tasks.ledger.owner import this_process; print(this_process().model_dump_json())"
    child = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    return Owner.model_validate_json(child.stdout)


def test_an_ended_process_is_not_alive() -> None:
    gone = the_owner_of("")
    assert gone.is_here()
    assert not gone.is_alive()
    assert this_process().is_alive()


def test_a_later_process_with_the_same_id_is_another() -> None:
    mine = this_process()
    assert not mine.model_copy(update={"started": mine.started - 60}).is_alive()


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    theirs = Owner(host=this_process().host, pid=child.pid, started=owner._started(child.pid))
    assert theirs.is_alive()
    child.kill()
    deadline = time.monotonic() + 10
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not theirs.is_alive()
    child.wait()


def test_a_released_owner_is_not_alive() -> None:
    assert not Owner(host=this_process().host, pid=0, started=0).is_alive()


def test_a_hidden_process_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("processes are hidden by Linux's hidepid")
    theirs = Owner(host=this_process().host, pid=os.getppid(), started=1.0)
    monkeypatch.setattr(owner, "_PROCESSES", Path("/nowhere"))
    assert theirs.is_alive()


@pytest.mark.skipif(sys.platform != "linux", reason="process namespaces are Linux's")
def test_a_container_of_the_same_name_is_another_host() -> None:
    enter = "import ctypes, os\nif ctypes.CDLL(None).unshare(0x20000000): raise SystemExit(9)\npid = os.fork()\n"
    wait = "if pid: os.waitpid(pid, 0); raise SystemExit"
    try:
        inside = the_owner_of(enter + wait)
    except subprocess.CalledProcessError as refused:
        if refused.returncode != 9:
            raise
        pytest.skip("this user may not make a process namespace")
    assert inside.name == this_process().name
    assert not inside.is_here(), "its process ids are not ours"


def test_two_runs_of_a_process_are_different_and_both_alive() -> None:
    one, two = new_run(), new_run()
    assert one != two
    assert one.is_alive() and two.is_alive()


def test_the_start_time_of_a_process_does_not_depend_on_the_clock() -> None:
    if sys.platform != "linux":
        pytest.skip("counted from the machine's start on Linux alone")
    with Path("/proc/uptime").open() as uptime:
        since_boot = float(uptime.read().split()[0])
    assert 0 < this_process().started < since_boot
