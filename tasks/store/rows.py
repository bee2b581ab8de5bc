"""The ledger's rows in SQL: reading purchases, noting events, and the questions that people and plans ask."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypedDict, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, and_, insert, literal, null, select, true
from sqlalchemy.engine import Row

from specs.money import Money
from tasks.store.database import written
from tasks.store.owner import Owner
from tasks.store.purchase import Event, Order, Purchase, State
from tasks.store.schema import EVENTS, PURCHASES

Item = TypeVar("Item")

_AT_ONCE = 500
"""Values in one question: SQLite takes at most 999 parameters in its older builds."""


class Wanted(TypedDict, total=False):
    """Which purchases are asked for; what is left out does not matter."""

    key: str
    """The beginning of it."""
    film: str
    slate: str
    provider: str
    state: State
    since: datetime
    """Changed then or later."""


class Rows:
    """Purchases in a transaction, as one run reads them."""

    def __init__(self, connection: Connection, reader: Owner, now: ColumnElement[str]) -> None:
        self._connection, self._reader = connection, reader
        self._all = select(PURCHASES, now.label("read"))

    def one(self, key: str) -> Purchase | None:
        """The row of a key; where the transaction writes, nobody else changes it before its end."""
        question = self._all.where(PURCHASES.c.key == key).with_for_update(of=PURCHASES)
        row = self._connection.execute(question).one_or_none()
        return self._purchase(row) if row else None

    def by_keys(self, keys: Iterable[str]) -> dict[str, Purchase]:
        """The rows of many keys, as far as they are there."""
        found: dict[str, Purchase] = {}
        for some in _batches(keys):
            rows = self._connection.execute(self._all.where(PURCHASES.c.key.in_(some)))
            found.update((row.key, self._purchase(row)) for row in rows)
        return found

    def listed(self, wanted: Wanted, limit: int | None) -> tuple[Purchase, ...]:
        """The rows that fit, what changed last first."""
        question = self._all.where(_fits(wanted)).order_by(PURCHASES.c.changed.desc(), PURCHASES.c.key).limit(limit)
        return tuple(map(self._purchase, self._connection.execute(question)))

    def _purchase(self, row: Row[Any]) -> Purchase:
        return Purchase(
            order=Order(**{name: getattr(row, name) for name in Order.model_fields}),
            state=State(row.state),
            task=row.task,
            clip=row.clip,
            cost=_money(row),
            reason=row.reason,
            owner=Owner(host=row.owner_host, pid=row.owner_pid, started=row.owner_started, run=row.owner_run),
            created=datetime.fromisoformat(row.created),
            changed=datetime.fromisoformat(row.changed),
            lease_until=_time(row.lease_until),
            intended=_time(row.intended),
            submitted=_time(row.submitted),
            finished=_time(row.finished),
            read=datetime.fromisoformat(row.read),
            reader=self._reader,
        )


def note(
    connection: Connection, key: str, *, taken_back: str | None = None, at: ColumnElement[str] | None = None
) -> None:
    """Add to the history of a key what its row now says; or, at a time, that it was taken back and why."""
    gone = taken_back is not None
    same = ("key", "task", "clip", "cost", "currency", "owner_host", "owner_pid")
    seen = {name: PURCHASES.c[name] for name in same} | {
        "at": at if at is not None else PURCHASES.c.changed,
        "state": null() if gone else PURCHASES.c.state,
        "reason": literal(taken_back) if gone else PURCHASES.c.reason,
    }
    source = select(*seen.values()).where(PURCHASES.c.key == key)
    connection.execute(insert(EVENTS).from_select(list(seen), source))


def note_stray(
    connection: Connection, row: Purchase, owner: Owner, task: str, cost: Money | None, now: ColumnElement[str]
) -> None:
    """Add an order that was accepted when its row had already gone on without it, so that what it cost is not lost."""
    connection.execute(
        insert(EVENTS).values(
            key=row.order.key,
            at=now,
            state=State.SUBMITTED,
            task=task,
            reason=f"accepted although the row was {row.state} by then: ordered twice",
            owner_host=owner.host,
            owner_pid=owner.pid,
            **priced(cost),
        )
    )


def events(connection: Connection, key: str) -> tuple[Event, ...]:
    """All events of a key, in order."""
    question = select(EVENTS).where(EVENTS.c.key == key).order_by(EVENTS.c.number)
    return tuple(map(_event, connection.execute(question)))


def before(connection: Connection, key: str, undone: Sequence[State]) -> Event | None:
    """What a key was before it came into the states that are undone; None when it was not there."""
    undone_too = [event for event in events(connection, key) if event.state not in undone]
    return undone_too[-1] if undone_too and undone_too[-1].state else None


def claimed(connection: Connection, tasks: Iterable[str]) -> frozenset[str]:
    """Those of the ids that are in some purchase's history."""
    found: set[str] = set()
    for some in _batches(tasks):
        found.update(connection.execute(select(EVENTS.c.task).where(EVENTS.c.task.in_(some))).scalars())
    return frozenset(found)


