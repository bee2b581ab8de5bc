"""Settles orders whose outcome is unknown: by a service's list of tasks where it proves something, else by a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from storyreel.flows.accounting.task_matching import SKEW, Finding, ListTerms, match_tasks
from storyreel.flows.errors import NotAllowed
from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import lasting
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.storyboard import Mode
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger, Purchase, PurchaseFilter, State
from storyreel.tasks.ledger.purchase import GIVEN_UP
from storyreel.tasks.procurement.order import STOPPED
from storyreel.tasks.providers import load
from storyreel.tasks.providers.errors import Denied, ProviderError, TaskFailed, Terminal, Transient
from storyreel.tasks.providers.models import answers_at_once
from storyreel.tasks.providers.provider import Provider, RemoteTask
from storyreel.tasks.storage.acceptances import acceptances, discard_acceptance

_ANSWER_SECONDS = 120.0
"""Seconds that a service may take for its whole list, or to say what it knows of a task."""

Outcome = Literal["attached", "failed", "never made", "to be bought again", "moved on", "open"]


class Settlement(Frozen):
    """The outcome for one order, and why."""

    purchase: Purchase
    outcome: Outcome
    why: str
    task: str | None = None
    """The service's task that it is attached to."""
    candidates: tuple[RemoteTask, ...] = ()
    """While it is open, the service's tasks that it could be."""

    def __str__(self) -> str:
        order = self.purchase.order
        to = f" to {self.task}" if self.task else ""
        return f"{order.name} ({order.provider}, {order.key[:12]}): {self.outcome}{to}: {self.why}"

    def as_json(self) -> dict[str, Any]:
        """The form that `reconcile --json` prints."""
        order = self.purchase.order.model_dump(mode="json", exclude={"request", "brief"})
        candidates = [task.model_dump(mode="json") for task in self.candidates]
        return order | {"outcome": self.outcome, "task": self.task, "why": self.why, "candidates": candidates}


class Decision(Frozen):
    """A person's decision about an order: one of the three."""

    attach: str = ""
    never_made: bool = False
    buy_again: bool = False


class InvalidDecision(NotAllowed):
    """A decision cannot be carried out."""


Ask = Callable[[Settlement], Decision | None]
"""Asks a person about an open order; None leaves it open."""


def reconcile(
    home: Home,
    wanted: PurchaseFilter,
    decision: Decision | None,
    ask: Ask | None,
    environment: Mapping[str, str],
    *,
    take_proposals: bool,
) -> list[Settlement]:
    """Settle the selected orders, and return the outcome for each; those that cannot be settled are open.

    A `decision` replaces the services' lists. `take_proposals` also attaches tasks that nothing proves and nothing
    contradicts. Raises InvalidDecision before anything is changed.
    """
    if not home.has_ledger:
        return []
    with closing(home.ledger()) as ledger:
        if decision:
            return _decide(ledger, _select(ledger, wanted), decision, environment)
        settled = _settle_by_acceptances(ledger, home, wanted)
        settled += _settle_from_store(ledger, home, wanted)
        settled += _settle_from_lists(ledger, wanted, take_proposals, environment)
        return [_ask(ledger, home, one, ask, environment) if ask else one for one in settled]


def select_orders(home: Home, wanted: PurchaseFilter) -> list[Purchase]:
    """The orders that a decision would settle. Raises InvalidDecision if there is none."""
    if not home.has_ledger:
        raise InvalidDecision("nothing was bought yet", next="storyreel render STORYBOARD")
    with closing(home.ledger()) as ledger:
        return _select(ledger, wanted)


# By what is on the disk of this host


def _settle_by_acceptances(ledger: Ledger, home: Home, wanted: PurchaseFilter) -> list[Settlement]:
    """Attach the orders that a service has accepted, but that could not be noted in the ledger."""
    kept = {acceptance.key: acceptance for acceptance in acceptances(home.accepted)}
    why, settled = "the service has accepted it, and the next render goes on with it", []
    for order in _open_orders(ledger, wanted) if kept else ():
        if order.task is None and (accepted := kept.get(order.order.key)):
            is_attached = ledger.attach(order, accepted.task, why, cost=accepted.cost)
            settled.append(_settlement(order, "attached", why, is_attached, accepted.task))
            if is_attached:
                discard_acceptance(home.accepted, accepted)
    return settled


