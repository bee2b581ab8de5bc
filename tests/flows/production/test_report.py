"""The report of a film: what is not known is never told as nothing."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from storyreel.flows.monitoring.board import spend
from storyreel.flows.production.report import Origin, Rendering
from storyreel.specs.money import Money
from storyreel.tasks.ledger.ledger import Spend


def money(amount: str, currency: str = "USD") -> Money:
    return Money(amount=Decimal(amount), currency=currency)


USD, CNY, FREE = money("1.95"), money("3", "CNY"), money("0")


def told(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


@pytest.mark.parametrize(
    ("part", "words", "spent"),
    [
        ({}, "nothing", told("0")),
        ({"estimated": (FREE,)}, "nothing", told("0")),
        ({"charged": (USD,)}, "1.95 USD", told("1.95")),
        ({"estimated": (USD,)}, "about 1.95 USD", told("1.95")),
        ({"charged": (CNY, USD)}, "3.00 CNY and 1.95 USD", None),
        ({"unpriced": 1}, "an unknown amount: the price of 1 order is not known", None),
        ({"unpriced": 2, "charged": (FREE,)}, "an unknown amount: the price of 2 orders is not known", None),
        ({"unpriced": 2, "charged": (USD,)}, "at least 1.95 USD, and the price of 2 orders is not known", None),
        ({"unpriced": 1, "estimated": (USD,)}, "at least about 1.95 USD, and the price of 1 order is not known", None),
    ],
)
def test_what_was_spent_is_told_as_far_as_it_is_known(
    part: dict[str, Any], words: str, spent: dict[str, str] | None
) -> None:
    spending = (Spend(service="freepik", takes=2, **part),) if part else ()
    rendering = Rendering(
        sequence="x", origin=Origin(storyboard="f", version="1"), frames=1, fps="24", seconds=Fraction(1), shots=(),
        flow_run="r", spending=spending,
    )  # fmt: skip
    assert rendering.spent_in_words == words
    made = rendering.as_json()
    assert (made["spent"], made["unpriced"]) == (spent, part.get("unpriced", 0))
    assert [row["takes at an unknown price"] for row in spend(rendering)][-1] == str(made["unpriced"])
    by_price_list = [row["by the price list"] for row in spend(rendering)][-1]
    assert ("unknown" in by_price_list) == bool(made["unpriced"])
