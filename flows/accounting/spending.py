"""Spending by film, scene, service or month, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from storyreel.flows.terminal import Column, Row, Terminal, print_rows
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.purchase import By, PurchaseFilter
from storyreel.tasks.ledger.reading.totals import LABELS, Spend


class Spending(Frozen):
    """The cost of the selected orders, in parts and in total."""

    by: By
    parts: tuple[Spend, ...]
    total: Spend

    def as_json(self) -> list[dict[str, Any]]:
        """The form that `ledger --by … --json` prints: an object for each part."""
        others = {label for labels in LABELS.values() for label in labels} - set(LABELS[self.by])
        return [part.model_dump(mode="json", exclude=others, by_alias=True) for part in self.parts]


def add_up(home: Home, by: By, wanted: PurchaseFilter) -> Spending:
    """The cost of the selected purchases. Does not create a ledger if there is none."""
    if not home.has_ledger:
        return Spending(by=by, parts=(), total=Spend())
    with closing(home.ledger_to_read()) as ledger:
        return Spending(by=by, parts=ledger.spent_by(by, **wanted), total=ledger.spent(**wanted))


def print_spending(console: Terminal, spending: Spending) -> None:
    """Print a row for each part, then the total."""
    if not spending.parts:
        console.print("There are no such purchases.")
        return
    labels = LABELS[spending.by]
    columns = [Column(name, is_text=True) for name in labels]
    columns += [Column(name, "right") for name in ("takes", "charged", "estimated", "price unknown")]
    rows = [Row([*(getattr(part, name) or "–" for name in labels), *_cells(part)]) for part in spending.parts]
    print_rows(console, columns, rows)
    console.print(sentence(spending.total), soft_wrap=True)


def sentence(spend: Spend) -> str:
    """The sums of charges and of estimates in a sentence or two."""
    if spend.is_free:
        return "All of it was free." if spend.takes else "Nothing is to be paid."
    parts = []
    if spend.charged:
        parts.append(f"The services charged {_and(spend.charged)}.")
    if spend.estimated:
        other = "Other takes" if spend.charged else "They"
        parts.append(f"{other} cost {approximately(spend.estimated)} by the price list.")
    if spend.unpriced:
        orders = "1 order" if spend.unpriced == 1 else f"{spend.unpriced} orders"
        parts.append(f"The price of {orders} is not known.")
    return " ".join(parts)


def approximately(amounts: Iterable[Money]) -> str:
    """Amounts that are estimates: `≈ 3.00 CNY and ≈ 1.30 USD`."""
    return " and ".join(f"≈ {money}" for money in amounts)


def _cells(part: Spend) -> Sequence[str]:
    if part.is_free:
        return str(part.takes), "", "free", ""
    charged = _and(money for money in part.charged if money.amount)
    estimated = [money for money in part.estimated if money.amount]
    return str(part.takes), charged, approximately(estimated) if estimated else "", str(part.unpriced or "")


def _and(amounts: Iterable[Money]) -> str:
    return " and ".join(map(str, amounts))
