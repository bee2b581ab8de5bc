"""Budgets: how much may be committed within a run, for a shot, in a month, and what is said of an order beyond it.

They are held in the transaction that notes an order, so that of many runs at once none can pass them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Literal

from storyreel.specs.errors import StoryreelError
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


class BudgetExceeded(StoryreelError):
    """A budget would be passed, or cannot be compared with a price; what the message names was not bought.

    The ledger raises it for one order and sets `limit`, `committed` (by other orders, in the limit's currency) and
    `wanted` (the order's price, None if unknown). Planning raises it for a whole plan and sets `fits`, the slates of
    the shots that can be bought within the budget.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        next: str = "",
        limit: Limit | None = None,
        committed: Money | None = None,
        wanted: Money | None = None,
        fits: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, next=next)
        self.limit, self.committed, self.wanted, self.fits = limit, committed, wanted, fits


def hold(order: Order, limits: Iterable[Limit], committed: Callable[[Scope], Iterable[Money]]) -> None:
    """Raise BudgetExceeded for an order that passes one of the limits, when all that is committed has the order in it.

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
    before = Money(amount=everything - own, currency=currency)
    message, hint = _explained(order, limit, before)
    raise BudgetExceeded(message, hint=hint, limit=limit, committed=before, wanted=order.price)


def _explained(order: Order, limit: Limit, committed: Money) -> tuple[str, str]:
    """The message and the hint for an order that a limit does not allow."""
    budget, most, price = f"the budget {_SPAN[limit.scope]}", limit.most, order.price
    if price is None:
        return (
            f"the price of {order.name} is not known, so {budget} cannot be checked",
            "give its price in a file that STORYREEL_PRICES names, or render without a budget",
        )
    if price.currency != most.currency:
        return (
            f"{order.name} costs {price.exactly}, and {budget} is in {most.currency}: it must be in {price.currency}, "
            "as currencies are never converted",
            f"write the budget in {price.currency}, or choose a service paid in {most.currency}",
        )
    return (
        f"{order.name} would pass {budget}: it costs {price.exactly}, and of {most.exactly} {committed.exactly} are "
        "committed already",
        _RAISE[limit.scope],
    )
