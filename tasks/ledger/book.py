"""What the parts of the ledger work with: an open database, and the run that they work for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.ledger.owner import new_run
from storyreel.tasks.ledger.purchase import Order
from storyreel.tasks.ledger.schema import migrate
from storyreel.tasks.ledger.transaction import Page

Result = TypeVar("Result")


class Book:
    """An open ledger, of which each transaction sees a page."""

    def __init__(self, url: str) -> None:
        """Opens the database and brings it to today's tables. Raises LedgerError."""
        self.owner = new_run()
        self._database = Database(url)
        self._ordered: dict[str, Order] = {}
        """What this run has ordered, by key."""
        self._has_held = False
        """Whether this run was ever at work on something."""
        try:
            migrate(self._database)
        except LedgerError:
            self._database.close()
            raise

    def _read(self, look: Callable[[Page], Result]) -> Result:
        return self._database.read(lambda connection: look(Page(connection, self._database, self.owner)))

    def _write(self, work: Callable[[Page], Result], **patience: float) -> Result:
        """Raises LedgerError, or IntegrityError."""
        return self._database.write(lambda connection: work(Page(connection, self._database, self.owner)), **patience)
