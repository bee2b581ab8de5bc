"""The newest verdicts on takes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from storyreel.tasks.ledger.purchase import Verdict
from storyreel.tasks.ledger.reading.connection import Connection, in_batches, marks

_COLUMNS = ("number", "key", "film", "slate", "take", "word", "note", "action", "by", "at")


def newest(connection: Connection, keys: Iterable[str]) -> dict[str, Verdict]:
    """The newest verdict of each key that has one, by key."""
    found: dict[str, Verdict] = {}
    columns = ", ".join(f'verdicts."{name}"' for name in _COLUMNS)
    for some in in_batches(keys):
        names, values = marks("key", some)
        last = f"SELECT max(number) AS number FROM verdicts WHERE key IN ({names}) GROUP BY key"
        query = f"SELECT {columns} FROM verdicts JOIN ({last}) AS last ON verdicts.number = last.number"
        for row in connection.select(query, values):
            verdict = dict(zip(_COLUMNS, row, strict=True))
            found[verdict["key"]] = Verdict(**verdict | {"at": datetime.fromisoformat(verdict["at"])})
    return found


def has_any(connection: Connection) -> bool:
    """Whether there is a verdict."""
    return any(True for _ in connection.select("SELECT number FROM verdicts LIMIT 1", {}))
