"""The ledger's tables through the ages: what an older storyreel wrote is kept, what a newer one wrote is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from specs.money import Money
from tasks.store import wakes
from tasks.store.database import Database
from tasks.store.ledger import Ledger, LedgerError, State
from tasks.store.schema import EVENTS, PURCHASES, VERSION, version
from tests.tasks.store.ordering import CLIP, row

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
    assert ordering.lease_until and not ordering.is_left(), "its run may be at work still"
    assert ordering.is_left(ordering.lease_until.replace(year=2100))
    assert ordering.intended == ordering.changed
    assert [event.clip for event in ledger.history("bought")] == [CLIP]
    assert ledger.spent() == (Money(amount=Decimal("1.95"), currency="USD"),)
    assert ledger.experience("aimlapi", "wan") is None, "the first storyreel did not note when"
    ledger.close()
    again = Ledger(url)
    assert len(again.list()) == 2
    assert len(again.history("bought")) == 1, "a migration is made once"
    again.close()


@pytest.mark.parametrize("aged", [False, True])
def test_the_migrations_make_the_tables_that_the_code_reads(
    url: str, engine: Engine, aged: bool, request: pytest.FixtureRequest
) -> None:
    if aged:
        request.getfixturevalue("first")
    Ledger(url).close()
    found = inspect(engine)
    for table in (PURCHASES, EVENTS, wakes.TABLE):
        columns = {column["name"]: bool(column["nullable"]) for column in found.get_columns(table.name)}
        assert columns == {column.name: bool(column.nullable) for column in table.columns}
    indexed = {index["column_names"][0] for name in ("purchases", "events") for index in found.get_indexes(name)}
    assert indexed == {"state", "changed", "key", "task"}


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
        breaking.setattr("tasks.store.schema._run", _then(broken))
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
