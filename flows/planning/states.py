"""Gives each take its state and the reason for it, by the ledger and the clip store."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_

from storyreel.flows.planning.candidate import NEVER_MADE, Candidate, TakeState
from storyreel.flows.planning.history import History, Orders
from storyreel.flows.planning.model import PlannedTake
from storyreel.specs.problems.phrases import abridged
from storyreel.tasks.ledger.purchase import Purchase, State
from storyreel.tasks.request.brief import Brief, changes

_MOST_CHANGES = 4
"""Changes that a reason names; `--json` has all of them."""


def with_states(
    takes: Sequence[PlannedTake], film: str, history: History, *, is_draft: bool = False
) -> list[PlannedTake]:
    """The takes with states and reasons, each made by the service that made or got it already, else by its first.

    `is_draft` is whether they are of the film's draft, whose orders are compared with those of drafts alone.
    """
    purchases = history.purchases([each.key for take in takes for each in take.candidates])
    unordered = {take.shot for take in takes if not any(each.key in purchases for each in take.candidates)}
    # The pictures of a draft are those of its film.
    drafted = {take.shot for take in takes if is_draft and take.kind == "clip"}
    orders: dict[tuple[str, int, str], Purchase] = {}
    for slates, drafts in ((unordered & drafted, True), (unordered - drafted, False)):
        if slates:
            orders |= history.latest(film, slates, drafts=drafts)
    found = []
    for take in takes:
        all_ = [_with_state(take, each, purchases.get(each.key), orders, history) for each in take.candidates]
        chosen = _preferred(all_)
        fallbacks = tuple(each for each in all_[chosen + 1 :] if each.state == "new")
        if len(fallbacks) == len(take.fallbacks) and all(map(is_, (all_[chosen], *fallbacks), take.candidates)):
            found.append(take)
        else:
            found.append(take.model_copy(update={"chosen": all_[chosen], "fallbacks": fallbacks}))
    return found


def _preferred(candidates: Sequence[Candidate]) -> int:
    """The index of the candidate to use. What may be paid already comes first, so that nothing is paid twice."""
    states = [each.state for each in candidates]
    return next((states.index(state) for state in ("cached", "resuming", "unknown") if state in states), 0)


def _with_state(
    take: PlannedTake, candidate: Candidate, purchase: Purchase | None, orders: Orders, history: History
) -> Candidate:
    if history.keeps(candidate.key) and not (purchase and purchase.state is State.FINISHED):
        reason = f"made before; the {_thing(candidate)} is in the store, and the run notes it in the ledger"
        return candidate.model_copy(update={"state": "resuming", "reason": reason})
    if history.is_accepted(candidate.key) and not (purchase and (purchase.task or purchase.state is State.FINISHED)):
        reason = "ordered before; the service has accepted it, and the run notes it in the ledger"
        return candidate.model_copy(update={"state": "resuming", "reason": reason})
    if purchase is None:
        changed, reason = _why_new(take, candidate, orders) if orders else ((), NEVER_MADE)
        if (candidate.state, candidate.reason, candidate.changes) == ("new", reason, changed):
            return candidate
        return candidate.model_copy(update={"state": "new", "reason": reason, "changes": changed})
    state, reason = _state(candidate, purchase, history)
    return candidate.model_copy(update={"state": state, "reason": reason})


def _why_new(take: PlannedTake, candidate: Candidate, orders: Orders) -> tuple[tuple[str, ...], str]:
    before = _last_order(take, candidate, orders)
    if before is None:
        has_others = any(
            slate == take.shot and _is_free(other) == candidate.is_free for (slate, _, _), other in orders.items()
        )
        return (), "one more take" if has_others and take.take > 1 else NEVER_MADE
    brief = Brief.load(before.order.brief)
    changed = changes(brief, candidate.brief) if brief else ()
    if not changed:
        does = "draws it" if candidate.request.board else "words the request"
        return ("wording",), f"this version of storyreel {does} differently"
    return changed, f"changed: {abridged(changed, _MOST_CHANGES)}"


def _last_order(take: PlannedTake, candidate: Candidate, orders: Orders) -> Purchase | None:
    """The order to compare with: the same service's last, else another's; never an animatic's with a paid one."""
    own = orders.get((take.shot, take.take, candidate.request.provider))
    if own or candidate.is_free:
        return own
    paid = [
        order
        for (slate, number, _), order in orders.items()
        if (slate, number) == (take.shot, take.take) and not _is_free(order)
    ]
    return max(paid, key=lambda order: order.created, default=None)


def _is_free(purchase: Purchase) -> bool:
    return purchase.order.price is not None and not purchase.order.price.amount


def _thing(candidate: Candidate) -> str:
    return candidate.request.mode.product


def _state(candidate: Candidate, purchase: Purchase, history: History) -> tuple[TakeState, str]:
    if purchase.state is State.FINISHED:
        if purchase.clip and history.holds(purchase.clip):
            return "cached", f"made before, the {_thing(candidate)} is in the store"
        if candidate.is_free:
            return "new", f"made before, but its {_thing(candidate)} is gone from the store"
        return "resuming", f"paid before; its {_thing(candidate)} is gone from the store and will be fetched again"
    if purchase.state is State.FAILED:
        return "new", f"failed before: {purchase.reason}"
    if purchase.state is State.SUBMITTED:
        return "resuming", f"ordered before as {purchase.task}, the {_thing(candidate)} is still to be fetched"
    if purchase.state is State.INTENDED and not purchase.is_abandoned():
        return "resuming", "another run is ordering it now"
    if candidate.is_free:
        return "new", "an earlier run was stopped before it was made"
    if purchase.state is State.UNKNOWN and purchase.task:
        return "unknown", f"ordered before as {purchase.task}, but {purchase.reason}"
    if purchase.state is State.UNKNOWN and purchase.reason:
        return "unknown", f"ordered before, but {purchase.reason}"
    return "unknown", "an earlier run was stopped while ordering it; it is not known whether the order was accepted"
