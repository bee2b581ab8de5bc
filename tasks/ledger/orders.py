"""Placing orders: from the intent, which is stored before the order is sent, to the outcome.

Every method checks the row as it is now, in a transaction that no other writer interleaves with, and adds an event.
An answer of a service (a task id, a clip) is stored even if the row has changed meanwhile; nothing else is.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from sqlalchemy.exc import IntegrityError

from storyreel.specs.money import Money
from storyreel.tasks.ledger import budget, rows
from storyreel.tasks.ledger.budget import Limit, Scope
from storyreel.tasks.ledger.errors import DuplicateTask, LedgerError, OrderedElsewhere
from storyreel.tasks.ledger.purchase import CHARGED, LEASE, Order, Purchase, State
from storyreel.tasks.ledger.reading import purchases, totals
from storyreel.tasks.ledger.transaction import LedgerBase, Transaction, is_unchanged

Result = TypeVar("Result")

_UNDER_WAY = (State.INTENDED, State.SUBMITTED)


def _always() -> bool:
    return True


class Orders(LedgerBase):
    """The methods with which a run orders takes."""

    def intend(
        self,
        order: Order,
        limits: Sequence[Limit] = (),
        is_wanted: Callable[[], bool] = _always,
        elsewhere: Sequence[str] = (),
    ) -> bool:
        """Insert a row for an order that this run is about to send. False if the key has a row: it must not be sent.

        Nothing is stored and False returned if the order is not wanted any more when other writers have ended. True if
        it was stored before that, and the answer to the commit was lost: then it is to be withdrawn.
        Raises BudgetExceeded, with nothing stored, if the order would exceed a limit, and OrderedElsewhere if one of
        the keys `elsewhere`, of the same take at other services, has an order that has not failed.
        """
        attempts = 0

        def insert(tx: Transaction) -> bool:
            nonlocal attempts
            if limits or elsewhere:
                tx.serialize()
            row = tx.find(order.key)  # waits for who holds the table
            if not is_wanted():
                return bool(attempts) and _is_own_intent(row)
            # This run may have stored the same intent before: two of its shots may have equal requests.
            if not attempts and row:
                return False
            _check_elsewhere(tx, order, elsewhere)
            attempts += 1
            tx.insert(order)
            _check_limits(tx, order, limits)
            return True

        self._ordered[order.key], self._may_own_rows = order, True
        try:
            return self._write(insert)
        except IntegrityError:
            # The first attempt may have been committed although its answer was lost.
            return attempts > 1 and self._read(lambda tx: _is_own_intent(tx.find(order.key)))

    def intend_again(
        self,
        seen: Purchase,
        order: Order,
        limits: Sequence[Limit] = (),
        is_wanted: Callable[[], bool] = _always,
        elsewhere: Sequence[str] = (),
    ) -> bool:
        """Store a new order of a key that has a row: after a failure, a lost clip, or an abandoned free order.

        False if the row has changed since it was read. Apart from its key the order may differ from the one before.
        With `is_wanted` as `intend`.
        Raises ValueError for a purchase in state unknown, which must be settled first, and with nothing changed what
        `intend` raises.
        """
        if seen.state is State.UNKNOWN:
            raise ValueError(f"the outcome of {seen.order.name} is unknown; it must be settled before it is ordered")
        if seen.order.key != order.key:
            raise ValueError(f"{order.name} has another key than the purchase that it is to replace")
        attempts = 0

        def insert_again(tx: Transaction) -> bool:
            nonlocal attempts
            if limits or elsewhere:
                tx.serialize()
            row = tx.row(order.key)
            if not is_wanted():
                return bool(attempts) and _is_own_intent(row)
            if attempts and _is_own_intent(row):
                return True
            if not is_unchanged(row, seen) or (row.state in _UNDER_WAY and not _is_available(row)):
                return False
            _check_elsewhere(tx, order, elsewhere)
            attempts += 1
            tx.insert_again(order)
            _check_limits(tx, order, limits)
            return True

        self._ordered[order.key], self._may_own_rows = order, True
        return self._write(insert_again)

    def take_over(self, seen: Purchase) -> bool:
        """Become the owner of an abandoned purchase. False if the row has changed since it was read."""

        def take(tx: Transaction) -> bool:
            row = tx.row(seen.order.key)
            if row.is_ours() and (row.state, row.task) == (seen.state, seen.task):
                return True
            return is_unchanged(row, seen) and row.is_abandoned() and tx.change(row.order.key, **tx.leased())

        self._may_own_rows = True
        return self._write(take)

    def renew_leases(self) -> None:
        """Extend the leases of all rows that this run is working on. Call several times within each LEASE."""
        self._write(lambda tx: tx.set_own(lease_until=tx.now(LEASE)))

    # Outcomes

    def mark_submitted(self, key: str, task: str, cost: Money | None) -> bool:
        """Store that the service has accepted the order as `task`. False if the row has another order by now.

        Even then the order is kept, with its id and cost. A row that was deleted meanwhile is inserted again.
        Raises DuplicateTask, after the order is stored as unknown, if the service has given that id to another order.
        """
        try:
            is_own, other = self._write_outcome(lambda tx: self._submitted(tx, key, task, cost))
        except LedgerError as error:
            raise LedgerError(
                f"the service has accepted the order as {task}, which could not be stored in the ledger: "
                f"{error.message}",
                hint="run the next command once the ledger can be used again",
                next=f"storyreel reconcile --key {key[:12]} --attach {shlex.quote(task)}",
            ) from error
        if other:
            raise DuplicateTask(_duplicate(task, other), next=f"storyreel reconcile --key {key[:12]}")
        return is_own

    def _submitted(self, tx: Transaction, key: str, task: str, cost: Money | None) -> tuple[bool, Purchase | None]:
        """Whether the row has this order, and the purchase that had its task before, if there is one."""
        order = self._ordered.get(key)
        provider = order.provider if order else tx.row(key).order.provider
        tx.lock_task(provider, task)
        claimant = tx.claimant(provider, task)
        other = tx.find(claimant) if claimant and claimant != key else None
        row = tx.find(key)
        if row is None and order:
            # The order was settled as never made while it was under way.
            row = tx.insert(order)
        row = row or tx.row(key)
        if row.task == task:
            return True, other
        was_given_up = row.task is None and row.state in (State.UNKNOWN, State.FAILED)
        if not was_given_up and not (row.is_ours() and row.state is State.INTENDED):
            tx.add_stray(row, order or row.order, task, cost)
            return False, other
        if was_given_up and order:
            tx.restore_own_order(order)
        state = State.UNKNOWN if other else State.SUBMITTED
        values = {"state": state, "task": task, "reason": _duplicate(task, other) if other else ""}
        return tx.change(key, **values, submitted=tx.now(), **rows.cost_columns(cost), **tx.leased()), other

    def note_accepted(self, order: Order, task: str, cost: Money | None) -> bool:
        """Store that a service has accepted as `task` an order that an earlier run sent and could not store itself.

        False if a run is working on the row. If the row has another order by now, this one is kept beside it. Nothing
        is changed if any purchase has or had the task.
        """

        def note(tx: Transaction) -> bool:
            tx.lock_task(order.provider, task)
            row = tx.find(order.key)
            if row and row.state in _UNDER_WAY and not row.is_abandoned():
                return False
            if tx.claimant(order.provider, task):
                return True
            if row and (row.task or row.state is State.FINISHED):
                tx.add_stray(row, order, task, cost)
                return True
            if row is None:
                tx.insert(order)
            values = {"state": State.SUBMITTED, "task": task, "reason": "", "submitted": tx.now()}
            return tx.change(order.key, **values, **rows.cost_columns(cost), **tx.released())

        return self._write_outcome(note)

    def mark_finished(
        self,
        key: str,
        clip: str,
        cost: Money | None = None,
        *,
        task: str | None = None,
        order: Order | None = None,
    ) -> bool:
        """Store the digest of the clip, which is in the clip store. A cost replaces an earlier one. Idempotent.

        The clip is that of the order `task`, by default the row's. If the row has another order by now, that is moved
        to the earlier ones unless it is finished. A key without a row gets `order`. It does not matter whether the
        order was given up, failed or unknown: its clip is there. False if another run is working on the row by now.
        """

        def finish(tx: Transaction) -> bool:
            row = tx.find(key) or (tx.insert(order) if order else tx.row(key))
            if row.state in _UNDER_WAY and not _is_available(row):
                return False
            known = rows.cost_columns(cost)
            if task in (None, row.task):
                if row.state is State.FINISHED:
                    # The store had lost the clip. The service may have encoded it anew, with another digest.
                    return row.clip == clip or tx.change(key, clip=clip, **known)
            else:
                number = tx.earlier_order(key, task)
                if row.state is State.FINISHED:
                    return number is None or tx.finish_earlier(number, key, clip=clip, task=task, **known)
                if number is not None:
                    tx.exchange(key, number)
                elif row.task and order:
                    tx.insert_again(order)
                known["task"] = task
            return tx.change(key, state=State.FINISHED, clip=clip, reason="", finished=tx.now(), **known)

        return self._write_outcome(finish)

    def mark_failed(self, key: str, reason: str, *, owed: bool = False, is_refunded: bool = False) -> bool:
        """Store that the service refused or failed the order; unless `owed`, it counts only with a stored cost.

        `is_refunded`: the cost that the service named when it accepted the order is not charged, and becomes 0.
        False if another run owns the row by now, or it is finished.
        """

        def fail(tx: Transaction) -> bool:
            row = tx.row(key)
            may = row.is_ours() and row.state in _UNDER_WAY
            nothing = Money(amount=Decimal(0), currency=row.cost.currency) if row.cost and is_refunded else None
            why = f"{reason}; {CHARGED}" if row.cost and owed and not is_refunded else reason
            return may and tx.change(key, state=State.FAILED, reason=why, owed=owed, **rows.cost_columns(nothing))

        return self._write(fail)

    def mark_unknown(self, key: str, reason: str) -> bool:
        """Store that it is not known whether the order was accepted. False if a run owns the row, or it has ended."""

        def set_unknown(tx: Transaction) -> bool:
            row = tx.row(key)
            may = row.state in _UNDER_WAY and _is_available(row)
            return may and tx.change(key, state=State.UNKNOWN, reason=reason)

        return self._write(set_unknown)

    def _write_outcome(self, work: Callable[[Transaction], Result]) -> Result:
        """Write what a service answered. If another run inserts the row at the same time, the work finds it then."""
        try:
            return self._write(work)
        except IntegrityError:
            return self._write(work)

    def withdraw(self, key: str) -> bool:
        """Undo an intent of this run that no service has accepted. False if the row is in any later state.

        A key that was ordered before gets its earlier order back.
        """

        def undo(tx: Transaction) -> bool:
            row = tx.find(key)
            if row is None or row.state is not State.INTENDED or not row.is_ours():
                return False
            return tx.undo(row, "taken back: the service has not accepted it", (State.INTENDED,))

        return self._write(undo)


def _duplicate(task: str, other: Purchase) -> str:
    """The reason why an order is unknown whose task belongs to another purchase."""
    return (
        f"{other.order.provider} gave it the id {task}, which is that of {other.order.name}; only one of the two can "
        "be right, so look at both at the service"
    )


def _is_own_intent(row: Purchase | None) -> bool:
    return row is not None and row.is_ours() and row.state is State.INTENDED


def _is_available(row: Purchase) -> bool:
    return row.is_ours() or row.is_abandoned()


def _check_elsewhere(tx: Transaction, order: Order, keys: Sequence[str]) -> None:
    """Raise OrderedElsewhere if the take may come from another service. An order that has failed yields nothing."""
    for other in purchases.by_keys(tx.reading, keys).values():
        if other.state is not State.FAILED and other.order.name == order.name:
            raise OrderedElsewhere(order.name, other.order.provider)


def _check_limits(tx: Transaction, order: Order, limits: Sequence[Limit]) -> None:
    """Raise BudgetExceeded if an order, which the transaction has inserted already, exceeds a limit."""

    def committed(scope: Scope) -> tuple[Money, ...]:
        return totals.committed(tx.reading, scope, order.film, order.slate, order.run)

    budget.check_limits(order, limits, committed)
