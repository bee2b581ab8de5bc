"""Ledgers in both databases: every promise is kept in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storyreel.tasks.ledger.ledger import Ledger
from tests import postgres

Open = Callable[..., Ledger]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}" if request.param == "sqlite" else postgres.running().fresh()


@pytest.fixture
def open_ledger(url: str) -> Iterator[Open]:
    """Opens the same ledger as another run, on another host if one is named."""
    opened: list[Ledger] = []

    def open_it(host: str | None = None) -> Ledger:
        ledger = Ledger(url)
        if host:
            ledger.owner = ledger.owner.model_copy(update={"host": f"{host}/boot/1"})
        opened.append(ledger)
        return ledger

    yield open_it
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Open) -> Ledger:
    return open_ledger()
