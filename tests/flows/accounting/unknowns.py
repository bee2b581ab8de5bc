"""Orders whose answer was lost, at real emulators: what `storyreel reconcile` is for."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import PlannedTake
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.reading import read
from storyreel.tasks.ledger.ledger import Ledger, Order, Purchase
from storyreel.tasks.providers import load

NOTHING = History(purchases=lambda _: {}, holds=lambda _: False)


class Shop:
    """A user's home, and one service that orders are lost at."""

    def __init__(self, folder: Path, service: str) -> None:
        self.folder, self.service = folder, service
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.url = f"sqlite:///{self.home / 'ledger.sqlite'}"

    def takes(self, slates: str) -> list[PlannedTake]:
        """A film of these shots, planned."""
        shots = ", ".join(f"{{shot: {slate}, action: Scene {slate}., duration: 2s}}" for slate in slates.split())
        film = self.folder / "film.yaml"
        film.write_text(f"storyboard: 1\ntitle: Two Rooms\nshots: [{shots}]\n")
        return list(make_plan(read(film), NOTHING, self.service).takes)

    def order(self, slates: str = "1A", *, accepted: bool, heard: bool = False) -> list[Purchase]:
        """Orders, sent to the service when `accepted`, with an answer when `heard`."""
        with closing(Ledger(self.url)) as ledger:
            for take in self.takes(slates):
                ledger.intend(_order(take))
                task = asyncio.run(self._send(take)) if accepted else ""
                if heard:
                    ledger.mark_submitted(take.key, task, None)
                else:
                    ledger.mark_unknown(take.key, "the connection was reset")
            return [self.find(take.key, ledger) for take in self.takes(slates)]

    def find(self, key: str, ledger: Ledger | None = None) -> Purchase:
        """A purchase as it is now."""
        if ledger is None:
            with closing(Ledger(self.url)) as opened:
                return self.find(key, opened)
        purchase = ledger.find(key)
        assert purchase is not None
        return purchase

    def has(self, key: str) -> bool:
        """Whether a key has a row."""
        with closing(Ledger(self.url)) as ledger:
            return ledger.find(key) is not None

    def age(self, **by: float) -> None:
        """Let time pass for everything in the ledger."""
        columns = ("created", "changed", "intended", "lease_until")
        with closing(sqlite3.connect(self.home / "ledger.sqlite")) as raw:
            for row in raw.execute(f"select key, {', '.join(columns)} from purchases").fetchall():
                for column, told in zip(columns, row[1:], strict=True):
                    earlier = datetime.fromisoformat(told) - timedelta(**by)
                    change = f"update purchases set {column} = ? where key = ?"
                    raw.execute(change, (earlier.isoformat(timespec="microseconds"), row[0]))
            raw.commit()

    async def _send(self, take: PlannedTake) -> str:
        async with load(self.service)() as provider:
            return (await provider.submit(take.request)).task


def _order(take: PlannedTake) -> Order:
    return Order(
        key=take.key,
        provider=take.request.provider,
        model=take.request.model,
        request=take.request.canonical(),
        film="Two Rooms",
        slate=take.shot,
        take=take.take,
    )
