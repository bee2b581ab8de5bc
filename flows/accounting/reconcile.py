"""Settling orders whose fate nobody knows: from a service's list of tasks where that proves it, else by a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from storyreel.flows.accounting.task_matching import SKEW, Finding, judge
from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger, Purchase, PurchaseFilter, State
from storyreel.tasks.providers import load
from storyreel.tasks.providers.errors import ProviderError, TaskFailed, Terminal, Transient
from storyreel.tasks.providers.provider import Provider, RemoteTask

Outcome = Literal["attached", "never made", "to be bought again", "moved on", "open"]

STOPPED = "the run that ordered it was stopped before it had an answer"


class Settlement(Frozen):
    """What has become of one order, and why."""

    purchase: Purchase
    outcome: Outcome
    why: str
    task: str | None = None
    """What it is attached to."""
    candidates: tuple[RemoteTask, ...] = ()
    """The service's tasks that it could be, while it is open."""

    def __str__(self) -> str:
        order = self.purchase.order
        to = f" to {self.task}" if self.task else ""
        return f"{order.name} ({order.provider}, {order.key[:12]}): {self.outcome}{to}: {self.why}"

    def as_json(self) -> dict[str, Any]:
        """The form that `reconcile --json` prints."""
        order = self.purchase.order.model_dump(mode="json", exclude={"request", "brief"})
        candidates = [task.model_dump(mode="json") for task in self.candidates]
        return order | {"outcome": self.outcome, "task": self.task, "why": self.why, "candidates": candidates}


class ByHand(Frozen):
    """What a person says of an order: one of the three."""

    attach: str = ""
    never_made: bool = False
    buy_again: bool = False


class Refusal(Exception):
    """What a person says cannot be. The message says why and what can."""


Ask = Callable[[Settlement], ByHand | None]
"""Asks a person about an order that is open; None: it stays so."""


def reconcile(
    home: Home,
    wanted: PurchaseFilter,
    said: ByHand | None,
    ask: Ask | None,
    environment: Mapping[str, str],
    *,
    take_proposals: bool,
) -> list[Settlement]:
    """Settle what can be settled of the orders that are wanted; what cannot be is given as open.

    With `said`, a person has decided: no list is looked at. Raises Refusal when that cannot be, before anything is
    changed.
    """
    if not home.has_ledger:
        return []
    with closing(home.ledger()) as ledger:
        if said:
            return asyncio.run(_by_hand(ledger, home, _meant(ledger, home, wanted), said, environment))
        settled = asyncio.run(_from_lists(ledger, wanted, take_proposals, environment))
        return [_asked(ledger, home, one, ask, environment) if ask else one for one in settled]


def selected(home: Home, wanted: PurchaseFilter) -> list[Purchase]:
    """The orders that a decision by hand would settle. Raises Refusal when there is none."""
    if not home.has_ledger:
        raise Refusal("nothing was ever bought")
    with closing(home.ledger()) as ledger:
        return _meant(ledger, home, wanted)


# By the services' lists


async def _from_lists(
    ledger: Ledger, wanted: PurchaseFilter, take_proposals: bool, environment: Mapping[str, str]
) -> list[Settlement]:
    chosen = {order.order.key for order in _open_orders(ledger, wanted)}
    if not chosen:
        return []
    # All orders of a service are looked at together: a task may be another's than the one that was asked about.
    everything = sorted(_open_orders(ledger, {}), key=lambda order: order.order.provider)
    settled: list[Settlement] = []
    for service, orders in groupby(everything, key=lambda order: order.order.provider):
        findings = await _findings(ledger, service, list(orders), environment)
        mine = [finding for finding in findings if finding.purchase.order.key in chosen]
        settled += [_carried_out(ledger, finding, take_proposals) for finding in mine]
    return settled


