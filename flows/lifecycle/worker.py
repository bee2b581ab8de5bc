"""Runs a worker of a pool, and when it is stopped has it hand its runs over before it ends.

Prefect's process worker kills its runs within half a second of SIGTERM (measured with 3.9.1); such a run is lost, and
an automation has another worker continue it 90 s later. Here SIGTERM goes to the runs first: they wait for the answer
to an order that is being sent and go back to the queue, while the worker is suspended so that it does not take them up
again. Then the worker gets it. It takes up to 30 seconds.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import FrameType

import psutil

_RUNS_SECONDS = 20
_WORKER_SECONDS = 5
_CHECK_SECONDS = 0.1


def run_worker(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Run a worker until it ends or this process gets SIGTERM or SIGINT; returns the exit code."""
    # Background jobs of a script ignore SIGINT, and so would the worker, which Prefect stops by it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Prefect's client says of each event that it cannot send all that the event holds, several KB (3.9.1).
    worker = psutil.Popen(command, env={"PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL", **environment})

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(hand_over(worker))

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, end)
    return int(worker.wait())


def hand_over(worker: psutil.Process) -> int:
    """End the runs of a worker, then the worker. Returns 0, or 1 if a process had to be killed."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)
    with suppress(psutil.NoSuchProcess):
        worker.suspend()
        runs, family = worker.children(), worker.children(recursive=True)
        _terminate(runs)
        left = _still_running(runs, _RUNS_SECONDS)
        # A suspended process takes the signal when it resumes, before it looks for runs.
        _terminate([worker])
        worker.resume()
        left += _still_running([worker], _WORKER_SECONDS)
        left += _still_running(family, 0)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return 1 if left else 0
    return 0


def _terminate(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()


def _still_running(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes to end; returns those that run on."""
    deadline = time.monotonic() + seconds
    while (left := list(filter(_runs, processes))) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=_CHECK_SECONDS)
    return left


def _runs(process: psutil.Process) -> bool:
    """Whether a process runs. An ended one whose parent is suspended is a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
