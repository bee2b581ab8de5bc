"""What the tests of the ledger order, and rows to look at."""

from __future__ import annotations

from decimal import Decimal

from storyreel.specs.money import Money
from storyreel.tasks.ledger.ledger import Ledger, Order, Purchase

CLIP, OTHER_CLIP = "d" * 64, "e" * 64


def an_order(key: str = "k", **more: str) -> Order:
    """An order of shot 1A, of which anything can be said otherwise."""
    usual = {"provider": "aimlapi", "model": "wan", "request": "{}", "film": "The Keeper", "slate": "1A"}
    return Order(key=key, take=1, **(usual | more))


def dollars(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def row(ledger: Ledger, key: str = "k") -> Purchase:
    """A purchase that is there."""
    purchase = ledger.find(key)
    assert purchase is not None
    return purchase