def _settle_from_store(ledger: Ledger, home: Home, wanted: PurchaseFilter) -> list[Settlement]:
    """Attach the orders whose clip is on this host, but is not noted in the ledger."""
    tasks = {receipt.key: receipt.task for receipt in home.clips().unnoted()}
    why = "it is in the store, and the next render takes it from there"
    return [
        _settlement(order, "attached", why, ledger.attach(order, task, why), task)
        for order in (_open_orders(ledger, wanted) if tasks else ())
        if (task := tasks.get(order.order.key)) and order.task in (None, task)
    ]


# By the services' lists


def _settle_from_lists(
    ledger: Ledger, wanted: PurchaseFilter, take_proposals: bool, environment: Mapping[str, str]
) -> list[Settlement]:
    chosen = {order.order.key for order in _open_orders(ledger, wanted)}
    if not chosen:
        return []
    # All orders of a service are matched together: a task may belong to an order that was not selected.
    everything = sorted(_open_orders(ledger, {}), key=lambda order: order.order.provider)
    settled: list[Settlement] = []
    for service, group in groupby(everything, key=lambda order: order.order.provider):
        orders = list(group)
        unlisted = [order for order in orders if is_unlisted(order)]
        why = f"{service} lists no order that it answers at once, so that only its bill tells"
        findings = _all_open(unlisted, why)
        if listed := [order for order in orders if order not in unlisted]:
            findings += _findings(ledger, service, listed, environment)
        selected = [finding for finding in findings if finding.purchase.order.key in chosen]
        settled += [_carry_out(ledger, finding, take_proposals) for finding in selected]
    return settled


def is_unlisted(order: Purchase) -> bool:
    """Whether an order made no task that a list could have."""
    try:
        return answers_at_once(load(order.order.provider), order.order.model, Mode(order.order.mode))
    except (LookupError, ValueError, StoryboardError):
        return False  # of an earlier version, or not installed: such orders are not settled by a list either


def _findings(
    ledger: Ledger, service: str, orders: Sequence[Purchase], environment: Mapping[str, str]
) -> list[Finding]:
    try:
        adapter = load(service)
        if missing := adapter.missing_variable(environment):
            return _all_open(orders, f"{missing} is not set, so the list of {service} cannot be read")
        listed = asyncio.run(_listed(adapter, _spans(orders, ledger.now())))
    except LookupError:
        return _all_open(orders, f"{service} is not installed, so its list cannot be read")
    except ProviderError as error:
        return _all_open(orders, f"the list cannot be read: {error.message}")
    except TimeoutError:
        return _all_open(orders, f"{service} has not given all of its list in {lasting(_ANSWER_SECONDS)}")
    if listed is None:
        return _all_open(orders, f"{service} has no list of tasks")
    # In this order: an order that is being sent is either under way here, or has claimed its task by the next query.
    under_way = [one for one in ledger.list(provider=service, state=State.INTENDED) if not one.is_abandoned()]
    claimed = ledger.claimed(service, (task.task for task in listed))
    given_up = ledger.given_up(service)
    return match_tasks(orders, listed, claimed, under_way, given_up, ledger.now(), ListTerms.of(adapter))


async def _listed(adapter: type[Provider], spans: Iterable[tuple[datetime, datetime]]) -> list[RemoteTask] | None:
    """The service's tasks from these spans of time; None if the service has no list. Raises TimeoutError."""
    found: dict[str, RemoteTask] = {}
    async with asyncio.timeout(_ANSWER_SECONDS), adapter() as provider:
        for begin, end in spans:
            tasks = await provider.list_tasks(begin, end)
            if tasks is None:
                return None
            found.update((task.task, task) for task in tasks)
    return list(found.values())


