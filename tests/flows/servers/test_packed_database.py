"""The packed database is what Prefect itself makes, and takes the place of nothing that exists."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storyreel.flows.servers import packed_database
from storyreel.flows.servers.packed_database import (
    REVISION,
    may_have_automations,
    migrated,
    provide_database,
    write_database,
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    from prefect.settings import PREFECT_HOME, temporary_settings

    with temporary_settings({PREFECT_HOME: tmp_path}, restore_defaults={PREFECT_HOME}):
        yield tmp_path


def described(database: Path) -> dict[str, object]:
    """Tables, indexes and triggers with their parts in any order, as migrations write constraints, and all rows."""
    with closing(sqlite3.connect(database)) as opened:
        parts = {
            f"{kind} {name}": sorted(line.strip().rstrip(",") for line in sql.splitlines())
            for kind, name, sql in opened.execute("select type, name, sql from sqlite_master where sql is not null")
        }
        tables = [name for (name,) in opened.execute("select name from sqlite_master where type = 'table'")]
        return parts | {f"rows {name}": opened.execute(f'select * from "{name}"').fetchall() for name in tables}


def test_prefect_brings_it_to_what_it_makes_itself_from_nothing(tmp_path: Path) -> None:
    own, packed = tmp_path / "own", tmp_path / "packed"
    own.mkdir()
    packed.mkdir()
    assert write_database(packed / "prefect.db")
    before = described(packed / "prefect.db")
    assert before["rows alembic_version"] == [(REVISION,)]
    made, continued = described(migrated(own, "head")), described(migrated(packed, "head"))
    assert continued == made
    assert len(made) > 100 and set(before) <= set(made)


def test_it_is_written_where_prefect_has_none(home: Path) -> None:
    assert provide_database()
    assert described(home / "prefect.db")["rows alembic_version"] == [(REVISION,)]
    assert [file.name for file in home.iterdir() if file.name.startswith("prefect.db")] == ["prefect.db"]
    assert not provide_database()


@pytest.mark.parametrize("left", ["prefect.db", "prefect.db-wal", "prefect.db-journal"])
def test_nothing_that_is_there_is_touched(home: Path, left: str) -> None:
    (home / left).write_bytes(b"what a server has left")
    assert not provide_database()
    assert {file.name: file.read_bytes() for file in home.iterdir()} == {left: b"what a server has left"}


def test_it_is_not_written_over_one_that_another_process_makes_meanwhile(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def late(new: Path, place: Path) -> None:
        place.write_bytes(b"made meanwhile")
        link(new, place)

    monkeypatch.setattr(os, "link", late)
    assert not provide_database()
    assert {file.name: file.read_bytes() for file in home.iterdir()} == {"prefect.db": b"made meanwhile"}


def test_prefect_makes_its_own_where_it_does_not_know_the_revision(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_database, "REVISION", "0123456789ab")
    assert not provide_database() and not any(home.glob("prefect.db*"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PREFECT_API_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:////elsewhere/prefect.db"),
        ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://a:b@db/prefect"),
        ("PREFECT_API_DATABASE_MIGRATE_ON_START", "false"),
    ],
)
def test_a_database_that_settings_name_is_prefects_matter(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    from prefect.settings import Settings

    monkeypatch.setenv("PREFECT_HOME", str(home))
    monkeypatch.setattr("prefect.settings.get_current_settings", Settings)
    monkeypatch.setenv(variable, value)
    assert not provide_database() and not any(home.glob("prefect.db*"))
    assert may_have_automations()
    monkeypatch.delenv(variable)
    assert provide_database()


def automate(database: Path) -> None:
    """Write a row as that of an automation into a database of Prefect's."""
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute('insert into automation (name, description, "trigger", actions) values ("a", "", "{}", "[]")')


def test_a_run_of_ones_own_looks_for_automations_where_there_may_be_some(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert may_have_automations(), "as long as there is no database to look into"
    assert provide_database() and not may_have_automations()
    automate(home / "prefect.db")
    assert may_have_automations()
    (home / "prefect.db").write_bytes(b"what no database is")
    assert may_have_automations()


def test_the_folders_around_it_are_made_as_prefect_makes_its_own_alone(tmp_path: Path) -> None:
    assert write_database(tmp_path / "missing" / "prefect" / "prefect.db")


def test_a_folder_that_cannot_be_written_is_prefects_matter(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not write_database(tmp_path / "file" / "prefect.db")
