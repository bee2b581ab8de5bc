"""Waits for a Prefect server that was started, and says why one does not start."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import IO

from storyreel.flows.errors import RunFailed
from storyreel.flows.servers.local import Tell, listens, probe
from storyreel.tasks.storage.disk import try_folder

_START_SECONDS = 300
"""Time for a server to start whose process lives: 20 s on two slow cores in an empty PREFECT_HOME, and more than 90
where ten other programs were at work."""
_USUAL_SECONDS = 8
"""Time after which something else than imports is likely to be awaited."""


def wait_until_ready(
    process: subprocess.Popen[bytes], port: int, log: IO[bytes], next: str, tell: Tell = lambda text: None
) -> None:
    """Return when a server process answers at its port; `tell` is called with what is awaited, again and again.

    Raises DiskError if Prefect's folders take no files, else RunFailed with the first error of its log, or the last
    line, and `next`.
    """
    begun = time.monotonic()
    while not (probe(port) == "prefect" and listens(process.pid, port)):
        seconds = time.monotonic() - begun
        prepares = ", which may be making its database" if seconds > _USUAL_SECONDS else ""
        tell(f"waiting for Prefect's server{prepares}: {seconds:.0f} s")
        if process.poll() is not None or seconds > _START_SECONDS:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            has_ended = process.poll() is not None
            # Prefect's services that cannot be stopped, as they never began, are errors that follow from the first.
            errors = [line.rpartition("| ERROR")[2].strip(" |") for line in lines if "| ERROR" in line]
            reason = f"no answer in {seconds:.0f} s"
            if has_ended:
                reason = [*errors[:1], *lines[-1:], f"its process ended with exit code {process.poll()}"][0]
            for folder, what in prefect_folders().items():
                try_folder(folder, what, "set PREFECT_HOME to another folder")
            raise RunFailed(f"Prefect's server did not start: {reason}", next=next)
        time.sleep(0.05)


def prefect_folders() -> dict[Path, str]:
    """The folders in which Prefect keeps its database and the results of tasks on this host, each with what is kept."""
    from prefect.settings import PREFECT_HOME, PREFECT_LOCAL_STORAGE_PATH

    return {
        Path(PREFECT_HOME.value()): "Prefect's records",
        Path(PREFECT_LOCAL_STORAGE_PATH.value()): "results of tasks",
    }
