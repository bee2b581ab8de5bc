"""A process that has imported all of `storyreel`, and becomes a run of it whenever one is wanted.

    python tests/flows/forking.py NUMBER-OF-A-SOCKET

Each run is a process of its own, with a number, a session, an environment and a folder of its own, and it ends as
the command does. Only the seconds of imports before its first step are missing. See `warm` for what is sent.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys
from dataclasses import dataclass

_LATE = (
    "fastapi.encoders",
    "storyreel.flows.commands.launch",
    "graphviz",
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.task_engine",
    "storyreel.tasks.media.text.layout",
    "storyreel.tasks.providers.animatic.film",
    "storyreel.tasks.providers.http.client",
    "storyreel.tasks.providers.http.download",
    "storyreel.tasks.providers.http.local_files",
)
"""What a run imports on its way."""


@dataclass(frozen=True)
class Wanted:
    """A run: its command line, and what it finds around it."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    step: str = ""
    """Where it is to die; see `dying`."""

    def take_place(self) -> None:
        """Be this run's process, but for its code."""
        os.chdir(self.folder)
        kept = {name: os.environ[name] for name in ("SSL_CERT_FILE",) if name in os.environ}
        os.environ.clear()
        os.environ.update(kept | self.environment)
        sys.argv = ["storyreel", *self.arguments]


def _next(control: socket.socket) -> tuple[Wanted, list[int]] | None:
    """The next run that is wanted, and its output, its errors and where its fate is told; None after the last."""
    heard: bytes = b""
    files: list[int] = []
    while not heard.endswith(b"\n"):
        more, came, _, _ = socket.recv_fds(control, 1 << 16, 3)
        if not more:
            return None
        heard, files = heard + more, files + came
    return Wanted(**json.loads(heard)), files


def _forked(control: socket.socket) -> Wanted | None:
    """Serve until nobody asks any more. Comes back in every run's own process, too, and gives what it is to do."""
    children = 0
    while asked := _next(control):
        wanted, files = asked
        if not os.fork():
            _begin(*files)
            return wanted
        for file in files:
            os.close(file)
        children += 1
        while children and os.waitpid(-1, os.WNOHANG)[0]:
            children -= 1
    for _ in range(children):
        os.wait()
    return None


def _begin(out: int, errors: int, fate: int) -> None:
    """Fork once more, so that the run has a parent that waits for it; comes back in the run alone."""
    if run := os.fork():
        os.write(fate, b"%d\n" % run)
        _, status = os.waitpid(run, 0)
        os.write(fate, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(fate)
    os.setsid()
    os.dup2(out, sys.stdout.fileno())
    os.dup2(errors, sys.stderr.fileno())
    os.close(out)
    os.close(errors)


if __name__ == "__main__":
    from storyreel.flows.servers.choose import set_prefect_defaults

    set_prefect_defaults()

    from prefect import context

    import storyreel.flows.render  # noqa: F401
    from storyreel.flows.commands.app import command_of
    from storyreel.flows.commands.main import COMMANDS, main
    from storyreel.tasks.providers import load, names
    from tests.flows.dying import die_at

    for name in names():
        load(name)
    for name in COMMANDS:
        command_of(name)
    for name in _LATE:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        wanted = _forked(control)
    if wanted:
        wanted.take_place()
        set_prefect_defaults()
        for _ in range(2):  # it reads the profiles of the home that the context before it has
            context.GLOBAL_SETTINGS_CONTEXT = context.root_settings_context()
        if wanted.step:
            die_at(wanted.step)
        main()
