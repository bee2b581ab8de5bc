"""Matches orders without an answer with a service's list of tasks.

Nothing is guessed: a task belongs to an order only if it repeats the order's key, or if no other order and no other
task comes into question, and an order was never made only if a complete list of its time does not have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from storyreel.specs.frozen import Frozen
from storyreel.tasks.ledger.purchase import Purchase
from storyreel.tasks.providers.provider import Provider, RemoteTask

SKEW = timedelta(minutes=5)
"""Greatest difference between the clocks of a service and of the ledger."""

Match = Literal["attach", "failed", "propose", "never made", "open"]


class ListTerms(Frozen):
    """The terms of a service's list of tasks; see the fields of `Provider`."""

    is_complete: bool
    has_keys: bool = False
    appears: timedelta = Provider.listed_after
    kept: timedelta = Provider.listed_for

    @classmethod
    def of(cls, service: type[Provider]) -> ListTerms:
        """The terms of a service."""
        return cls(
            is_complete=service.lists_every_task,
            has_keys=service.lists_keys,
            appears=service.listed_after,
            kept=service.listed_for,
        )


class Finding(Frozen):
    """The result for one order."""

    purchase: Purchase
    match: Match
    """attach: it certainly is `task`. failed: it is `task`, which has failed. propose: nothing contradicts `task`, and
    nothing proves it."""
    why: str
    task: RemoteTask | None = None
    candidates: tuple[RemoteTask, ...] = ()
    """The tasks that it could be."""


def match_tasks(
    orders: Sequence[Purchase],
    listed: Sequence[RemoteTask],
    claimed: frozenset[str],
    under_way: Iterable[Purchase],
    given_up: Iterable[Purchase],
    now: datetime,
    terms: ListTerms,
) -> list[Finding]:
    """Match orders of one service with `listed`, the service's list of tasks.

    `claimed` has the ids in the list that belong to purchases. Unclaimed tasks may belong to `under_way`, the orders
    that other runs are sending, and to `given_up`, those that were given up without an id.
    """
    unclaimed = [task for task in listed if task.task not in claimed]
    known = [task for task in listed if task.task in claimed and task.created]
    sending, abandoned = list(under_way), list(given_up)
    failed = {task.task: task for task in listed if task.outcome == "failed"}
    return [
        _failed(order, failed[order.task])
        if order.task in failed
        else _match(
            order,
            [one for one in orders if one is not order],
            sending,
            [one for one in abandoned if one.order.key != order.order.key],
            unclaimed,
            now,
            terms,
            # The key or the region may have changed: a list is of the account that ordered if it has a task of this
            # ledger from the same time.
            terms.is_complete and any(_is_of_its_time(order, task, now) for task in known),
        )
        for order in orders
    ]


def _match(
    order: Purchase,
    others: Sequence[Purchase],
    sending: Sequence[Purchase],
    given_up: Sequence[Purchase],
    unclaimed: Sequence[RemoteTask],
    now: datetime,
    terms: ListTerms,
    is_proof: bool,
) -> Finding:
    candidates = tuple(task for task in unclaimed if _could_be(order, task, now))
    if order.task:
        return _open(order, f"{_service(order)} accepted it as {order.task}: {order.reason}", candidates)
    # A task that repeats its key is an order of this take, whatever others there are.
    candidates = tuple(task for task in candidates if task.key) or candidates
    if not candidates:
        return _missing(order, now, terms, is_proof)
    if len(candidates) > 1:
        return _open(order, f"{_service(order)} lists {len(candidates)} tasks that could be it", candidates)
    (task,) = candidates
    if task.key:
        return _named(order, task, now)
    if any(_could_be(other, task, now) for other in others):
        return _open(order, f"{task.task} could be this order or another open one", candidates)
    if any(_could_be(other, task, now) for other in sending):
        return _open(order, f"{task.task} could be an order that another run is sending now", candidates)
    if any(_could_be(other, task, now) for other in given_up):
        return _open(order, f"{task.task} could be an order that was given up", candidates)
    if task.created is None:
        why = f"{task.task} is the only one of {_service(order)} that belongs to no purchase; its list has no times"
        return Finding(purchase=order, match="propose", why=why, task=task, candidates=candidates)
    if terms.has_keys:
        why = f"{task.task} is the only one of its time that belongs to no purchase, but it names no key, as orders do"
        return Finding(purchase=order, match="propose", why=why, task=task, candidates=candidates)
    why = f"the only {order.order.model} of {_span(order)} in {_service(order)}'s list that belongs to no purchase"
    return Finding(purchase=order, match="attach", why=why, task=task, candidates=candidates)


def _named(order: Purchase, task: RemoteTask, now: datetime) -> Finding:
    """The result for an order whose key a task repeats."""
    if not _is_of_its_time(order, task, now):
        return _open(order, f"{task.task} has its key, but is not of {_span(order)}", (task,))
    if task.outcome == "failed":
        return _failed(order, task)
    cost = f", for {task.cost.exactly}" if task.cost else ""
    why = f"{_service(order)}'s list names its key, as {task.task}{cost}"
    return Finding(purchase=order, match="attach", why=why, task=task, candidates=(task,))


def _failed(order: Purchase, task: RemoteTask) -> Finding:
    is_free = task.cost is not None and not task.cost.amount
    charge = " and was not charged" if is_free else f" and cost {task.cost.exactly}" if task.cost else ""
    why = f"{_service(order)}'s list says that it has failed, as {task.task},{charge or ' without its cost'}"
    return Finding(purchase=order, match="failed", why=why, task=task, candidates=(task,))


def _missing(order: Purchase, now: datetime, terms: ListTerms, is_proof: bool) -> Finding:
    """The result for an order that no task in the list fits. With `is_proof` the list has all tasks of the account."""
    begin, end = order.sent_between
    if not is_proof:
        why = (
            "the list has no times, or no task of this ledger from then, so it may be another account's and proves "
            "nothing"
        )
        return _open(order, f"{_service(order)}'s list does not have it, but {why}")
    if now < end + terms.appears:
        ready = (end + terms.appears).astimezone()
        return _open(order, f"{_service(order)} does not list it yet; missing after {ready:%H:%M} it was never made")
    if begin < now - terms.kept:
        return _open(order, f"{_service(order)} does not list it, but the order is too old for that to prove something")
    why = f"{_service(order)}'s list has no {order.order.model} of {_span(order)} that it could be"
    return Finding(purchase=order, match="never made", why=why)


def _could_be(order: Purchase, task: RemoteTask, now: datetime) -> bool:
    if task.key:
        return task.key == order.order.key
    if task.model and task.model != order.order.model:
        return False
    if task.mode and order.order.mode not in ("", task.mode):
        return False
    return task.created is None or _is_of_its_time(order, task, now)


def _is_of_its_time(order: Purchase, task: RemoteTask, now: datetime) -> bool:
    begin, end = order.sent_between
    return task.created is not None and begin - SKEW <= task.created <= min(end, now) + SKEW


def _open(order: Purchase, why: str, candidates: tuple[RemoteTask, ...] = ()) -> Finding:
    return Finding(purchase=order, match="open", why=why, candidates=candidates)


def _service(order: Purchase) -> str:
    return order.order.provider


def _span(order: Purchase) -> str:
    begin, end = (time.astimezone() for time in order.sent_between)
    return f"{begin:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S}"
