"""Runs of the command that begin at once, because the process that they are forked from has imported everything."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


class Run:
    """A run that was begun; it is waited for and ended like a `subprocess.Popen`."""

    def __init__(self, fate: int, out: Path, errors: Path) -> None:
        self._fate, self._out, self._errors = os.fdopen(fate, "rb", buffering=0), out, errors
        self.pid = int(self._fate.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float) -> int:
        """Its exit code; the negative number of the signal that it died of."""
        if self.returncode is None:
            if not select.select([self._fate], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("storyreel", timeout)
            self.returncode = int(self._fate.readline())
            self._fate.close()
        return self.returncode

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """Wait for its end; what it printed and what it said."""
        self.wait(timeout)
        return self._out.read_text(), self._errors.read_text()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        if self.returncode is None and select.select([self._fate], [], [], 0)[0]:
            self.wait(0)
        return self.returncode is not None

    def kill(self) -> None:
        """End it by SIGKILL, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


def begin(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], step: str = "") -> Run:
    """Begin `storyreel ARGUMENTS` in a folder; it dies at `step`, if one is given."""
    out, errors = (Path(tempfile.mkstemp(dir=folder, prefix=f".{name}-")[1]) for name in ("output", "errors"))
    return _begin({"arguments": list(arguments), "step": step}, folder, environment, out, errors)


def python(
    arguments: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    *,
    starts_runs: bool = False,
) -> Run:
    """Begin `python ARGUMENTS`, a program of Prefect's; the runs that it starts are forked, too. What it prints is
    appended to the log."""
    told = {"arguments": [str(each) for each in arguments], "is_python": True, "starts_runs": starts_runs}
    return _begin(told, folder, environment, log, log)


def _begin(told: Mapping[str, object], folder: Path, environment: Mapping[str, str], out: Path, errors: Path) -> Run:
    wanted = {**told, "folder": str(folder), "environment": dict(environment)}
    read, fate = os.pipe()
    with Path(os.devnull).open("rb") as nothing, out.open("ab") as printed, errors.open("ab") as said:
        message = json.dumps(wanted).encode() + b"\n"
        files = [nothing.fileno(), printed.fileno(), said.fileno(), fate]
        sent = socket.send_fds(_forking(), [message], files)
        _forking().sendall(message[sent:])
    os.close(fate)
    return Run(read, out, errors)


def command(
    *arguments: str | Path, folder: Path, environment: Mapping[str, str], timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """`storyreel ARGUMENTS` to its end, like `subprocess.run`."""
    begun = begin([str(each) for each in arguments], folder, environment)
    try:
        out, errors = begun.communicate(timeout)
    except subprocess.TimeoutExpired:
        begun.kill()
        raise
    return subprocess.CompletedProcess(arguments, begun.returncode or 0, out, errors)


@cache
def _forking() -> socket.socket:
    """The socket to the process that forks. The process is begun at the first call, and ends with the tests."""
    ours, its = socket.socketpair()
    path = os.pathsep.join(filter(None, (str(_HERE.parents[1]), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", str(_HERE / "forking.py"), str(its.fileno())]
    forking = subprocess.Popen(
        command, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path}
    )
    its.close()

    def end() -> None:
        ours.close()
        forking.wait(20)

    atexit.register(end)
    return ours
