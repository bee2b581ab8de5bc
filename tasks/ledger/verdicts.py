"""Verdicts on takes: approved, or another is wished for. They are only ever added; the newest of a key counts."""

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
from storyreel.tasks.ledger.transaction import Page


class Word(StrEnum):
    """What is said of a take."""

    APPROVED = "approved"
    RETAKE = "retake"


class NewVerdict(Frozen):
    """What somebody says of a take."""

    key: str
    """Of the take: what it was made from."""
    film: str
    slate: str
    take: int
    word: Word
    note: str = ""
    """To whoever reads it later."""
    action: str = ""
    """With a retake: what is to happen in its place; empty where the same is to be made once more."""
    by: str = ""
    """Who says so."""


class Verdict(NewVerdict):
    """A verdict as the ledger keeps it."""

    number: int
    """Counts up: of two verdicts the one with the larger number is the newer."""
    at: datetime
    """By the database's time."""


def add(page: Page, judged: Sequence[NewVerdict], source: str) -> bool:
    """Note verdicts, all of them or, when some of the same source were noted before, none."""
    # Two that answer one form at the same moment would otherwise not see each other; and numbers are to go up.
    page.line_up()
    known = select(VERDICTS.c.number).where(VERDICTS.c.source == source).limit(1)
    if source and page.connection.execute(known).first():
        return False
    for one in judged:
        page.connection.execute(insert(VERDICTS).values(**one.model_dump(), source=source, at=page.now()))
    return bool(judged)


def newest(connection: Connection, keys: Iterable[str]) -> dict[str, Verdict]:
    """The verdict that counts of each key, as far as there is one."""
    found: dict[str, Verdict] = {}
    for some in in_batches(keys):
        last = (
            select(func.max(VERDICTS.c.number).label("number"))
            .where(VERDICTS.c.key.in_(some))
            .group_by(VERDICTS.c.key)
            .subquery()
        )
        question = select(VERDICTS).join(last, VERDICTS.c.number == last.c.number)
        found.update((row.key, _verdict(row)) for row in connection.execute(question))
    return found


def any_there(connection: Connection) -> bool:
    """Whether there is a verdict at all."""
    return connection.execute(select(VERDICTS.c.number).limit(1)).first() is not None


def _verdict(row: Row[Any]) -> Verdict:
    names = ("number", "key", "film", "slate", "take", "word", "note", "action", "by")
    return Verdict(**{name: getattr(row, name) for name in names}, at=datetime.fromisoformat(row.at))