async def _findings(
    ledger: Ledger, service: str, orders: Sequence[Purchase], environment: Mapping[str, str]
) -> list[Finding]:
    """What the service's list says of its open orders."""
    try:
        adapter = load(service)
        if missing := adapter.missing_variable(environment):
            return _all_open(orders, f"{missing} is not set, so {service}'s list cannot be looked at")
        async with adapter() as provider:
            listed = await _listed(provider, orders, ledger.now())
    except LookupError:
        return _all_open(orders, f"{service} is not installed, so its list cannot be looked at")
    except ProviderError as error:
        return _all_open(orders, f"the list cannot be looked at: {error.message}")
    if listed is None:
        return _all_open(orders, f"{service} has no list of tasks")
    # In this order: an order that is being sent is either still under way here, or has claimed its task below.
    under_way = [one for one in ledger.list(provider=service, state=State.INTENDED) if not one.is_abandoned()]
    claimed = ledger.claimed(task.task for task in listed)
    # A key or region may have changed since the order: only a list with tasks of ours in it speaks for our account.
    complete = adapter.lists_every_task and bool(claimed)
    return judge(orders, listed, claimed, under_way, ledger.now(), complete=complete)


async def _listed(provider: Provider, orders: Sequence[Purchase], now: datetime) -> list[RemoteTask] | None:
    """The service's tasks of the times at which the orders were sent."""
    found: dict[str, RemoteTask] = {}
    for begin, end in _spans(orders, now):
        tasks = await provider.list_tasks(begin, end)
        if tasks is None:
            return None
        found.update((task.task, task) for task in tasks)
    return list(found.values())


def _spans(orders: Sequence[Purchase], now: datetime) -> list[tuple[datetime, datetime]]:
    """The times to ask for, with what clocks may differ by; those that overlap as one."""
    spans: list[tuple[datetime, datetime]] = []
    for begin, end in sorted((a - SKEW, min(b, now) + SKEW) for a, b in (order.sent_between for order in orders)):
        if spans and begin <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((begin, end))
    return spans


def _all_open(orders: Iterable[Purchase], why: str) -> list[Finding]:
    return [Finding(purchase=order, verdict="open", why=why) for order in orders]


def _carried_out(ledger: Ledger, finding: Finding, take_proposals: bool) -> Settlement:
    """Do what a finding says."""
    order, why, task = finding.purchase, finding.why, finding.task
    if task and (finding.verdict == "attach" or (finding.verdict == "propose" and take_proposals)):
        done = ledger.attach(order, task.task, f"found in the list of {order.order.provider}", task.created)
        return _settlement(order, "attached", why, done, task.task)
    if finding.verdict == "never made":
        return _settlement(order, "never made", why, ledger.mark_never_made(order, why))
    return Settlement(purchase=order, outcome="open", why=why, candidates=finding.candidates)


def _settlement(order: Purchase, outcome: Outcome, why: str, done: bool, task: str | None = None) -> Settlement:
    if not done:
        return Settlement(purchase=order, outcome="moved on", why="somebody else has settled it meanwhile")
    return Settlement(purchase=order, outcome=outcome, why=why, task=task)


# By a person


async def _by_hand(
    ledger: Ledger, home: Home, orders: Sequence[Purchase], said: ByHand, environment: Mapping[str, str]
) -> list[Settlement]:
    if said.attach:
        if len(orders) > 1:
            raise Refusal(f"a task is attached to one order, and {len(orders)} are meant: say which with --key")
        return [await _attached(ledger, orders[0], said.attach, environment)]
    return [_decided(ledger, order, said) for order in orders]


def _decided(ledger: Ledger, order: Purchase, said: ByHand) -> Settlement:
    if said.never_made:
        why = "somebody has looked: the service has never had it"
        return _settlement(order, "never made", why, ledger.mark_never_made(order, why))
    why = "given up by hand, whatever became of it: the next render buys it again"
    return _settlement(order, "to be bought again", why, ledger.give_up(order, why))


async def _attached(ledger: Ledger, order: Purchase, task: str, environment: Mapping[str, str]) -> Settlement:
    """Attach a task that a person names, after asking the service for it where that is possible."""
    exact, why = await _looked_at(order, task, environment)
    if exact != order.task and ledger.claimed([exact]):
        raise Refusal(f"{exact} is another purchase's: storyreel ledger --json")
    return _settlement(order, "attached", why, ledger.attach(order, exact, "attached by hand"), exact)


