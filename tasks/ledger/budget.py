"""Budgets: how much may be committed within a run, for a shot, in a month, and what is said of an order beyond it.

They are held in the transaction that notes an order, so that of many runs at once none can pass them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Literal

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.ledger.purchase import Order

Scope = Literal["run", "shot", "month"]
"""What is added up: the orders of one flow run; all there ever were of one film's shot; those of a film that were noted
in the present calendar month, by UTC and the database's clock."""

_SPAN = {"run": "of this run", "shot": "of this shot", "month": "of this month"}
_RAISE = {
    "run": "raise `per_run` in the storyboard's budget or --budget, or render fewer shots: --select",
    "shot": "raise `per_shot` in the storyboard's budget",
    "month": "raise `per_month` in the storyboard's budget, or wait for the next month",
}


class Limit(Frozen):
    """No more than `most` may be committed within a scope. What is in another currency is not in it."""

    scope: Scope
    most: Money


class OverBudget(Exception):
    """An order was not noted, as it would pass a budget: nothing was bought."""

    def __init__(self, limit: Limit, committed: Money, wanted: Money | None, name: str) -> None:
        self.limit = limit
        self.committed = committed
        """What is committed within the limit's scope without the order, in the limit's currency."""
        self.wanted = wanted
        """The order's price; None where nobody knows it."""
        self.name = name
        """The order's: `The Keeper 1B take 2`."""
        super().__init__(self.message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.limit, self.committed, self.wanted, self.name)

    @property
    def message(self) -> str:
        """What is wrong."""
        budget = f"the budget {_SPAN[self.limit.scope]}"
        if self.wanted is None:
            return f"nobody knows what {self.name} costs, so {budget} cannot be held"
        most = self.limit.most
        if self.wanted.currency != most.currency:
            return (
                f"{self.name} costs {self.wanted.exactly}, and {budget} is in {most.currency}: it must be in "
                f"{self.wanted.currency}, as currencies are never converted"
            )
        return (
            f"{self.name} would pass {budget}: it costs {self.wanted.exactly}, and of {most.exactly} "
            f"{self.committed.exactly} are committed already"
        )

    @property
    def hint(self) -> str:
        """What to do."""
        if self.wanted is None:
            return "give its price in a file that STORYREEL_PRICES names, or render without a budget"
        if self.wanted.currency != self.limit.most.currency:
            return f"write the budget in {self.wanted.currency}, or choose a service paid in {self.limit.most.currency}"
        return _RAISE[self.limit.scope]


def hold(order: Order, limits: Iterable[Limit], committed: Callable[[Scope], Iterable[Money]]) -> None:
    """Raise OverBudget for an order that passes one of the limits, when all that is committed has the order in it.

    What is free passes always. Raises ValueError when a run's limit is to hold for an order that names no run.
    """
    if order.price is not None and not order.price.amount:
        return
    for limit in limits:
        if limit.scope == "run" and not order.run:
            raise ValueError(f"{order.name} names no run, so the budget of its run cannot be held")
        _hold(order, limit, committed(limit.scope))


def _hold(order: Order, limit: Limit, committed: Iterable[Money]) -> None:
    currency = limit.most.currency
    everything = sum((money.amount for money in committed if money.currency == currency), Decimal(0))
    fits = order.price is not None and order.price.currency == currency
    if fits and everything <= limit.most.amount:
        return
    own = order.price.amount if fits and order.price else Decimal(0)
    raise OverBudget(limit, Money(amount=everything - own, currency=currency), order.price, order.name)
