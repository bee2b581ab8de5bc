"""Who is to look now: a service has called back about a task, and the run that waits for it need not wait longer.

A wake is a hint and nothing more. It may come twice, late or never, so whoever waits also looks at its own times.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, ColumnElement, Connection, MetaData, String, Table, Text, delete, insert, select
from sqlalchemy.exc import IntegrityError

from storyreel.tasks.ledger.database import Database, written

_KEPT = timedelta(days=2)
"""A wake that nobody took belongs to a run that is gone; services themselves forget a task after a day."""

TABLE = Table(
    "wakes",
    MetaData(),
    Column("provider", String(64), primary_key=True),
    Column("task", Text, primary_key=True),
    Column("at", String(32), nullable=False),
)
"""One row a task that is to be looked at. The ledger's migrations make it."""


class Wakes:
    """The wakes in a ledger's database. Safe for any number of processes at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def wake(self, provider: str, task: str) -> None:
        """Have whoever waits for a service's task look at it now. Saying so twice is the same as once."""
        now = datetime.now(UTC)

        def note(connection: Connection) -> None:
            connection.execute(delete(TABLE).where(_is(provider, task) | (TABLE.c.at < written(now - _KEPT))))
            connection.execute(insert(TABLE).values(provider=provider, task=task, at=written(now)))

        # Another callback may note it meanwhile, which says the same.
        with suppress(IntegrityError):
            self._database.write(note)

    def take_wakeup(self, provider: str, task: str) -> bool:
        """Whether to look at a task now; asking takes the wake. Cheap: nothing is written where there is none."""
        this = _is(provider, task)
        if not self._database.read(lambda connection: connection.execute(select(TABLE.c.at).where(this)).first()):
            return False
        return self._database.write(lambda connection: connection.execute(delete(TABLE).where(this)).rowcount == 1)


def _is(provider: str, task: str) -> ColumnElement[bool]:
    return (TABLE.c.provider == provider) & (TABLE.c.task == task)