async def _looked_at(order: Purchase, task: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The task's id as it is asked for, and what the service says of it. Raises Refusal when it says there is none."""
    service = order.order.provider
    try:
        adapter = load(service)
    except LookupError:
        return task, f"by hand; {service} is not installed, so nobody asked it"
    if missing := adapter.missing_variable(environment):
        return task, f"by hand; {missing} is not set, so {service} was not asked"
    try:
        async with adapter() as provider:
            exact = await _in_full(provider, order, task)
            standing = await provider.poll(exact)
    except TaskFailed as failed:
        return exact, f"by hand; {failed.message}"
    except Transient as trouble:
        return task, f"by hand; it could not be looked at: {trouble.message}"
    except (Terminal, ValueError) as error:
        raise Refusal(f"{service} knows no task {task}: {getattr(error, 'message', '') or error}") from error
    return exact, f"by hand; {service} says it is {standing.detail or standing.state}"


async def _in_full(provider: Provider, order: Purchase, task: str) -> str:
    """An id as the adapter has it: a person may leave out the path that some adapters put before it."""
    begin, end = order.sent_between
    listed = await provider.list_tasks(begin - SKEW, end + SKEW) or []
    full = [one.task for one in listed if one.task == task or one.task.endswith(f"/{task}")]
    return full[0] if len(full) == 1 else task


def _asked(ledger: Ledger, home: Home, settlement: Settlement, ask: Ask, environment: Mapping[str, str]) -> Settlement:
    """Ask about an order that is open until the answer can be, or there is none."""
    while settlement.outcome == "open" and (said := ask(settlement)):
        try:
            _check(settlement.purchase, said, home)
            (settlement,) = asyncio.run(_by_hand(ledger, home, [settlement.purchase], said, environment))
        except Refusal as refused:
            settlement = settlement.model_copy(update={"why": str(refused)})
    return settlement


# Which orders


def _open_orders(ledger: Ledger, wanted: PurchaseFilter) -> list[Purchase]:
    """Orders whose fate is not known; those that a run was stopped at are called so."""
    for order in ledger.list(**(wanted | {"state": State.INTENDED})):
        if order.is_abandoned() and _is_paid(order):
            ledger.mark_unknown(order.order.key, STOPPED)
    return list(ledger.list(**(wanted | {"state": State.UNKNOWN})))


def _meant(ledger: Ledger, home: Home, wanted: PurchaseFilter) -> list[Purchase]:
    """The orders that a person decides about: those that are open; by its key, any that nobody is at work on."""
    if orders := _open_orders(ledger, wanted):
        return orders
    found = ledger.list(**wanted) if "key" in wanted else ()
    if not found:
        raise Refusal("no such order is open: storyreel ledger --state unknown")
    if len(found) > 1:
        raise Refusal(f"{len(found)} purchases have a key that begins so: write more of it")
    return list(found)


def check(home: Home, orders: Iterable[Purchase], said: ByHand) -> None:
    """Raise Refusal when a decision cannot be carried out."""
    for order in orders:
        _check(order, said, home)


def _check(order: Purchase, said: ByHand, home: Home) -> None:
    name = order.order.name
    if order.state in (State.INTENDED, State.SUBMITTED) and not order.is_abandoned():
        raise Refusal(f"a run is at work on {name}")
    if order.state is State.FAILED:
        raise Refusal(f"{name} has failed, and the next render buys it again")
    if order.state is State.FINISHED and home.clips().contains(order.clip or ""):
        raise Refusal(f"the clip of {name} is in the store: there is nothing to settle")
    if order.state is State.FINISHED and not said.buy_again:
        raise Refusal(f"{name} was made, and its clip is gone: --buy-again buys it again")
    if said.never_made and order.task:
        raise Refusal(f"{name} was accepted as {order.task}: --buy-again gives that up")


def _is_paid(order: Purchase) -> bool:
    try:
        return load(order.order.provider).paid
    except LookupError:
        return True
