"""The database of the ledger: SQLite on this machine, or PostgreSQL for several.

A commit is on the disk when it returns. Obstacles that may pass (another writer, a restart of the server) are retried.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, create_engine, event, func, literal, literal_column, select
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from storyreel.specs.secrets import hidden
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.ledger.reading.purchases import timestamp
from storyreel.tasks.ledger.reading.sqlite import keep_files_private
from storyreel.tasks.storage.files import make_private_folder

Result = TypeVar("Result")

_TIMEOUT = 60.0
"""Seconds to wait for other writers, and for a server that does not answer."""
_TRY_SECONDS = 1.0
"""Seconds that SQLite itself waits for another writer; then `retry` looks whether there is still time."""
_BEGIN = "begin_with"
"""Execution option with the statement that begins a transaction in SQLite."""
_LOCK_SECONDS = "lock_seconds"
"""Execution option with the seconds that a transaction waits for a lock in PostgreSQL, by itself without end."""
_NOTICED: Mapping[str, int] = MappingProxyType(
    {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
)
"""Options of libpq, in seconds and milliseconds: with those of the system a connection that a router or a lost network
has dropped without a word is noticed after a quarter of an hour, and a lease is over by then."""
_SCHEMA_LOCK = 495840486764
"""Advisory lock, a number that other programs hardly use: `sreel` in ASCII."""
WRITERS_LOCK = _SCHEMA_LOCK + 1
_WRITERS = 4
_LOCKED = "55P03"
_TRANSIENT = ("08", "57P", "40001", "40P01", _LOCKED)
"""SQLSTATEs to retry begin so: connection, server stop, serialization, deadlock, lock (PostgreSQL's appendix A)."""


class Database:
    """An open database. Safe for any number of threads and processes at once."""

    def __init__(self, url: str) -> None:
        """Raises LedgerError if the address is wrong or the driver is missing."""
        self._url = _parsed(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self._url) if self.is_sqlite else _postgresql(self._url)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @property
    def writers(self) -> int:
        """The most transactions that write that are of use at a time: SQLite has them wait for each other."""
        return 1 if self.is_sqlite else _WRITERS

    @property
    def place(self) -> str:
        """The file or the address without its password, for messages."""
        if self.is_sqlite:
            return self._url.database or "memory"
        return hidden(self._url.render_as_string(hide_password=False))

    def now(self, ahead: timedelta = timedelta(0)) -> ColumnElement[str]:
        """The database's time as the tables store it: one clock for all hosts, one time in all of a statement."""
        if self.is_sqlite:
            return literal(timestamp(datetime.now(UTC) + ahead))
        return literal_column(_now_of_server(ahead))

    @property
    def now_in_sql(self) -> str:
        """The same, in SQL; of SQLite the value `now`."""
        return ":now" if self.is_sqlite else _now_of_server(timedelta(0))

    def read(self, work: Callable[[Connection], Result], timeout: float = _TIMEOUT) -> Result:
        """Run work in a transaction that reads. Raises LedgerError."""
        return self.retry(lambda: self._transaction(work, "BEGIN", timeout), timeout)

    def write(self, work: Callable[[Connection], Result], timeout: float = _TIMEOUT) -> Result:
        """Run work in a transaction that writes; in SQLite one after the other. Raises LedgerError, or IntegrityError.

        If the connection breaks during the commit, it is not known whether that succeeded, and the work runs again: it
        must check what is stored.
        """
        return self.retry(lambda: self._transaction(work, "BEGIN IMMEDIATE", timeout), timeout)

    def exclusive(self, work: Callable[[Connection], Result]) -> Result:
        """Run work in a transaction while no other process runs work with this method. Raises LedgerError."""

        def locked(connection: Connection) -> Result:
            if not self.is_sqlite:
                connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
            return work(connection)

        return self.retry(lambda: self._transaction(locked, "BEGIN EXCLUSIVE"))

    def retry(self, work: Callable[[], Result], timeout: float = _TIMEOUT) -> Result:
        """Run work, again for `timeout` seconds while it fails for a reason that may pass. Raises LedgerError."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return work()
            except IntegrityError:
                raise
            except (SQLAlchemyError, sqlite3.Error) as error:
                if not _is_transient(error) or time.monotonic() >= deadline:
                    raise self._as_ledger_error(error) from error
            time.sleep(random.uniform(0.05, 0.25))

    def _transaction(self, work: Callable[[Connection], Result], begin: str, timeout: float = _TIMEOUT) -> Result:
        options = {_BEGIN: begin, _LOCK_SECONDS: timeout or _TIMEOUT}
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            return work(connection)

    def _as_ledger_error(self, error: Exception) -> LedgerError:
        cause = getattr(error, "orig", None) or error
        text = (str(cause).splitlines() or [type(cause).__name__])[0].strip()
        passwords = (self._url.password, self._url.query.get("password"))
        text = hidden(text, [str(password) for password in passwords if password])
        if getattr(cause, "sqlstate", None) == _LOCKED:
            text = "locked"
        elif not self.is_sqlite:
            return LedgerError(f"the ledger at {self.place} cannot be used: {text}", next="storyreel doctor")
        for word, message, hint in _SQLITE_ERRORS:
            if word in text:
                return LedgerError(message.format(place=self.place), hint=hint.format(place=self.place))
        return LedgerError(f"the ledger {self.place} cannot be used: {text}", next="storyreel doctor")


_SQLITE_ERRORS = (
    ("not a database", "the ledger {place} is damaged: it is not an SQLite database",
     "restore {place} from a backup; without one, move it away: everything that was bought is then bought again"),
    ("malformed", "the ledger {place} is damaged",
     "restore {place} from a backup, or save what can be read: sqlite3 {place} .recover | sqlite3 saved.sqlite"),
    ("disk is full", "the disk that holds the ledger {place} is full", "free some space, then run the command again"),
    ("readonly", "the ledger {place} cannot be written to", "give your user the right to write to it and its folder"),
    ("unable to open", "the ledger {place} cannot be opened",
     "give your user the right to read and write it and its folder"),
    ("locked", "another program has locked the ledger {place} for more than a minute",
     "end that program, then run the command again"),
)  # fmt: skip
"""Words in a message of SQLite, our message, and the hint."""


def _now_of_server(ahead: timedelta) -> str:
    seconds = ahead.total_seconds()
    return (
        f"to_char(timezone('UTC', statement_timestamp() + interval '{seconds} seconds'),"
        " 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || '+00:00'"
    )


def _parsed(url: str) -> URL:
    # An address that cannot be parsed is not repeated: there may be a password in it.
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise LedgerError("STORYREEL_LEDGER_URL is not the address of a database", hint=_URLS) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise LedgerError(f"the ledger cannot be stored in {parsed.drivername}", hint=_URLS)
    return parsed


_URLS = "set STORYREEL_LEDGER_URL to postgresql://user:password@host/database, or unset it"


def _sqlite(url: URL) -> Engine:
    if url.database and not url.database.startswith((":memory:", "file:")):
        try:
            _create_private(Path(url.database))
        except OSError as error:
            raise LedgerError(
                f"the ledger {url.database} cannot be created: {error.strerror}",
                hint="set STORYREEL_HOME to a folder that your user can write to",
            ) from None
    engine = create_engine(url, connect_args={"timeout": _TRY_SECONDS}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The listener below begins transactions. The driver would begin them later, at the first write.
        connection.isolation_level = None
        _write_ahead(connection, url)
        # A commit must survive a power cut, or an order could be sent twice.
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # With BEGIN, a transaction that reads and then writes fails at once if another has written in between.
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine


def _create_private(file: Path) -> None:
    """Create the file and its folder for this user alone, unless they exist; take an existing file from others."""
    make_private_folder(file.parent)
    # SQLite takes an empty file for an empty database, and gives its other files the mode of this one.
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
    keep_files_private(file)


def _write_ahead(connection: Any, url: URL) -> None:
    """Turn on write-ahead logging, so that readers need not wait for a writer. Network file systems cannot do that."""
    if not url.database or url.database == ":memory:":
        return
    deadline = time.monotonic() + _TIMEOUT
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                return
            raise LedgerError(
                f"the file system of {url.database} cannot store a ledger",
                hint="set STORYREEL_HOME to a folder on a disk of this machine, or STORYREEL_LEDGER_URL to PostgreSQL",
            )
        except sqlite3.OperationalError as error:
            # SQLite fails at once, without its timeout, if several processes change the mode.
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
        time.sleep(random.uniform(0.01, 0.05))


def _postgresql(url: URL) -> Engine:
    try:
        noticed = {option: value for option, value in _NOTICED.items() if option not in url.query}
        engine = create_engine(url, connect_args=noticed, pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError:
        raise LedgerError(
            "a ledger in PostgreSQL needs the driver psycopg, which is not installed",
            next="pip install 'storyreel[postgres]'",
        ) from None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # For this transaction alone: a connection pooler may give the next one to another program.
        seconds = connection.get_execution_options().get(_LOCK_SECONDS, _TIMEOUT)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, round(1000 * seconds))}")

    return engine


def _is_transient(error: Exception) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return "locked" in str(cause)
    state = getattr(cause, "sqlstate", None)
    if isinstance(error, DBAPIError) and type(cause).__name__ == "OperationalError" and state is None:
        return True  # connecting failed, for which libpq has no SQLSTATE
    return str(state).startswith(_TRANSIENT)
