"""Which run is at work on a purchase, and whether its process still lives."""

from __future__ import annotations

import os
import socket
import sys
import uuid
from functools import cache
from pathlib import Path

import psutil

from storyreel.specs.frozen import Frozen

_PROCESSES = Path("/proc")


class Owner(Frozen):
    """One run in one process on one host. The start time tells a process from a later one of the same id."""

    host: str
    """The host's name, and what tells apart hosts and containers that share a name: see `is_here`."""
    pid: int
    """0 once the run has let go of the purchase."""
    started: float
    """Seconds: since the machine was started where the system counts so, else since the epoch."""
    run: str = ""
    """Tells two runs in one process apart."""

    def is_here(self) -> bool:
        """Whether its process ids are those that this process sees, so that `is_alive` can tell."""
        return self.host == _host()

    def is_alive(self) -> bool:
        """Whether the process runs; only meaningful where `is_here`.

        A process of another user that the system hides from us counts as alive.
        """
        if not self.pid:
            return False
        try:
            return abs(_started(self.pid) - self.started) < 1.0
        except PermissionError:
            return True
        except ProcessLookupError:
            return False

    @property
    def name(self) -> str:
        """The host as people call it."""
        return self.host.partition("/")[0]


def this_process() -> Owner:
    """The process that asks."""
    return _owner_of(os.getpid())


def owner_of_process(pid: int) -> Owner:
    """A process of this host. Raises ProcessLookupError when there is none."""
    return Owner(host=_host(), pid=pid, started=_started(pid))


def new_run() -> Owner:
    """A run of its own in the process that asks."""
    return this_process().model_copy(update={"run": uuid.uuid4().hex})


@cache
def _owner_of(pid: int) -> Owner:
    return owner_of_process(pid)


@cache
def _host() -> str:
    """The host, so that two have the same only when they share their process ids.

    A name is not enough: containers may share it and have process ids of their own. Linux names the boot and the
    process namespace; elsewhere there are no such namespaces, and the network card tells machines apart.
    """
    if sys.platform == "linux":
        boot = (_PROCESSES / "sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()}/{boot}/{(_PROCESSES / 'self/ns/pid').stat().st_ino}"
    return f"{socket.gethostname()}/{uuid.getnode():012x}"


def _started(pid: int) -> float:
    """When a process was started. Raises ProcessLookupError when there is none, PermissionError when it is hidden.

    On Linux counted from the machine's start: the time of day at which that was, which psutil adds, moves with every
    correction of the clock.
    """
    if sys.platform == "linux":
        return _started_on_linux(pid)
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            raise ProcessLookupError(pid)
        return process.create_time()
    except psutil.NoSuchProcess as gone:
        raise ProcessLookupError(pid) from gone
    except psutil.AccessDenied as hidden:
        raise PermissionError(pid) from hidden


def _started_on_linux(pid: int) -> float:
    try:
        stat = (_PROCESSES / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        os.kill(pid, 0)  # tells one that is hidden from one that is gone
        raise PermissionError(pid) from None
    # The fields after the name, which may hold anything; proc_pid_stat(5): state is the third, starttime the 22nd.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":  # ended, and nobody has asked how
        raise ProcessLookupError(pid)
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
