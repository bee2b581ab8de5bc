"""What became of an order that nobody had an answer to: what a service's list of tasks proves, and what it does not.

Nothing is guessed. A task belongs to an order only where no other order and no other task could be meant, and an
order was never made only where a complete list of its time does not have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from storyreel.specs.frozen import Frozen
from storyreel.tasks.ledger.ledger import Purchase
from storyreel.tasks.providers.provider import RemoteTask

SKEW = timedelta(minutes=5)
"""How far the clocks of a service and of the ledger may be apart."""
_APPEARS = timedelta(minutes=10)
"""How long after an order a service's list may still be without it."""
_KEPT = timedelta(hours=23)
"""How old an order may be for a list without it to prove anything: services forget tasks after 24 hours."""

Match = Literal["attach", "propose", "never made", "open"]


class Finding(Frozen):
    """What a list of tasks says of one order."""

    purchase: Purchase
    verdict: Match
    """attach: it is `task`, surely. propose: nothing speaks against `task`, and nothing proves it."""
    why: str
    task: RemoteTask | None = None
    candidates: tuple[RemoteTask, ...] = ()
    """The tasks that it could be."""


def judge(
    orders: Sequence[Purchase],
    listed: Sequence[RemoteTask],
    claimed: frozenset[str],
    under_way: Iterable[Purchase],
    now: datetime,
    *,
    complete: bool,
) -> list[Finding]:
    """What becomes of orders of one service.

    `listed` is the service's list, `claimed` those of its ids that purchases have, `under_way` the orders that other
    runs are sending: a task that none has claimed may be theirs. `complete` says that what the list lacks was never
    accepted: it has all tasks with their times, and is surely of the account that ordered.
    """
    free = [task for task in listed if task.task not in claimed]
    rivals = list(under_way)
    return [
        _judged(order, [one for one in orders if one is not order], rivals, free, now, complete) for order in orders
    ]


def _judged(
    order: Purchase,
    others: Sequence[Purchase],
    rivals: Sequence[Purchase],
    free: Sequence[RemoteTask],
    now: datetime,
    complete: bool,
) -> Finding:
    candidates = tuple(task for task in free if _could_be(order, task, now))
    if order.task:
        return _open(order, f"{_service(order)} had it as {order.task}, and knows it no longer", candidates)
    if not candidates:
        return _missing(order, now, complete)
    if len(candidates) > 1:
        return _open(order, f"{_service(order)} lists {len(candidates)} tasks that could be it", candidates)
    (task,) = candidates
    if any(_could_be(other, task, now) for other in others):
        return _open(order, f"{task.task} could be this one or another whose fate is open", candidates)
    if any(_could_be(rival, task, now) for rival in rivals):
        return _open(order, f"{task.task} could be one that another run is ordering now", candidates)
    if task.created is None:
        why = f"{task.task} is the only one in {_service(order)}'s list that no purchase has; the list has no times"
        return Finding(purchase=order, verdict="propose", why=why, task=task, candidates=candidates)
    why = f"the only {order.order.model} of {_span(order)} in {_service(order)}'s list that no purchase has"
    return Finding(purchase=order, verdict="attach", why=why, task=task, candidates=candidates)


def _missing(order: Purchase, now: datetime, complete: bool) -> Finding:
    """No task of the list could be it."""
    begin, end = order.sent_between
    if not complete:
        why = "has no times, or no task of this ledger's in it, and may be another account's: that proves nothing"
        return _open(order, f"{_service(order)}'s list does not have it, but {why}")
    if now < end + _APPEARS:
        ready = (end + _APPEARS).astimezone()
        return _open(order, f"{_service(order)} does not list it yet; after {ready:%H:%M} that will prove something")
    if begin < now - _KEPT:
        return _open(order, f"{_service(order)} does not list it, but it is too old to be sure that it still would")
    return Finding(
        purchase=order,
        verdict="never made",
        why=f"{_service(order)}'s list has no {order.order.model} of {_span(order)} that it could be",
    )


def _could_be(order: Purchase, task: RemoteTask, now: datetime) -> bool:
    """Whether nothing speaks against it that a task came of an order."""
    if task.model and task.model != order.order.model:
        return False
    if task.created is None:
        return True
    begin, end = order.sent_between
    return begin - SKEW <= task.created <= min(end, now) + SKEW


def _open(order: Purchase, why: str, candidates: tuple[RemoteTask, ...] = ()) -> Finding:
    return Finding(purchase=order, verdict="open", why=why, candidates=candidates)


def _service(order: Purchase) -> str:
    return order.order.provider


def _span(order: Purchase) -> str:
    begin, end = (time.astimezone() for time in order.sent_between)
    return f"{begin:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S}"
