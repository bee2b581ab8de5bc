"""What orders cost, added up: those that stand and those that a key had before them.

The database counts how often which amount was told or estimated, and exact arithmetic does the rest: there are few
different prices, however many orders there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, Table, and_, case, func, or_, select, union_all
from sqlalchemy.engine import Row

from storyreel.specs.money import Money, sums
from storyreel.tasks.ledger.budget import Scope
from storyreel.tasks.ledger.rows import Wanted, fits
from storyreel.tasks.ledger.schema import EARLIER, PURCHASES
from storyreel.tasks.ledger.spend import LABELS, By, Spend

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
            told=_sums(row for row in those if row.is_told),
            estimated=_sums(row for row in those if not row.is_told),
            unpriced=sum(row.times for row in those if row.amount is None),
        )
        for names, those in sorted(_grouped(found, len(labels)).items(), key=lambda group: _natural(group[0]))
    )


def _orders(which: Term) -> Subquery:
    """All orders that count and may have to be paid: what they are called, and what each costs."""
    return union_all(*(_in(table, which) for table in (PURCHASES, EARLIER))).subquery()


def _in(table: Table, which: Term) -> Any:
    is_told = table.c.cost.is_not(None)
    return select(
        table.c.key,
        table.c.film,
        table.c.scene,
        table.c.provider.label("service"),
        func.substr(table.c.intended, 1, 7).label("month"),
        is_told.label("is_told"),
        case((is_told, table.c.cost), else_=table.c.price).label("amount"),
        case((is_told, table.c.currency), else_=table.c.price_currency).label("currency"),
    ).where(which(table), or_(is_told, table.c.owed))


def _counted(connection: Connection, orders: Subquery, labels: Sequence[str]) -> list[Row[Any]]:
    """How often there is which amount: the labels, then is_told, amount, currency, times."""
    columns = [orders.c[name] for name in (*labels, "is_told", "amount", "currency")]
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
