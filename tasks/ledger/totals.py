"""Sums of what orders cost: the present order of each key and the earlier ones.

The database counts how often each amount occurs, and the sums are made from these counts with exact decimals: there
are few different prices, however many orders there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Subquery, Table, and_, case, false, func, or_, select, true, union_all
from sqlalchemy.engine import Row

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money, sums
from storyreel.tasks.ledger.budget import Scope
from storyreel.tasks.ledger.purchase import By
from storyreel.tasks.ledger.rows import PurchaseFilter, matches
from storyreel.tasks.ledger.schema import EARLIER, PURCHASES

LABELS: dict[By, tuple[str, ...]] = {
    "film": ("film",),
    "scene": ("film", "scene"),
    "service": ("service",),
    "month": ("month",),
}
"""The fields of a Spend that name a part of such a sum."""


class Spend(Frozen):
    """The cost of some orders. Charged and estimated costs are separate sums, one a currency each.

    An order counts unless the service refused or failed it or never received it; with a charged cost it always counts.
    """

    film: str = ""
    scene: str = ""
    service: str = ""
    month: str = ""
    """The month in which the orders were stored: `2026-11`."""
    takes: int = 0
    """Number of different takes, without free ones unless all are free."""
    charged: tuple[Money, ...] = Field(default=(), serialization_alias="told")
    """Costs that the services reported."""
    estimated: tuple[Money, ...] = ()
    """Prices of the other orders by the price list."""
    unpriced: int = 0
    """Number of orders whose cost is unknown."""

    @property
    def is_free(self) -> bool:
        """Whether all costs are known to be zero."""
        return not self.unpriced and not any(money.amount for money in (*self.charged, *self.estimated))


Condition = Callable[[Table], ColumnElement[bool]]
"""The condition on rows of `purchases` or `earlier` to be counted."""


def committed(
    connection: Connection, scope: Scope, film: str, slate: str, run: str, now: ColumnElement[str]
) -> tuple[Money, ...]:
    """The charged cost, else the price, of all owed orders within a scope, summed; one sum a currency.

    An order that was charged in another currency than its price, as of the user's own price list, counts in both: a
    budget in the currency of the prices would otherwise not count it at all.
    """
    within = _condition(scope, film, slate, run, now)
    orders = union_all(
        *(_in(table, within) for table in (PURCHASES, EARLIER)),
        *(_priced_otherwise(table, within) for table in (PURCHASES, EARLIER)),
    )
    return _sums(_counted(connection, orders.subquery(), ()))


def unpriced(connection: Connection, scope: Scope, film: str, slate: str, run: str, now: ColumnElement[str]) -> int:
    """The number of owed orders within a scope whose cost is unknown, and which `committed` cannot count."""
    found = _counted(connection, _orders(_condition(scope, film, slate, run, now)), ())
    return sum(row.times for row in found if row.amount is None)


def _condition(scope: Scope, film: str, slate: str, run: str, now: ColumnElement[str]) -> Condition:
    def within(table: Table) -> ColumnElement[bool]:
        match scope:
            case "run":
                return and_(table.c.run == run, table.c.run != "")
            case "shot":
                return and_(table.c.film == film, table.c.slate == slate if slate else true())
            case "month":
                # Times are texts, of which a prefix sorts before all texts that begin with it.
                return and_(table.c.film == film, table.c.intended >= func.substr(now, 1, 7))

    return within


def spent(connection: Connection, wanted: PurchaseFilter, by: By | None = None) -> tuple[Spend, ...]:
    """The cost of matching orders, divided by `by`, one sum if None. Free orders are left out, unless all are free."""
    labels = LABELS[by] if by else ()
    orders = _orders(lambda table: matches(wanted, table))
    found = _counted(connection, orders, labels)
    free = {row.amount for row in found if row.amount is not None and not Decimal(row.amount)}
    if any(row.amount not in free for row in found):
        found = [row for row in found if row.amount not in free]
    else:
        free = set()
    takes = _takes(connection, orders, labels, free)
    return tuple(
        Spend(
            **dict(zip(labels, names, strict=True)),
            takes=takes[names],
            charged=_sums(row for row in those if row.is_charged),
            estimated=_sums(row for row in those if not row.is_charged),
            unpriced=sum(row.times for row in those if row.amount is None),
        )
        for names, those in sorted(_grouped(found, len(labels)).items(), key=lambda group: _natural_order(group[0]))
    )


def _orders(condition: Condition) -> Subquery:
    """The names and the amount of each order that counts and is owed or charged."""
    return union_all(*(_in(table, condition) for table in (PURCHASES, EARLIER))).subquery()


def _in(table: Table, condition: Condition) -> Any:
    is_charged = table.c.cost.is_not(None)
    amount = case((is_charged, table.c.cost), else_=table.c.price)
    currency = case((is_charged, table.c.currency), else_=table.c.price_currency)
    return _selected(table, is_charged, amount, currency).where(condition(table), or_(is_charged, table.c.owed))


def _priced_otherwise(table: Table, condition: Condition) -> Any:
    """The prices of orders that were charged in another currency."""
    is_otherwise = table.c.currency != table.c.price_currency
    return _selected(table, false(), table.c.price, table.c.price_currency).where(condition(table), is_otherwise)


def _selected(table: Table, is_charged: Any, amount: Any, currency: Any) -> Any:
    return select(
        table.c.key,
        table.c.film,
        table.c.scene,
        table.c.provider.label("service"),
        func.substr(table.c.intended, 1, 7).label("month"),
        is_charged.label("is_charged"),
        amount.label("amount"),
        currency.label("currency"),
    )


def _counted(connection: Connection, orders: Subquery, labels: Sequence[str]) -> list[Row[Any]]:
    """How often each amount occurs. Columns: the labels, is_charged, amount, currency, times."""
    columns = [orders.c[name] for name in (*labels, "is_charged", "amount", "currency")]
    return list(connection.execute(select(*columns, func.count().label("times")).group_by(*columns)))


def _takes(
    connection: Connection, orders: Subquery, labels: Sequence[str], free: Iterable[str]
) -> dict[tuple[str, ...], int]:
    """The number of different takes by labels, of orders whose amount is not in `free`."""
    columns = [orders.c[name] for name in labels]
    counts = or_(orders.c.amount.is_(None), orders.c.amount.not_in(list(free)))
    query = select(*columns, func.count(orders.c.key.distinct()).label("takes")).where(counts).group_by(*columns)
    return {tuple(row[:-1]): row.takes for row in connection.execute(query)}


def _sums(counted: Iterable[Row[Any]]) -> tuple[Money, ...]:
    return sums(
        Money(amount=Decimal(row.amount) * row.times, currency=row.currency)
        for row in counted
        if row.amount is not None
    )


def _grouped(counted: Iterable[Row[Any]], labels: int) -> dict[tuple[str, ...], list[Row[Any]]]:
    groups: dict[tuple[str, ...], list[Row[Any]]] = {}
    for row in counted:
        groups.setdefault(tuple(row[:labels]), []).append(row)
    return groups


def _natural_order(names: Sequence[str]) -> list[tuple[list[tuple[int, str]], str]]:
    """Sort key that puts scene 2 before scene 10, and 2 before 2A."""
    return [
        ([(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name.casefold())], name)
        for name in names
    ]
