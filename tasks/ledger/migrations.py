"""How an older ledger becomes one of today, a step after the other.

A step is never changed once it was released: a ledger of any age goes through all that it has not had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text

from storyreel.tasks.ledger.database import written
from storyreel.tasks.ledger.purchase import LEASE

_STRAY = "ordered twice"
"""How the reason of an order ends that was accepted when its row had gone on without it."""
_BY_HAND = "given up by hand"
"""How the reason begins where a person had an order made anew, whatever had become of it."""


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


def _third(connection: Connection) -> None:
    """What an order says of itself grows: scene, the author's words, price, flow run; and orders that a row has gone
    on from are kept whole, as what they cost counts."""
    number = {"sqlite": "integer", "postgresql": "bigserial"}[connection.dialect.name]
    _run(
        connection,
        "alter table purchases add column scene text not null default ''",
        "alter table purchases add column brief text not null default ''",
        "alter table purchases add column price varchar(40)",
        "alter table purchases add column price_currency varchar(8)",
        "alter table purchases add column run text not null default ''",
        "alter table purchases add column owed boolean not null default true",
        "alter table purchases add column ordered_by varchar(32) not null default ''",
        # Failed by the service: there was no other way but by hand.
        f"update purchases set owed = false where state = 'failed' and reason not like '{_BY_HAND}%'",
        # The animatic is free; nobody had to write that down before.
        "update purchases set price = '0', price_currency = 'USD' where provider = 'animatic'",
        "update purchases set ordered_by = owner_run",
        "update purchases set intended = created where intended is null",
        "create index ix_purchases_named on purchases (film, slate, take, provider, intended)",
        "create index ix_purchases_month on purchases (film, intended)",
        "create index ix_purchases_run on purchases (run)",
        f"""create table earlier (
            number {number} not null primary key,
            key varchar(64) not null,
            state varchar(16) not null,
            provider varchar(64) not null,
            model varchar(128) not null,
            film text not null,
            scene text not null,
            slate varchar(64) not null,
            take integer not null,
            brief text not null,
            price varchar(40),
            price_currency varchar(8),
            run text not null,
            task text,
            clip varchar(64),
            cost varchar(40),
            currency varchar(8),
            owed boolean not null,
            reason text not null,
            ordered_by varchar(32) not null,
            changed varchar(32) not null,
            intended varchar(32),
            submitted varchar(32),
            finished varchar(32)
        )""",
        "create index ix_earlier_key on earlier (key)",
        "create index ix_earlier_month on earlier (film, intended)",
        "create index ix_earlier_run on earlier (run)",
    )
    found = connection.execute(
        text(
            """select key, at, state, task, clip, cost, currency, reason from events where key in (
                select key from events where state = 'intended' group by key having count(*) > 1
                union select key from events where reason like :stray) order by key, number"""
        ),
        {"stray": f"%{_STRAY}"},
    ).mappings()
    for key, events in groupby(found, key=lambda event: event["key"]):
        for order in _gone_on_from(events):
            connection.execute(text(_KEEP), order | {"key": key})


def _fourth(connection: Connection) -> None:
    """What people say of takes."""
    number = {"sqlite": "integer", "postgresql": "bigserial"}[connection.dialect.name]
    _run(
        connection,
        f"""create table verdicts (
            number {number} not null primary key,
            key varchar(64) not null,
            film text not null,
            slate varchar(64) not null,
            take integer not null,
            word varchar(16) not null,
            note text not null,
            action text not null,
            "by" text not null,
            source text not null,
            at varchar(32) not null
        )""",
        "create index ix_verdicts_key on verdicts (key)",
        "create index ix_verdicts_source on verdicts (source)",
    )


_KEEP = """insert into earlier (key, state, provider, model, film, scene, slate, take, brief, price, price_currency,
        run, task, clip, cost, currency, owed, reason, ordered_by, changed, intended)
    select key, :state, provider, model, film, '', slate, take, '', price, price_currency, '',
        :task, :clip, :cost, :currency, :owed, :reason, '', :at, :intended
    from purchases where key = :key"""


def _gone_on_from(events: Iterable[Any]) -> list[dict[str, Any]]:
    """The orders of a key before the last one, as its history tells them, each with how it ended."""
    earlier: list[dict[str, Any]] = []
    present: dict[str, Any] | None = None
    for event in events:
        if event["reason"].endswith(_STRAY):
            earlier.append({**event, "owed": True, "intended": event["at"]})
        elif event["state"] is None:
            ended = [order for order in earlier if order["state"] not in ("intended", "unknown")]
            present = ended[-1] if ended else None
            earlier = [order for order in earlier if order is not present]
        elif event["state"] == "intended" and present and present["state"] != "intended":
            earlier.append(present)
            present = {**event, "owed": True, "intended": event["at"]}
        else:
            refused = event["state"] == "failed" and not event["reason"].startswith(_BY_HAND)
            since = present["intended"] if present else event["at"]
            present = {**event, "owed": not refused, "intended": since}
    return earlier


def _run(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(text(statement))


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first, _second, _third, _fourth)
