"""The ledger's tables through the ages: what an older storyreel wrote is kept, what a newer one wrote is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from storyreel.specs.money import Money
from storyreel.tasks.ledger import wakeups as wakes
from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.ledger import Ledger, LedgerError, State
from storyreel.tasks.ledger.migrations import MIGRATIONS
from storyreel.tasks.ledger.schema import EARLIER, EVENTS, PURCHASES, VERDICTS, VERSION, version
from tests.tasks.ledger.ordering import CLIP, dollars, row

# What storyreel 0.1 made with its first run, as sqlite3's `.schema` shows it.
FIRST = """
CREATE TABLE purchases (
    "key" VARCHAR(64) NOT NULL, state VARCHAR(16) NOT NULL, provider VARCHAR(64) NOT NULL, model VARCHAR(128) NOT NULL,
    film TEXT NOT NULL, slate VARCHAR(64) NOT NULL, take INTEGER NOT NULL, request TEXT NOT NULL, task TEXT,
    clip VARCHAR(64), cost VARCHAR(40), currency VARCHAR(8), reason TEXT NOT NULL, owner_host TEXT NOT NULL,
    owner_pid INTEGER NOT NULL, owner_started FLOAT NOT NULL, created VARCHAR(32) NOT NULL,
    changed VARCHAR(32) NOT NULL, PRIMARY KEY ("key")
);
CREATE INDEX ix_purchases_state ON purchases (state);
INSERT INTO purchases VALUES ('bought', 'finished', 'aimlapi', 'wan', 'The Keeper', '1A', 1, '{"prompt":"rain"}',
    'task-1', 'CLIP', '1.95', 'USD', '', 'studio', 7, 1.5, '2026-01-02T03:04:05.000006+00:00',
    '2026-01-02T03:05:06.000007+00:00');
INSERT INTO purchases VALUES ('ordering', 'intended', 'dashscope', 'wan', 'The Keeper', '1B', 2, '{}', NULL, NULL, NULL,
    NULL, '', 'studio', 8, 1.5, '2026-01-02T03:04:05.000006+00:00', '2026-01-02T03:05:06.000007+00:00');
