"""Wakeups: a service has called back about a task, so the run that waits for the task should poll it now.

A wakeup is a hint only. It may be stored twice, late or never, so runs also poll at their own intervals.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.reading.purchases import timestamp
from storyreel.tasks.ledger.schema import WAKEUPS

_KEPT = timedelta(days=2)
"""Age at which a wakeup is deleted: its run has ended, and services themselves forget a task after a day."""


class Wakeups:
    """The wakeups in a ledger's database. Safe for any number of processes at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def wake(self, provider: str, task: str) -> None:
        """Store a wakeup for a task. Idempotent."""
        now = datetime.now(UTC)

        def store(connection: Connection) -> None:
            expired = WAKEUPS.c.at < timestamp(now - _KEPT)
            connection.execute(delete(WAKEUPS).where(_is_for(provider, task) | expired))
            connection.execute(insert(WAKEUPS).values(provider=provider, task=task, at=timestamp(now)))

        # Another callback may have stored the same wakeup meanwhile.
        with suppress(IntegrityError):
            self._database.write(store)

    def take_wakeup(self, provider: str, task: str) -> bool:
        """Delete the wakeup for a task; False if there was none. Writes nothing if there is none."""
        this = _is_for(provider, task)
        if not self._database.read(lambda connection: connection.execute(select(WAKEUPS.c.at).where(this)).first()):
            return False
        return self._database.write(lambda connection: connection.execute(delete(WAKEUPS).where(this)).rowcount == 1)


def _is_for(provider: str, task: str) -> ColumnElement[bool]:
    return (WAKEUPS.c.provider == provider) & (WAKEUPS.c.task == task)
