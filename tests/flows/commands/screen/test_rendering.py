"""The end of a run on the terminal: where the film is, what it cost, and whether that is what was quoted."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from io import StringIO

import pytest

from storyreel.flows.commands.screen.tables import print_rendering
from storyreel.flows.production.report import Origin, Rendering
from storyreel.flows.terminal import Terminal
from storyreel.specs.money import Money
from storyreel.tasks.ledger.reading.charges import Charge


@pytest.mark.parametrize(
    ("charged", "line"), [("1.50", "  price: aimlapi wan, 1 order: charged 1.50 USD"), ("1.31", "")]
)
def test_a_charge_that_was_not_quoted_is_told(charged: str, line: str) -> None:
    quoted, cost = (Money(amount=Decimal(amount), currency="USD") for amount in ("1.30", charged))
    rendering = Rendering(
        sequence="x", origin=Origin(storyboard="f", version="1"), frames=1, fps="24", seconds=Fraction(1), shots=(),
        flow_run="r", charges=(Charge(service="aimlapi", model="wan", orders=1, quoted=quoted, charged=cost),),
    )  # fmt: skip
    print_rendering(Terminal(file=(said := StringIO())), rendering, "http://films.example/run")
    assert line in said.getvalue() and ("price:" in said.getvalue()) == bool(line)
