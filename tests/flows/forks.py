"""Processes that are forked from one that has imported everything: what they are told, and how they begin."""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass

_WORKERS = (
    "prefect.cli.flow_run",
    "prefect.cli.worker",
    "prefect.runner._workspace_hook_runner",
    "prefect.runner._workspace_supervisor",
    "prefect.workers.process",
    "storyreel.flows.lifecycle.worker",
)
"""The imports of a worker and of its runs; imported when the first one is wanted."""


@dataclass(frozen=True)
class Wanted:
    """A run: its command line, and what it finds around it."""

    arguments: list[str]
    """The words after `storyreel`; `-m MODULE …` or `FILE …`, as said to Python, where `is_python`."""
    folder: str
    environment: dict[str, str]
    step: str = ""
    """Where it is to die; see `dying`."""
    is_python: bool = False
    starts_runs: bool = False
    """Whether it starts runs, which are forked like itself; see `family`."""
    is_adopted: bool = False
    """Whether the nearest process above that adopts becomes its parent, not one that waits for it here."""
    leads_session: bool = True

    def take_place(self) -> None:
        """Be this run's process, but for its code."""
        os.chdir(self.folder)
        kept = {name: os.environ[name] for name in ("SSL_CERT_FILE",) if name in os.environ}
        os.environ.clear()
        os.environ.update(kept | self.environment)
        sys.argv = ["storyreel", *self.arguments]


def serve_forks(control: socket.socket) -> Wanted | None:
    """Serve until nobody asks any more. Comes back in every run's own process, too, and gives what it is to do."""
    children = 0
    while asked := _next(control):
        wanted, files = asked
        if wanted.is_python:
            for name in _WORKERS:
                importlib.import_module(name)
        if not (between := os.fork()):
            control.close()
            _begin(wanted, *files)
            return wanted
        children += 1
        if wanted.is_adopted:
            # Before its pipe is closed here, so that the parent that reads to the end is the parent indeed.
            os.waitpid(between, 0)
            children -= 1
        for file in files:
            os.close(file)
        while children and os.waitpid(-1, os.WNOHANG)[0]:
            children -= 1
    for _ in range(children):
        os.wait()
    return None


def _next(control: socket.socket) -> tuple[Wanted, list[int]] | None:
    """The next run that is wanted, and its input, its output, its errors and where its fate is told; None after the
    last."""
    heard: bytes = b""
    files: list[int] = []
    while not heard.endswith(b"\n"):
        more, came, _, _ = socket.recv_fds(control, 1 << 16, 4)
        if not more:
            return None
        heard, files = heard + more, files + came
    return Wanted(**json.loads(heard)), files


def _begin(wanted: Wanted, given: int, out: int, errors: int, fate: int) -> None:
    """Fork once more, so that the run has a parent that waits for it or is adopted; comes back in the run alone."""
    if run := os.fork():
        os.write(fate, b"%d\n" % run)
        if not wanted.is_adopted:
            _, status = os.waitpid(run, 0)
            with suppress(BrokenPipeError):
                os.write(fate, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(fate)
    if wanted.leads_session:
        os.setsid()
    for file, standard in ((given, sys.stdin), (out, sys.stdout), (errors, sys.stderr)):
        os.dup2(file, standard.fileno())
        os.close(file)
