"""Rows of the ledger in SQL: finding and reading purchases, adding and reading events, models as column values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any, TypedDict, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, insert, literal, null, select, true
from sqlalchemy.engine import Row

from storyreel.specs.money import Money
from storyreel.tasks.ledger.database import timestamp
from storyreel.tasks.ledger.owner import Owner
from storyreel.tasks.ledger.purchase import Event, Order, Purchase, State
from storyreel.tasks.ledger.schema import EARLIER, EVENTS, ORDER_COLUMNS, PURCHASES

Item = TypeVar("Item")

_BATCH = 500
"""Values in one query: SQLite before 3.32 takes at most 999 parameters."""


class PurchaseFilter(TypedDict, total=False):
    """Conditions on purchases, all of which must hold."""

    key: str
    """The first characters of the key."""
    film: str
    slate: str
    provider: str
    state: State
    run: str
    """Ordered by this flow run."""
    since: datetime
    """Changed at this time or later."""


class Rows:
    """Purchases in a transaction, as one run reads them."""

    def __init__(self, connection: Connection, reader: Owner, now: ColumnElement[str]) -> None:
        self._connection, self._reader, self._now = connection, reader, now.label("read")
        self._all = select(PURCHASES, self._now)

    def one(self, key: str) -> Purchase | None:
        """The row of a key, None if there is none. Locked until the transaction ends, if it writes."""
        found = list(self._read(self._all.where(PURCHASES.c.key == key).with_for_update(of=PURCHASES)))
        return found[0] if found else None

    def by_keys(self, keys: Iterable[str]) -> dict[str, Purchase]:
        """The rows of many keys, by key, without keys that have none."""
        queries = (self._all.where(PURCHASES.c.key.in_(some)) for some in in_batches(keys))
        return {purchase.order.key: purchase for query in queries for purchase in self._read(query)}

    def latest(self, film: str, slates: Iterable[str]) -> dict[tuple[str, int, str], Purchase]:
        """The row that was ordered last for each slate, take number and service of a film, whatever its key."""
        found: dict[tuple[str, int, str], Purchase] = {}
        name = PURCHASES.c.film, PURCHASES.c.slate, PURCHASES.c.take, PURCHASES.c.provider
        for some in in_batches(slates):
            last = (
                select(*name, func.max(PURCHASES.c.intended).label("intended"))
                .where(PURCHASES.c.film == film, PURCHASES.c.slate.in_(some))
                .group_by(*name)
                .subquery()
            )
            is_last = and_(*(PURCHASES.c[column.name] == column for column in last.c))
            # Of two that were stored in the same microsecond, always the same one.
            query = self._all.join(last, is_last).order_by(PURCHASES.c.created, PURCHASES.c.key)
            found.update(((each.order.slate, each.order.take, each.order.provider), each) for each in self._read(query))
        return found

    def matching(self, wanted: PurchaseFilter, limit: int | None) -> tuple[Purchase, ...]:
        """The rows that match, most recently changed first."""
        newest_first = PURCHASES.c.changed.desc(), PURCHASES.c.key
        return tuple(self._read(self._all.where(matches(wanted)).order_by(*newest_first).limit(limit)))

    def given_up(self, provider: str) -> tuple[Purchase, ...]:
        """The orders at a service, present and earlier ones, that were given up without an id and may be charged."""

        def is_given_up(table: Table) -> ColumnElement[bool]:
            return and_(table.c.provider == provider, table.c.task.is_(None), table.c.owed)

        present = self._all.where(is_given_up(PURCHASES), PURCHASES.c.state == State.FAILED)
        # The lease and the owner are those of the order that replaced it.
        names = [*ORDER_COLUMNS, "lease_until"]
        rest = [column for column in PURCHASES.c if column.name not in names]
        columns = [*(EARLIER.c[name] for name in ORDER_COLUMNS), *rest, null().label("lease_until"), self._now]
        replaced = PURCHASES.join(EARLIER, EARLIER.c.key == PURCHASES.c.key)
        earlier = select(*columns).select_from(replaced).where(is_given_up(EARLIER))
        return (*self._read(present), *self._read(earlier))

    def _read(self, query: Select[Any]) -> Iterator[Purchase]:
        return map(partial(_purchase, self._reader), self._connection.execute(query))


def _purchase(reader: Owner, row: Row[Any]) -> Purchase:
    return Purchase(
        order=Order(
            **{name: getattr(row, name) for name in Order.model_fields if name != "price"},
            price=money(row.price, row.price_currency),
        ),
        state=State(row.state),
        task=row.task,
        clip=row.clip,
        cost=money(row.cost, row.currency),
        owed=row.owed,
        reason=row.reason,
        owner=Owner(host=row.owner_host, pid=row.owner_pid, started=row.owner_started, run=row.owner_run),
        created=datetime.fromisoformat(row.created),
        changed=datetime.fromisoformat(row.changed),
        lease_until=_time(row.lease_until),
        intended=_time(row.intended),
        submitted=_time(row.submitted),
        finished=_time(row.finished),
        read=datetime.fromisoformat(row.read),
        reader=reader,
    )


# Events


def add_event(
    connection: Connection, key: str, *, taken_back: str | None = None, at: ColumnElement[str] | None = None
) -> None:
    """Add an event with the present values of a row; `taken_back` is why its order was undone, `at` when."""
    gone = taken_back is not None
    copied = ("key", "task", "clip", "cost", "currency", "owner_host", "owner_pid")
    values = {name: PURCHASES.c[name] for name in copied} | {
        "at": at if at is not None else PURCHASES.c.changed,
        "state": null() if gone else PURCHASES.c.state,
        "reason": literal(taken_back, EVENTS.c.reason.type) if gone else PURCHASES.c.reason,
    }
    source = select(*values.values()).where(PURCHASES.c.key == key)
    connection.execute(insert(EVENTS).from_select(list(values), source))


def events(connection: Connection, key: str) -> tuple[Event, ...]:
    """All events of a key, oldest first."""
    query = select(EVENTS).where(EVENTS.c.key == key).order_by(EVENTS.c.number)
    return tuple(map(_event, connection.execute(query)))


def claimed(connection: Connection, provider: str, tasks: Iterable[str]) -> dict[str, str]:
    """Those of a service's task ids that are in any purchase's history, each with the key of the first that had it."""
    found: dict[str, str] = {}
    of_the_service = select(PURCHASES.c.key).where(PURCHASES.c.provider == provider)
    for some in in_batches(tasks):
        query = select(EVENTS.c.task, EVENTS.c.key).where(EVENTS.c.task.in_(some), EVENTS.c.key.in_(of_the_service))
        for task, key in connection.execute(query.order_by(EVENTS.c.number)):
            found.setdefault(task, key)
    return found


def durations(connection: Connection, provider: str, model: str, limit: int) -> list[float]:
    """Seconds from order to clip of a model's last purchases, at most `limit` of them."""
    times = PURCHASES.c.submitted, PURCHASES.c.finished
    known = and_(*(time.is_not(None) for time in times))
    query: Select[Any] = (
        select(*times)
        .where(PURCHASES.c.provider == provider, PURCHASES.c.model == model, known)
        .order_by(PURCHASES.c.finished.desc())
        .limit(limit)
    )
    took = (
        (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
        for begin, end in connection.execute(query)
    )
    return [max(0.0, seconds) for seconds in took]


# Column values


def matches(wanted: PurchaseFilter, table: Table = PURCHASES) -> ColumnElement[bool]:
    """A filter as a condition on rows of `purchases` or `earlier`."""
    terms = [table.c[name] == wanted[name] for name in ("film", "slate", "provider", "state", "run") if name in wanted]
    if "key" in wanted:
        terms.append(table.c.key.startswith(wanted["key"], autoescape=True))
    if "since" in wanted:
        terms.append(table.c.changed >= timestamp(wanted["since"]))
    return and_(true(), *terms)


def is_owned_by(owner: Owner) -> ColumnElement[bool]:
    """The condition on rows that a run owns."""
    return and_(*(PURCHASES.c[name] == value for name, value in owner_columns(owner).items()))


def owner_columns(owner: Owner) -> dict[str, Any]:
    """Column values of an owner."""
    return {"owner_host": owner.host, "owner_pid": owner.pid, "owner_started": owner.started, "owner_run": owner.run}


def order_columns(order: Order) -> dict[str, Any]:
    """Column values of an order."""
    price = order.price
    priced = {"price": str(price.amount) if price else None, "price_currency": price.currency if price else None}
    return order.model_dump(exclude={"price"}) | priced


def cost_columns(cost: Money | None) -> dict[str, Any]:
    """Column values of a charged cost, none if it is unknown, so that a stored cost stays."""
    return {"cost": str(cost.amount), "currency": cost.currency} if cost else {}


def money(amount: str | None, currency: str | None) -> Money | None:
    """An amount from its two columns, None if unknown."""
    return Money(amount=Decimal(amount), currency=currency) if amount is not None and currency is not None else None


def _event(row: Row[Any]) -> Event:
    return Event(
        key=row.key,
        at=datetime.fromisoformat(row.at),
        state=State(row.state) if row.state else None,
        task=row.task,
        clip=row.clip,
        reason=row.reason,
        cost=money(row.cost, row.currency),
        host=row.owner_host.partition("/")[0],
        pid=row.owner_pid,
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def in_batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Lists of at most as many items as one query may have values."""
    remaining = iter(items)
    while some := list(islice(remaining, _BATCH)):
        yield some
