"""Purchases and their events, from rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from storyreel.specs.foreign_text import storable
from storyreel.specs.money import Money
from storyreel.tasks.ledger.owner import Owner
from storyreel.tasks.ledger.purchase import (
    CHARGED,
    DRAFT_BRIEF,
    GIVEN_UP,
    Event,
    Order,
    Purchase,
    PurchaseFilter,
    State,
)
from storyreel.tasks.ledger.reading.connection import Connection, in_batches, marks

ORDER_COLUMNS = (
    "state", "provider", "model", "film", "scene", "slate", "take", "brief", "price", "price_currency", "run", "task",
    "clip", "cost", "currency", "owed", "reason", "ordered_by", "changed", "intended", "submitted", "finished",
)  # fmt: skip
"""Columns of an order, in `purchases` and in `earlier`."""
_OWN_COLUMNS = ("request", "created", "owner_host", "owner_pid", "owner_started", "owner_run", "lease_until")
COLUMNS = ("key", *ORDER_COLUMNS, *_OWN_COLUMNS)
"""Columns of `purchases`."""

_TEXTS = ("film", "slate", "provider", "run", "state")
_NAME = ("film", "slate", "take", "provider")
_EVENT = ("key", "at", "state", "task", "clip", "reason", "cost", "currency", "owner_host", "owner_pid")

_FREE_FAILURES = "'aimlapi'"
"""Services that charge nothing for an order that fails, in SQL: AIMLAPI's pages on usage logs and on the account's
balance, read 2026-11-29. Until then an order that had failed kept the cost that was named when it was accepted; now it
does only if the user's own price file says so, and its reason says that."""


def charged(table: str) -> str:
    """The column of what the orders of `purchases` or `earlier` are charged, in SQL."""
    is_free = f"{table}.state = '{State.FAILED}' AND {table}.provider IN ({_FREE_FAILURES})"
    is_free += f" AND {table}.cost IS NOT NULL AND {table}.reason <> '{GIVEN_UP}'"
    is_free += f" AND replace({table}.reason, '{CHARGED}', '') = {table}.reason"
    return f"CASE WHEN {is_free} THEN '0' ELSE {table}.cost END"


def one(connection: Connection, key: str) -> Purchase | None:
    """The row of a key, None if there is none. Locked until the transaction ends, if it writes."""
    found = list(_read(connection, f"WHERE purchases.key = :key{connection.lock}", {"key": key}))
    return found[0] if found else None


def by_keys(connection: Connection, keys: Iterable[str]) -> dict[str, Purchase]:
    """The rows of many keys, by key, without keys that have none."""
    found: dict[str, Purchase] = {}
    for some in in_batches(keys):
        names, values = marks("key", some)
        for purchase in _read(connection, f"WHERE purchases.key IN ({names})", values):
            found[purchase.order.key] = purchase
    return found


def latest(
    connection: Connection, film: str, slates: Iterable[str], *, drafts: bool
) -> dict[tuple[str, int, str], Purchase]:
    """The row that was ordered last for each slate, take number and service of a film or its draft, whatever its key.

    A row is a draft if its brief says so.
    """
    found: dict[tuple[str, int, str], Purchase] = {}
    name = ", ".join(_NAME)
    is_last = " AND ".join(f"purchases.{column} = last.{column}" for column in (*_NAME, "intended"))
    is_kind = f"substr(purchases.brief, 1, {len(DRAFT_BRIEF)}) {'=' if drafts else '<>'} :draft"
    for some in in_batches(slates):
        names, values = marks("slate", some)
        # Of two that were stored in the same microsecond, always the same one.
        rest = (
            f"JOIN (SELECT {name}, max(intended) AS intended FROM purchases WHERE film = :film AND slate IN ({names}) "
            f"AND {is_kind} GROUP BY {name}) AS last ON {is_last} AND {is_kind} "
            "ORDER BY purchases.created, purchases.key"
        )
        for each in _read(connection, rest, {"film": storable(film), "draft": DRAFT_BRIEF} | values):
            found[each.order.slate, each.order.take, each.order.provider] = each
    return found


def matching(connection: Connection, wanted: PurchaseFilter, limit: int | None) -> tuple[Purchase, ...]:
    """The rows that match, most recently changed first."""
    condition, values = matches(wanted, "purchases")
    rest = f"WHERE {condition} ORDER BY purchases.changed DESC, purchases.key"
    if limit is None:
        return tuple(_read(connection, rest, values))
    return tuple(_read(connection, f"{rest} LIMIT :most", values | {"most": limit}))


