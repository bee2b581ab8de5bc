"""Takes with the same request, which are one order, whatever they are for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storyreel.flows.planning.model import PlannedTake


def first_of_each(takes: Iterable[PlannedTake]) -> dict[str, PlannedTake]:
    """The first take of each order, by its key."""
    found: dict[str, PlannedTake] = {}
    for take in takes:
        found.setdefault(take.key, take)
    return found


def with_shared_orders(takes: Sequence[PlannedTake]) -> list[PlannedTake]:
    """The takes, those marked whose order is that of one before them."""
    first = first_of_each(take for take in takes if take.state == "new" and not take.chosen.is_free)
    orders = ((take, first.get(take.key, take)) for take in takes)
    return [
        take if own is take else take.model_copy(update={"bought_with": f"{own.shot} take {own.take}"})
        for take, own in orders
    ]
