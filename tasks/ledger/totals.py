"""What orders cost, added up: those that stand and those that a key had before them.

The database counts how often which amount was told or estimated, and exact arithmetic does the rest: there are few
different prices, however many orders there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Subquery, Table, and_, case, func, or_, select, union_all
from sqlalchemy.engine import Row

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money, sums
from storyreel.tasks.ledger.budget import Scope
from storyreel.tasks.ledger.rows import Wanted, fits
from storyreel.tasks.ledger.schema import EARLIER, PURCHASES

By = Literal["film", "scene", "service", "month"]
"""What spend is told apart by; scenes within their film, months by UTC."""

LABELS: dict[By, tuple[str, ...]] = {
    "film": ("film",),
    "scene": ("film", "scene"),
    "service": ("service",),
    "month": ("month",),
}
"""Which fields of a Spend say what it is of."""


class Spend(Frozen):
    """What some orders cost: one sum a currency, and none that adds what was told to what is only estimated.

    An order counts unless the service refused or failed it, or never had it; and even then when it told a cost.
    """

    film: str = ""
    scene: str = ""
    service: str = ""
    month: str = ""
    """`2026-11`: in which the orders were noted."""
    takes: int = 0
    """Different takes among the orders; one that was bought twice is one. Free ones only where all are free."""
    charged: tuple[Money, ...] = Field(default=(), serialization_alias="told")
    """What the services said that they cost."""
    estimated: tuple[Money, ...] = ()
    """What the others cost by the price list."""
    unpriced: int = 0
    """Orders of which nobody knows what they cost."""

    @property
    def is_free(self) -> bool:
        """Whether it is known that none of it cost anything."""
        return not self.unpriced and not any(money.amount for money in (*self.charged, *self.estimated))


Term = Callable[[Table], ColumnElement[bool]]
"""Which orders count, in a table that has some of them."""


def committed(
    connection: Connection, scope: Scope, film: str, slate: str, run: str, now: ColumnElement[str]
) -> tuple[Money, ...]:
    """What was told, else estimated, of all orders within a scope that may have to be paid; one sum a currency."""

    def within(table: Table) -> ColumnElement[bool]:
        match scope:
            case "run":
                return and_(table.c.run == run, table.c.run != "")
            case "shot":
                return and_(table.c.film == film, table.c.slate == slate)
            case "month":
                # The beginning of a time as it is written sorts before all times that begin so.
                return and_(table.c.film == film, table.c.intended >= func.substr(now, 1, 7))

    return _sums(_counted(connection, _orders(within), ()))


def spent(connection: Connection, wanted: Wanted, by: By | None = None) -> tuple[Spend, ...]:
    """What the orders that fit cost, told apart; where `by` is None, at most one Spend.

    Free orders are left out, unless all are free.
    """
    labels = LABELS[by] if by else ()
    orders = _orders(lambda table: fits(wanted, table))
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
        for names, those in sorted(_grouped(found, len(labels)).items(), key=lambda group: _natural(group[0]))
    )


def _orders(which: Term) -> Subquery:
    """All orders that count and may have to be paid: what they are called, and what each costs."""
    return union_all(*(_in(table, which) for table in (PURCHASES, EARLIER))).subquery()


def _in(table: Table, which: Term) -> Any:
    is_charged = table.c.cost.is_not(None)
    return select(
        table.c.key,
        table.c.film,
        table.c.scene,
        table.c.provider.label("service"),
        func.substr(table.c.intended, 1, 7).label("month"),
        is_charged.label("is_charged"),
        case((is_charged, table.c.cost), else_=table.c.price).label("amount"),
        case((is_charged, table.c.currency), else_=table.c.price_currency).label("currency"),
    ).where(which(table), or_(is_charged, table.c.owed))


def _counted(connection: Connection, orders: Subquery, labels: Sequence[str]) -> list[Row[Any]]:
    """How often there is which amount: the labels, then is_charged, amount, currency, times."""
    columns = [orders.c[name] for name in (*labels, "is_charged", "amount", "currency")]
    return list(connection.execute(select(*columns, func.count().label("times")).group_by(*columns)))


def _takes(
    connection: Connection, orders: Subquery, labels: Sequence[str], free: Iterable[str]
) -> dict[tuple[str, ...], int]:
    """How many different takes there are, without those orders that have one of the amounts."""
    columns = [orders.c[name] for name in labels]
    counts = or_(orders.c.amount.is_(None), orders.c.amount.not_in(list(free)))
    question = select(*columns, func.count(orders.c.key.distinct()).label("takes")).where(counts).group_by(*columns)
    return {tuple(row[:-1]): row.takes for row in connection.execute(question)}


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


def _natural(names: Sequence[str]) -> list[tuple[list[tuple[int, str]], str]]:
    """Sorts scene 2 before scene 10, and 2 before 2A."""
    return [
        ([(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name.casefold())], name)
        for name in names
    ]
