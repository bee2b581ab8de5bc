"""Verdicts on takes: approved, or another take is requested. They are only added; the newest of a key counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.engine import Row

from storyreel.specs.frozen import Frozen
from storyreel.tasks.ledger.rows import in_batches
from storyreel.tasks.ledger.schema import VERDICTS
from storyreel.tasks.ledger.transaction import Transaction


class Word(StrEnum):
    """The decision of a verdict."""

    APPROVED = "approved"
    RETAKE = "retake"


class NewVerdict(Frozen):
    """A verdict on a take that is not stored yet."""

    key: str
    """The take's key."""
    film: str
    slate: str
    take: int
    word: Word
    note: str = ""
    """For people who read it later."""
    action: str = ""
    """With a retake: the new action of the shot, empty to make the same again."""
    by: str = ""
    """The reviewer's name."""


class Verdict(NewVerdict):
    """A stored verdict."""

    number: int
    """Counts up: of two verdicts the one with the larger number is newer."""
    at: datetime
    """The database's time."""


def add(tx: Transaction, added: Sequence[NewVerdict], source: str) -> bool:
    """Add all verdicts, or none if verdicts of the same non-empty source exist. Whether any was added."""
    # Otherwise two answers to one form would not see each other; and numbers must go up in the order of commits.
    tx.serialize()
    existing = select(VERDICTS.c.number).where(VERDICTS.c.source == source).limit(1)
    if source and tx.connection.execute(existing).first():
        return False
    for verdict in added:
        tx.connection.execute(insert(VERDICTS).values(**verdict.model_dump(), source=source, at=tx.now()))
    return bool(added)


def newest(connection: Connection, keys: Iterable[str]) -> dict[str, Verdict]:
    """The newest verdict of each key that has one, by key."""
    found: dict[str, Verdict] = {}
    for some in in_batches(keys):
        last = (
            select(func.max(VERDICTS.c.number).label("number"))
            .where(VERDICTS.c.key.in_(some))
            .group_by(VERDICTS.c.key)
            .subquery()
        )
        query = select(VERDICTS).join(last, VERDICTS.c.number == last.c.number)
        found.update((row.key, _verdict(row)) for row in connection.execute(query))
    return found


def has_any(connection: Connection) -> bool:
    """Whether there is a verdict."""
    return connection.execute(select(VERDICTS.c.number).limit(1)).first() is not None


def _verdict(row: Row[Any]) -> Verdict:
    names = ("number", "key", "film", "slate", "take", "word", "note", "action", "by")
    return Verdict(**{name: getattr(row, name) for name in names}, at=datetime.fromisoformat(row.at))
