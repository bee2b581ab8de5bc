"""Which process is at work on a purchase, and whether it still is."""

from __future__ import annotations

import os
import socket
from functools import cache

import psutil

from specs.frozen import Frozen


class Owner(Frozen):
    """One process on one host. Its start time tells it from a later process of the same id."""

    host: str
    pid: int
    started: float
    """Seconds since the epoch, as the operating system counts them."""

    def is_here(self) -> bool:
        """Whether it runs, or ran, on this host, so that `is_alive` can tell."""
        return self.host == socket.gethostname()

    def is_alive(self) -> bool:
        """Whether the process runs; only meaningful where `is_here`."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < 1.0
        except psutil.NoSuchProcess:
            return False


def this_process() -> Owner:
    """The process that asks."""
    return _owner_of(os.getpid())


@cache
def _owner_of(pid: int) -> Owner:
    return Owner(host=socket.gethostname(), pid=pid, started=psutil.Process(pid).create_time())
