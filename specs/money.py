"""Amounts of money. Currencies are never added up."""

from __future__ import annotations

from decimal import Decimal

from specs.frozen import Frozen


class Money(Frozen):
    """An amount in one currency."""

    amount: Decimal
    currency: str
    """ISO 4217: USD, CNY, EUR."""

    def __str__(self) -> str:
        return f"{self.amount:.2f} {self.currency}"
