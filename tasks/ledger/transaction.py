"""A page of the ledger: a row as it is in one transaction, and the few ways in which it changes.

Every change leaves an event, and an order that a row goes on from is set aside as it was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, insert, select, update

from storyreel.specs.money import Money
from storyreel.tasks.ledger import rows
from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.owner import Owner
from storyreel.tasks.ledger.purchase import LEASE, Order, Purchase, State
from storyreel.tasks.ledger.schema import EARLIER, EVENTS, OF_AN_ORDER, PURCHASES

_TWICE = "accepted although the row was {state} by then: ordered twice"


class Page:
    """The ledger in a transaction of one run. Where it writes, no other writer comes between."""

    def __init__(self, connection: Connection, database: Database, owner: Owner) -> None:
        self.connection = connection
        self._database, self._owner = database, owner
        self.rows = rows.Rows(connection, owner, database.now())

    def now(self, ahead: timedelta = timedelta(0)) -> ColumnElement[str]:
        """The database's time."""
        return self._database.now(ahead)

    # Looking

    def row(self, key: str) -> Purchase:
        """A row, held until the transaction ends. Raises LookupError."""
        row = self.rows.one(key)
        if row is None:
            raise LookupError(f"the ledger has no purchase {key}")
        return row

    def is_as_seen(self, seen: Purchase) -> bool:
        """Whether a row has not moved since it was seen."""
        row = self.rows.one(seen.order.key)
        return row is not None and same(row, seen)

    def is_open(self, seen: Purchase) -> bool:
        """Whether a row is as it was seen, and nobody is at work on it."""
        if not self.is_as_seen(seen):
            return False
        under_way = seen.state in (State.INTENDED, State.SUBMITTED)
        return seen.state is State.UNKNOWN or (under_way and self.row(seen.order.key).is_abandoned())

    # Several transactions at once

    def line_up(self) -> None:
        """Wait for all others that have lined up; to be called before anything else."""
        self._database.line_up(self.connection)

    def lock(self) -> None:
        """Let nobody else change any row."""
        if not self._database.is_sqlite:
            self.connection.exec_driver_sql("LOCK TABLE purchases IN SHARE ROW EXCLUSIVE MODE")

    # Orders

    def insert(self, order: Order) -> Purchase:
        """Note the first order of a key. Raises IntegrityError when it has a row."""
        noted = self._intended(order)
        times = {"created": noted["intended"], "changed": noted["intended"]}
        self.connection.execute(insert(PURCHASES).values(noted | times))
        rows.note(self.connection, order.key)
        return self.row(order.key)

    def insert_again(self, order: Order) -> bool:
        """Note another order of a key that has a row; what the row stood for is set aside."""
        self._set_aside(order.key)
        nothing = dict.fromkeys(("task", "clip", "cost", "currency", "submitted", "finished"))
        return self.change(order.key, **self._intended(order), **nothing)

    def change(self, key: str, /, **values: Any) -> bool:
        """Something becomes of an order. It may have to be paid from then on, unless `owed=False` is given."""
        change = {"owed": True} | values | {"changed": self.now()}
        self.connection.execute(update(PURCHASES).where(PURCHASES.c.key == key).values(change))
        rows.note(self.connection, key)
        return True

    def undo(self, row: Purchase, reason: str, undone: tuple[State, ...]) -> bool:
        """Bring a row back to what it was before its present order; a first order leaves no row.

        Orders before it that are still in one of the states that are undone are passed over.
        """
        key = row.order.key
        rows.note(self.connection, key, taken_back=reason, at=self.now())
        ended = EARLIER.c.state.not_in(undone)
        before = self.connection.execute(select(func.max(EARLIER.c.number)).where(EARLIER.c.key == key, ended)).scalar()
        if before is None:
            self.connection.execute(delete(PURCHASES).where(PURCHASES.c.key == key))
            return True
        self._bring_back(key, before)
        rows.note(self.connection, key)
        return True

    def give_way(self, order: Order) -> None:
        """Let a row stand for this run's order of it again: the one it has came to nothing, and ours was accepted."""
        if self.connection.execute(select(PURCHASES.c.key).where(self._is_ours(PURCHASES, order.key))).first():
            return
        ours = self._unanswered(order.key)
        self._set_aside(order.key)
        if ours is None:
            values = self._intended(order)
            self.connection.execute(update(PURCHASES).where(PURCHASES.c.key == order.key).values(values))
        else:
            self._bring_back(order.key, ours)

    def note_stray(self, row: Purchase, order: Order, task: str, cost: Money | None) -> None:
        """Keep an order of this run that was accepted when its row had already gone on without it: it is to be paid."""
        key, reason = row.order.key, _TWICE.format(state=row.state)
        known = {"task": task, "reason": reason, **rows.costing(cost)}
        who = {"owner_host": self._owner.host, "owner_pid": self._owner.pid}
        event = {"key": key, "at": self.now(), "state": State.SUBMITTED}
        self.connection.execute(insert(EVENTS).values(**event, **known, **who))
        said = {"state": State.SUBMITTED, "submitted": self.now(), "changed": self.now(), "owed": True, **known}
        ours = self._unanswered(key, task)
        if ours is None:
            noted = {name: value for name, value in self._intended(order).items() if name in OF_AN_ORDER}
            self.connection.execute(insert(EARLIER).values({"key": key} | noted | said))
        else:
            self.connection.execute(update(EARLIER).where(EARLIER.c.number == ours).values(said))

    # Whose a row is

    def set_mine(self, **values: Any) -> None:
        """Change whose, and for how long, the rows are that this run is at work on; nothing becomes of them by it."""
        mine = rows.owned(self._owner) & PURCHASES.c.state.in_([State.INTENDED, State.SUBMITTED])
        self.connection.execute(update(PURCHASES).where(mine).values(values))

    def held(self) -> dict[str, Any]:
        """This run's, for one lease."""
        return rows.owning(self._owner) | {"lease_until": self.now(LEASE)}

    def free(self) -> dict[str, Any]:
        """Nobody's: process 0 of this host, with a lease that is over."""
        nobody = self._owner.model_copy(update={"pid": 0, "run": ""})
        return rows.owning(nobody) | {"lease_until": self.now()}

    # Orders set aside

    def _intended(self, order: Order) -> dict[str, Any]:
        """An order that this run is about to send, in columns."""
        noted = {"state": State.INTENDED, "reason": "", "owed": True, "ordered_by": self._owner.run}
        return rows.naming(order) | noted | {"intended": self.now()} | self.held()

    def _set_aside(self, key: str) -> None:
        names = ["key", *OF_AN_ORDER]
        as_it_is = select(*(PURCHASES.c[name] for name in names)).where(PURCHASES.c.key == key)
        self.connection.execute(insert(EARLIER).from_select(names, as_it_is))

    def _bring_back(self, key: str, number: int) -> None:
        """Let a row stand for an earlier order, as it ended; nobody is at work on it.

        It changed when it came to that end, not now: a run that waits must not take the old end for a new one.
        """
        this = EARLIER.c.number == number
        was = self.connection.execute(select(*(EARLIER.c[name] for name in OF_AN_ORDER)).where(this)).mappings().one()
        self.connection.execute(update(PURCHASES).where(PURCHASES.c.key == key).values(dict(was) | self.free()))
        self.connection.execute(delete(EARLIER).where(this))

    def _unanswered(self, key: str, task: str | None = None) -> int | None:
        """The last of this run's orders of a key that its row has gone on from before there was an answer to it.

        One whose answer was `task` is found too: the same answer may be noted once more.
        """
        unanswered = EARLIER.c.task.is_(None) | (EARLIER.c.task == task)
        question = select(func.max(EARLIER.c.number)).where(self._is_ours(EARLIER, key), unanswered)
        return self.connection.execute(question).scalar()

    def _is_ours(self, table: Table, key: str) -> ColumnElement[bool]:
        return and_(table.c.key == key, table.c.ordered_by == self._owner.run)


def same(row: Purchase, seen: Purchase) -> bool:
    """Whether a row has not moved since it was seen."""
    return (row.state, row.task, row.owner, row.changed) == (seen.state, seen.task, seen.owner, seen.changed)
