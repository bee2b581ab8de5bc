"""Reading the ledger: purchases, their history, sums of money, verdicts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from datetime import datetime
from statistics import median
from typing import TypeVar, Unpack

from storyreel.specs.money import Money
from storyreel.tasks.ledger.budget import Scope
from storyreel.tasks.ledger.purchase import By, Event, Purchase, PurchaseFilter, Verdict
from storyreel.tasks.ledger.reading import charges, purchases, totals, verdicts
from storyreel.tasks.ledger.reading.charges import Charge
from storyreel.tasks.ledger.reading.connection import Connection
from storyreel.tasks.ledger.reading.totals import Spend
from storyreel.tasks.polling import PastDurations

Result = TypeVar("Result")

_REMEMBERED = 50
"""Finished purchases of a model from which its duration is estimated."""


class Queries(ABC):
    """The methods that change nothing. Each reads in a transaction of its own, and raises LedgerError."""

    @abstractmethod
    def _reading(self, work: Callable[[Connection], Result]) -> Result:
        """Run work in a transaction that reads."""

    @abstractmethod
    def close(self) -> None:
        """Close the database."""

    def find(self, key: str) -> Purchase | None:
        """The purchase of a key, None if it was never ordered."""
        return self.find_all([key]).get(key)

    def find_all(self, keys: Iterable[str]) -> dict[str, Purchase]:
        """The purchases of many keys, by key, without keys that were never ordered."""
        wanted = list(keys)
        return self._reading(lambda connection: purchases.by_keys(connection, wanted))

    def latest(self, film: str, slates: Iterable[str], *, drafts: bool = False) -> dict[tuple[str, int, str], Purchase]:
        """The purchase that was ordered last for each slate, take number and service of a film, whatever its key; with
        `drafts` those of its draft."""
        wanted = list(slates)
        return self._reading(lambda connection: purchases.latest(connection, film, wanted, drafts=drafts))

    def list(self, limit: int | None = None, **wanted: Unpack[PurchaseFilter]) -> tuple[Purchase, ...]:
        """The purchases that match, most recently changed first."""
        return self._reading(lambda connection: purchases.matching(connection, wanted, limit))

    def committed(self, scope: Scope, *, film: str = "", slate: str = "", run: str = "") -> tuple[Money, ...]:
        """The sum that a budget of a scope counts, one a currency: charged costs, else prices, of all owed orders.

        `run` names a flow run, `film` and `slate` a shot, `film` alone a film in the present month.
        """
        return self._reading(lambda connection: totals.committed(connection, scope, film, slate, run))

    def unpriced(self, scope: Scope, *, film: str = "", slate: str = "", run: str = "") -> int:
        """The number of owed orders that `committed` cannot count, as their cost is unknown.

        For scope `shot` without a slate, of all shots.
        """
        return self._reading(lambda connection: totals.unpriced(connection, scope, film, slate, run))

    def spent(self, **wanted: Unpack[PurchaseFilter]) -> Spend:
        """The cost of all orders that match, including earlier orders of the same takes."""
        return next(iter(self._reading(lambda connection: totals.spent(connection, wanted))), Spend())

    def spent_by(self, by: By, **wanted: Unpack[PurchaseFilter]) -> tuple[Spend, ...]:
        """The cost of all matching orders, by film, scene, service or month; free orders only if all are free."""
        return self._reading(lambda connection: totals.spent(connection, wanted, by))

    def charges(self, **wanted: Unpack[PurchaseFilter]) -> tuple[Charge, ...]:
        """The charges for matching orders beside their quotes, by service and model."""
        return self._reading(lambda connection: charges.charges(connection, wanted))

    def history(self, key: str) -> tuple[Event, ...]:
        """All events of a key, oldest first."""
        return self._reading(lambda connection: purchases.events(connection, key))

    def claimed(self, provider: str, tasks: Iterable[str]) -> frozenset[str]:
        """The task ids of a service, among these, that any purchase has or had."""
        wanted = list(tasks)
        return frozenset(self._reading(lambda connection: purchases.claimed(connection, provider, wanted)))

    def given_up(self, provider: str) -> tuple[Purchase, ...]:
        """The orders at a service that were given up without an id: it may have accepted them."""
        return self._reading(lambda connection: purchases.given_up(connection, provider))

    def past_durations(self, provider: str, model: str) -> PastDurations | None:
        """Seconds that a model's last purchases took from order to clip, or None if there are none."""
        took = self._reading(lambda connection: purchases.durations(connection, provider, model, _REMEMBERED))
        return PastDurations(fastest=min(took), median=median(took)) if took else None

    def verdicts(self, keys: Iterable[str]) -> dict[str, Verdict]:
        """The newest verdict on each take, by key, without takes that have none."""
        wanted = list(keys)
        return self._reading(lambda connection: verdicts.newest(connection, wanted))

    @property
    def has_verdicts(self) -> bool:
        """Whether there is a verdict on any take."""
        return self._reading(verdicts.has_any)

    def now(self) -> datetime:
        """The database's time, which all times in the ledger are of."""
        ((now,),) = self._reading(lambda connection: connection.select(f"SELECT {connection.now}", {}))
        return datetime.fromisoformat(now)
