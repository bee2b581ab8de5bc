"""Opens the ledger and the clip store as the history that a plan depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from storyreel.flows.planning.model import History
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.purchase import NewVerdict, Purchase, Verdict
from storyreel.tasks.settings import Settings
from storyreel.tasks.storage.acceptances import acceptances


@contextmanager
def open_history(home: Home) -> Iterator[History]:
    """The history as it is now, until the context ends. Reads the ledger and the store; creates neither."""
    clips, has_bucket = home.clips(), bool(Settings.read().media_url)
    unnoted = {receipt.key for receipt in clips.unnoted()}
    accepted = {one.key for one in acceptances(home.accepted)}
    if not home.has_ledger:
        yield History(
            purchases=lambda _: {},
            holds=clips.contains,
            keeps=unnoted.__contains__,
            is_accepted=accepted.__contains__,
            is_empty=not unnoted and not accepted,
            has_bucket=has_bucket,
        )
        return
    stored = set[str]()

    def purchases(keys: Iterable[str]) -> Mapping[str, Purchase]:
        # All clips are looked up at once: each question to a bucket is a round trip.
        found = ledger.find_all(keys)
        stored.update(clips.existing(purchase.clip for purchase in found.values() if purchase.clip))
        return found

    with closing(home.ledger_to_read()) as ledger:
        yield History(
            purchases=purchases,
            holds=stored.__contains__,
            keeps=unnoted.__contains__,
            is_accepted=accepted.__contains__,
            latest=ledger.latest,
            experience=ledger.past_durations,
            committed=ledger.committed,
            unpriced=ledger.unpriced,
            has_verdicts=ledger.has_verdicts,
            verdicts=ledger.verdicts,
            has_bucket=has_bucket,
        )


def with_verdicts(history: History, added: Sequence[NewVerdict]) -> History:
    """The history as it would be with these verdicts noted now."""
    now = datetime.now(UTC)
    latest = {one.key: Verdict(**one.model_dump(), number=2**62, at=now) for one in added}

    def verdicts(keys: Iterable[str]) -> Mapping[str, Verdict]:
        wanted = list(keys)
        return {**history.verdicts(wanted), **{key: latest[key] for key in wanted if key in latest}}

    return history.model_copy(update={"has_verdicts": True, "verdicts": verdicts})
