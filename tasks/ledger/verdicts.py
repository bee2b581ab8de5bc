"""Adding verdicts on takes: approved, or another take is requested. They are only added; the newest of a key counts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select

from storyreel.tasks.ledger.purchase import NewVerdict
from storyreel.tasks.ledger.schema import VERDICTS
from storyreel.tasks.ledger.transaction import Transaction


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
