"""The ledger's tables as they are today, and how a ledger of any age is brought to them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Connection, Float, Integer, MetaData, String, Table, Text, inspect, text

from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.ledger.migrations import MIGRATIONS

VERSION = len(MIGRATIONS)
"""The schema that this storyreel reads and writes."""

_TABLES = MetaData()


def _of_an_order() -> tuple[Column[Any], ...]:
    """What there is to know of one order, whether a row still stands for it or has gone on to another."""
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
        Column("reason", Text, nullable=False),
        Column("ordered_by", String(32), nullable=False),
        Column("changed", String(32), nullable=False),
        Column("intended", String(32)),
        Column("submitted", String(32)),
        Column("finished", String(32)),
    )


OF_AN_ORDER = tuple(column.name for column in _of_an_order())

PURCHASES = Table(
    "purchases",
    _TABLES,
    Column("key", String(64), primary_key=True),
    *_of_an_order(),
    Column("request", Text, nullable=False),
    Column("created", String(32), nullable=False),
    Column("owner_host", Text, nullable=False),
    Column("owner_pid", Integer, nullable=False),
    Column("owner_started", Float, nullable=False),
    Column("owner_run", String(32), nullable=False),
    Column("lease_until", String(32)),
)
"""One row a key: the order of it that stands."""

EARLIER = Table(
    "earlier",
    _TABLES,
    Column("number", Integer, primary_key=True),
    Column("key", String(64), nullable=False),
    *_of_an_order(),
)
"""Orders that a key had before the one that stands, as they ended: what they cost may have been paid."""

EVENTS = Table(
    "events",
    _TABLES,
    Column("number", Integer, primary_key=True),
    Column("key", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("state", String(16)),
    Column("task", Text),
    Column("clip", String(64)),
    Column("cost", String(40)),
    Column("currency", String(8)),
    Column("reason", Text, nullable=False),
    Column("owner_host", Text, nullable=False),
    Column("owner_pid", Integer, nullable=False),
)

VERDICTS = Table(
    "verdicts",
    _TABLES,
    Column("number", Integer, primary_key=True),
    Column("key", String(64), nullable=False),
    Column("film", Text, nullable=False),
    Column("slate", String(64), nullable=False),
    Column("take", Integer, nullable=False),
    Column("word", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", String(32), nullable=False),
)
"""What people said of takes. The source names the answer that several came in together; empty for the command line."""


def migrate(database: Database) -> None:
    """Bring a database to today's tables; many processes may try at once. Raises LedgerError for one of tomorrow's."""
    # A server that is not there when a command begins is told at once: the address may be wrong.
    if version(database) == VERSION:
        return
    database.alone(lambda connection: _bring_up(connection, database.place))


def version(database: Database) -> int:
    """The schema that a database has; 0 when it is empty."""
    return database.read(_version, patience=60 if database.is_sqlite else 0)


def _bring_up(connection: Connection, place: str) -> None:
    begin = _version(connection)
    if begin > VERSION:
        raise LedgerError(
            f"the ledger {place} was written by a newer storyreel (schema {begin}, this one knows {VERSION})",
            "pip install --upgrade storyreel",
        )
    for migration in MIGRATIONS[begin:]:
        migration(connection)
    if begin < VERSION:
        connection.execute(text("delete from schema_version"))
        connection.execute(text("insert into schema_version values (:version)"), {"version": VERSION})


def _version(connection: Connection) -> int:
    tables = set(inspect(connection).get_table_names())
    if "schema_version" in tables:
        return int(connection.execute(text("select version from schema_version")).scalar_one())
    return 1 if "purchases" in tables else 0
