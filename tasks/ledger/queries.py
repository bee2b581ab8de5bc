"""Looking into the ledger: nothing is changed by it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from statistics import median
from typing import Unpack

from sqlalchemy import select

from storyreel.specs.money import Money
from storyreel.tasks.ledger import rows, totals, verdicts
from storyreel.tasks.ledger.book import Book
from storyreel.tasks.ledger.budget import Scope
from storyreel.tasks.ledger.purchase import Event, Purchase
from storyreel.tasks.ledger.rows import Wanted
from storyreel.tasks.ledger.totals import By, Spend
from storyreel.tasks.ledger.verdicts import Verdict
from storyreel.tasks.polling import PastDurations

_REMEMBERED = 50
"""Finished purchases of a model that say how long it takes."""


class Looking(Book):
    """The questions that plans and people ask."""

    def find(self, key: str) -> Purchase | None:
        """The purchase of one key."""
        return self.find_all([key]).get(key)

    def find_all(self, keys: Iterable[str]) -> dict[str, Purchase]:
        """The purchases of many keys; keys that were never ordered are left out."""
        wanted = list(keys)
        return self._read(lambda page: page.rows.by_keys(wanted))

    def latest(self, film: str, slates: Iterable[str]) -> dict[tuple[str, int, str], Purchase]:
        """By slate, take number and service, the purchase of a film that was last ordered so, whatever its key."""
        wanted = list(slates)
        return self._read(lambda page: page.rows.latest(film, wanted))

    def list(self, limit: int | None = None, **wanted: Unpack[Wanted]) -> tuple[Purchase, ...]:
        """The purchases that fit, what changed last first."""
        return self._read(lambda page: page.rows.listed(wanted, limit))

    def committed(self, scope: Scope, *, film: str = "", slate: str = "", run: str = "") -> tuple[Money, ...]:
        """What a budget of that scope counts: told costs, else prices, of all orders that may have to be paid.

        One sum a currency. `run` names a flow run, `film` and `slate` a shot, `film` a film's present month.
        """
        return self._read(lambda page: totals.committed(page.connection, scope, film, slate, run, page.now()))

    def spent(self, **wanted: Unpack[Wanted]) -> Spend:
        """What all orders that fit cost, earlier ones of the same takes included."""
        return next(iter(self._read(lambda page: totals.spent(page.connection, wanted))), Spend())

    def spent_by(self, what: By, **wanted: Unpack[Wanted]) -> tuple[Spend, ...]:
        """The same, told apart: by film, by scene of a film, by service or by month.

        What is free is left out, unless all of it is.
        """
        return self._read(lambda page: totals.spent(page.connection, wanted, what))

    def history(self, key: str) -> tuple[Event, ...]:
        """All that ever happened to a key, in order."""
        return self._read(lambda page: rows.events(page.connection, key))

    def claimed(self, tasks: Iterable[str]) -> frozenset[str]:
        """Those of a service's ids that some purchase has, or once had."""
        wanted = list(tasks)
        return self._read(lambda page: rows.claimed(page.connection, wanted))

    def experience(self, provider: str, model: str) -> PastDurations | None:
        """How long a model took before, from order to clip; None when it never made anything."""
        took = self._read(lambda page: rows.durations(page.connection, provider, model, _REMEMBERED))
        return PastDurations(fastest=min(took), median=median(took)) if took else None

    def verdicts(self, keys: Iterable[str]) -> dict[str, Verdict]:
        """What was said last of each of these takes; those of which nothing was said are left out."""
        wanted = list(keys)
        return self._read(lambda page: verdicts.newest(page.connection, wanted))

    @property
    def has_verdicts(self) -> bool:
        """Whether anything was said of any take."""
        return self._read(lambda page: verdicts.any_there(page.connection))

    def now(self) -> datetime:
        """The database's time, which all times in the ledger are of."""
        return datetime.fromisoformat(self._read(lambda page: page.connection.execute(select(page.now())).scalar_one()))
