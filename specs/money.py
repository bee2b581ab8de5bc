"""Amounts of money, and sums of them by currency."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import shown

DECIMALS = 6
"""Most decimals of an amount; prices of a second have up to six."""

_SYMBOLS = {"": "USD", "$": "USD", "€": "EUR", "£": "GBP"}
_YUAN_OR_YEN = frozenset("¥￥元円")
_CODE = re.compile(r"[A-Z]{3}")
_NAME = r"[^\s\d.,+\-−]*"
_WRITTEN = rf"({_NAME})\s*([0-9]{{1,12}}(?:\.[0-9]+)?)\s*({_NAME})"
PATTERN = r"^\s*([A-Z]{3}|[$€£])?\s*[0-9]{1,12}(\.[0-9]{1,6})?\s*([A-Z]{3}|[$€£])?\s*$"
"""Amounts as `parse_money` takes them, for JSON Schema; only two different currencies are not seen."""
MEANING = "an amount of money such as 20 USD, 150 CNY or $20"
"""A description of such an amount, for messages."""
_MOST_PLACES = 30
"""Places before the point of an amount that is written out."""
_WIDE = Context(prec=60)
"""Digits enough that no sum is rounded."""


class Money(Frozen):
    """An exact amount in one currency. In JSON the amount is a string, so that it stays exact."""

    amount: Decimal
    currency: str
    """ISO 4217: USD, CNY, EUR."""

    def __str__(self) -> str:
        """Rounded to the hundredth, `1.95 USD`; exact if it would be rounded to 0; `1.00E+60 USD` beyond reason."""
        if self.amount.adjusted() > _MOST_PLACES:
            return f"{self.amount:.2E} {self.currency}"
        rounded = self.amount.quantize(Decimal("0.01"), ROUND_HALF_UP, _WIDE)
        return f"{rounded:f} {self.currency}" if rounded or not self.amount else self.exactly

    @property
    def exactly(self) -> str:
        """The amount with all its decimals, at least two, `0.084 USD`: for rates, and where amounts are compared."""
        whole, _, decimals = f"{self.amount:f}".partition(".")
        return f"{whole}.{decimals.rstrip('0'):0<2} {self.currency}"


def sums(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """One sum a currency, sorted by code. A sum of 0 is left out beside others; of no amounts there is no sum."""
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for money in amounts:
        totals[money.currency] = _WIDE.add(totals[money.currency], money.amount)
    shown_totals = {currency: amount for currency, amount in totals.items() if amount} or totals
    return tuple(Money(amount=amount, currency=currency) for currency, amount in sorted(shown_totals.items()))


def parse_money(text: str) -> Money:
    """The amount that a text names: `20 USD`, `USD 20`, `$20`, `20 €`, or `20`, which is USD.

    Exact, never negative, at most six decimals. Raises ValueError with `what is wrong; what to write instead`.
    """
    found = re.fullmatch(_WRITTEN, text.strip())
    if found is None:
        raise ValueError(_why_no_amount(text))
    before, amount, after = found.groups()
    if len(amount.partition(".")[2]) > DECIMALS:
        raise ValueError(f"an amount has at most {DECIMALS} decimals; round `{shown(amount)}` up")
    currencies = {_currency(name, amount) for name in (before, after) if name} or {_currency("", amount)}
    if len(currencies) > 1:
        raise ValueError(f"the amount has two currencies; write `{amount} {max(currencies)}`")
    return Money(amount=Decimal(amount), currency=currencies.pop())


def single_total(totals: tuple[Money, ...], unpriced: int) -> dict[str, Any] | None:
    """The one sum of `totals` for programs: 0 USD if there is none.

    None for several currencies, which never add up, and if there is also something `unpriced`.
    """
    if len(totals) > 1 or unpriced:
        return None
    total = totals[0] if totals else Money(amount=Decimal(0), currency="USD")
    return total.model_dump(mode="json")


def sums_as_json(prices: Iterable[Money | None]) -> dict[str, Any]:
    """The sums of prices for programs; `total` is null if a price is unknown or there are several currencies."""
    every = list(prices)
    totals, unpriced = sums(price for price in every if price), every.count(None)
    return {
        "total": single_total(totals, unpriced),
        "totals": [money.model_dump(mode="json") for money in totals],
        "unpriced": unpriced,
    }


def _currency(name: str, amount: str) -> str:
    if known := _SYMBOLS.get(name):
        return known
    if name in _YUAN_OR_YEN:
        raise ValueError(f"`{name}` is the yuan's sign and the yen's; write `{amount} CNY` or `{amount} JPY`")
    if _CODE.fullmatch(name):
        return name
    upper = name.upper()
    code = upper if _CODE.fullmatch(upper) else "USD"
    raise ValueError(
        f"`{shown(name)}` is not a currency code of three capital letters; write for example `{amount} {code}`"
    )


def _why_no_amount(text: str) -> str:
    if re.search(r"[-−][$€£¥A-Z]*[0-9]", "".join(text.split())):
        return "an amount of money cannot be negative; leave the minus out"
    if re.search(r"[0-9],[0-9]", text):
        return "the amount contains a comma; write thousands without one, and decimals with a point: `1000.50 USD`"
    return "this is not an amount of money; write for example `20 USD`"
