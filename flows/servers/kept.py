"""The server of a run, kept for some minutes after it for the next one.

It is recorded in `run-server.json` of STORYREEL_HOME. Each run that uses it holds a shared lock on that file, which the
system releases however the run ends. The server ends when no run has held the lock for its time, or at once when the
record is gone or another server's.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from storyreel.flows.errors import RunFailed
from storyreel.flows.servers.local import Tell, listens, pages_url, probe
from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.owner import Owner, owner_of_process
from storyreel.tasks.storage.files import write_whole

_LOOK_SECONDS = 1.0
_TRIES = 5
_PAUSE_SECONDS = 0.05
"""Between tries to use a server, which itself looks for a moment whether it is used."""


class Keeping(Frozen):
    """The time for which a server is kept, and the runs for which it is."""

    seconds: float
    settings: str
    """The digest of Prefect's settings; a run that has others does not use it."""

    @property
    def in_words(self) -> str:
        """A clause about how long it stays."""
        minutes = round(self.seconds / 60)
        time = "a minute" if minutes == 1 else f"{minutes} minutes" if minutes else f"{self.seconds:g} s"
        return f"which stays for {time} after it for the next one; storyreel ui --stop ends it"


class KeptServer(Frozen):
    """A server that runs use one after another."""

    port: int
    process: Owner
    keeping: Keeping
    database: tuple[int, int] | None = None
    """The file of Prefect's default database, by device and number: a deleted one is still open in the server."""

    def is_answering(self) -> bool:
        """Whether its process runs and answers at its port."""
        return (
            self.process.is_here()
            and self.process.is_alive()
            and listens(self.process.pid, self.port)
            and probe(self.port) == "prefect"
        )


class BorrowedServer:
    """A kept server in use by this run, as a context manager."""

    def __init__(self, server: KeptServer, use: IO[bytes]) -> None:
        self._server, self._use = server, use

    @property
    def in_words(self) -> str:
        """A clause about whose it is and how long it stays."""
        return f"the server of an earlier run, {self._server.keeping.in_words}"

    def __enter__(self) -> BorrowedServer:
        return self

    def begin(self) -> None:
        """Do nothing: the server serves already."""

    def start(self, tell: Tell = lambda text: None) -> str:
        """The URL of its API. Raises RunFailed if it does not answer any more."""
        if not self._server.is_answering():
            lost = f"the server at {pages_url(self._server.port)}, which an earlier run has left, does not answer"
            raise RunFailed(lost, next="storyreel ui --stop, then the same command again")
        return f"{pages_url(self._server.port)}/api"

    def __exit__(self, *_: object) -> None:
        self._use.close()


def record_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The file that records the kept server."""
    return Home.of(environment).root / "run-server.json"


def borrowed_server(settings: str) -> BorrowedServer | None:
    """The kept server for runs with these settings, in use from now on; None if there is none that answers."""
    use = _in_use(record_path())
    if use is None:
        return None
    server = _recorded(use)
    if server and server.keeping.settings == settings and server.database == _database() and server.is_answering():
        return BorrowedServer(server, use)
    use.close()
    return None


def keep(pid: int, port: int, keeping: Keeping) -> tuple[Path, IO[bytes]] | None:
    """Record a server as kept, and use it until the file that is returned is closed; None if that cannot be done."""
    path = record_path()
    server = KeptServer(port=port, process=owner_of_process(pid), keeping=keeping, database=_database())
    try:
        write_whole(path, server.model_dump_json(), private=True)
    except OSError:
        return None
    use = _in_use(path)
    return (path, use) if use else None


def kept_server(environment: Mapping[str, str] = os.environ) -> KeptServer | None:
    """The server that is kept now; None if there is none."""
    try:
        with record_path(environment).open("rb") as record:
            server = _recorded(record)
    except OSError:
        return None
    return server if server and server.process.is_here() and server.process.is_alive() else None


def end_kept() -> str:
    """End the kept server; returns a sentence that says so, empty if there was none. A run that uses it goes on."""
    path, server = record_path(), kept_server()
    if server is None:
        return ""
    with path.open("rb") as record:
        is_free = _lock(record, exclusive=True)
        path.unlink(missing_ok=True)
        if not is_free:
            return f"the server of a run at {pages_url(server.port)} is still in use, and ends with that"
        os.kill(server.process.pid, signal.SIGTERM)
    return f"the server at {pages_url(server.port)}, which an earlier run has left, is stopped; its runs are kept"


def wait_until_unused(path: Path) -> IO[bytes] | None:
    """In the server's process: wait until it has not been used for its time, or is kept no longer.

    No other process can use it then as long as the returned file is open. None if another server is recorded already.
    """
    try:
        record = path.open("rb")
    except OSError:
        return None
    server = _recorded(record)
    if server is None or server.process.pid != os.getpid():
        return None
    used = time.monotonic()
    while True:
        is_free = _lock(record, exclusive=True)
        is_ours = _is_same(record, path)
        now = time.monotonic()
        if not is_free:
            used = now
        elif not is_ours or now - used >= server.keeping.seconds:
            if is_ours:
                path.unlink(missing_ok=True)
            return record
        else:
            _unlock(record)
        time.sleep(_LOOK_SECONDS)


def _database() -> tuple[int, int] | None:
    """The file of Prefect's default database; None if there is none."""
    try:
        found = (Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser() / "prefect.db").stat()
    except (OSError, RuntimeError):
        return None
    return found.st_dev, found.st_ino


def _in_use(path: Path) -> IO[bytes] | None:
    """The record with its shared lock; None if there is none, or the server is ending."""
    for _ in range(_TRIES):
        try:
            record = path.open("rb")
        except OSError:
            return None
        if _lock(record, exclusive=False) and _is_same(record, path):
            return record
        record.close()
        time.sleep(_PAUSE_SECONDS)
    return None


def _recorded(record: IO[bytes]) -> KeptServer | None:
    try:
        return KeptServer.model_validate_json(record.read())
    except (OSError, ValueError):
        return None


def _is_same(record: IO[bytes], path: Path) -> bool:
    """Whether a path still leads to the file that is open."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(record.fileno()), path.stat())
    return False


if sys.platform == "win32":  # no server is kept there

    def _lock(record: IO[bytes], *, exclusive: bool) -> bool:
        return False

    def _unlock(record: IO[bytes]) -> None:
        pass

else:
    import fcntl

    def _lock(record: IO[bytes], *, exclusive: bool) -> bool:
        """Take the lock of an open file; False if another process keeps it from that, or the file system has none."""
        try:
            fcntl.flock(record, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(record: IO[bytes]) -> None:
        fcntl.flock(record, fcntl.LOCK_UN)
