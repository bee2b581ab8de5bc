"""A transaction on the ledger: how a row is checked and changed, and the base of what opens transactions.

Every change adds an event, and an order that is replaced by another of the same key is kept in `earlier`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, insert, select, text, update

from storyreel.specs.foreign_text import storable
from storyreel.specs.money import Money
from storyreel.tasks.ledger import rows
from storyreel.tasks.ledger.database import WRITERS_LOCK, Database
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.ledger.owner import Owner, new_run
from storyreel.tasks.ledger.purchase import LEASE, Order, Purchase, State
from storyreel.tasks.ledger.reading import connection as reading
from storyreel.tasks.ledger.reading import purchases
from storyreel.tasks.ledger.reading.purchases import ORDER_COLUMNS, timestamp
from storyreel.tasks.ledger.reading.queries import Queries
from storyreel.tasks.ledger.schema import EARLIER, EVENTS, PURCHASES, ensure_schema

Result = TypeVar("Result")

_ORDERED_TWICE = "accepted when the row was already {state}: ordered twice"


class LedgerBase(Queries):
    """An open ledger database and the run that uses it. Opens transactions."""

    def __init__(self, url: str) -> None:
        """Open the database and create its tables if it is empty. Raises LedgerError."""
        self.owner = new_run()
        self._database = Database(url)
        self._ordered: dict[str, Order] = {}
        """Orders of this run, by key."""
        self._may_own_rows = False
        """Whether this run has ever owned a row."""
        try:
            ensure_schema(self._database)
        except LedgerError:
            self._database.close()
            raise

    def _reading(self, work: Callable[[reading.Connection], Result]) -> Result:
        return self._read(lambda tx: work(tx.reading))

    def _read(self, work: Callable[[Transaction], Result]) -> Result:
        return self._database.read(lambda connection: work(Transaction(connection, self._database, self.owner)))

    def _write(self, work: Callable[[Transaction], Result], **options: float) -> Result:
        """Raises LedgerError, or IntegrityError."""
        return self._database.write(
            lambda connection: work(Transaction(connection, self._database, self.owner)), **options
        )


class Transaction:
    """A transaction of one run. Rows that it has read for writing are not changed by others before it ends."""

    def __init__(self, connection: Connection, database: Database, owner: Owner) -> None:
        self.connection = connection
        self._database, self._owner = database, owner
        self.reading = reading.Connection(
            select=partial(_select, connection),
            now=database.now_in_sql,
            reader=owner,
            lock="" if database.is_sqlite else " FOR UPDATE OF purchases",
        )
        """The connection as the queries of `reading` take it."""

    def now(self, ahead: timedelta = timedelta(0)) -> ColumnElement[str]:
        """The database's time."""
        return self._database.now(ahead)

    # Checks

    def row(self, key: str) -> Purchase:
        """The row of a key, locked until the transaction ends. Raises LookupError."""
        row = self.find(key)
        if row is None:
            raise LookupError(f"the ledger has no purchase {key}")
        return row

    def find(self, key: str) -> Purchase | None:
        """The row of a key, locked until the transaction ends; None if there is none."""
        return purchases.one(self.reading, key)

    def is_as_seen(self, seen: Purchase) -> bool:
        """Whether a row is unchanged since it was read."""
        row = self.find(seen.order.key)
        return row is not None and is_unchanged(row, seen)

    def is_open(self, seen: Purchase) -> bool:
        """Whether a row is unchanged since it was read, has no outcome yet, and no run is working on it."""
        if not self.is_as_seen(seen):
            return False
        under_way = seen.state in (State.INTENDED, State.SUBMITTED)
        return seen.state is State.UNKNOWN or (under_way and self.row(seen.order.key).is_abandoned())

    # Concurrent transactions

    def serialize(self) -> None:
        """Wait until all transactions that have called this earlier have ended.

        Call before any other statement of the transaction, or two transactions can deadlock. Later reads see all
        commits of those earlier ones.
        """
        if not self._database.is_sqlite:  # where BEGIN IMMEDIATE does the same
            self.connection.execute(select(func.pg_advisory_xact_lock(WRITERS_LOCK)))

    def lock_task(self, provider: str, task: str) -> None:
        """Wait until all transactions that have called this for the same task of a service have ended.

        Call before any other statement. Otherwise two could give one task to two rows without seeing each other.
        """
        if not self._database.is_sqlite:
            name = storable(f"{provider} {task}")
            self.connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, WRITERS_LOCK))))

    def claimant(self, provider: str, task: str) -> str | None:
        """The key of the first purchase that had a task of a service; None if none had it."""
        return purchases.claimed(self.reading, provider, [task]).get(storable(task))

    # Orders

    def insert(self, order: Order) -> Purchase:
        """Insert the row of a key's first order. Raises IntegrityError if the key has a row."""
        values = self._intended(order)
        times = {"created": values["intended"], "changed": values["intended"]}
        self.connection.execute(insert(PURCHASES).values(values | times))
        rows.add_event(self.connection, order.key)
        return self.row(order.key)

    def insert_again(self, order: Order) -> bool:
        """Put another order into the row of its key; the present one is kept in `earlier`."""
        self._move_to_earlier(order.key)
        no_outcome = dict.fromkeys(("task", "clip", "cost", "currency", "submitted", "finished"))
        return self.change(order.key, **self._intended(order), **no_outcome)

    def change(self, key: str, /, **values: Any) -> bool:
        """Update a row and add an event. Sets `owed`, unless `owed=False` is given."""
        change = {"owed": True} | values | {"changed": self.now()}
        self.connection.execute(update(PURCHASES).where(PURCHASES.c.key == key).values(change))
        rows.add_event(self.connection, key)
        return True

    def undo(self, row: Purchase, reason: str, undone: tuple[State, ...]) -> bool:
        """Restore the order that a row had before the present one; delete the row if there was none.

        Earlier orders in one of the states `undone` are skipped.
        """
        key = row.order.key
        rows.add_event(self.connection, key, taken_back=reason, at=self.now())
        ended = EARLIER.c.state.not_in(undone)
        before = self.connection.execute(select(func.max(EARLIER.c.number)).where(EARLIER.c.key == key, ended)).scalar()
        if before is None:
            self.connection.execute(delete(PURCHASES).where(PURCHASES.c.key == key))
            return True
        self._restore(key, before)
        rows.add_event(self.connection, key)
        return True

    def restore_own_order(self, order: Order) -> None:
        """Put this run's order back into a row whose present order came to nothing: the service has accepted ours."""
        if self.connection.execute(select(PURCHASES.c.key).where(self._is_ours(PURCHASES, order.key))).first():
            return
        ours = self._unanswered(order.key)
        self._move_to_earlier(order.key)
        if ours is None:
            values = self._intended(order)
            self.connection.execute(update(PURCHASES).where(PURCHASES.c.key == order.key).values(values))
        else:
            self._restore(order.key, ours)

    def add_stray(self, row: Purchase, order: Order, task: str, cost: Money | None) -> None:
        """Store in `earlier` an order of this run that was accepted after its row had got another order."""
        key, reason = row.order.key, _ORDERED_TWICE.format(state=row.state)
        known = {"task": task, "reason": reason, **rows.cost_columns(cost)}
        self._add_event_of_earlier(key, state=State.SUBMITTED, **known)
        values = {"state": State.SUBMITTED, "submitted": self.now(), "changed": self.now(), "owed": True, **known}
        ours = self._unanswered(key, task)
        if ours is None:
            intended = {name: value for name, value in self._intended(order).items() if name in ORDER_COLUMNS}
            self.connection.execute(insert(EARLIER).values({"key": key} | intended | values))
        else:
            self.connection.execute(update(EARLIER).where(EARLIER.c.number == ours).values(values))

    def earlier_order(self, key: str, task: str) -> int | None:
        """The number of the last earlier order of a key that the service accepted as `task`."""
        query = select(func.max(EARLIER.c.number)).where(EARLIER.c.key == key, EARLIER.c.task == task)
        return self.connection.execute(query).scalar()

    def exchange(self, key: str, number: int) -> None:
        """Put an earlier order back into the row of its key; the present one is kept in `earlier`."""
        self._move_to_earlier(key)
        self._restore(key, number)

    def finish_earlier(self, number: int, key: str, **values: Any) -> bool:
        """Store the clip of an earlier order, and add an event."""
        finished = {"state": State.FINISHED, "finished": self.now(), "owed": True, "changed": self.now()}
        self.connection.execute(update(EARLIER).where(EARLIER.c.number == number).values(values | finished))
        self._add_event_of_earlier(key, state=State.FINISHED, reason="", **values)
        return True

    # Owners and leases

    def set_own(self, **values: Any) -> None:
        """Set owner and lease columns of the rows that this run is working on. Adds no event."""
        own = rows.is_owned_by(self._owner) & PURCHASES.c.state.in_([State.INTENDED, State.SUBMITTED])
        self.connection.execute(update(PURCHASES).where(own).values(values))

    def leased(self) -> dict[str, Any]:
        """Column values that make this run a row's owner for one lease."""
        return rows.owner_columns(self._owner) | {"lease_until": self.now(LEASE)}

    def released(self) -> dict[str, Any]:
        """Column values that release a row: pid 0 of this host, expired lease."""
        nobody = self._owner.model_copy(update={"pid": 0, "run": ""})
        return rows.owner_columns(nobody) | {"lease_until": self.now()}

    # Earlier orders

    def _intended(self, order: Order) -> dict[str, Any]:
        """Column values of an order that this run is about to send."""
        intent = {"state": State.INTENDED, "reason": "", "owed": True, "ordered_by": self._owner.run}
        return rows.order_columns(order) | intent | {"intended": self.now()} | self.leased()

    def _add_event_of_earlier(self, key: str, **values: Any) -> None:
        process = {"owner_host": self._owner.host, "owner_pid": self._owner.pid}
        self.connection.execute(insert(EVENTS).values(key=key, at=self.now(), **values, **process))

    def _move_to_earlier(self, key: str) -> None:
        names = ["key", *ORDER_COLUMNS]
        present = select(*(PURCHASES.c[name] for name in names)).where(PURCHASES.c.key == key)
        self.connection.execute(insert(EARLIER).from_select(names, present))

    def _restore(self, key: str, number: int) -> None:
        """Move an earlier order back into the row of its key, released.

        `changed` keeps the old time: a run that waits for the row must not take the old outcome for a new one.
        """
        this = EARLIER.c.number == number
        columns = select(*(EARLIER.c[name] for name in ORDER_COLUMNS)).where(this)
        values = dict(self.connection.execute(columns).mappings().one())
        self.connection.execute(update(PURCHASES).where(PURCHASES.c.key == key).values(values | self.released()))
        self.connection.execute(delete(EARLIER).where(this))

    def _unanswered(self, key: str, task: str | None = None) -> int | None:
        """The number of this run's last earlier order of a key without a task id, or with this `task`.

        The same answer of a service may be stored twice, hence the second case.
        """
        unanswered = EARLIER.c.task.is_(None) | (EARLIER.c.task == task)
        query = select(func.max(EARLIER.c.number)).where(self._is_ours(EARLIER, key), unanswered)
        return self.connection.execute(query).scalar()

    def _is_ours(self, table: Table, key: str) -> ColumnElement[bool]:
        return and_(table.c.key == key, table.c.ordered_by == self._owner.run)


def is_unchanged(row: Purchase, seen: Purchase) -> bool:
    """Whether two reads of a row show the same state, task, owner and time of change."""
    return (row.state, row.task, row.owner, row.changed) == (seen.state, seen.task, seen.owner, seen.changed)


def _select(connection: Connection, query: str, values: reading.Values) -> Any:
    return connection.execute(text(query), {"now": timestamp(datetime.now(UTC)), **values})
