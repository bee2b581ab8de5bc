"""The ledger: one row a purchase, so that nothing is bought twice.

A row is committed before anything is ordered and again right after the service has named its task:
`intended → submitted → finished | failed | unknown`. Whoever inserts the row orders; everybody else who wants
the same take waits for it. What the ledger cannot know it calls unknown, and an unknown is never ordered again
by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from storyreel.tasks.ledger import verdicts
from storyreel.tasks.ledger.budget import BudgetExceeded, Limit
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.ledger.orders import Ordering
from storyreel.tasks.ledger.purchase import Event, Order, Purchase, State
from storyreel.tasks.ledger.queries import Looking
from storyreel.tasks.ledger.rows import Wanted
from storyreel.tasks.ledger.settlement import Settling
from storyreel.tasks.ledger.totals import Spend
from storyreel.tasks.ledger.transaction import Page
from storyreel.tasks.ledger.verdicts import NewVerdict, Verdict, Word
from storyreel.tasks.ledger.wakeups import Wakes

__all__ = [
    "BudgetExceeded",
    "Event",
    "Ledger",
    "LedgerError",
    "Limit",
    "NewVerdict",
    "Order",
    "Purchase",
    "Spend",
    "State",
    "Verdict",
    "Wanted",
    "Word",
]  # fmt: skip

_LAST_WORD_SECONDS = 2.0
"""How long letting go may take when the database is gone: the leases end by themselves."""


class Ledger(Looking, Ordering, Settling):
    """The purchases of a user, in SQLite or PostgreSQL, as one run uses them.

    Safe for any number of threads, processes and hosts at once; SQLite only on a disk of the machine itself.
    Every method raises LedgerError when the database cannot be used.
    """

    def __init__(self, url: str) -> None:
        """Opens the database and brings it to today's tables."""
        super().__init__(url)
        self._wakes = Wakes(self._database)

    def close(self) -> None:
        """Let go of the database, and of all that this run was at work on, so that others need not wait for it."""
        if self._has_held:
            with suppress(LedgerError):
                self._write(_freed, patience=_LAST_WORD_SECONDS)
        self._database.close()

    def add_verdicts(self, judged: Sequence[NewVerdict], source: str = "") -> bool:
        """Note what somebody says of takes; False when all that the `source` says was noted before."""
        return self._write(lambda page: verdicts.add(page, judged, source))

    def wake(self, provider: str, task: str) -> None:
        """Have whoever waits for a service's task look at it now."""
        self._database.patiently(lambda: self._wakes.wake(provider, task))

    def take_wakeup(self, provider: str, task: str) -> bool:
        """Whether to look at a task now; asking takes the wake."""
        return self._database.patiently(lambda: self._wakes.take_wakeup(provider, task))


def _freed(page: Page) -> None:
    page.set_mine(**page.free())
