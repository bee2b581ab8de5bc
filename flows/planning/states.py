"""What becomes of each way to make a take, and why: new, cached, resuming or unknown, by the ledger and the store."""

from __future__ import annotations

from collections.abc import Sequence

from storyreel.flows.planning.model import Candidate, History, Orders, PlannedTake, TakeState
from storyreel.tasks.ledger.ledger import Purchase, State
from storyreel.tasks.request.brief import Brief, changes

_MOST_CHANGES = 4
"""Named in a reason; `--json` has them all."""


def with_states(drafts: Sequence[PlannedTake], film: str, history: History) -> list[PlannedTake]:
    """The takes with their states and reasons, each made by whoever has it already, else by its first service."""
    purchases = history.purchases([way.key for draft in drafts for way in draft.candidates])
    unmade = {draft.shot for draft in drafts if not any(way.key in purchases for way in draft.candidates)}
    orders = history.latest(film, unmade) if unmade else {}
    takes = []
    for draft in drafts:
        ways = [_judged(draft, way, purchases.get(way.key), orders, history) for way in draft.candidates]
        at = _preferred(ways)
        takes.append(draft.model_copy(update={"chosen": ways[at], "fallbacks": _to_try(ways[at + 1 :])}))
    return takes


def _preferred(ways: Sequence[Candidate]) -> int:
    """What is paid is never paid again elsewhere: made goes before ordered, ordered before unknown, all before new."""
    states = [way.state for way in ways]
    return next((states.index(state) for state in ("cached", "resuming", "unknown") if state in states), 0)


def _to_try(ways: Sequence[Candidate]) -> tuple[Candidate, ...]:
    return tuple(way for way in ways if way.state == "new")


def _judged(
    draft: PlannedTake, way: Candidate, purchase: Purchase | None, orders: Orders, history: History
) -> Candidate:
    if purchase is None:
        changed, reason = _why_new(draft, way, orders)
        return way.model_copy(update={"reason": reason, "changes": changed})
    state, reason = _state(way, purchase, history)
    return way.model_copy(update={"state": state, "reason": reason})


def _why_new(draft: PlannedTake, way: Candidate, orders: Orders) -> tuple[tuple[str, ...], str]:
    """What changed since the take was last ordered, and the reason in words."""
    before = _before(draft, way, orders)
    if before is None:
        others = any(slate == draft.shot and _is_free(order) == way.is_free for (slate, _, _), order in orders.items())
        return (), "one more take" if others and draft.take > 1 else "never made before"
    then = Brief.load(before.order.told)
    changed = changes(then, way.brief) if then else ()
    if not changed:
        return ("wording",), "storyreel asks for it in other words than before"
    return changed, f"changed: {_listed(changed)}"


def _before(draft: PlannedTake, way: Candidate, orders: Orders) -> Purchase | None:
    """The order to compare with: this service's last, else another's. A drawn board is no earlier form of a clip."""
    mine = orders.get((draft.shot, draft.take, way.request.provider))
    if mine or way.is_free:
        return mine
    paid = [
        order
        for (slate, take, _), order in orders.items()
        if (slate, take) == (draft.shot, draft.take) and not _is_free(order)
    ]
    return max(paid, key=lambda order: order.created, default=None)


def _is_free(order: Purchase) -> bool:
    return order.order.price is not None and not order.order.price.amount


def _state(way: Candidate, purchase: Purchase, history: History) -> tuple[TakeState, str]:
    if purchase.state is State.FINISHED:
        if purchase.clip and history.holds(purchase.clip):
            return "cached", "made before, the clip is in the store"
        if way.is_free:
            return "new", "made before, but its clip is gone from the store"
        return "resuming", "paid before; its clip is gone from the store and will be fetched again"
    if purchase.state is State.FAILED:
        return "new", f"failed before: {purchase.reason}"
    if purchase.state is State.SUBMITTED:
        return "resuming", f"ordered before as {purchase.task}, the clip is still to be fetched"
    if purchase.state is State.INTENDED and not purchase.is_left():
        return "resuming", "another run is ordering it now"
    if way.is_free:
        return "new", "an earlier run was stopped before it was made"
    return "unknown", "an earlier run was stopped while ordering it; nobody knows whether it was accepted"


def _listed(changed: Sequence[str]) -> str:
    more = len(changed) - _MOST_CHANGES
    return ", ".join(changed[:_MOST_CHANGES]) + (f" and {more} more" if more > 0 else "")
