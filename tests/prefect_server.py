"""Prefect servers of the suite's own, and homes that one has been in before.

A Prefect server in an empty home first makes its database, in more than a hundred migrations: seconds of work that
are the same every time. It is done once on a machine and kept in its folder for temporary files.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest

from storyreel.flows.servers.choose import EphemeralServer, set_prefect_defaults

_QUIET = {
    # They are in the database already.
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    # Nothing here is scheduled, triggered or run by workers, and each of these looks again and again.
    **{
        f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false"
        for service in ("SCHEDULER", "LATE_RUNS", "TRIGGERS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "FOREMAN")
    },
}


@contextmanager
def serving(home: Path, **variables: str) -> Iterator[str]:
    """A server whose `PREFECT_HOME` is given; gives the address of its API."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            patch.delenv(name)
        for name, value in {"PREFECT_HOME": str(home), **variables}.items():
            patch.setenv(name, value)
        set_prefect_defaults()
        server = EphemeralServer()
    with server:
        yield server.start()


@contextmanager
def standing() -> Iterator[str]:
    """A server that many runs report to."""
    with tempfile.TemporaryDirectory(prefix="storyreel-prefect-") as folder:
        home = Path(folder)
        move_in(home)
        with serving(home, **_QUIET) as api:
            yield api


def move_in(home: Path) -> None:
    """Make a home as it is after a server has been in it, but for its runs."""
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(_database(), home / "prefect.db")


def _database() -> Path:
    """A database without any run, as this version of Prefect makes it."""
    kept = Path(tempfile.gettempdir()) / "storyreel-prefect" / f"{version('prefect')}-1.db"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            home, made = Path(folder) / "home", Path(folder) / "whole.db"
            with serving(home):
                pass
            with closing(sqlite3.connect(home / "prefect.db")) as source, closing(sqlite3.connect(made)) as target:
                source.backup(target)
            made.replace(kept)
    return kept
