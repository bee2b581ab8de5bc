"""The ledger's tables: made once in an empty database, and left alone in a database of another version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from storyreel.tasks.ledger import schema
from storyreel.tasks.ledger.database import Database
from storyreel.tasks.ledger.ledger import Ledger, LedgerError
from storyreel.tasks.ledger.schema import EARLIER, EVENTS, PURCHASES, VERDICTS, VERSION, WAKEUPS, version


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    yield opened
    opened.dispose()


def test_an_empty_database_gets_the_tables_with_their_indexes(url: str, engine: Engine) -> None:
    Ledger(url).close()
    found = inspect(engine)
    for table in (PURCHASES, EARLIER, EVENTS, VERDICTS, WAKEUPS):
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


def test_the_version_of_a_database_is_known(url: str) -> None:
    database = Database(url)
    assert version(database) is None
    Ledger(url).close()
    assert version(database) == VERSION
    database.close()


def test_a_ledger_of_a_newer_version_is_left_alone(url: str, engine: Engine) -> None:
    Ledger(url).close()
    with engine.begin() as connection:
        connection.execute(text("update schema_version set version = 99"))
    with pytest.raises(LedgerError, match=rf"newer storyreel \(schema 99, this one reads {VERSION}\)") as refused:
        Ledger(url)
    assert refused.value.next == "pip install --upgrade storyreel"
    with engine.connect() as connection:
        assert connection.execute(text("select version from schema_version")).scalar_one() == 99


@pytest.mark.parametrize(
    ("before", "found"),
    [
        (["create table schema_version (version integer)", "insert into schema_version values (4)"], 4),
        (["create table purchases (price text)"], 1),
    ],
)
def test_a_ledger_of_an_unreleased_version_is_left_alone(
    url: str, engine: Engine, before: list[str], found: int
) -> None:
    with engine.begin() as connection:
        for statement in before:
            connection.execute(text(statement))
    tables = inspect(engine).get_table_names()
    with pytest.raises(LedgerError, match=rf"unreleased storyreel \(schema {found}, this one reads") as refused:
        Ledger(url)
    assert "STORYREEL_LEDGER_URL" in refused.value.hint and "STORYREEL_HOME" in refused.value.hint
    assert inspect(engine).get_table_names() == tables


def test_the_tables_of_another_program_are_not_taken_for_the_ledgers(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("create table events (id integer)"))
    with pytest.raises(LedgerError, match="events"):
        Ledger(url)
    assert inspect(engine).get_table_names() == ["events"]


def test_making_the_tables_in_part_leaves_the_database_empty(
    url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = schema._TABLES.create_all

    def create_and_break(*given: Any, **more: Any) -> None:
        create(*given, **more)
        raise RuntimeError("the power went")

    with monkeypatch.context() as breaking:
        breaking.setattr(schema._TABLES, "create_all", create_and_break)
        with pytest.raises(RuntimeError, match="power"):
            Ledger(url)
    assert inspect(engine).get_table_names() == []
    Ledger(url).close()
    assert set(inspect(engine).get_table_names()) >= {"purchases", "schema_version"}
