"""What the planner is told of the past."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from storyreel.flows.planning.model import History
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Judged, Purchase, Verdict
from storyreel.tasks.settings import Settings


@contextmanager
def open_history(home: Home) -> Iterator[History]:
    """The ledger and the store as they stand; a look creates neither."""
    clips, has_bucket = home.clips(), bool(Settings.read().media_url)
    if not home.has_ledger:
        yield History(purchases=lambda _: {}, holds=clips.holds, has_bucket=has_bucket)
        return
    ledger, there = home.ledger(), set[str]()

    def purchases(keys: Iterable[str]) -> Mapping[str, Purchase]:
        """Those of a film, whose clips are asked for all at once: a bucket is far away."""
        found = ledger.find_all(keys)
        there.update(clips.held(purchase.clip for purchase in found.values() if purchase.clip))
        return found

    try:
        yield History(
            purchases=purchases,
            holds=there.__contains__,
            latest=ledger.latest,
            experience=ledger.experience,
            committed=ledger.committed,
            has_verdicts=ledger.has_verdicts,
            verdicts=ledger.verdicts,
            has_bucket=has_bucket,
        )
    finally:
        ledger.close()


def with_verdicts(history: History, added: Sequence[Judged]) -> History:
    """The history as it would be with these verdicts noted now."""
    now = datetime.now(UTC)
    latest = {one.key: Verdict(**one.model_dump(), number=2**62, at=now) for one in added}

    def verdicts(keys: Iterable[str]) -> Mapping[str, Verdict]:
        wanted = list(keys)
        return {**history.verdicts(wanted), **{key: latest[key] for key in wanted if key in latest}}

    return history.model_copy(update={"has_verdicts": True, "verdicts": verdicts})
