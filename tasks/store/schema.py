"""The ledger's tables, and how an older ledger becomes one of today.

A migration is never changed once it was released: a ledger of any age goes through all that it has not had.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Column, Connection, Float, Integer, MetaData, String, Table, Text, inspect, text

from tasks.store.database import Database, written
from tasks.store.errors import LedgerError
from tasks.store.purchase import LEASE

_TABLES = MetaData()

PURCHASES = Table(
    "purchases",
    _TABLES,
    Column("key", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
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
    Column("reason", Text, nullable=False),
    Column("owner_host", Text, nullable=False),
    Column("owner_pid", Integer, nullable=False),
    Column("owner_started", Float, nullable=False),
    Column("created", String(32), nullable=False),
    Column("changed", String(32), nullable=False),
    Column("owner_run", String(32), nullable=False),
    Column("lease_until", String(32)),
    Column("intended", String(32)),
    Column("submitted", String(32)),
    Column("finished", String(32)),
)

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
    for migration in _MIGRATIONS[begin:]:
        migration(connection)
    if begin < VERSION:
        connection.execute(text("delete from schema_version"))
        connection.execute(text("insert into schema_version values (:version)"), {"version": VERSION})


def _version(connection: Connection) -> int:
    tables = set(inspect(connection).get_table_names())
    if "schema_version" in tables:
        return int(connection.execute(text("select version from schema_version")).scalar_one())
    return 1 if "purchases" in tables else 0


def _first(connection: Connection) -> None:
    """Purchases alone, without a note of the schema."""
    _run(
        connection,
        """create table purchases (
            key varchar(64) not null primary key,
            state varchar(16) not null,
            provider varchar(64) not null,
            model varchar(128) not null,
            film text not null,
            slate varchar(64) not null,
            take integer not null,
            request text not null,
            task text,
            clip varchar(64),
            cost varchar(40),
            currency varchar(8),
            reason text not null,
            owner_host text not null,
            owner_pid integer not null,
            owner_started float not null,
            created varchar(32) not null,
            changed varchar(32) not null
        )""",
        "create index ix_purchases_state on purchases (state)",
    )


def _second(connection: Connection) -> None:
    """Leases, the times of an order, every change as an event, and wakes.

    Whether the owners of the rows still live cannot be told by their old names, so each is given one lease.
    """
    number = {"sqlite": "integer", "postgresql": "bigserial"}[connection.dialect.name]
    _run(
        connection,
        "create table schema_version (version integer not null)",
        "alter table purchases add column owner_run varchar(32) not null default ''",
        "alter table purchases add column lease_until varchar(32)",
        "alter table purchases add column intended varchar(32)",
        "alter table purchases add column submitted varchar(32)",
        "alter table purchases add column finished varchar(32)",
        "create index ix_purchases_changed on purchases (changed)",
        "update purchases set intended = case state when 'intended' then changed else created end",
        f"""create table events (
            number {number} not null primary key,
            key varchar(64) not null,
            at varchar(32) not null,
            state varchar(16),
            task text,
            clip varchar(64),
            cost varchar(40),
            currency varchar(8),
            reason text not null,
            owner_host text not null,
            owner_pid integer not null
        )""",
        "create index ix_events_key on events (key)",
        "create index ix_events_task on events (task)",
        """insert into events (key, at, state, task, clip, cost, currency, reason, owner_host, owner_pid)
            select key, changed, state, task, clip, cost, currency, reason, owner_host, owner_pid
            from purchases order by changed""",
        """create table wakes (
            provider varchar(64) not null,
            task text not null,
            at varchar(32) not null,
            primary key (provider, task)
        )""",
    )
    held = {"until": written(datetime.now(UTC) + LEASE)}
    connection.execute(text("update purchases set lease_until = :until where state in ('intended', 'submitted')"), held)


def _run(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(text(statement))


_MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first, _second)

VERSION = len(_MIGRATIONS)
"""The schema that this storyreel reads and writes."""
