"""The ledger: one row a purchase, so that nothing is bought twice.

A row is committed before anything is ordered and again right after the service has named its task:
`intended → submitted → finished | failed | unknown`. Whoever inserts the row orders; everybody else who wants
the same take waits for it. What the ledger cannot know it calls unknown, and an unknown is never ordered again
by itself.

Every change looks at the row as it is now, in a transaction that no other writer comes between, and leaves an event.
What a service has said (an id, a clip) is taken in even when the row has gone on meanwhile; nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from statistics import median
from typing import Any, Unpack

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from specs.money import Money
from tasks.pacing import Experience
from tasks.store import rows
from tasks.store.database import Database, written
from tasks.store.errors import LedgerError
from tasks.store.owner import new_run
from tasks.store.purchase import LEASE, Event, Order, Purchase, State
from tasks.store.rows import Wanted
from tasks.store.schema import PURCHASES, migrate
from tasks.store.wakes import Wakes

__all__ = ["Event", "Ledger", "LedgerError", "Order", "Purchase", "State", "Wanted"]

_REMEMBERED = 50
"""Finished purchases of a model that say how long it takes."""
_LAST_WORD_SECONDS = 2.0
"""How long letting go may take when the database is gone: the leases end by themselves."""


class Ledger:
    """The purchases of a user, in SQLite or PostgreSQL, as one run uses them.

    Safe for any number of threads, processes and hosts at once; SQLite only on a disk of the machine itself.
    Every method raises LedgerError when the database cannot be used.
    """

    def __init__(self, url: str) -> None:
        """Opens the database and brings it to today's tables."""
        self.owner = new_run()
        self._database = Database(url)
        self._wakes = Wakes(self._database)
        self._ordered: dict[str, Order] = {}
        try:
            migrate(self._database)
        except LedgerError:
            self._database.close()
            raise

    def close(self) -> None:
        """Let go of the database, and of all that this run was at work on, so that others need not wait for it."""
        if self._ordered:
            with suppress(LedgerError):
                self._database.write(
                    lambda connection: self._set_mine(connection, **self._free()), patience=_LAST_WORD_SECONDS
                )
        self._database.close()

    # Looking

    def find(self, key: str) -> Purchase | None:
        """The purchase of one key."""
        return self.find_all([key]).get(key)

    def find_all(self, keys: Iterable[str]) -> dict[str, Purchase]:
        """The purchases of many keys; keys that were never ordered are left out."""
        wanted = list(keys)
        return self._database.read(lambda connection: self._rows_of(connection).by_keys(wanted))

    def list(self, limit: int | None = None, **wanted: Unpack[Wanted]) -> tuple[Purchase, ...]:
        """The purchases that fit, what changed last first."""
        return self._database.read(lambda connection: self._rows_of(connection).listed(wanted, limit))

    def spent(self, **wanted: Unpack[Wanted]) -> tuple[Money, ...]:
        """What the services said that the purchases that fit cost, earlier orders of the same takes included.

        One sum a currency, by its code.
        """
        return self._database.read(lambda connection: rows.spent(connection, wanted))

    def history(self, key: str) -> tuple[Event, ...]:
        """All that ever happened to a key, in order."""
        return self._database.read(lambda connection: rows.events(connection, key))

    def claimed(self, tasks: Iterable[str]) -> frozenset[str]:
        """Those of a service's ids that some purchase has, or once had."""
        wanted = list(tasks)
        return self._database.read(lambda connection: rows.claimed(connection, wanted))

    def experience(self, provider: str, model: str) -> Experience | None:
        """How long a model took before, from order to clip; None when it never made anything."""
        took = self._database.read(lambda connection: rows.durations(connection, provider, model, _REMEMBERED))
        return Experience(fastest=min(took), median=median(took)) if took else None

    def now(self) -> datetime:
        """The database's time, which all times in the ledger are of."""
        told = self._database.read(lambda connection: connection.execute(select(self._database.now())).scalar_one())
        return datetime.fromisoformat(told)

    # Ordering

    def intend(self, order: Order) -> bool:
        """Note that this run is about to order. False when the key has a row already: then it must not."""
        attempts = 0

        def insert_it(connection: Connection) -> bool:
            nonlocal attempts
            attempts += 1
            self._insert(connection, order)
            return True

        self._ordered[order.key] = order
        try:
            return self._database.write(insert_it)
        except IntegrityError:
            # The first attempt may have been committed although its answer was lost.
            there = self.find(order.key) if attempts > 1 else None
            return there is not None and there.is_ours() and there.state is State.INTENDED

    def intend_again(self, seen: Purchase) -> bool:
        """Order anew what has failed, what is gone, or what is free and was left. False when the row has moved since.

        An unknown must be settled before: ValueError.
        """
        if seen.state is State.UNKNOWN:
            raise ValueError(f"nobody knows what became of {seen.order.name}; it must be settled before it is ordered")
        self._ordered[seen.order.key] = seen.order
        return self._database.write(lambda connection: self._intend_again(connection, seen))

    def take_over(self, seen: Purchase) -> bool:
        """Go on with a purchase whose owner is gone. False when the row has moved since it was seen."""
        self._ordered[seen.order.key] = seen.order
        return self._database.write(lambda connection: self._take_over(connection, seen))

    def renew(self) -> None:
        """Show that this run is still at work on what it holds; to be called well within every LEASE."""
        self._database.write(lambda connection: self._set_mine(connection, lease_until=self._database.now(LEASE)))

    # What came of it

    def submitted(self, key: str, task: str, cost: Money | None) -> bool:
        """The service has accepted the order and calls it `task`. False when another order stands in the row by now.

        Even then the id and the cost are in the history. A row that was taken back meanwhile is there again.
        """
        try:
            return self._database.write(lambda connection: self._submitted(connection, key, task, cost))
        except LedgerError as trouble:
            raise LedgerError(
                f"the service has accepted the order as {task}, and that could not be noted: {trouble.message}",
                f"when the ledger can be used again: storyreel reconcile --key {key[:12]} --attach {task}",
            ) from trouble

    def finished(self, key: str, clip: str, cost: Money | None = None) -> bool:
        """The clip is in the store, under this digest. A cost replaces one that was told before.

        False when the row is another run's by now, which will come to the same end. Twice is the same as once.
        """
        return self._database.write(lambda connection: self._finished(connection, key, clip, cost))

    def failed(self, key: str, reason: str) -> bool:
        """The service's final verdict. False when the row is another run's by now, or has its clip."""
        under_way = (State.INTENDED, State.SUBMITTED)

        def fail(connection: Connection) -> bool:
            row = self._row(connection, key)
            if not row.is_ours() or row.state not in under_way:
                return False
            return self._change(connection, key, state=State.FAILED, reason=reason)

        return self._database.write(fail)

    def unknown(self, key: str, reason: str) -> bool:
        """Nobody can tell whether the order was accepted. False when another run is at work on it, or somebody can."""

        def give_up(connection: Connection) -> bool:
            row = self._row(connection, key)
            if row.state not in (State.INTENDED, State.SUBMITTED) or not (row.is_ours() or row.is_left()):
                return False
            return self._change(connection, key, state=State.UNKNOWN, reason=reason)

        return self._database.write(give_up)

    def withdraw(self, key: str) -> bool:
        """Take back an intent of this run that surely nobody has accepted; anything further stays.

        A key that was ordered before is again what it was.
        """

        def take_back(connection: Connection) -> bool:
            row = self._rows_of(connection).one(key)
            if row is None or row.state is not State.INTENDED or not row.is_ours():
                return False
            return self._undo(connection, row, "taken back: surely not accepted", (State.INTENDED,))

        return self._database.write(take_back)

    # Settling what nobody knows

    def attach(self, seen: Purchase, task: str, reason: str, accepted: datetime | None = None) -> bool:
        """An order that nobody knew of is the service's `task`, made at `accepted`; the next run goes on with it.

        False when the row has moved since it was seen, or another purchase has that task.
        """

        def attach_it(connection: Connection) -> bool:
            if not self._database.is_sqlite:
                # Two that attach one task to two rows would otherwise not see each other.
                connection.exec_driver_sql("LOCK TABLE purchases IN SHARE ROW EXCLUSIVE MODE")
            if not self._is_open(connection, seen) or task in rows.claimed(connection, [task]) - {seen.task}:
                return False
            made = written(accepted) if accepted else None
            change = {"state": State.SUBMITTED, "task": task, "reason": reason, "submitted": made}
            return self._change(connection, seen.order.key, **change, **self._free())

        return self._database.write(attach_it)

    def never_made(self, seen: Purchase, reason: str) -> bool:
        """An order without an id was never accepted: its row is taken back. False when it has moved since."""

        def take_back(connection: Connection) -> bool:
            if seen.task or not self._is_open(connection, seen):
                return False
            return self._undo(connection, seen, f"never made: {reason}", (State.INTENDED, State.UNKNOWN))

        return self._database.write(take_back)

    def give_up(self, seen: Purchase, reason: str) -> bool:
        """Whatever became of an order, the next run orders anew. False when the row has moved since."""

        def write_off(connection: Connection) -> bool:
            if seen.state is not State.FINISHED and not self._is_open(connection, seen):
                return False
            if not self._is_as_seen(connection, seen):
                return False
            return self._change(connection, seen.order.key, state=State.FAILED, reason=reason)

        return self._database.write(write_off)

    # Waking

    def wake(self, provider: str, task: str) -> None:
        """Have whoever waits for a service's task look at it now."""
        self._database.patiently(lambda: self._wakes.wake(provider, task))

    def woken(self, provider: str, task: str) -> bool:
        """Whether to look at a task now; asking takes the wake."""
        return self._database.patiently(lambda: self._wakes.woken(provider, task))

    # Transitions, each inside a transaction

    def _intend_again(self, connection: Connection, seen: Purchase) -> bool:
        row = self._row(connection, seen.order.key)
        under_way = row.state in (State.INTENDED, State.SUBMITTED)
        if not _same(row, seen) or (under_way and not (row.is_ours() or row.is_left())):
            return False
        nothing = dict.fromkeys(("task", "clip", "cost", "currency", "submitted", "finished"))
        now = self._database.now()
        return self._change(
            connection, row.order.key, state=State.INTENDED, reason="", intended=now, **nothing, **self._held()
        )

    def _take_over(self, connection: Connection, seen: Purchase) -> bool:
        row = self._row(connection, seen.order.key)
        if row.is_ours() and (row.state, row.task) == (seen.state, seen.task):
            return True
        if not _same(row, seen) or not row.is_left():
            return False
        return self._change(connection, row.order.key, **self._held())

    def _submitted(self, connection: Connection, key: str, task: str, cost: Money | None) -> bool:
        row = self._rows_of(connection).one(key)
        if row is None and key in self._ordered:
            # Somebody settled it as never made while its order was under way after all.
            row = self._insert(connection, self._ordered[key])
        row = row or self._row(connection, key)
        if row.task == task:
            return True
        was_given_up = row.state in (State.UNKNOWN, State.FAILED) and row.task is None
        if not was_given_up and not (row.is_ours() and row.state is State.INTENDED):
            rows.note_stray(connection, row, self.owner, task, cost, self._database.now())
            return False
        said = {"state": State.SUBMITTED, "task": task, "reason": "", "submitted": self._database.now()}
        return self._change(connection, key, **said, **rows.priced(cost), **self._held())

    def _finished(self, connection: Connection, key: str, clip: str, cost: Money | None) -> bool:
        row = self._row(connection, key)
        if row.state is State.FINISHED:
            # Fetched once more, because the store had lost it: a service may encode it anew.
            return row.clip == clip or self._change(connection, key, clip=clip, **rows.priced(cost))
        if not row.is_ours():
            return False
        done = {"state": State.FINISHED, "clip": clip, "reason": "", "finished": self._database.now()}
        return self._change(connection, key, **done, **rows.priced(cost))

    def _insert(self, connection: Connection, order: Order) -> Purchase:
        now = self._database.now()
        values = order.model_dump() | self._held() | {"state": State.INTENDED, "reason": ""}
        connection.execute(insert(PURCHASES).values(values | {"created": now, "changed": now, "intended": now}))
        rows.note(connection, order.key)
        return self._row(connection, order.key)

    def _undo(self, connection: Connection, row: Purchase, reason: str, undone: tuple[State, ...]) -> bool:
        """Bring a row back to what it was before its present order; a first order leaves no row."""
        key = row.order.key
        before = rows.before(connection, key, undone)
        rows.note(connection, key, taken_back=reason, at=self._database.now())
        if before is None:
            connection.execute(delete(PURCHASES).where(PURCHASES.c.key == key))
            return True
        was = {"state": before.state, "task": before.task, "clip": before.clip, "reason": before.reason}
        paid = {"cost": None, "currency": None} | rows.priced(before.cost)
        change = was | paid | self._free() | {"submitted": None, "finished": None}
        # It changed when it came to that end, not now: a run that waits must not take the old end for a new one.
        connection.execute(
            update(PURCHASES).where(PURCHASES.c.key == key).values(change | {"changed": written(before.at)})
        )
        rows.note(connection, key)
        return True

    def _set_mine(self, connection: Connection, **values: Any) -> None:
        """Change whose, and for how long, the rows are that this run is at work on; nothing becomes of them by it."""
        mine = rows.owned(self.owner) & PURCHASES.c.state.in_([State.INTENDED, State.SUBMITTED])
        connection.execute(update(PURCHASES).where(mine).values(values))

    def _is_open(self, connection: Connection, seen: Purchase) -> bool:
        """Whether a row is as it was seen, and nobody is at work on it."""
        if not self._is_as_seen(connection, seen):
            return False
        under_way = seen.state in (State.INTENDED, State.SUBMITTED)
        return seen.state is State.UNKNOWN or (under_way and self._row(connection, seen.order.key).is_left())

    def _is_as_seen(self, connection: Connection, seen: Purchase) -> bool:
        row = self._rows_of(connection).one(seen.order.key)
        return row is not None and _same(row, seen)

    def _change(self, connection: Connection, key: str, **values: Any) -> bool:
        change = values | {"changed": self._database.now()}
        connection.execute(update(PURCHASES).where(PURCHASES.c.key == key).values(change))
        rows.note(connection, key)
        return True

    def _row(self, connection: Connection, key: str) -> Purchase:
        """A row, held until the transaction ends. Raises LookupError."""
        row = self._rows_of(connection).one(key)
        if row is None:
            raise LookupError(f"the ledger has no purchase {key}")
        return row

    def _rows_of(self, connection: Connection) -> rows.Rows:
        return rows.Rows(connection, self.owner, self._database.now())

    def _held(self) -> dict[str, Any]:
        return rows.owning(self.owner) | {"lease_until": self._database.now(LEASE)}

    def _free(self) -> dict[str, Any]:
        """Nobody's: process 0 of this host, with a lease that is over."""
        nobody = self.owner.model_copy(update={"pid": 0, "run": ""})
        return rows.owning(nobody) | {"lease_until": self._database.now()}


def _same(row: Purchase, seen: Purchase) -> bool:
    """Whether a row has not moved since it was seen."""
    return (row.state, row.task, row.owner, row.changed) == (seen.state, seen.task, seen.owner, seen.changed)
