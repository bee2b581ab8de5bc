"""The ledger's tables, and the check that a database has them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Dialect, Index, MetaData, Table, insert, inspect, select
from sqlalchemy.types import BigInteger, Boolean, Float, Integer, String, TypeDecorator
from sqlalchemy.types import Text as SqlText

from storyreel.specs.foreign_text import printable, storable
from storyreel.specs.secrets import hidden
from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.ledger.reading.connection import VERSION

_MAX_REASON = 4000
"""Characters of a reason."""

_TABLES = MetaData()


class Text(TypeDecorator[str]):
    """Text of any length. Where a database cannot hold a character, its escape is stored, and searched for."""

    impl = SqlText
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class PublicText(Text):
    """Text without secrets, for what is shown only: the keys and signatures in it are replaced."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else hidden(storable(value))


class Reason(Text):
    """A reason, of a service or a person, for people to read: printable, without secrets, of bounded length."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        text = printable(hidden(value))
        return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 1] + "…"


_SCHEMA_VERSION = Table("schema_version", _TABLES, Column("version", Integer, nullable=False))


def _order_columns() -> tuple[Column[Any], ...]:
    """Columns of one order, the same for the current order of a key and for its earlier ones."""
    return (
        Column("state", String(16), nullable=False),
        Column("provider", String(64), nullable=False),
        Column("model", String(128), nullable=False),
        Column("film", Text, nullable=False),
        Column("scene", Text, nullable=False),
        Column("slate", String(64), nullable=False),
        Column("take", Integer, nullable=False),
        Column("brief", Text, nullable=False),
        Column("price", String(40)),
        Column("price_currency", String(8)),
        Column("run", Text, nullable=False),
        Column("task", Text),
        Column("clip", String(64)),
        Column("cost", String(40)),
        Column("currency", String(8)),
        Column("owed", Boolean, nullable=False),
        Column("reason", Reason, nullable=False),
        Column("ordered_by", String(32), nullable=False),
        Column("changed", String(32), nullable=False),
        Column("intended", String(32)),
        Column("submitted", String(32)),
        Column("finished", String(32)),
    )


def _number() -> Column[int]:
    """A key that counts up. SQLite counts up an INTEGER only."""
    return Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


PURCHASES = Table(
    "purchases",
    _TABLES,
    Column("key", String(64), primary_key=True),
    *_order_columns(),
    Column("request", PublicText, nullable=False),
    Column("created", String(32), nullable=False),
    Column("owner_host", Text, nullable=False),
    Column("owner_pid", Integer, nullable=False),
    Column("owner_started", Float, nullable=False),
    Column("owner_run", String(32), nullable=False),
    Column("lease_until", String(32)),
    Index("ix_purchases_state", "state"),
    Index("ix_purchases_changed", "changed"),
    Index("ix_purchases_named", "film", "slate", "take", "provider", "intended"),
    Index("ix_purchases_month", "film", "intended"),
    Index("ix_purchases_run", "run"),
)
"""One row a key, with the current order of it."""

EARLIER = Table(
    "earlier",
    _TABLES,
    _number(),
    Column("key", String(64), nullable=False),
    *_order_columns(),
    Index("ix_earlier_key", "key"),
    Index("ix_earlier_month", "film", "intended"),
    Index("ix_earlier_run", "run"),
)
"""Earlier orders of a key, as they ended. They may have been paid, so they count in sums."""

EVENTS = Table(
    "events",
    _TABLES,
    _number(),
    Column("key", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("state", String(16)),
    Column("task", Text),
    Column("clip", String(64)),
    Column("cost", String(40)),
    Column("currency", String(8)),
    Column("reason", Reason, nullable=False),
    Column("owner_host", Text, nullable=False),
    Column("owner_pid", Integer, nullable=False),
    Index("ix_events_key", "key"),
    Index("ix_events_task", "task"),
)
"""Every change of a purchase."""

VERDICTS = Table(
    "verdicts",
    _TABLES,
    _number(),
    Column("key", String(64), nullable=False),
    Column("film", Text, nullable=False),
    Column("slate", String(64), nullable=False),
    Column("take", Integer, nullable=False),
    Column("word", String(16), nullable=False),
    Column("note", Reason, nullable=False),
    Column("action", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Index("ix_verdicts_key", "key"),
    Index("ix_verdicts_source", "source"),
)
"""Verdicts on takes. `source` names the form that several came in together, empty for the command line."""

WAKEUPS = Table(
    "wakeups",
    _TABLES,
    Column("provider", String(64), primary_key=True),
    Column("task", Text, primary_key=True),
    Column("at", String(32), nullable=False),
)
"""Tasks of services that the run that waits for them should poll now."""


def ensure_schema(database: Database) -> None:
    """Create the tables in an empty database, once for all processes. Raises LedgerError for another version."""
    found = version(database)
    if found is None:
        found = database.exclusive(_create)
    if found > VERSION:
        raise LedgerError(
            f"the ledger {database.place} was written by a newer storyreel (schema {found}, this one reads {VERSION})",
            next="pip install --upgrade storyreel",
        )
    if found < VERSION:
        raise LedgerError(
            f"the ledger {database.place} was written by an unreleased storyreel (schema {found}, this one reads "
            f"{VERSION})",
            hint="read it with the version that wrote it; to begin a new ledger, which does not know what was bought "
            "before, set STORYREEL_LEDGER_URL to an empty database or STORYREEL_HOME to another folder",
        )


def version(database: Database) -> int | None:
    """The version of a database's tables, None if it is empty. Raises LedgerError."""
    # A PostgreSQL server that does not answer at a command's start is not waited for: its address may be wrong.
    return database.read(_version, timeout=60 if database.is_sqlite else 0)


def _create(connection: Connection) -> int:
    """Create the tables unless another process has created them meanwhile. Returns their version."""
    found = _version(connection)
    if found is not None:
        return found
    # Without a check for existing tables: those of another program must not be taken for the ledger's.
    _TABLES.create_all(connection, checkfirst=False)
    connection.execute(insert(_SCHEMA_VERSION).values(version=VERSION))
    return VERSION


def _version(connection: Connection) -> int | None:
    tables = set(inspect(connection).get_table_names())
    if _SCHEMA_VERSION.name in tables:
        return int(connection.execute(select(_SCHEMA_VERSION.c.version)).scalar_one())
    # Version 1 did not store its number.
    return 1 if PURCHASES.name in tables else None
