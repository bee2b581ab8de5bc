"""A worker whose runs are forked from a process that has imported everything, and are its children as ever.

Prefect's process worker starts a run as a Python that prepares it and then becomes, by `exec`, another one that
executes it: 3 s of imports each time. Here the worker has a child that forks what Python is asked for; the run has the
worker as its parent, a number and a session of its own, and ends as it ends elsewhere.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.flows.forks import Wanted, serve_forks

_SET_CHILD_SUBREAPER = 36
"""Of Linux's `prctl`: processes below that lose their parent get this one."""


class Becomes(BaseException):
    """The process is to run another Python, as by `exec`."""

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments


def become_by_raising() -> None:
    """Have `exec` of this Python end what runs, and give what is to be run in its place."""
    cold = os.execvpe

    def become(file: str, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        if not is_python(arguments):
            cold(file, arguments, environment)
        os.environ.clear()
        os.environ.update(environment)
        raise Becomes(list(arguments[1:]))

    os.execvpe = become


def is_python(command: object) -> bool:
    """Whether a command is one for this Python that Prefect gives, or the worker itself."""
    if not isinstance(command, list | tuple) or len(command) < 3 or command[0] != sys.executable:
        return False
    words = command[2:] if command[1] == "-P" else command[1:]
    return words[0].endswith("_workspace_runtime_bootstrap.py") or (words[0] == "-m" and words[1].startswith("prefect"))


def found() -> Wanted | None:
    """Begin the child that forks, and have `Popen` ask it. Returns None; in each process that is forked what it is to
    do. Elsewhere than on Linux nobody adopts, and runs begin as ever."""
    if sys.platform != "linux":
        return None
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ours, its = socket.socketpair()
    if not os.fork():
        ours.close()
        wanted = serve_forks(its)
        if not wanted:
            os._exit(0)
        wanted.take_place()
        return (found() if wanted.starts_runs else None) or wanted
    its.close()
    _ask(ours)
    return None


def _ask(control: socket.socket) -> None:
    cold = subprocess.Popen._execute_child  # type: ignore[attr-defined]
    names = list(inspect.signature(cold).parameters)

    def execute(self: Any, *given: Any) -> None:
        told = dict(zip(names[1:], given, strict=True))
        if not is_python(told["args"]):
            cold(self, *given)
            return
        wanted = Wanted(
            list(told["args"][1:]),
            str(told["cwd"] or Path.cwd()),
            dict(os.environ if told["env"] is None else told["env"]),
            is_python=True,
            starts_runs="worker" in told["args"],
            is_adopted=True,
            leads_session=told["start_new_session"],
        )
        pipes = (told["p2cread"], told["c2pwrite"], told["errwrite"])
        read, fate = os.pipe()
        files = [own if pipe == -1 else pipe for own, pipe in enumerate(pipes)]
        try:
            socket.send_fds(control, [b" "], [*files, fate])
            control.sendall(json.dumps(vars(wanted)).encode() + b"\n")
        except OSError:  # the child was killed with the runs
            os.close(read)
            os.close(fate)
            cold(self, *given)
            return
        os.close(fate)
        with os.fdopen(read, "rb") as told_of:
            self.pid = int(told_of.read())
        self._child_created = True
        self._close_pipe_fds(*(told[name] for name in names if name in _PIPES))

    subprocess.Popen._execute_child = execute  # type: ignore[attr-defined]


_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
