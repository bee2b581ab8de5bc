"""Sums of what orders cost: the present order of each key and the earlier ones.

The database counts how often each amount occurs, and the sums are made from these counts with exact decimals: there
are few different prices, however many orders there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from pydantic import Field

from storyreel.specs.foreign_text import storable
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.slates import made_for, sheet_slate, shot_of
from storyreel.specs.money import Money, sums
from storyreel.tasks.ledger.budget import Scope
from storyreel.tasks.ledger.purchase import By, PurchaseFilter
from storyreel.tasks.ledger.reading.connection import Connection, Values, marks
from storyreel.tasks.ledger.reading.purchases import charged, matches

LABELS: dict[By, tuple[str, ...]] = {
    "film": ("film",),
    "scene": ("film", "scene"),
    "service": ("service",),
    "month": ("month",),
}
"""The fields of a Spend that name a part of such a sum."""
_TABLES = ("purchases", "earlier")


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


def committed(connection: Connection, scope: Scope, film: str, slate: str, run: str) -> tuple[Money, ...]:
    """The charged cost, else the price, of all owed orders within a scope, summed; one sum a currency.

    An order that was charged in another currency than its price, as of the user's own price list, counts in both: a
    budget in the currency of the prices would otherwise not count it at all.
    """
    within = _condition(connection, scope, slate)
    orders = _union([_in(table, within) for table in _TABLES] + [_priced_otherwise(table, within) for table in _TABLES])
    return _sums(_counted(connection, orders, _named(film, slate, run), ()))


def unpriced(connection: Connection, scope: Scope, film: str, slate: str, run: str) -> int:
    """The number of owed orders within a scope whose cost is unknown, and which `committed` cannot count."""
    orders = _orders(_condition(connection, scope, slate))
    found = _counted(connection, orders, _named(film, slate, run), ())
    return sum(row.times for row in found if row.amount is None)


def _named(film: str, slate: str, run: str) -> dict[str, str]:
    # The money for all that is made for a shot is the shot's.
    shot = shot_of(slate)
    of_shot = {"slate": shot, "made_for": made_for(shot), "sheet": sheet_slate(shot)}
    return {"film": storable(film), "run": storable(run), **of_shot}


def _condition(connection: Connection, scope: Scope, slate: str) -> str:
    match scope:
        case "run":
            return "run = :run AND run <> ''"
        case "shot":
            # Not LIKE, which takes 1a for 1A in SQLite.
            begins = f"substr(slate, 1, {len(made_for(shot_of(slate)))}) = :made_for AND slate <> :sheet"
            return f"film = :film AND (slate = :slate OR ({begins}))" if slate else "film = :film"
        case "month":
            # Times are texts, of which a prefix sorts before all texts that begin with it.
            return f"film = :film AND intended >= substr({connection.now}, 1, 7)"


def spent(connection: Connection, wanted: PurchaseFilter, by: By | None = None) -> tuple[Spend, ...]:
    """The cost of matching orders, divided by `by`, one sum if None. Free orders are left out, unless all are free."""
    labels = LABELS[by] if by else ()
    orders = _union([_in(table, matches(wanted, table)[0]) for table in _TABLES])
    values = matches(wanted, "purchases")[1]
    found = _counted(connection, orders, values, labels)
    free = {row.amount for row in found if row.amount is not None and not Decimal(row.amount)}
    if any(row.amount not in free for row in found):
        found = [row for row in found if row.amount not in free]
    else:
        free = set()
    takes = _takes(connection, orders, values, labels, sorted(free))
    return tuple(
        Spend(
            **dict(zip(labels, names, strict=True)),
            takes=takes[names],
            charged=_sums(row for row in those if row.is_charged),
            estimated=_sums(row for row in those if not row.is_charged),
            unpriced=sum(row.times for row in those if row.amount is None),
        )
        for names, those in sorted(_grouped(found).items(), key=lambda group: _natural_order(group[0]))
    )


class _Counted(NamedTuple):
    """An amount, and the number of orders that have it under some labels."""

    names: tuple[str, ...]
    is_charged: bool
    amount: str | None
    currency: str
    times: int


def _orders(condition: str) -> str:
    """The names and the amount of each order that counts and is owed or charged, in SQL."""
    return _union([_in(table, condition) for table in _TABLES])


def _union(queries: Sequence[str]) -> str:
    return f"({' UNION ALL '.join(queries)}) AS orders"


def _in(table: str, condition: str) -> str:
    amount = f"CASE WHEN cost IS NOT NULL THEN {charged(table)} ELSE price END"
    currency = "CASE WHEN cost IS NOT NULL THEN currency ELSE price_currency END"
    return f"{_selected(table, 'cost IS NOT NULL', amount, currency)} WHERE {condition} AND (cost IS NOT NULL OR owed)"


def _priced_otherwise(table: str, condition: str) -> str:
    """The prices of orders that were charged in another currency, and not charged nothing, in SQL."""
    selected = _selected(table, "1 = 0", "price", "price_currency")
    return f"{selected} WHERE {condition} AND currency <> price_currency AND {charged(table)} <> '0'"


def _selected(table: str, is_charged: str, amount: str, currency: str) -> str:
    return (
        f"SELECT key, film, scene, provider AS service, substr(intended, 1, 7) AS month, ({is_charged}) AS is_charged, "
        f"{amount} AS amount, {currency} AS currency FROM {table}"
    )


def _counted(connection: Connection, orders: str, values: Values, labels: Sequence[str]) -> list[_Counted]:
    """Each amount with the number of orders that have it."""
    columns = ", ".join((*labels, "is_charged", "amount", "currency"))
    rows = connection.select(f"SELECT {columns}, count(*) AS times FROM {orders} GROUP BY {columns}", values)
    return [_Counted(tuple(row[:-4]), *row[-4:]) for row in rows]


def _takes(
    connection: Connection, orders: str, values: Values, labels: Sequence[str], free: Sequence[str]
) -> dict[tuple[str, ...], int]:
    """The number of different takes by labels, of orders whose amount is not in `free`."""
    columns = ", ".join(labels)
    names, amounts = marks("free", free)
    where = f" WHERE amount IS NULL OR amount NOT IN ({names})" if free else ""
    query = f"SELECT {', '.join((*labels, 'count(DISTINCT key) AS takes'))} FROM {orders}{where}"
    rows = connection.select(f"{query} GROUP BY {columns}" if labels else query, {**values, **amounts})
    return {tuple(row[:-1]): row[-1] for row in rows}


def _sums(counted: Iterable[_Counted]) -> tuple[Money, ...]:
    return sums(
        Money(amount=Decimal(row.amount) * row.times, currency=row.currency)
        for row in counted
        if row.amount is not None
    )


def _grouped(counted: Iterable[_Counted]) -> dict[tuple[str, ...], list[_Counted]]:
    groups: dict[tuple[str, ...], list[_Counted]] = {}
    for row in counted:
        groups.setdefault(row.names, []).append(row)
    return groups


def _natural_order(names: Sequence[str]) -> list[tuple[list[tuple[int, str]], str]]:
    """Sort key that puts scene 2 before scene 10, and 2 before 2A."""
    return [
        ([(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name.casefold())], name)
        for name in names
    ]
