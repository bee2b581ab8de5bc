"""What a run that was stopped leaves behind at services: what is paid, and is gone on with, and what nobody knows."""

from __future__ import annotations

from storyreel.flows.planning.model import Plan
from storyreel.tasks.ledger.ledger import Purchase, State
from storyreel.tasks.studio import Studio


def left_behind(plan: Plan, studio: Studio) -> tuple[str, ...]:
    """In words, a line for each order of this run that nobody follows any more, in the order of the film.

    To be asked when nothing of the run is under way, and before it lets go of its orders.
    """
    keys = [way.key for take in plan.takes for way in take.candidates]
    purchases = studio.ledger.find_all(keys)
    orders = [purchases[key] for key in dict.fromkeys(keys) if key in purchases]
    ours = [order for order in orders if order.is_ours() and studio.provider(order.order.provider).paid]
    return tuple(line for order in ours if (line := _line(order, studio)))


def _line(purchase: Purchase, studio: Studio) -> str:
    order = purchase.order
    if purchase.state is State.SUBMITTED:
        return (
            f"left at {order.provider}: {order.slate} take {order.take}, task {purchase.task}, {_price(purchase)}; "
            "the next run goes on with it"
        )
    if purchase.state is State.UNKNOWN and purchase.changed >= studio.opened:
        return (
            f"left at {order.provider}: {order.slate} take {order.take}, and nobody knows whether it was accepted; "
            "next: storyreel reconcile"
        )
    return ""


def _price(purchase: Purchase) -> str:
    if purchase.cost:
        return str(purchase.cost)
    return f"about {purchase.order.price}" if purchase.order.price else "at a price that nobody knows"
