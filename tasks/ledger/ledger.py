"""The ledger: one row a purchase, so that nothing is bought twice.

A row is committed before anything is ordered, and again as soon as the service has named its task:
`intended → submitted → finished | failed | unknown`. The run that inserts the row sends the order; every other run
that needs the same take waits for it. An order whose acceptance is not known is never sent again automatically.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from storyreel.tasks.ledger import verdicts
from storyreel.tasks.ledger.budget import BudgetExceeded, Limit
from storyreel.tasks.ledger.errors import DuplicateTask, LedgerError, OrderedElsewhere
from storyreel.tasks.ledger.orders import Orders
from storyreel.tasks.ledger.purchase import Event, NewVerdict, Order, Purchase, PurchaseFilter, State, Verdict, Word
from storyreel.tasks.ledger.reading.totals import Spend
from storyreel.tasks.ledger.settlement import Settlement
from storyreel.tasks.ledger.wakeups import Wakeups

__all__ = [
    "BudgetExceeded", "DuplicateTask", "Event", "Ledger", "LedgerError", "Limit", "NewVerdict", "Order",
    "OrderedElsewhere", "Purchase", "PurchaseFilter", "Spend", "State", "Verdict", "Word",
]  # fmt: skip

_CLOSE_SECONDS = 2.0
"""Seconds that `close` waits for a database that does not answer: the leases expire without it."""


class Ledger(Orders, Settlement):
    """The purchases of a user, in SQLite or PostgreSQL, as one run uses them.

    Safe for any number of threads, processes and hosts at once; SQLite only on a disk of the machine itself.
    Every method raises LedgerError if the database cannot be used.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._wakeups = Wakeups(self._database)

    @property
    def writers(self) -> int:
        """The most changes that are of use at a time."""
        return self._database.writers

    def close(self) -> None:
        """Release the rows of this run, so that others need not wait for them, and close the database."""
        if self._may_own_rows:
            with suppress(LedgerError):
                self._write(lambda tx: tx.set_own(**tx.released()), timeout=_CLOSE_SECONDS)
        self._database.close()

    def add_verdicts(self, added: Sequence[NewVerdict], source: str = "") -> bool:
        """Add verdicts. Adds none and returns False if verdicts of the same non-empty `source` exist."""
        return self._write(lambda tx: verdicts.add(tx, added, source))

    def wake(self, provider: str, task: str) -> None:
        """Let the run that waits for a service's task poll it now."""
        self._database.retry(lambda: self._wakeups.wake(provider, task))

    def take_wakeup(self, provider: str, task: str) -> bool:
        """Whether a task should be polled now. Deletes the wakeup."""
        return self._database.retry(lambda: self._wakeups.take_wakeup(provider, task))
