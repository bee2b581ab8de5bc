"""The database under the ledger: SQLite on this machine, or PostgreSQL for several.

A commit is on the disk when it returns. Several processes write one after the other, and what is only in the way for
a moment (another writer, a server that is started anew) is waited for.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    create_engine,
    event,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from storyreel.tasks.ledger.errors import LedgerError

__all__ = ["Database", "LedgerError", "written"]

Result = TypeVar("Result")

_PATIENCE = 60.0
"""Seconds that other writers are waited for in SQLite, and a server that is gone in PostgreSQL."""
_BEGIN = "begin_with"
"""An execution option: the statement that a transaction of SQLite begins with."""
_OUR_LOCK = 495840486764
"""Any number that other programs do not use: `sreel` in ASCII."""
_QUEUE = _OUR_LOCK + 1
_PASSING = ("08", "57P", "40001", "40P01", "55P03")
"""SQLSTATEs of PostgreSQL that may pass: connection lost, server stopping or starting, deadlock, lock not had."""


class Database:
    """A database that is open. Safe for any number of threads and processes at once."""

    def __init__(self, url: str) -> None:
        """Raises LedgerError when the address is wrong or the driver is missing."""
        self._url = _parsed(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self._url) if self.is_sqlite else _postgresql(self._url)

    def close(self) -> None:
        """Let go of it."""
        self.engine.dispose()

    @property
    def place(self) -> str:
        """Where it is, in words and without a password."""
        return self._url.database or "memory" if self.is_sqlite else self._url.render_as_string(hide_password=True)

    def now(self, ahead: timedelta = timedelta(0)) -> ColumnElement[str]:
        """The database's own time, one for all who use it and for all of a statement; as the tables have it."""
        if self.is_sqlite:
            return literal(written(datetime.now(UTC) + ahead))
        seconds = ahead.total_seconds()
        return literal_column(
            f"to_char(timezone('UTC', statement_timestamp() + interval '{seconds} seconds'),"
            " 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || '+00:00'"
        )

    def read(self, work: Callable[[Connection], Result], patience: float = _PATIENCE) -> Result:
        """What a reader finds. Raises LedgerError."""
        return self.patiently(lambda: self._transaction(work, "BEGIN"), patience)

    def write(self, work: Callable[[Connection], Result], patience: float = _PATIENCE) -> Result:
        """Do work in a transaction that no other writer comes between. Raises LedgerError, or IntegrityError.

        When the connection breaks at the commit, nobody knows whether it was done, and the work is done again:
        it has to look at what is there.
        """
        return self.patiently(lambda: self._transaction(work, "BEGIN IMMEDIATE"), patience)

    def alone(self, work: Callable[[Connection], Result]) -> Result:
        """Do work while nobody else does work of this kind. Raises LedgerError."""

        def locked(connection: Connection) -> Result:
            if not self.is_sqlite:
                connection.execute(select(func.pg_advisory_xact_lock(_OUR_LOCK)))
            return work(connection)

        return self.patiently(lambda: self._transaction(locked, "BEGIN EXCLUSIVE"))

    def line_up(self, connection: Connection) -> None:
        """Let a transaction that writes go on only when all that lined up before it have ended.

        To be called first, so that nobody is waited for who waits for us. What it then reads they have committed.
        """
        if not self.is_sqlite:  # where writers come one after the other anyway
            connection.execute(select(func.pg_advisory_xact_lock(_QUEUE)))

    def patiently(self, work: Callable[[], Result], patience: float = _PATIENCE) -> Result:
        """Do work with the database; again, for as many seconds, when what is in the way may pass."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return work()
            except IntegrityError:
                raise
            except (SQLAlchemyError, sqlite3.Error) as error:
                if not _may_pass(error) or time.monotonic() >= deadline:
                    raise self._told(error) from error
            time.sleep(random.uniform(0.05, 0.25))

    def _transaction(self, work: Callable[[Connection], Result], begin: str) -> Result:
        with self.engine.connect().execution_options(**{_BEGIN: begin}) as connection, connection.begin():
            return work(connection)

    def _told(self, error: Exception) -> LedgerError:
        """A failure of the database in words that say what to do."""
        cause = getattr(error, "orig", None) or error
        said = (str(cause).splitlines() or [type(cause).__name__])[0].strip()
        if self._url.password:
            said = said.replace(str(self._url.password), "***")
        if not self.is_sqlite:
            return LedgerError(f"the ledger at {self.place} cannot be used: {said}", "storyreel doctor")
        for word, message, hint in _SQLITE_TROUBLES:
            if word in said:
                return LedgerError(message.format(place=self.place), hint.format(place=self.place))
        return LedgerError(f"the ledger {self.place} cannot be used: {said}", "storyreel doctor")


_SQLITE_TROUBLES = (
    ("not a database", "the ledger {place} is damaged: it is no SQLite database",
     "restore {place} from a backup; without one, move it away, and what was bought before is bought again"),
    ("malformed", "the ledger {place} is damaged",
     "restore {place} from a backup, or save what can be read: sqlite3 {place} .recover | sqlite3 saved.sqlite"),
    ("disk is full", "the disk that holds the ledger {place} is full", "make room, then give the same command again"),
    ("readonly", "the ledger {place} cannot be written to", "let your user write to it and to its folder"),
    ("unable to open", "the ledger {place} cannot be opened", "let your user read and write it and its folder"),
    ("locked", "another program has held the ledger {place} for more than a minute",
     "end it, then give the same command again"),
)  # fmt: skip
"""What SQLite says, what that means, and what to do."""


def written(time: datetime) -> str:
    """A time as it stands in the tables: UTC, always as long, so that texts sort as times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _parsed(url: str) -> URL:
    """The address. What cannot be read is not repeated: there may be a password in it."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise LedgerError("STORYREEL_LEDGER_URL is no database address", _URLS) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise LedgerError(f"the ledger cannot be kept in {parsed.drivername}", _URLS)
    return parsed


_URLS = "set STORYREEL_LEDGER_URL to postgresql://user:password@host/database, or unset it"


def _sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"the ledger {url.database} cannot be made: {error.strerror}", "set STORYREEL_HOME"
            ) from None
    engine = create_engine(url, connect_args={"timeout": _PATIENCE}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # Transactions are begun below, not by the driver, which would begin them too late to be alone.
        connection.isolation_level = None
        _write_ahead(connection, url)
        # A commit must outlive a power cut: it stands between an order and its double.
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Who reads first and writes then would be refused when another has written meanwhile, however long it waits.
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine


def _write_ahead(connection: Any, url: URL) -> None:
    """Let readers go on while another writes. A network file system cannot do that, and must not hold a ledger."""
    if not url.database or url.database == ":memory:":
        return
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                return
            raise LedgerError(
                f"the file system under {url.database} cannot hold a ledger",
                "set STORYREEL_HOME to a folder on a disk of this machine, or STORYREEL_LEDGER_URL to PostgreSQL",
            )
        except sqlite3.OperationalError as error:
            # SQLite does not wait when several change the mode at once.
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
        time.sleep(random.uniform(0.01, 0.05))


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError:
        raise LedgerError(
            "a ledger in PostgreSQL needs the driver psycopg, which is not installed",
            "pip install 'storyreel[postgres]'",
        ) from None


def _may_pass(error: Exception) -> bool:
    """Whether it may go well a moment later."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return "locked" in str(cause)
    state = getattr(cause, "sqlstate", None)
    if isinstance(error, DBAPIError) and type(cause).__name__ == "OperationalError" and state is None:
        return True  # no connection was had: libpq has no SQLSTATE for that
    return str(state).startswith(_PASSING)
