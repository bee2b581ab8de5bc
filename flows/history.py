"""What the planner is told of the past."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from flows.planned import History
from tasks.providers.travel import BUCKET
from tasks.store.home import Home


@contextmanager
def history_of(home: Home) -> Iterator[History]:
    """The ledger and the store as they stand; a look creates neither."""
    clips, has_bucket = home.clips(), bool(os.environ.get(BUCKET))
    if not home.has_ledger:
        yield History(purchases=lambda _: {}, holds=clips.holds, has_bucket=has_bucket)
        return
    ledger = home.ledger()
    try:
        yield History(
            purchases=ledger.find_all,
            holds=clips.holds,
            latest=ledger.latest,
            experience=ledger.experience,
            committed=ledger.committed,
            has_bucket=has_bucket,
        )
    finally:
        ledger.close()
