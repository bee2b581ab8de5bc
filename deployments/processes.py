"""Background programs, each in its own session with a pid file and a log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from pydantic import Field

from storyreel.specs.frozen import Frozen


def plain_environment() -> dict[str, str]:
    """This process's environment without the variables of Prefect, Storyreel, AWS and services."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "STORYREEL_", "AWS_")) and not name.endswith(("_API_KEY", "_SECRET"))
    }


class Part(Frozen):
    """A program of a stack."""

    name: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = Field(default_factory=plain_environment)
    as_user: Mapping[str, Any] = {}
    """Arguments of `Popen` that start it as another user; see `postgresql.other_user`."""
    stop_signal: int = signal.SIGTERM


class Processes:
    """The programs started for one folder. Programs that it did not start are never stopped."""

    def __init__(self, folder: Path) -> None:
        self._pids, self._logs = folder / "pids", folder / "logs"

    def start(self, part: Part) -> None:
        """Start a program unless it is running."""
        if self.find(part.name):
            return
        for place in (self._pids, self._logs, part.folder):
            place.mkdir(parents=True, exist_ok=True)
        with self.log(part.name).open("ab") as log:
            started = subprocess.Popen(
                part.command,
                cwd=part.folder,
                env=dict(part.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **part.as_user,
            )
        record = {
            "pid": started.pid,
            "started": psutil.Process(started.pid).create_time(),
            "stop_signal": int(part.stop_signal),
        }
        self._record(part.name).write_text(json.dumps(record))

    def names(self) -> list[str]:
        """Programs that were started and not stopped, the last one first."""
        records = sorted(self._pids.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [path.stem for path in records]

    def find(self, name: str) -> psutil.Process | None:
        """The process of a program, recognized by its id and start time; None if it is not running."""
        with suppress(FileNotFoundError, psutil.Error):
            record = json.loads(self._record(name).read_text())
            process = psutil.Process(record["pid"])
            same = abs(process.create_time() - record["started"]) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        return None

    def stop(self, name: str, seconds: float) -> None:
        """Send a program its stop signal; after `seconds`, kill it and its children."""
        if process := self.find(name):
            family = [process, *_descendants(process)]
            with suppress(psutil.NoSuchProcess):
                process.send_signal(json.loads(self._record(name).read_text())["stop_signal"])
            _, left = psutil.wait_procs([process], timeout=seconds)
            _, left = psutil.wait_procs([*left, *(each for each in family if each.is_running())], timeout=1)
            _kill(left)
        self._record(name).unlink(missing_ok=True)

    def kill(self, name: str) -> None:
        """Kill a program and all its children by SIGKILL, as when a host loses power."""
        if process := self.find(name):
            process.suspend()  # so that it starts no children meanwhile
            _kill([process, *_descendants(process)])
        self._record(name).unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def log_tail(self, name: str, lines: int = 5) -> str:
        """The last lines of its log; empty if there is none."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log(name).read_text(errors="replace").strip().splitlines()[-lines:])
        return ""

    def _record(self, name: str) -> Path:
        return self._pids / f"{name}.json"


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    for process in processes:
        with suppress(ChildProcessError, psutil.TimeoutExpired):
            process.wait(10)


def wait_for(what: str, is_ready: Callable[[], bool], processes: Processes, name: str, seconds: float) -> None:
    """Return when `is_ready` is true. Raises RuntimeError, with the end of the log, if the program ends or is slow."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if processes.find(name) is None or time.monotonic() > deadline:
            tail = processes.log_tail(name)
            raise RuntimeError(f"{what} did not start; {processes.log(name)} ends with:\n{tail}")
        time.sleep(0.1)
