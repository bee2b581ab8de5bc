"""Services that sell to runs of this process, and takes that were bought before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from storyreel.flows.planning.model import PlannedTake
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger, Order
from tests.services.emulator import Emulator
from tests.tasks.providers.hosted_services import SERVICES


@contextmanager
def selling(*emulators: Emulator) -> Iterator[None]:
    """Serve emulators. Their addresses and keys, and a short pause between two looks, are in the environment inside."""
    if not emulators:
        yield
        return
    emulator, *others = emulators
    with emulator.served() as base, pytest.MonkeyPatch.context() as patch, selling(*others):
        for name, value in {**SERVICES[emulator.name].environment(base), "STORYREEL_POLL_SECONDS": "0.02"}.items():
            patch.setenv(name, value)
        yield


def order_take(ledger: Ledger, title: str, take: PlannedTake) -> None:
    """Note a take of a film as ordered from its service, which has accepted it."""
    order = Order(
        key=take.key, provider=take.chosen.request.provider, model="m", request="{}", film=title, slate=take.shot,
        take=take.take, price=take.price, brief=take.chosen.brief.dump(),
    )  # fmt: skip
    assert ledger.intend(order)
    ledger.mark_submitted(take.key, f"task {take.shot} {take.take}", None)


def buy_take(ledger: Ledger, title: str, take: PlannedTake, clip: bytes) -> None:
    """Note a take of a film as bought, with this file in the home's store."""
    order_take(ledger, title, take)
    store = Home.of().clips()
    with store.arriving(take.key) as arriving:
        arriving.write_bytes(clip)
        ledger.mark_finished(take.key, store.keep(arriving).digest, None)
