"""A process that has imported all of `storyreel` and of Prefect's workers, and becomes a run whenever one is wanted.

    python tests/flows/forking.py NUMBER-OF-A-SOCKET

Each run is a process of its own, with a number, a session, an environment and a folder of its own, and it ends as
the command does. Only the seconds of imports before its first step are missing. See `warm` for what is sent.
"""

from __future__ import annotations

import gc
import importlib
import os
import runpy
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.flows.forks import Wanted

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
"""Modules that a run imports while it works."""


def run_python(arguments: Sequence[str]) -> None:
    """Run a module or a file as Python does, and whatever it becomes by `exec`."""
    from tests.flows.family import Becomes, become_by_raising

    become_by_raising()
    while True:
        settings_of_this_process()
        safely = [word for word in arguments if word != "-P"] if arguments[0] == "-P" else list(arguments)
        own_path = [] if len(safely) < len(arguments) else [str(Path.cwd())]
        sys.path[:0] = [*own_path, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        try:
            if safely[0] == "-m":
                sys.argv = safely[1:]
                runpy.run_module(safely[1], run_name="__main__", alter_sys=True)
            else:
                sys.argv = safely
                runpy.run_path(safely[0], run_name="__main__")
        except Becomes as becomes:
            arguments = becomes.arguments
        else:
            return


def settings_of_this_process() -> None:
    """Read Prefect's settings anew."""
    from prefect import context

    for _ in range(2):  # it reads the profiles of the home that the context before it has
        context.GLOBAL_SETTINGS_CONTEXT = context.root_settings_context()


def _become(wanted: Wanted) -> None:
    wanted.take_place()
    if wanted.starts_runs:
        from tests.flows import family

        # Comes back also in each of the processes that it has forked.
        wanted = family.found() or wanted
    if wanted.is_python:
        run_python(wanted.arguments)
        return
    set_prefect_defaults()
    settings_of_this_process()
    if wanted.step:
        die_at(wanted.step)
    main()


if __name__ == "__main__":
    from storyreel.flows.servers.choose import set_prefect_defaults

    set_prefect_defaults()

    import storyreel.flows.render  # noqa: F401
    from storyreel.flows.commands.app import command_of
    from storyreel.flows.commands.main import COMMANDS, main
    from storyreel.tasks.providers import load, names
    from tests.flows.dying import die_at
    from tests.flows.forks import serve_forks

    for name in names():
        load(name)
    for name in COMMANDS:
        command_of(name)
    for name in _LATE:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        wanted = serve_forks(control)
    if wanted:
        _become(wanted)
