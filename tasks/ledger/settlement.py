"""Settling purchases in state unknown: by a service's list of tasks, or by the user."""

from __future__ import annotations

from datetime import datetime

from storyreel.specs.money import Money
from storyreel.tasks.ledger import rows
from storyreel.tasks.ledger.purchase import Purchase, State
from storyreel.tasks.ledger.reading.purchases import timestamp
from storyreel.tasks.ledger.transaction import LedgerBase, Transaction


class Settlement(LedgerBase):
    """The methods that store what became of an order whose answer was lost."""

    def attach(
        self, seen: Purchase, task: str, reason: str, accepted: datetime | None = None, cost: Money | None = None
    ) -> bool:
        """Store that an order is the service's `task`, made at `accepted` for `cost`; the next run collects its clip.

        False if the row has changed since it was read, or another purchase has the task.
        """

        def attach_task(tx: Transaction) -> bool:
            tx.lock_task(seen.order.provider, task)
            if not tx.is_open(seen) or tx.claimant(seen.order.provider, task) not in (None, seen.order.key):
                return False
            made = timestamp(accepted) if accepted else None
            values = {"state": State.SUBMITTED, "task": task, "reason": reason, "submitted": made}
            return tx.change(seen.order.key, **values, **rows.cost_columns(cost), **tx.released())

        return self._write(attach_task)

    def note_failure(self, seen: Purchase, task: str, reason: str, cost: Money | None) -> bool:
        """Store that an order is the service's `task`, which failed for `cost`, 0 if it was not charged.

        If the cost is unknown, the order goes on counting. False as of `attach`.
        """

        def fail(tx: Transaction) -> bool:
            tx.lock_task(seen.order.provider, task)
            if not tx.is_open(seen) or tx.claimant(seen.order.provider, task) not in (None, seen.order.key):
                return False
            values = {"state": State.FAILED, "task": task, "reason": reason, "owed": cost is None}
            return tx.change(seen.order.key, **values, **rows.cost_columns(cost), **tx.released())

        return self._write(fail)

    def mark_never_made(self, seen: Purchase, reason: str) -> bool:
        """Undo an order without a task id that was never accepted. False if the row has changed since it was read."""

        def undo(tx: Transaction) -> bool:
            if seen.task or not tx.is_open(seen):
                return False
            return tx.undo(seen, f"never made: {reason}", (State.INTENDED, State.UNKNOWN))

        return self._write(undo)

    def give_up(self, seen: Purchase, reason: str) -> bool:
        """Let the next run order again; this order may still be charged. False if the row changed since it was read."""

        def write_off(tx: Transaction) -> bool:
            can = tx.is_as_seen(seen) if seen.state is State.FINISHED else tx.is_open(seen)
            return can and tx.change(seen.order.key, state=State.FAILED, reason=reason)

        return self._write(write_off)
