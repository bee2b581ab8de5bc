"""A ledger in SQLite that is only read, without SQLAlchemy, whose import takes longer than all that a command asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from storyreel.tasks.ledger.owner import new_run
from storyreel.tasks.ledger.reading.connection import VERSION, Connection, Values
from storyreel.tasks.ledger.reading.purchases import timestamp
from storyreel.tasks.ledger.reading.queries import Queries
from storyreel.tasks.storage.files import keep_private

Result = TypeVar("Result")

_TRY_SECONDS = 1.0
"""Seconds to wait for a writer that keeps readers out as well."""


def open_to_read(file: Path, otherwise: Callable[[], Queries]) -> Queries:
    """The ledger in a file. What cannot be read here is opened by `otherwise`, which waits, or says what is wrong."""
    with suppress(sqlite3.Error):
        return _Reader(file, otherwise)
    return otherwise()


def keep_files_private(file: Path) -> None:
    """Take the files of a ledger from other users."""
    for each in (file, *(file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm"))):
        keep_private(each)


class _Reader(Queries):
    def __init__(self, file: Path, otherwise: Callable[[], Queries]) -> None:
        """Raises sqlite3.Error if the file is no ledger of this version."""
        keep_files_private(file)
        self._otherwise = otherwise
        self._whole: Queries | None = None
        # Opened for writing, as readers leave marks in the files beside it; it is not created.
        self._connection = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_TRY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        self._seen = Connection(select=self._select, now=":now", reader=new_run())
        try:
            if self._select("SELECT version FROM schema_version", {}) != [(VERSION,)]:
                raise sqlite3.DatabaseError("tables of another version")
        except sqlite3.Error:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()
        if self._whole:
            self._whole.close()

    def _reading(self, work: Callable[[Connection], Result]) -> Result:
        if self._whole is None:
            try:
                return self._transaction(work)
            except sqlite3.Error:
                self._whole = self._otherwise()
        return self._whole._reading(work)

    def _transaction(self, work: Callable[[Connection], Result]) -> Result:
        self._connection.execute("BEGIN")
        try:
            return work(self._seen)
        finally:
            self._connection.rollback()

    def _select(self, query: str, values: Values) -> Iterable[Sequence[Any]]:
        return self._connection.execute(query, {"now": timestamp(datetime.now(UTC)), **values}).fetchall()
