"""The ledger: one row a purchase, so that nothing is bought twice.

A row is committed before anything is ordered and again right after the service has named its task:
`intended → submitted → finished | failed | unknown`. Whoever inserts the row orders; everybody else who wants
the same take waits for it. What the ledger cannot know it calls unknown, and an unknown is never ordered again
by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Row, make_url
from sqlalchemy.exc import IntegrityError

from specs.frozen import Frozen
from specs.money import Money
from tasks.store.owner import Owner, this_process

_tables = MetaData()
_purchases = Table(
    "purchases",
    _tables,
    Column("key", String(64), primary_key=True),
    Column("state", String(16), nullable=False, index=True),
    Column("provider", String(64), nullable=False),
    Column("model", String(128), nullable=False),
    Column("film", Text, nullable=False),
    Column("slate", String(64), nullable=False),
    Column("take", Integer, nullable=False),
    Column("request", Text, nullable=False),
    Column("task", Text),
    Column("clip", String(64)),
    Column("cost", String(40)),
    Column("currency", String(8)),
    Column("reason", Text, nullable=False, default=""),
    Column("owner_host", Text, nullable=False),
    Column("owner_pid", Integer, nullable=False),
    Column("owner_started", Float, nullable=False),
    Column("created", String(32), nullable=False),
    Column("changed", String(32), nullable=False),
)

_KEYS_AT_ONCE = 500
"""Keys in one question: SQLite takes at most 999 parameters in its older builds."""


class State(StrEnum):
    """How far a purchase is."""

    INTENDED = "intended"
    SUBMITTED = "submitted"
    FINISHED = "finished"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Order(Frozen):
    """What is wanted: the key of a request, the request itself, and what the author calls it."""

    key: str
    provider: str
    model: str
    request: str
    """The request's canonical form."""
    film: str
    slate: str
    take: int


class Purchase(Frozen):
    """One row of the ledger."""

    order: Order
    state: State
    task: str | None
    """The service's id of it, once it has one."""
    clip: str | None
    """Digest of the finished clip."""
    cost: Money | None
    reason: str
    """Why it failed."""
    owner: Owner
    """The process that is, or was last, at work on it."""
    created: datetime
    changed: datetime


class Ledger:
    """The purchases of a user, in SQLite or PostgreSQL. Safe for any number of processes at once."""

    def __init__(self, url: str) -> None:
        self._engine = _open(url)
        _tables.create_all(self._engine)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def find(self, key: str) -> Purchase | None:
        """The purchase of one key."""
        return self.find_all([key]).get(key)

    def find_all(self, keys: Iterable[str]) -> dict[str, Purchase]:
        """The purchases of many keys; keys that were never ordered are left out."""
        found: dict[str, Purchase] = {}
        remaining = iter(keys)
        with self._engine.connect() as connection:
            while some := list(islice(remaining, _KEYS_AT_ONCE)):
                rows = connection.execute(select(_purchases).where(_purchases.c.key.in_(some)))
                found.update((row.key, _purchase(row)) for row in rows)
        return found

    def intend(self, order: Order) -> bool:
        """Note that this process is about to order. False when the key has a row already: then it must not."""
        now = _now()
        values = {
            **order.model_dump(),
            **_owned(this_process()),
            "state": State.INTENDED,
            "reason": "",
            "created": now,
            "changed": now,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_purchases).values(values))
        except IntegrityError:
            return False
        return True

    def intend_again(self, seen: Purchase) -> bool:
        """Order anew what has failed, or what is free and was left behind. False when the row has moved since."""
        return self._move(seen, state=State.INTENDED, task=None, clip=None, reason="", **_owned(this_process()))

    def take_over(self, seen: Purchase) -> bool:
        """Go on with a purchase whose owner is gone. False when the row has moved since it was seen."""
        return self._move(seen, **_owned(this_process()))

    def submitted(self, key: str, task: str, cost: Money | None) -> None:
        """The service has accepted the order and calls it `task`."""
        self._set(key, state=State.SUBMITTED, task=task, **_priced(cost))

    def finished(self, key: str, clip: str, cost: Money | None = None) -> None:
        """The clip is in the store, under this digest. A cost replaces one that was told before."""
        self._set(key, state=State.FINISHED, clip=clip, reason="", **_priced(cost))

    def failed(self, key: str, reason: str) -> None:
        """The service's final verdict."""
        self._set(key, state=State.FAILED, reason=reason)

    def unknown(self, key: str, reason: str) -> None:
        """Nobody can tell whether the order was accepted."""
        self._set(key, state=State.UNKNOWN, reason=reason)

    def withdraw(self, key: str) -> None:
        """Take back an intent of this process that surely nobody has accepted; anything further stays."""
        mine = _owned(this_process())
        unsent = (_purchases.c.key == key) & (_purchases.c.state == State.INTENDED)
        for column, value in mine.items():
            unsent &= _purchases.c[column] == value
        with self._engine.begin() as connection:
            connection.execute(delete(_purchases).where(unsent))

    def _set(self, key: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            change = update(_purchases).where(_purchases.c.key == key).values(**values, changed=_now())
            if connection.execute(change).rowcount != 1:
                raise LookupError(f"the ledger has no purchase {key}")

    def _move(self, seen: Purchase, **values: Any) -> bool:
        """Change a row only if it is as it was seen."""
        unchanged = (
            (_purchases.c.key == seen.order.key)
            & (_purchases.c.state == seen.state)
            & (_purchases.c.owner_host == seen.owner.host)
            & (_purchases.c.owner_pid == seen.owner.pid)
            & (_purchases.c.owner_started == seen.owner.started)
            & (_purchases.c.changed == seen.changed.isoformat())
        )
        with self._engine.begin() as connection:
            change = update(_purchases).where(unchanged).values(**values, changed=_now())
            return connection.execute(change).rowcount == 1


def _open(url: str) -> Engine:
    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite"):
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": 60})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # A commit must outlive a power cut: it stands between an order and its double.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    return engine


def _purchase(row: Row[Any]) -> Purchase:
    return Purchase(
        order=Order(**{name: getattr(row, name) for name in Order.model_fields}),
        state=State(row.state),
        task=row.task,
        clip=row.clip,
        cost=Money(amount=Decimal(row.cost), currency=row.currency) if row.cost is not None else None,
        reason=row.reason,
        owner=Owner(host=row.owner_host, pid=row.owner_pid, started=row.owner_started),
        created=datetime.fromisoformat(row.created),
        changed=datetime.fromisoformat(row.changed),
    )


def _owned(owner: Owner) -> dict[str, Any]:
    return {"owner_host": owner.host, "owner_pid": owner.pid, "owner_started": owner.started}


def _priced(cost: Money | None) -> dict[str, Any]:
    return {"cost": str(cost.amount), "currency": cost.currency} if cost else {}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
