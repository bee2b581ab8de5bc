"""What the takes of a run share: the ledger, the stores, the services, and how many may work at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from tasks.providers import load
from tasks.providers.base import Provider
from tasks.store.clips import ClipStore
from tasks.store.home import Home
from tasks.store.ledger import Ledger


class Studio:
    """The workplace of one run. A plain class, so that Prefect passes it along without looking inside."""

    def __init__(self, ledger: Ledger, clips: ClipStore, house: Path, providers: dict[str, Provider]) -> None:
        self.ledger = ledger
        self.clips = clips
        self.house = house
        self.opened = datetime.now(UTC)
        self._providers = providers
        self._slots = {name: asyncio.Semaphore(provider.at_once) for name, provider in providers.items()}

    def provider(self, name: str) -> Provider:
        """An open service."""
        return self._providers[name]

    def slot(self, name: str) -> asyncio.Semaphore:
        """Entered for as long as a take is at the service, so that no more are there than it bears."""
        return self._slots[name]


@asynccontextmanager
async def open_studio(home: Home, services: Iterable[str]) -> AsyncIterator[Studio]:
    """A studio with these services open; everything is closed afterwards."""
    async with AsyncExitStack() as stack:
        ledger = home.ledger()
        stack.callback(ledger.close)
        providers = {name: await stack.enter_async_context(load(name)()) for name in sorted(set(services))}
        yield Studio(ledger, home.clips(), home.house, providers)