def given_up(connection: Connection, provider: str) -> tuple[Purchase, ...]:
    """The orders at a service, present and earlier ones, that were given up without an id and may be charged."""
    values = {"provider": provider, "failed": str(State.FAILED)}
    is_given_up = "{0}.provider = :provider AND {0}.task IS NULL AND {0}.owed".format
    present = _read(connection, f"WHERE {is_given_up('purchases')} AND purchases.state = :failed", values)
    # The lease and the owner are those of the order that replaced it.
    columns = (f"earlier.{name}" if name in ORDER_COLUMNS else f"purchases.{name}" for name in COLUMNS[:-1])
    earlier = connection.select(
        f"SELECT {', '.join(columns)}, NULL AS lease_until, {connection.now} AS read FROM purchases "
        f"JOIN earlier ON earlier.key = purchases.key WHERE {is_given_up('earlier')}",
        {"provider": provider},
    )
    return (*present, *(_purchase(connection.reader, row) for row in earlier))


def events(connection: Connection, key: str) -> tuple[Event, ...]:
    """All events of a key, oldest first."""
    query = f"SELECT {', '.join(_EVENT)} FROM events WHERE key = :key ORDER BY number"
    return tuple(map(_event, connection.select(query, {"key": key})))


def claimed(connection: Connection, provider: str, tasks: Iterable[str]) -> dict[str, str]:
    """The task ids of a service that are in any purchase's history, each with the key of the first that had it."""
    found: dict[str, str] = {}
    for some in in_batches(map(storable, tasks)):
        names, values = marks("task", some)
        query = (
            f"SELECT task, key FROM events WHERE task IN ({names}) "
            "AND key IN (SELECT key FROM purchases WHERE provider = :provider) ORDER BY number"
        )
        for task, key in connection.select(query, values | {"provider": provider}):
            found.setdefault(task, key)
    return found


def durations(connection: Connection, provider: str, model: str, limit: int) -> list[float]:
    """Seconds from order to clip of a model's last purchases, at most `limit` of them."""
    query = (
        "SELECT submitted, finished FROM purchases WHERE provider = :provider AND model = :model "
        "AND submitted IS NOT NULL AND finished IS NOT NULL ORDER BY finished DESC LIMIT :most"
    )
    took = (
        (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
        for begin, end in connection.select(query, {"provider": provider, "model": model, "most": limit})
    )
    return [max(0.0, seconds) for seconds in took]


def matches(wanted: PurchaseFilter, table: str) -> tuple[str, dict[str, Any]]:
    """A filter as a condition on rows of `purchases` or `earlier`, and its values."""
    values: dict[str, Any] = {name: storable(str(wanted[name])) for name in _TEXTS if name in wanted}  # type: ignore[literal-required]
    terms = [f"{table}.{name} = :{name}" for name in values]
    if "key" in wanted:
        terms.append(f"{table}.key LIKE :prefix ESCAPE '/'")
        prefix = wanted["key"].replace("/", "//").replace("%", "/%").replace("_", "/_")
        values["prefix"] = f"{prefix}%"
    if "since" in wanted:
        terms.append(f"{table}.changed >= :since")
        values["since"] = timestamp(wanted["since"])
    return " AND ".join(terms) or "1 = 1", values


def timestamp(time: datetime) -> str:
    """A time as the tables store it: in UTC, always of one length, so that texts sort like times."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def money(amount: str | None, currency: str | None) -> Money | None:
    """An amount from its two columns, None if unknown."""
    return Money(amount=Decimal(amount), currency=currency) if amount is not None and currency is not None else None


def _read(connection: Connection, rest: str, values: dict[str, Any]) -> Iterator[Purchase]:
    """The purchases of a query, of which `rest` is what follows the table."""
    columns = ", ".join(charged("purchases") if name == "cost" else f"purchases.{name}" for name in COLUMNS)
    query = f"SELECT {columns}, {connection.now} AS read FROM purchases {rest}"
    return (_purchase(connection.reader, row) for row in connection.select(query, values))


def _purchase(reader: Owner, values: Sequence[Any]) -> Purchase:
    row = dict(zip((*COLUMNS, "read"), values, strict=True))
    price = money(row["price"], row["price_currency"])
    return Purchase(
        order=Order(**{name: row[name] for name in Order.model_fields if name != "price"}, price=price),
        state=State(row["state"]),
        task=row["task"],
        clip=row["clip"],
        cost=money(row["cost"], row["currency"]),
        owed=bool(row["owed"]),
        reason=row["reason"],
        owner=Owner(host=row["owner_host"], pid=row["owner_pid"], started=row["owner_started"], run=row["owner_run"]),
        created=datetime.fromisoformat(row["created"]),
        changed=datetime.fromisoformat(row["changed"]),
        lease_until=_time(row["lease_until"]),
        intended=_time(row["intended"]),
        submitted=_time(row["submitted"]),
        finished=_time(row["finished"]),
        read=datetime.fromisoformat(row["read"]),
        reader=reader,
    )


def _event(values: Sequence[Any]) -> Event:
    row = dict(zip(_EVENT, values, strict=True))
    return Event(
        key=row["key"],
        at=datetime.fromisoformat(row["at"]),
        state=State(row["state"]) if row["state"] else None,
        task=row["task"],
        clip=row["clip"],
        reason=row["reason"],
        cost=money(row["cost"], row["currency"]),
        host=row["owner_host"].partition("/")[0],
        pid=row["owner_pid"],
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
