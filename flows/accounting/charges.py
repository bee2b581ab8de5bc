"""Charges of the services against quotes, by service and model, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from storyreel.flows.terminal import Column, Row, Terminal, print_rows, styled
from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import counted
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.purchase import PurchaseFilter
from storyreel.tasks.ledger.reading.charges import TOLERANCE, Charge
from storyreel.tasks.providers import load


class ChargeCheck(Frozen):
    """The charges of the selected orders."""

    charges: tuple[Charge, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """The form that `ledger --check-prices --json` prints."""
        return [
            charge.model_dump(mode="json")
            | {
                "difference_percent": _percent(charge),
                "warning": warning(charge) if charge.is_off else None,
            }
            for charge in self.charges
        ]


def check_prices(home: Home, wanted: PurchaseFilter) -> ChargeCheck:
    """Compare the selected orders. Does not create a ledger if there is none."""
    if not home.has_ledger:
        return ChargeCheck(charges=())
    with closing(home.ledger_to_read()) as ledger:
        return ChargeCheck(charges=ledger.charges(**wanted))


def warnings(charges: Iterable[Charge]) -> tuple[str, ...]:
    """A sentence for each charge that is not what was quoted."""
    return tuple(warning(charge) for charge in charges if charge.is_off)


def warning(charge: Charge) -> str:
    """The difference of a charge from its quote, and what helps."""
    orders = f"{charge.service} {charge.model}, {counted(charge.orders, 'order')}"
    amounts = f"{orders}: charged {charge.charged.exactly}, quoted {charge.quoted.exactly}"
    percent = _percent(charge)
    by = "" if percent is None else f", {abs(percent):g} % {'more' if percent > 0 else 'less'}"
    why = ""
    if percent is not None and percent < 0:
        why = "; a quote counts reference video of unknown length with the most that is billed"
    return f"{amounts}{by}{why}; {_advice(charge.service)}"


def _advice(service: str) -> str:
    try:
        publishes = load(service).publishes_prices
    except LookupError:
        publishes = False
    if publishes:
        return "for its present prices: storyreel prices --refresh"
    return "look at its prices, and give them in your price file: storyreel prices"


def _percent(charge: Charge) -> float | None:
    return None if charge.difference is None else round(float(charge.difference) * 100, 1)


def print_charges(console: Terminal, check: ChargeCheck) -> None:
    """Print a row for each service and model, then a warning for each that differs."""
    if not check.charges:
        console.print("Of no such order both a quote and a charge are known.")
        return
    columns = (
        Column("service"), Column("model"), Column("orders", "right"), Column("quoted", "right"),
        Column("charged", "right"), Column("difference", "right"),
    )  # fmt: skip
    print_rows(console, columns, [Row(_cells(charge)) for charge in check.charges])
    found = warnings(check.charges)
    for line in found:
        console.print(styled(("note:", "yellow"), f" {line}"), soft_wrap=True)
    if not found:
        console.print(f"What was charged is within {float(TOLERANCE) * 100:g} % of what was quoted.")


def _cells(charge: Charge) -> Sequence[str]:
    percent = _percent(charge)
    return (
        charge.service,
        charge.model,
        str(charge.orders),
        charge.quoted.exactly,
        charge.charged.exactly,
        "" if percent is None else f"{percent:+g} %" if percent else "none",
    )