def _spans(orders: Sequence[Purchase], now: datetime) -> list[tuple[datetime, datetime]]:
    """The times at which orders were sent, widened by the clock skew; overlapping ones are merged."""
    spans: list[tuple[datetime, datetime]] = []
    for begin, end in sorted((a - SKEW, min(b, now) + SKEW) for a, b in (order.sent_between for order in orders)):
        if spans and begin <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((begin, end))
    return spans


def _all_open(orders: Iterable[Purchase], why: str) -> list[Finding]:
    return [Finding(purchase=order, match="open", why=why) for order in orders]


def _carry_out(ledger: Ledger, finding: Finding, take_proposals: bool) -> Settlement:
    order, why, task = finding.purchase, finding.why, finding.task
    if task and (finding.match == "attach" or (finding.match == "propose" and take_proposals)):
        found = f"found in the list of {order.order.provider}"
        done = ledger.attach(order, task.task, found, task.created, task.cost)
        return _settlement(order, "attached", why, done, task.task)
    if task and finding.match == "failed":
        return _settlement(order, "failed", why, ledger.note_failure(order, task.task, why, task.cost), task.task)
    if finding.match == "never made":
        return _settlement(order, "never made", why, ledger.mark_never_made(order, why))
    return Settlement(purchase=order, outcome="open", why=why, candidates=finding.candidates)


def _settlement(order: Purchase, outcome: Outcome, why: str, done: bool, task: str | None = None) -> Settlement:
    if not done:
        return Settlement(purchase=order, outcome="moved on", why="another process has settled it meanwhile")
    return Settlement(purchase=order, outcome=outcome, why=why, task=task)


# By a person


def _decide(
    ledger: Ledger, orders: Sequence[Purchase], decision: Decision, environment: Mapping[str, str]
) -> list[Settlement]:
    if decision.attach:
        if len(orders) > 1:
            many = f"a task is attached to one order, and {len(orders)} are selected; give one with --key"
            raise InvalidDecision(many, next="storyreel ledger --state unknown --json")
        return [_attach(ledger, orders[0], decision.attach, environment)]
    return [_close(ledger, order, decision) for order in orders]


def _close(ledger: Ledger, order: Purchase, decision: Decision) -> Settlement:
    if decision.never_made:
        why = "by hand: the service never accepted it"
        return _settlement(order, "never made", why, ledger.mark_never_made(order, why))
    return _settlement(order, "to be bought again", GIVEN_UP, ledger.give_up(order, GIVEN_UP))


def _attach(ledger: Ledger, order: Purchase, task: str, environment: Mapping[str, str]) -> Settlement:
    """Attach a task that a person names, after checking that the service knows it where that is possible."""
    exact, why = asyncio.run(_check_task(order, task, environment))
    if exact != order.task and ledger.claimed(order.order.provider, [exact]):
        raise InvalidDecision(f"{exact} belongs to another purchase", next="storyreel ledger --json")
    return _settlement(order, "attached", why, ledger.attach(order, exact, "attached by hand"), exact)


