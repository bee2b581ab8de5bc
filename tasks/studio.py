"""What the takes of a run share: the ledger, the stores, the services, and how many may work at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from storyreel.tasks.clips import ClipStore
from storyreel.tasks.home import Home
from storyreel.tasks.join.pieces import SharedPieces
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.tasks.polling import PastDurations, next_poll
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.providers import load
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.settings import Settings

_RENEW_SECONDS = 15
"""Between two signs of life to those on other hosts who want the same takes."""


class Studio:
    """The workplace of one run. A plain class, so that Prefect passes it along without looking inside."""

    def __init__(
        self,
        ledger: Ledger,
        clips: ClipStore,
        house: Path,
        providers: Mapping[str, Provider],
        prices: PriceList,
        poll_seconds: float | None = None,
        limited: frozenset[str] = frozenset(),
    ) -> None:
        self.ledger = ledger
        self.clips = clips
        self.house_folder = house
        self.shared_pieces = SharedPieces(clips.bucket.inside("house")) if clips.bucket else None
        """What hosts share of what they make from clips; None without a bucket."""
        self.prices = prices
        self.opened = ledger.now()
        """By the ledger's clock, which its rows go by."""
        self.orders_stand = False
        """Whether orders are left as they are when the run is stopped, because another process goes on with them."""
        self.limited = limited
        """The services at which Prefect holds the takes of all runs together."""
        self._providers = providers
        self._slots = {name: asyncio.Semaphore(provider.concurrency_limit()) for name, provider in providers.items()}
        self._poll_seconds = poll_seconds
        self._experience: dict[tuple[str, str], PastDurations | None] = {}

    def provider(self, name: str) -> Provider:
        """An open service."""
        return self._providers[name]

    def piece_folder(self, key: str) -> Path:
        """The folder of the house clip or dissolve with this cache key."""
        return self.house_folder / key[:2] / key

    def slot(self, name: str) -> asyncio.Semaphore:
        """Entered for as long as a take is at the service, so that no more are there than it bears."""
        return self._slots[name]

    def pause(self, provider: Provider, model: str, elapsed: float) -> float:
        """Seconds until the next look at a task that has been waited for so long."""
        if self._poll_seconds is not None:
            return self._poll_seconds
        of = (provider.name, model)
        if of not in self._experience:
            self._experience[of] = self.ledger.experience(*of)
        return next_poll(elapsed, provider.min_poll_seconds, self._experience[of], provider.advised_poll_seconds)


@asynccontextmanager
async def open_studio(
    home: Home,
    services: Iterable[str],
    environment: Mapping[str, str] = os.environ,
    *,
    limited: frozenset[str] = frozenset(),
) -> AsyncIterator[Studio]:
    """A studio with these services open, of which some are `limited`; everything is closed afterwards."""
    async with AsyncExitStack() as stack:
        ledger = home.ledger()
        stack.callback(ledger.close)
        providers = {name: await stack.enter_async_context(load(name)()) for name in sorted(set(services))}
        alive = asyncio.create_task(_show_life(ledger))
        stack.push_async_callback(_ended, alive)
        yield Studio(
            ledger,
            home.clips(),
            home.house,
            providers,
            PriceList.read(environment),
            Settings.read(environment).poll_seconds,
            limited,
        )


async def _show_life(ledger: Ledger) -> None:
    """Keep what this process is at work on from being taken for left behind."""
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        await asyncio.to_thread(ledger.renew)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
