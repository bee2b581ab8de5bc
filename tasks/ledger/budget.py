"""Budgets: limits on what may be committed in a run, for a shot, or in a month.

They are checked in the transaction that inserts an order, so that several runs at once cannot exceed one.
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
"""Which orders count: those of a flow run; all of a film's shot; those of a film that were stored in the present
calendar month, in UTC by the database's clock."""

_SPAN = {"run": "of this run", "shot": "of this shot", "month": "of this month"}
_RAISE = {
    "run": "raise `per_run` in the storyboard's budget or --budget, or render fewer shots: --select",
    "shot": "raise `per_shot` in the storyboard's budget",
    "month": "raise `per_month` in the storyboard's budget, or wait for the next month",
}
_DEPLOYED = "a deployed film has to be deployed again with it"


class Limit(Frozen):
    """The most that may be committed within a scope. Amounts in other currencies do not count."""

    scope: Scope
    most: Money


class BudgetExceeded(StoryreelError):
    """A budget would be exceeded, or cannot be compared with a price; what the message names was not bought.

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


def check_limits(order: Order, limits: Iterable[Limit], committed: Callable[[Scope], Iterable[Money]]) -> None:
    """Raise BudgetExceeded if an order exceeds one of the limits. The committed sums include the order already.

    A free order never exceeds one. Raises ValueError for a limit on a run if the order names no run.
    """
    if order.price is not None and not order.price.amount:
        return
    for limit in limits:
        if limit.scope == "run" and not order.run:
            raise ValueError(f"{order.name} names no run, so the budget of its run cannot be checked")
        _check(order, limit, committed(limit.scope))


def _check(order: Order, limit: Limit, committed: Iterable[Money]) -> None:
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
    budget, most, price = f"the budget {_SPAN[limit.scope]}", limit.most, order.price
    if price is None:
        return (
            f"the price of {order.name} is not known, so {budget} cannot be checked",
            "give its price in your price file (STORYREEL_PRICES), or render without a budget",
        )
    if price.currency != most.currency:
        return (
            f"{order.name} costs {price.exactly}, and {budget} is in {most.currency}: it must be in {price.currency}, "
            "as currencies are never converted",
            f"write the budget in {price.currency}, or choose a service paid in {most.currency}",
        )
    return (
        f"{order.name} would exceed {budget}: it costs {price.exactly}, and of {most.exactly} {committed.exactly} are "
        "committed already",
        f"{_RAISE[limit.scope]}; {_DEPLOYED}",
    )
