"""The history that a plan depends on: the ledger and the clip store, opened for reading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from storyreel.specs.frozen import Trusted
from storyreel.specs.money import Money
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.purchase import NewVerdict, Purchase, Verdict
from storyreel.tasks.polling import PastDurations
from storyreel.tasks.settings import Settings
from storyreel.tasks.storage.acceptances import acceptances

Orders = Mapping[tuple[str, int, str], Purchase]
"""The latest order by slate, number of the take and service."""


class History(Trusted):
    """The ledger and the clip store; each part is looked up when it is needed."""

    purchases: Callable[[Iterable[str]], Mapping[str, Purchase]]
    """The purchases of these keys, by key."""
    holds: Callable[[str], bool]
    """Whether the store has the clip of this digest. Ask only after `purchases`."""
    file_of: Callable[[str], Path | None] = lambda _digest: None
    """The file of what was made, on this host, by its digest; None if it does not exist or is damaged."""
    keeps: Callable[[str], bool] = lambda _key: False
    """Whether this host has a clip of the take with this key that the ledger may not have yet."""
    is_accepted: Callable[[str], bool] = lambda _key: False
    """Whether this host knows of an order of the take with this key that a service has accepted, and that the ledger
    may not have yet."""
    latest: Callable[..., Orders] = lambda _film, _slates, drafts: {}
    """The latest orders for a film's title and some slates: `storyreel.tasks.ledger.ledger.Ledger.latest`."""
    experience: Callable[[str, str], PastDurations | None] = lambda _provider, _model: None
    """Durations of earlier takes by service and model; None if there are none."""
    committed: Callable[..., tuple[Money, ...]] = lambda _scope, **_of: ()
    """Money committed within a scope: `storyreel.tasks.ledger.ledger.Ledger.committed`."""
    unpriced: Callable[..., int] = lambda _scope, **_of: 0
    """Number of orders that `committed` cannot count: `storyreel.tasks.ledger.ledger.Ledger.unpriced`."""
    has_verdicts: bool = False
    """Whether any take has a verdict."""
    verdicts: Callable[[Iterable[str]], Mapping[str, Verdict]] = lambda _keys: {}
    """The latest verdict by key."""
    is_empty: bool = False
    """Whether nothing was ever ordered, as far as this host knows."""
    has_bucket: bool = False
    """Whether the user has a bucket, for files that a service accepts only as a link."""


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

    def file_of(digest: str) -> Path | None:
        found = clips.find(digest)
        return found.path if found else None

    def purchases(keys: Iterable[str]) -> Mapping[str, Purchase]:
        # All clips are looked up at once: each question to a bucket is a round trip.
        found = ledger.find_all(keys)
        stored.update(clips.existing(purchase.clip for purchase in found.values() if purchase.clip))
        return found

    with closing(home.ledger_to_read()) as ledger:
        yield History(
            purchases=purchases,
            holds=stored.__contains__,
            file_of=file_of,
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
