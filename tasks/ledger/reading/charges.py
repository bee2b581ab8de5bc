"""Charges of services, against the quotes for the same orders."""

from __future__ import annotations

from decimal import Decimal

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.ledger.purchase import PurchaseFilter, State
from storyreel.tasks.ledger.reading.connection import Connection
from storyreel.tasks.ledger.reading.purchases import matches

_TABLES = ("purchases", "earlier")
TOLERANCE = Decimal("0.02")
"""The part of a quote by which a charge may differ from it without a warning."""


class Charge(Frozen):
    """The orders of a service's model for which both a price was quoted and a cost is known, in one currency each."""

    service: str
    model: str
    orders: int
    quoted: Money
    """By the price list, when they were ordered."""
    charged: Money

    @property
    def difference(self) -> Decimal | None:
        """The charge minus the quote, as a part of the quote; None if the two cannot be compared."""
        if self.quoted.currency != self.charged.currency or not self.quoted.amount:
            return None
        return self.charged.amount / self.quoted.amount - 1

    @property
    def is_off(self) -> bool:
        """Whether the charge is not what was quoted."""
        return self.difference is None or abs(self.difference) > TOLERANCE


def charges(connection: Connection, wanted: PurchaseFilter) -> tuple[Charge, ...]:
    """The charges of matching orders by service and model, without free ones and those that failed."""
    columns = "provider, model, price, price_currency, cost, currency"
    paid = "price IS NOT NULL AND cost IS NOT NULL AND NOT (price = '0' AND cost = '0') AND state <> :no_clip"
    tables = (f"SELECT {columns} FROM {one} WHERE {matches(wanted, one)[0]} AND {paid}" for one in _TABLES)
    query = f"SELECT {columns}, count(*) AS times FROM ({' UNION ALL '.join(tables)}) AS orders GROUP BY {columns}"
    values = matches(wanted, _TABLES[0])[1] | {"no_clip": str(State.FAILED)}
    found: dict[tuple[str, ...], tuple[int, Decimal, Decimal]] = {}
    for service, model, price, price_currency, cost, currency, times in connection.select(query, values):
        names = service, model, price_currency, currency
        orders, quoted, charged = found.get(names, (0, Decimal(0), Decimal(0)))
        found[names] = orders + times, quoted + Decimal(price) * times, charged + Decimal(cost) * times
    return tuple(
        Charge(
            service=service,
            model=model,
            orders=orders,
            quoted=Money(amount=quoted, currency=price_currency),
            charged=Money(amount=charged, currency=currency),
        )
        for (service, model, price_currency, currency), (orders, quoted, charged) in sorted(found.items())
    )
