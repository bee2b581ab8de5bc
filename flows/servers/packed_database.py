"""An empty database of Prefect's, kept as SQL, in the place of one that Prefect would make.

Prefect makes its database by more than a hundred migrations, which take most of the time of its first start: 10 s of
processor time (3.9.1). The text beside this module is what those of the oldest supported version give. Prefect itself
brings it to the revision of a newer version, as it does with the database of an upgraded installation.

To make the text anew, with any supported version: `python -m storyreel.flows.servers.packed_database`.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

REVISION = "27d8f4e1a6c9"
"""Revision of the packed database: the last of Prefect 3.9.1."""
_TEXT = Path(__file__).with_name("prefect_database.sql")
_COMPANIONS = ("", "-wal", "-shm", "-journal")
"""Endings of the files of a database. SQLite would apply what another database has left in one of them."""


def provide_database() -> bool:
    """Write Prefect's default database where it is missing; False if Prefect is to make it, or has made it.

    It does where the installed version does not know the revision, where its settings name another database or want no
    migrations, and where the file cannot be written.
    """
    from prefect.settings import get_current_settings

    if not (place := _default_place()) or not get_current_settings().server.database.migrate_on_start:
        return False
    return _is_missing(place) and _is_known() and write_database(place)


def may_have_automations() -> bool:
    """Whether Prefect's database has automations; also if it is another than the default one, or cannot be read."""
    if not (place := _default_place()):
        return True
    try:
        with closing(sqlite3.connect(f"{place.as_uri()}?mode=ro", uri=True)) as database:
            return database.execute("SELECT 1 FROM automation LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True


def _default_place() -> Path | None:
    """The file of Prefect's default database; None if its settings name another database."""
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    place, address = settings.home / "prefect.db", settings.server.database.connection_url
    return place if address and address.get_secret_value() == f"sqlite+aiosqlite:///{place}" else None


def write_database(place: Path) -> bool:
    """Write the packed database to a file that does not exist. False if it does, or if it cannot be written.

    Several processes may do so at once, and Prefect's own server at the same time: one of them succeeds.
    """
    new = place.with_name(f"{place.name}.{uuid4().hex}.new")
    try:
        # Prefect makes its folder, but none around it, and its server then does not start (3.9.1).
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(sqlite3.connect(new)) as database:
            # As Prefect has it. Two servers that start at once would keep each other from changing it.
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_TEXT.read_text("utf-8"))
        os.link(new, place)
    except (OSError, sqlite3.Error):
        return False
    finally:
        with suppress(OSError):
            new.unlink()
    return True


def _is_missing(place: Path) -> bool:
    return not any(Path(f"{place}{ending}").exists() for ending in _COMPANIONS)


def _is_known() -> bool:
    """Whether the installed Prefect has the migration of the revision. A newer one may name its file differently."""
    from prefect.server import database

    revision = re.compile(rf"^revision\s*=\s*[\"']{REVISION}[\"']", re.MULTILINE)
    migrations = Path(database.__file__).with_name("_migrations") / "versions" / "sqlite"
    return any(revision.search(file.read_text("utf-8")) for file in sorted(migrations.glob("*.py"), reverse=True))


def migrated(folder: Path, revision: str) -> Path:
    """The database that the installed Prefect makes itself in an empty folder, up to a revision or `head`."""
    subprocess.run(
        [sys.executable, "-P", "-m", "prefect", "server", "database", "upgrade", "-y", "--revision", revision],
        env={name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        | {"PREFECT_HOME": str(folder), "DO_NOT_TRACK": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder / "prefect.db"


def main() -> None:
    """Write the text of the packed database."""
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(migrated(Path(folder), REVISION))) as made:
        _TEXT.write_text("\n".join(made.iterdump()) + "\n", "utf-8")


if __name__ == "__main__":
    main()
