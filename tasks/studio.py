"""The things that all takes of a run share: the ledger, the stores, the open services and their slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Protocol

from storyreel.tasks.home import Home
from storyreel.tasks.join.pieces import SharedPieces
from storyreel.tasks.ledger.ledger import Ledger, LedgerError
from storyreel.tasks.polling import PastDurations, next_poll
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.providers import load
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.settings import Settings
from storyreel.tasks.storage.clips import ClipStore

_RENEW_SECONDS = 15
"""Seconds between two renewals of this run's leases in the ledger."""


class Places(Protocol):
    """The places at services that all runs share. Services without a limit have any number."""

    def hold(self, service: str) -> AbstractAsyncContextManager[None]:
        """A context that holds a place, and waits for one before."""

    def wait_reason(self, service: str) -> str:
        """For what a take waits that has no place yet; empty if there is nothing to tell."""


class _AnyNumber:
    """Places of a run whose services have no limits."""

    def hold(self, service: str) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def wait_reason(self, service: str) -> str:
        return ""


class Studio:
    """The shared objects of one run. A plain class, which Prefect does not search for task results."""

    def __init__(
        self,
        ledger: Ledger,
        clips: ClipStore,
        house: Path,
        providers: Mapping[str, Provider],
        prices: PriceList,
        poll_seconds: float | None = None,
        places: Places | None = None,
    ) -> None:
        self.ledger = ledger
        self.clips = clips
        self.house_folder = house
        self.answers_folder = house.with_name("answers")
        """Folder of the services' answers to orders that could not be used."""
        self.shared_pieces = SharedPieces(clips.bucket.inside("house")) if clips.bucket else None
        """The conformed pieces that hosts share; None without a bucket."""
        self.prices = prices
        self.opened_at = ledger.now()
        """By the clock of the ledger, like the times of its rows."""
        self.keeps_orders = False
        """Whether orders stay at the services when the run is stopped, because another process continues them."""
        self.places: Places = places or _AnyNumber()
        """What bounds the takes of all runs together, as `slot` bounds those of this one."""
        self._providers = providers
        self._slots = {name: asyncio.Semaphore(provider.concurrency_limit()) for name, provider in providers.items()}
        self._poll_seconds = poll_seconds
        self._past_durations: dict[tuple[str, str], PastDurations | None] = {}

    def provider(self, name: str) -> Provider:
        """An open service."""
        return self._providers[name]

    def piece_folder(self, key: str) -> Path:
        """The folder of the house clip or dissolve with this cache key."""
        return self.house_folder / key[:2] / key

    def slot(self, name: str) -> asyncio.Semaphore:
        """A semaphore to hold while a take is at the service, with one slot for each take that it allows at a time."""
        return self._slots[name]

    def seconds_to_next_poll(self, provider: Provider, model: str, elapsed: float) -> float:
        """Seconds until the next poll of a task that was ordered `elapsed` seconds ago."""
        if self._poll_seconds is not None:
            return self._poll_seconds
        name = (provider.name, model)
        if name not in self._past_durations:
            self._past_durations[name] = self.ledger.past_durations(*name)
        return next_poll(elapsed, provider.min_poll_seconds, self._past_durations[name], provider.advised_poll_seconds)


@asynccontextmanager
async def open_studio(home: Home, services: Iterable[str], *, places: Places | None = None) -> AsyncIterator[Studio]:
    """A studio with these services open, whose takes hold `places`. Closes all services."""
    async with AsyncExitStack() as stack:
        ledger = home.ledger()
        stack.callback(ledger.close)
        providers = {name: await stack.enter_async_context(load(name)()) for name in sorted(set(services))}
        renewing = asyncio.create_task(_renew_leases(ledger))
        stack.push_async_callback(_cancel, renewing)
        yield Studio(
            ledger, home.clips(), home.house, providers, PriceList.read(), Settings.read().poll_seconds, places
        )


async def _renew_leases(ledger: Ledger) -> None:
    """Keep other processes from taking over the orders of this one."""
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        with suppress(LedgerError):  # Locked for a minute, or a server that restarts: the next may succeed.
            await asyncio.to_thread(ledger.renew_leases)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
