"""Reading the ledger: purchases, their history, sums of money, verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from statistics import median
from typing import Unpack

from sqlalchemy import select

from storyreel.specs.money import Money
from storyreel.tasks.ledger import rows, totals, verdicts
from storyreel.tasks.ledger.budget import Scope
from storyreel.tasks.ledger.purchase import By, Event, Purchase
from storyreel.tasks.ledger.rows import PurchaseFilter
from storyreel.tasks.ledger.totals import Spend
from storyreel.tasks.ledger.transaction import LedgerBase
from storyreel.tasks.ledger.verdicts import Verdict
from storyreel.tasks.polling import PastDurations

_REMEMBERED = 50
"""Finished purchases of a model from which its duration is estimated."""


class Queries(LedgerBase):
    """The methods that change nothing."""

    def find(self, key: str) -> Purchase | None:
        """The purchase of a key, None if it was never ordered."""
        return self.find_all([key]).get(key)

    def find_all(self, keys: Iterable[str]) -> dict[str, Purchase]:
        """The purchases of many keys, by key, without keys that were never ordered."""
        wanted = list(keys)
        return self._read(lambda tx: tx.rows.by_keys(wanted))

    def latest(self, film: str, slates: Iterable[str]) -> dict[tuple[str, int, str], Purchase]:
        """The purchase that was ordered last for each slate, take number and service of a film, whatever its key."""
        wanted = list(slates)
        return self._read(lambda tx: tx.rows.latest(film, wanted))

    def list(self, limit: int | None = None, **wanted: Unpack[PurchaseFilter]) -> tuple[Purchase, ...]:
        """The purchases that match, most recently changed first."""
        return self._read(lambda tx: tx.rows.matching(wanted, limit))

    def committed(self, scope: Scope, *, film: str = "", slate: str = "", run: str = "") -> tuple[Money, ...]:
        """The sum that a budget of a scope counts, one a currency: charged costs, else prices, of all owed orders.

        `run` names a flow run, `film` and `slate` a shot, `film` alone a film in the present month.
        """
        return self._read(lambda tx: totals.committed(tx.connection, scope, film, slate, run, tx.now()))

    def unpriced(self, scope: Scope, *, film: str = "", slate: str = "", run: str = "") -> int:
        """The number of owed orders that `committed` cannot count, as their cost is unknown.

        For scope `shot` without a slate, of all shots.
        """
        return self._read(lambda tx: totals.unpriced(tx.connection, scope, film, slate, run, tx.now()))

    def spent(self, **wanted: Unpack[PurchaseFilter]) -> Spend:
        """The cost of all orders that match, including earlier orders of the same takes."""
        return next(iter(self._read(lambda tx: totals.spent(tx.connection, wanted))), Spend())

    def spent_by(self, by: By, **wanted: Unpack[PurchaseFilter]) -> tuple[Spend, ...]:
        """The cost of all matching orders, by film, scene, service or month; free orders only if all are free."""
        return self._read(lambda tx: totals.spent(tx.connection, wanted, by))

    def history(self, key: str) -> tuple[Event, ...]:
        """All events of a key, oldest first."""
        return self._read(lambda tx: rows.events(tx.connection, key))

    def claimed(self, provider: str, tasks: Iterable[str]) -> frozenset[str]:
        """Those of a service's task ids that any purchase has or had."""
        wanted = list(tasks)
        return frozenset(self._read(lambda tx: rows.claimed(tx.connection, provider, wanted)))

    def given_up(self, provider: str) -> tuple[Purchase, ...]:
        """The orders at a service that were given up without an id: it may have accepted them."""
        return self._read(lambda tx: tx.rows.given_up(provider))

    def past_durations(self, provider: str, model: str) -> PastDurations | None:
        """How long a model's last purchases took from order to clip, None if there are none."""
        took = self._read(lambda tx: rows.durations(tx.connection, provider, model, _REMEMBERED))
        return PastDurations(fastest=min(took), median=median(took)) if took else None

    def verdicts(self, keys: Iterable[str]) -> dict[str, Verdict]:
        """The newest verdict on each take, by key, without takes that have none."""
        wanted = list(keys)
        return self._read(lambda tx: verdicts.newest(tx.connection, wanted))

    @property
    def has_verdicts(self) -> bool:
        """Whether there is a verdict on any take."""
        return self._read(lambda tx: verdicts.has_any(tx.connection))

    def now(self) -> datetime:
        """The database's time, which all times in the ledger are of."""
        return datetime.fromisoformat(self._read(lambda tx: tx.connection.execute(select(tx.now())).scalar_one()))