""".replace("CLIP", CLIP)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    yield opened
    opened.dispose()


@pytest.fixture
def first(engine: Engine) -> None:
    """A ledger that the first storyreel wrote."""
    with engine.begin() as connection:
        for statement in FIRST.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))


def test_a_ledger_of_the_first_storyreel_keeps_its_rows(url: str, first: None) -> None:
    ledger = Ledger(url)
    bought, ordering = row(ledger, "bought"), row(ledger, "ordering")
    assert (bought.state, bought.task, bought.clip) == (State.FINISHED, "task-1", CLIP)
    assert bought.cost == Money(amount=Decimal("1.95"), currency="USD")
    assert bought.order.request == '{"prompt":"rain"}'
    assert ordering.state is State.INTENDED
    assert ordering.lease_until and not ordering.is_abandoned(), "its run may be at work still"
    assert ordering.is_abandoned(ordering.lease_until.replace(year=2100))
    assert ordering.intended == ordering.changed
    assert [event.clip for event in ledger.history("bought")] == [CLIP]
    assert ledger.spent().charged == (Money(amount=Decimal("1.95"), currency="USD"),)
    assert ledger.experience("aimlapi", "wan") is None, "the first storyreel did not note when"
    ledger.close()
    again = Ledger(url)
    assert len(again.list()) == 2
    assert len(again.history("bought")) == 1, "a migration is made once"
    again.close()


@pytest.mark.parametrize("aged", ["", "first", "second"])
def test_the_migrations_make_the_tables_that_the_code_reads(
    url: str, engine: Engine, aged: str, request: pytest.FixtureRequest
) -> None:
    if aged:
        request.getfixturevalue(aged)
    Ledger(url).close()
    found = inspect(engine)
    for table in (PURCHASES, EARLIER, EVENTS, VERDICTS, wakes.TABLE):
        columns = {column["name"]: bool(column["nullable"]) for column in found.get_columns(table.name)}
        assert columns == {column.name: bool(column.nullable) for column in table.columns}
    indexed = {
        name: {tuple(index["column_names"]) for index in found.get_indexes(name)}
        for name in ("purchases", "earlier", "events", "verdicts")
    }
    assert indexed == {
        "purchases": {
            ("state",),
            ("changed",),
            ("film", "slate", "take", "provider", "intended"),
            ("film", "intended"),
            ("run",),
        },
        "earlier": {("key",), ("film", "intended"), ("run",)},
        "events": {("key",), ("task",)},
        "verdicts": {("key",), ("source",)},
    }


# What storyreel wrote before orders had prices: a key, its row's state, task and cost, then its history.
SECOND: dict[str, tuple[tuple[str, str | None, str | None], list[tuple[str | None, str | None, str | None, str]]]] = {
    "twice": (
        ("submitted", "task-2", "2"),
        [
            ("intended", None, None, ""),
            ("submitted", "task-1", "1", ""),
            ("finished", "task-1", "1", ""),
            ("intended", None, None, ""),
            ("submitted", "task-2", "2", ""),
        ],
    ),
    "stray": (
        ("failed", None, None),
        [
            ("intended", None, None, ""),
            ("unknown", None, None, "reset"),
            ("failed", None, None, "given up by hand, whatever became of it: the next render buys it again"),
            ("intended", None, None, ""),
            ("submitted", "task-3", "0.65", "accepted although the row was intended by then: ordered twice"),
            ("failed", None, None, "refused"),
        ],
    ),
    "retried": (
        ("intended", None, None),
        [
            ("intended", None, None, ""),
            ("submitted", "task-4", None, ""),
            ("failed", "task-4", None, "moderated"),
            ("intended", None, None, ""),
        ],
    ),
    "undone": (
        ("failed", "task-5", "0.25"),
        [
            ("intended", None, None, ""),
            ("submitted", "task-5", "0.25", ""),
            ("failed", "task-5", "0.25", "moderated"),
            ("intended", None, None, ""),
            (None, None, None, "taken back: surely not accepted"),
            ("failed", "task-5", "0.25", "moderated"),
        ],
    ),
    "drawn": (("finished", "drawn-1", None), [("intended", None, None, ""), ("finished", "drawn-1", None, "")]),
}


@pytest.fixture
def second(engine: Engine) -> None:
    """A ledger that a storyreel before this one wrote."""
    with engine.begin() as connection:
        for migration in MIGRATIONS[:2]:
            migration(connection)
        connection.execute(text("insert into schema_version values (2)"))
        for number, (key, ((state, task, cost), events)) in enumerate(SECOND.items()):
            service = "animatic" if key == "drawn" else "aimlapi"
            at = "2026-01-02T03:04:05.000006+00:00"
            told = {"key": key, "state": state, "task": task, "cost": cost, "service": service, "at": at}
            told |= {"slate": f"1{'ABCDE'[number]}", "reason": events[-1][3], "currency": cost and "USD"}
            connection.execute(
                text(
                    """insert into purchases (key, state, provider, model, film, slate, take, request, task, cost,
                        currency, reason, owner_host, owner_pid, owner_started, created, changed, owner_run, intended)
                    values (:key, :state, :service, 'wan', 'The Keeper', :slate, 1, '{}', :task, :cost, :currency,
                        :reason, 'studio', 7, 1.5, :at, :at, 'r', :at)"""
                ),
                told,
            )
            for state, task, cost, reason in events:
                event = {"key": key, "at": at, "state": state, "task": task, "cost": cost, "reason": reason}
                connection.execute(
                    text(
                        """insert into events (key, at, state, task, cost, currency, reason, owner_host, owner_pid)
                        values (:key, :at, :state, :task, :cost, :currency, :reason, 'studio', 7)"""
                    ),
                    event | {"currency": cost and "USD"},
                )


def test_a_ledger_from_before_prices_keeps_what_was_paid(url: str, second: None) -> None:
    ledger = Ledger(url)
    everything = ledger.spent()
    assert everything.charged == (dollars("3.90"),), "1 and 2, 0.65 that was ordered twice, 0.25"
    assert (everything.takes, everything.estimated) == (4, ())
    assert everything.unpriced == 2, "what was given up, and what is being ordered; not what was refused"
    (drawn,) = ledger.spent_by("service", provider="animatic")
    assert drawn.is_free and drawn.takes == 1
    for key in SECOND:
        order = row(ledger, key).order
        assert (order.scene, order.brief, order.run) == ("", "", "")
        assert order.price == (dollars("0") if key == "drawn" else None)
    assert ledger.committed("shot", film="The Keeper", slate="1A") == (dollars("3"),)
    assert {name[:2] for name in ledger.latest("The Keeper", ["1A", "1E"])} == {("1A", 1), ("1E", 1)}
    ledger.close()


def test_an_order_from_before_prices_can_still_be_taken_back(url: str, second: None) -> None:
    ledger = Ledger(url)
    ledger.mark_unknown("retried", "its run was stopped")
    assert ledger.mark_never_made(row(ledger, "retried"), "it is not in the list")
    again = row(ledger, "retried")
    assert (again.state, again.task, again.reason) == (State.FAILED, "task-4", "moderated")
    assert not again.owed
    ledger.close()


def test_an_older_storyreel_that_is_still_at_work_may_go_on(url: str, engine: Engine, second: None) -> None:
    Ledger(url).close()
    with engine.begin() as connection:
        connection.execute(
            text(
                """insert into purchases (key, state, provider, model, film, slate, take, request, reason, owner_host,
                    owner_pid, owner_started, created, changed, owner_run)
                values ('late', 'intended', 'aimlapi', 'wan', 'F', '1A', 1, '{}', '', 'studio', 7, 1.5,
                    '2026-01-02T03:04:05.000006+00:00', '2026-01-02T03:04:05.000006+00:00', 'r')"""
            )
        )
    ledger = Ledger(url)
    assert row(ledger, "late").owed and row(ledger, "late").order.price is None
    assert ledger.spent(film="F").unpriced == 1
    ledger.close()


def test_a_ledger_of_a_newer_storyreel_is_left_alone(url: str, engine: Engine) -> None:
    Ledger(url).close()
    with engine.begin() as connection:
        connection.execute(text("update schema_version set version = 99"))
    with pytest.raises(LedgerError, match=r"newer storyreel \(schema 99, this one knows \d+\)") as refused:
        Ledger(url)
    assert "upgrade" in refused.value.hint
    with engine.connect() as connection:
        assert connection.execute(text("select version from schema_version")).scalar_one() == 99


def test_a_migration_that_fails_leaves_what_was_there(
    url: str, engine: Engine, first: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_connection: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as breaking:
        breaking.setattr("storyreel.tasks.ledger.migrations._run", _then(broken))
        with pytest.raises(RuntimeError, match="power"):
            Ledger(url)
    assert inspect(engine).get_table_names() == ["purchases"]
    assert "lease_until" not in {column["name"] for column in inspect(engine).get_columns("purchases")}
    ledger = Ledger(url)
    assert row(ledger, "bought").clip == CLIP
    ledger.close()


def _then(broken: object) -> object:
    """Run all statements of a migration, then break."""

    def run(connection, *statements):  # type: ignore[no-untyped-def]
        for statement in statements:
            connection.execute(text(statement))
        broken(connection)  # type: ignore[operator]

    return run


def test_the_schema_is_told(url: str) -> None:
    database = Database(url)
    assert version(database) == 0
    Ledger(url).close()
    assert version(database) == VERSION
    database.close()