async def _check_task(order: Purchase, task: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The task's full id, and what the service says about it. Raises InvalidDecision if it knows none."""
    service = order.order.provider
    try:
        adapter = load(service)
    except LookupError:
        return task, f"by hand; {service} is not installed, so it was not asked"
    if missing := adapter.missing_variable(environment):
        return task, f"by hand; {missing} is not set, so {service} was not asked"
    exact = task
    try:
        async with asyncio.timeout(_ANSWER_SECONDS), adapter() as provider:
            exact = await _full_id(provider, order, task)
            standing = await provider.poll(exact)
    except TaskFailed as failed:
        return exact, f"by hand; {failed.message}"
    except Transient as trouble:
        return exact, f"by hand; it could not be checked: {trouble.message}"
    except TimeoutError:
        return exact, f"by hand; it could not be checked: {service} gave no answer in {lasting(_ANSWER_SECONDS)}"
    except Denied as denied:
        raise InvalidDecision(f"{task} cannot be checked: {denied.message}", next=denied.next) from denied
    except (Terminal, ValueError) as error:
        unknown = f"{service} knows no task {task}: {getattr(error, 'message', '') or error}"
        raise InvalidDecision(unknown, next=_history(order)) from error
    return exact, f"by hand; {service} says it is {standing.detail or standing.state}"


async def _full_id(provider: Provider, order: Purchase, task: str) -> str:
    """A task's id as the adapter has it: some put a path before the id that the service shows."""
    begin, end = order.sent_between
    listed = await provider.list_tasks(begin - SKEW, end + SKEW) or []
    full = [one.task for one in listed if one.task == task or one.task.endswith(f"/{task}")]
    return full[0] if len(full) == 1 else task


def _ask(ledger: Ledger, home: Home, settlement: Settlement, ask: Ask, environment: Mapping[str, str]) -> Settlement:
    """Ask about an open order until a decision can be carried out, or the person gives none."""
    while settlement.outcome == "open" and (decision := ask(settlement)):
        try:
            check_decision(home, [settlement.purchase], decision)
            (settlement,) = _decide(ledger, [settlement.purchase], decision, environment)
        except InvalidDecision as invalid:
            settlement = settlement.model_copy(update={"why": invalid.message})
    return settlement


# Which orders


def _open_orders(ledger: Ledger, wanted: PurchaseFilter) -> list[Purchase]:
    """Orders whose outcome is unknown. First marks those as unknown whose run was stopped while ordering."""
    for order in ledger.list(**(wanted | {"state": State.INTENDED})):
        if order.is_abandoned() and _is_paid(order):
            ledger.mark_unknown(order.order.key, STOPPED)
    return list(ledger.list(**(wanted | {"state": State.UNKNOWN})))


def _select(ledger: Ledger, wanted: PurchaseFilter) -> list[Purchase]:
    """The open orders among `wanted`; if there are none and it names a key, the one purchase with that key."""
    if orders := _open_orders(ledger, wanted):
        return orders
    found = ledger.list(**wanted) if "key" in wanted else ()
    if not found:
        raise InvalidDecision("no such order is open", next="storyreel ledger --state unknown")
    if len(found) > 1:
        several = f"{len(found)} purchases have a key that begins like this; give more of it"
        raise InvalidDecision(several, next="storyreel ledger --json")
    return list(found)


def check_decision(home: Home, orders: Iterable[Purchase], decision: Decision) -> None:
    """Return if a decision can be carried out for these orders. Raises InvalidDecision."""
    for order in orders:
        if problem := _problem(order, decision, home):
            raise InvalidDecision(problem, next=_history(order))


def _problem(order: Purchase, decision: Decision, home: Home) -> str:
    name = order.order.name
    if any(receipt.key == order.order.key for receipt in home.clips().unnoted()):
        return f"{name} is in the store; the next render notes it, and buys nothing"
    accepted = next((one.task for one in acceptances(home.accepted, order.order.key)), None)
    if accepted and order.task is None:
        return f"the service has accepted {name} as {accepted}; storyreel reconcile attaches it, and buys nothing"
    if order.state in (State.INTENDED, State.SUBMITTED) and not order.is_abandoned():
        return f"a run is working on {name}"
    if order.state is State.FAILED:
        return f"{name} has failed, and the next render buys it again"
    if order.state is State.FINISHED and home.clips().contains(order.clip or ""):
        return f"{name} is in the store; there is nothing to settle"
    if order.state is State.FINISHED and not decision.buy_again:
        return f"{name} was made, and is gone from the store; --buy-again buys it again"
    return f"{name} was accepted as {order.task}; --buy-again gives it up" if decision.never_made and order.task else ""


def _history(order: Purchase) -> str:
    """The command that shows what happened to an order."""
    return f"storyreel ledger --key {order.order.key[:12]} --history"


def _is_paid(order: Purchase) -> bool:
    try:
        return load(order.order.provider).paid
    except LookupError:
        return True
