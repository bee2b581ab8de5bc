"""What was spent, as people ask for it."""

from __future__ import annotations

from typing import Literal

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money

By = Literal["film", "scene", "service", "month"]
"""What spend is told apart by; scenes within their film, months by UTC."""

LABELS: dict[By, tuple[str, ...]] = {
    "film": ("film",),
    "scene": ("film", "scene"),
    "service": ("service",),
    "month": ("month",),
}
"""Which fields of a Spend say what it is of."""


class Spend(Frozen):
    """What some orders cost: one sum a currency, and none that adds what was told to what is only estimated.

    An order counts unless the service refused or failed it, or never had it; and even then when it told a cost.
    """

    film: str = ""
    scene: str = ""
    service: str = ""
    month: str = ""
    """`2026-11`: in which the orders were noted."""
    takes: int = 0
    """Different takes among the orders; one that was bought twice is one. Free ones only where all are free."""
    told: tuple[Money, ...] = ()
    """What the services said that they cost."""
    estimated: tuple[Money, ...] = ()
    """What the others cost by the price list."""
    unpriced: int = 0
    """Orders of which nobody knows what they cost."""

    @property
    def is_free(self) -> bool:
        """Whether it is known that none of it cost anything."""
        return not self.unpriced and not any(money.amount for money in (*self.told, *self.estimated))
