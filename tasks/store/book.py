"""What the parts of the ledger work with: an open database, and the run that they work for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from storyreel.tasks.store.database import Database
from storyreel.tasks.store.errors import LedgerError
from storyreel.tasks.store.owner import new_run
from storyreel.tasks.store.page import Page
from storyreel.tasks.store.purchase import Order
from storyreel.tasks.store.schema import migrate

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
