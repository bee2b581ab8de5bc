"""Owners of purchases: a run in a process on a host, and whether that process is still running."""

from __future__ import annotations

import os
import socket
import sys
import uuid
from functools import cache
from pathlib import Path

from storyreel.specs.frozen import Frozen

_PROCESSES = Path("/proc")


class Owner(Frozen):
    """One run in one process on one host. The start time distinguishes processes that got the same id."""

    host: str
    """The host's name and an id that hosts and containers of the same name do not share."""
    pid: int
    """0 once the run has released the purchase."""
    started: float
    """Start of the process in seconds: since the machine's start on Linux, since the epoch elsewhere."""
    run: str = ""
    """Distinguishes runs in one process."""

    def is_here(self) -> bool:
        """Whether its process ids are those that this process sees."""
        return self.host == _host()

    def is_alive(self) -> bool:
        """Whether the process runs, if `is_here`. A process that the system hides from this user counts as running."""
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
        """The host's name alone."""
        return self.host.partition("/")[0]


def this_process() -> Owner:
    """This process as an owner, without a run."""
    return _owner_of(os.getpid())


def owner_of_process(pid: int) -> Owner:
    """A process of this host as an owner, without a run. Raises ProcessLookupError if it does not exist."""
    return Owner(host=_host(), pid=pid, started=_started(pid))


def new_run() -> Owner:
    """A new run in this process."""
    return this_process().model_copy(update={"run": uuid.uuid4().hex})


@cache
def _owner_of(pid: int) -> Owner:
    return owner_of_process(pid)


@cache
def _host() -> str:
    """The id of this host, equal for two processes only if they see the same process ids.

    Containers may share a name and have process ids of their own, so on Linux the id has the boot and the process
    namespace in it, elsewhere the address of the network card.
    """
    if sys.platform == "linux":
        boot = (_PROCESSES / "sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()}/{boot}/{(_PROCESSES / 'self/ns/pid').stat().st_ino}"
    return f"{socket.gethostname()}/{uuid.getnode():012x}"


def _started(pid: int) -> float:
    """The start time of a process. Raises ProcessLookupError if there is none, PermissionError if it is hidden.

    On Linux in seconds since the machine's start. psutil would add the time of day of that start, which moves with
    every correction of the clock.
    """
    if sys.platform == "linux":
        return _started_on_linux(pid)
    import psutil

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
        os.kill(pid, 0)  # raises ProcessLookupError if there is none
        raise PermissionError(pid) from None
    # The fields after the name, which may hold anything; proc_pid_stat(5): state is the third, starttime the 22nd.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":  # ended, not waited for
        raise ProcessLookupError(pid)
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
