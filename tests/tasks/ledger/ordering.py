"""Orders for the tests of the ledger, and the rows of them."""

from __future__ import annotations

from decimal import Decimal

from storyreel.specs.money import Money
from storyreel.tasks.ledger.ledger import Ledger, Order, Purchase

CLIP, OTHER_CLIP = "d" * 64, "e" * 64


def an_order(key: str = "k", **more: str) -> Order:
    """An order of shot 1A with other values if given."""
    usual = {"provider": "aimlapi", "model": "wan", "request": "{}", "film": "The Keeper", "slate": "1A"}
    return Order(key=key, take=1, **(usual | more))


def dollars(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def row(ledger: Ledger, key: str = "k") -> Purchase:
    """A purchase that exists."""
    purchase = ledger.find(key)
    assert purchase is not None
    return purchase