def spent(connection: Connection, wanted: Wanted) -> tuple[Money, ...]:
    """What was told last of each of a service's tasks, added up for each currency."""
    question = (
        select(EVENTS.c.key, EVENTS.c.task, EVENTS.c.cost, EVENTS.c.currency)
        .join(PURCHASES, PURCHASES.c.key == EVENTS.c.key)
        .where(_fits(wanted), EVENTS.c.cost.is_not(None))
        .order_by(EVENTS.c.number)
    )
    told = {(row.key, row.task): row for row in connection.execute(question)}
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in told.values():
        sums[row.currency] += Decimal(row.cost)
    return tuple(Money(amount=amount, currency=currency) for currency, amount in sorted(sums.items()))


def durations(connection: Connection, provider: str, model: str, limit: int) -> list[float]:
    """Seconds from order to clip of a model's last purchases."""
    times = PURCHASES.c.submitted, PURCHASES.c.finished
    known = and_(*(time.is_not(None) for time in times))
    question: Select[Any] = (
        select(*times)
        .where(PURCHASES.c.provider == provider, PURCHASES.c.model == model, known)
        .order_by(PURCHASES.c.finished.desc())
        .limit(limit)
    )
    rows = connection.execute(question)
    took = ((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() for begin, end in rows)
    return [max(0.0, seconds) for seconds in took]


def owned(owner: Owner) -> ColumnElement[bool]:
    """Rows of one run."""
    return and_(*(PURCHASES.c[name] == value for name, value in owning(owner).items()))


def owning(owner: Owner) -> dict[str, Any]:
    """An owner, in columns."""
    return {
        "owner_host": owner.host,
        "owner_pid": owner.pid,
        "owner_started": owner.started,
        "owner_run": owner.run,
    }


def priced(cost: Money | None) -> dict[str, Any]:
    """A cost, in columns; without one, none are set."""
    return {"cost": str(cost.amount), "currency": cost.currency} if cost else {}


def _fits(wanted: Wanted) -> ColumnElement[bool]:
    terms = [PURCHASES.c[name] == wanted[name] for name in ("film", "slate", "provider", "state") if name in wanted]
    if "key" in wanted:
        terms.append(PURCHASES.c.key.startswith(wanted["key"], autoescape=True))
    if "since" in wanted:
        terms.append(PURCHASES.c.changed >= written(wanted["since"]))
    return and_(true(), *terms)


def _event(row: Row[Any]) -> Event:
    return Event(
        key=row.key,
        at=datetime.fromisoformat(row.at),
        state=State(row.state) if row.state else None,
        task=row.task,
        clip=row.clip,
        reason=row.reason,
        cost=_money(row),
        host=row.owner_host.partition("/")[0],
        pid=row.owner_pid,
    )


def _money(row: Row[Any]) -> Money | None:
    return Money(amount=Decimal(row.cost), currency=row.currency) if row.cost is not None else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while some := list(islice(remaining, _AT_ONCE)):
        yield some
