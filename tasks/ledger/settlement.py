"""Settling what nobody knows: by a service's list of tasks, or by a person."""

from __future__ import annotations

from datetime import datetime

from storyreel.tasks.ledger import rows
from storyreel.tasks.ledger.book import Book
from storyreel.tasks.ledger.database import written
from storyreel.tasks.ledger.purchase import Purchase, State
from storyreel.tasks.ledger.transaction import Page


class Settling(Book):
    """What is found out about an order whose answer was lost."""

    def attach(self, seen: Purchase, task: str, reason: str, accepted: datetime | None = None) -> bool:
        """An order that nobody knew of is the service's `task`, made at `accepted`; the next run goes on with it.

        False when the row has moved since it was seen, or another purchase has that task.
        """

        def attach_it(page: Page) -> bool:
            # Two that attach one task to two rows would otherwise not see each other.
            page.lock()
            if not page.is_open(seen) or task in rows.claimed(page.connection, [task]) - {seen.task}:
                return False
            made = written(accepted) if accepted else None
            change = {"state": State.SUBMITTED, "task": task, "reason": reason, "submitted": made}
            return page.change(seen.order.key, **change, **page.free())

        return self._write(attach_it)

    def mark_never_made(self, seen: Purchase, reason: str) -> bool:
        """An order without an id was never accepted: its row is taken back. False when it has moved since."""

        def take_back(page: Page) -> bool:
            if seen.task or not page.is_open(seen):
                return False
            return page.undo(seen, f"never made: {reason}", (State.INTENDED, State.UNKNOWN))

        return self._write(take_back)

    def give_up(self, seen: Purchase, reason: str) -> bool:
        """Whatever became of an order, the next run orders anew; the old one may still have to be paid.

        False when the row has moved since.
        """

        def write_off(page: Page) -> bool:
            can = page.is_as_seen(seen) if seen.state is State.FINISHED else page.is_open(seen)
            return can and page.change(seen.order.key, state=State.FAILED, reason=reason)

        return self._write(write_off)
