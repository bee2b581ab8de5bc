"""A worker that hands its runs over before it ends: for containers and process managers.

    python deployments/worker.py prefect worker start --pool storyreel

Prefect's process worker kills its runs within half a second of SIGTERM (measured with 3.9.1), and where it is all that
a container holds, what would hand them over is killed with it. Here SIGTERM goes to the runs first, which note what
they leave and go back to the queue, while the worker is held so that it does not take them up again; then to the
worker; and the last to go are the runs' attendants. It takes up to 30 seconds.
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from types import FrameType

import psutil

_RUNS_SECONDS = 12
"""That runs have to hand over."""
_WORKER_SECONDS = 5
_ATTENDANTS_SECONDS = 12


def main(command: list[str]) -> int:
    """Run the worker until it ends or is told to; gives its exit code."""
    worker = psutil.Popen(command)

    def told_to_end(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(hand_over(worker))

    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, told_to_end)
    return int(worker.wait())


def hand_over(worker: psutil.Process) -> int:
    """End a worker after its runs; 0 when nothing had to be killed."""
    for ending in (signal.SIGTERM, signal.SIGINT):  # once is enough
        signal.signal(ending, signal.SIG_IGN)
    with suppress(psutil.NoSuchProcess):
        worker.suspend()
        runs = worker.children()
        family = worker.children(recursive=True)
        _tell(runs)
        left = _ended(runs, _RUNS_SECONDS)
        # The signal waits until it goes on; then it ends before it looks for work.
        _tell([worker])
        worker.resume()
        left += _ended([worker], _WORKER_SECONDS)
        left += _ended(family, _ATTENDANTS_SECONDS)
        for each in left:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        return 1 if left else 0
    return 0


def _tell(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()


def _ended(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes to end; gives those that have not. One whose parent is held has ended as a zombie."""

    def runs(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    deadline = seconds / 0.1
    while deadline > 0 and (left := [process for process in processes if runs(process)]):
        deadline -= 1
        psutil.wait_procs(left, timeout=0.1)
    return [process for process in processes if runs(process)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
