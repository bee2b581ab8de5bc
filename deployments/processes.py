"""Programs that run on after the one that began them: each with a session, a pid file and a log of its own."""

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

from storyreel.specs.frozen import Frozen


class Part(Frozen):
    """A program of a stack."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    """Where it runs."""
    as_user: Mapping[str, Any] = {}
    """How it is started as another user; see `postgresql.other_user`."""
    goodbye: int = signal.SIGTERM
    """The signal that asks it to end."""


class Processes:
    """The programs that were begun for one folder. Ends none that it has not begun itself."""

    def __init__(self, folder: Path) -> None:
        self._pids, self._logs = folder / "pids", folder / "logs"

    def begin(self, part: Part) -> None:
        """Let a program run, unless it does."""
        if self.find(part.name):
            return
        for place in (self._pids, self._logs, part.folder):
            place.mkdir(parents=True, exist_ok=True)
        with self.log(part.name).open("ab") as log:
            begun = subprocess.Popen(
                part.command,
                cwd=part.folder,
                env=dict(part.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **part.as_user,
            )
        record = {"pid": begun.pid, "started": psutil.Process(begun.pid).create_time(), "goodbye": int(part.goodbye)}
        self._record(part.name).write_text(json.dumps(record))

    def names(self) -> list[str]:
        """What was begun and not ended, the last one first."""
        records = sorted(self._pids.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [path.stem for path in records]

    def find(self, name: str) -> psutil.Process | None:
        """A program that runs. The time it was started tells it from a later process of the same number."""
        with suppress(FileNotFoundError, psutil.Error):
            record = json.loads(self._record(name).read_text())
            process = psutil.Process(record["pid"])
            same = abs(process.create_time() - record["started"]) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        return None

    def end(self, name: str, seconds: float) -> None:
        """Ask a program to end; after so many seconds, end it and its children."""
        if process := self.find(name):
            family = [process, *_descendants(process)]
            with suppress(psutil.NoSuchProcess):
                process.send_signal(json.loads(self._record(name).read_text())["goodbye"])
            _, left = psutil.wait_procs([process], timeout=seconds)
            _, left = psutil.wait_procs([*left, *(each for each in family if each.is_running())], timeout=1)
            _kill(left)
        self._record(name).unlink(missing_ok=True)

    def kill(self, name: str) -> None:
        """End a program and all its children by SIGKILL, as a host that loses its power does."""
        if process := self.find(name):
            process.suspend()  # so that it begins no more children meanwhile
            _kill([process, *_descendants(process)])
        self._record(name).unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        """What a program has said."""
        return self._logs / f"{name}.log"

    def last_words(self, name: str, lines: int = 5) -> str:
        """The end of its log."""
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


def wait_for(what: str, is_there: Callable[[], bool], processes: Processes, name: str, seconds: float) -> None:
    """Return when something is there. Raises RuntimeError with the last words of the program that was to bring it."""
    deadline = time.monotonic() + seconds
    while not is_there():
        if processes.find(name) is None or time.monotonic() > deadline:
            said = processes.last_words(name)
            raise RuntimeError(f"{what} did not come up; {processes.log(name)} ends with:\n{said}")
        time.sleep(0.1)


def plain_environment() -> dict[str, str]:
    """The caller's environment without what is meant for Prefect, for Storyreel or for a service."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "STORYREEL_", "AWS_")) and not name.endswith(("_API_KEY", "_SECRET"))
    }
