"""Checks what a plan would buy against the budget of a run, a shot and a month."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from storyreel.flows.planning.model import Plan, PlannedTake, takes_by_shot
from storyreel.specs.language.models import Budget
from storyreel.specs.language.slates import is_line, shot_of
from storyreel.specs.money import Money
from storyreel.specs.problems.phrases import abridged, counted
from storyreel.tasks.ledger.budget import BudgetExceeded, Limit

Committed = Callable[..., tuple[Money, ...]]
"""Money committed within a scope so far, one sum a currency: `storyreel.tasks.ledger.ledger.Ledger.committed`."""

_SCOPES = {"run": "a run", "shot": "a shot", "month": "a month"}


class BudgetedPlan(NamedTuple):
    """A plan, the budget limits that it was checked against, and the error if it would exceed one of them."""

    plan: Plan
    limits: tuple[Limit, ...]
    excess: BudgetExceeded | None = None


def limits_of(budget: Budget | None, per_run: Money | None = None) -> tuple[Limit, ...]:
    """The limits of a storyboard's budget; `per_run`, if given, replaces the storyboard's own."""
    run = per_run or (budget.per_run if budget else None)
    named = (("run", run), ("shot", budget and budget.per_shot), ("month", budget and budget.per_month))
    return tuple(Limit(scope=scope, most=most) for scope, most in named if most)


def check_budget(plan: Plan, limits: Sequence[Limit], committed: Committed, run: str = "") -> None:
    """Raise BudgetExceeded, with the shots that fit, unless everything that the plan buys fits all limits.

    The message has the first reason of each limit: an amount that a person approves then replaces all of them.

    `run` is the id of the flow run that buys it; empty if it has not begun.
    """
    reasons: dict[str, None] = {}
    for limit in limits:
        sums = _RunningSums(plan.title, run, (limit,), committed)
        reasons |= dict.fromkeys(islice((reason for take in plan.bought for reason in sums.add(take)), 1))
    if reasons:
        fits = fitting_shots(plan, limits, committed, run)
        hint = f"these shots fit: {abridged(fits)}" if fits else "none of the shots fits"
        raise BudgetExceeded(f"{'; '.join(reasons)}; nothing was bought", hint=hint, fits=fits)


def fitting_shots(plan: Plan, limits: Sequence[Limit], committed: Committed, run: str = "") -> tuple[str, ...]:
    """The slates of the shots that fit the limits, in the order of the film, each with what it needs."""
    sums = _RunningSums(plan.title, run, limits, committed)
    bought = takes_by_shot(take for take in plan.takes if take.is_bought)
    shots: dict[str, dict[str, None]] = {}
    for take in plan.takes:
        shots.setdefault(take.identity, {})[take.shot] = None
    fits: dict[str, bool] = {}

    def does_fit(shot: str) -> bool:
        if shot not in fits:
            needs = {each for take in bought[shot] for each in take.needs if shot not in shots.get(each, ())}
            upstream = dict.fromkeys(one for each in needs for one in shots.get(each, ()) if one in bought)
            fits[shot] = all(map(does_fit, upstream)) and sums.add_if_all_fit(bought[shot])
        return fits[shot]

    return tuple(filter(does_fit, bought))


def uncounted(plan: Plan, limits: Sequence[Limit], unpriced: Callable[..., int], run: str = "") -> list[str]:
    """A warning for each limit that does not count earlier orders, because their cost is unknown.

    `unpriced` is `storyreel.tasks.ledger.ledger.Ledger.unpriced`; `run` as in `check_budget`.
    """
    warnings = []
    for limit in limits:
        if not plan.bought or (limit.scope == "run" and not run):
            continue
        number = unpriced(limit.scope, film=plan.title, run=run)
        if number and limit.scope == "shot":
            shots = dict.fromkeys(shot_of(take.shot) for take in plan.bought)
            number = sum(unpriced("shot", film=plan.title, slate=shot) for shot in shots)
        if number:
            warnings.append(
                f"the budget of {limit.most.exactly} for {_SCOPES[limit.scope]} does not count "
                f"{counted(number, 'earlier order')} whose cost is unknown; storyreel ledger shows them"
            )
    return warnings


def unaffordable(plan: Plan, limits: Sequence[Limit], committed: Committed) -> list[str]:
    """A warning for each limit that keeps the takes that wait, for approvals or for speech, from being bought.

    They are bought by a run of their own. `committed` as in `check_budget`.
    """
    reasons: dict[str, None] = {}
    for limit in limits if plan.waiting else ():
        sums = _RunningSums(plan.title, "", (limit,), committed)
        before = () if limit.scope == "run" else plan.bought
        found = [(take, reason) for take in (*before, *plan.waiting) for reason in sums.add(take)]
        reasons |= dict.fromkeys(islice((reason for take, reason in found if take.waits_for), 1))
    return [f"once {_awaited(plan)}, {reason}" for reason in reasons]


def _awaited(plan: Plan) -> str:
    slates = [slate for take in plan.waiting for slate in take.waits_for]
    lines = [slate for slate in slates if is_line(slate)]
    stills = "the stills are approved" if len(lines) < len(slates) else ""
    return " and ".join(filter(None, (stills, "the speech is made" if lines else "")))


class _RunningSums:
    """The money committed within some limits, to which takes are added one by one."""

    def __init__(self, film: str, run: str, limits: Sequence[Limit], committed: Committed) -> None:
        self._film, self._run, self._limits, self._committed = film, run, limits, committed
        self._committed_with: dict[tuple[Limit, str], Decimal] = {}
        self._added = frozenset[str]()
        """The keys of the takes in the sums: each order is paid once."""

    def add_if_all_fit(self, takes: Iterable[PlannedTake]) -> bool:
        """Add the takes if all of them fit, else none; returns whether they fit."""
        before = dict(self._committed_with), self._added
        if any(reason for take in takes for reason in self.add(take)):
            self._committed_with, self._added = before
            return False
        return True

    def add(self, take: PlannedTake) -> Iterator[str]:
        """Add a take; yields a sentence for each limit that it does not fit."""
        if take.key in self._added:
            return
        self._added |= {take.key}
        for limit in self._limits:
            shot = shot_of(take.shot) if limit.scope == "shot" else ""
            most = limit.most
            if take.price is None:
                yield f"the price of {take.shot} from {take.request.provider} is not known, so no budget can be kept"
            elif take.price.currency != most.currency:
                yield (
                    f"{take.request.provider} is paid in {take.price.currency}, and the budget is in {most.currency}: "
                    "amounts of two currencies cannot be compared"
                )
            else:
                if (limit, shot) not in self._committed_with:
                    self._committed_with[limit, shot] = _in(most.currency, self._before(limit, shot))
                self._committed_with[limit, shot] += take.price.amount
                if self._committed_with[limit, shot] > most.amount:
                    yield self._too_much(limit, shot, take.shot)

    def _before(self, limit: Limit, shot: str) -> tuple[Money, ...]:
        if limit.scope == "run" and not self._run:
            return ()
        return self._committed(limit.scope, film=self._film, slate=shot, run=self._run)

    def _too_much(self, limit: Limit, shot: str, at: str) -> str:
        scope = f"{_SCOPES[limit.scope]} ({shot})" if shot else _SCOPES[limit.scope]
        return f"the budget is {limit.most.exactly} for {scope}, and with {at} it would be exceeded"


def _in(currency: str, amounts: Iterable[Money]) -> Decimal:
    return next((money.amount for money in amounts if money.currency == currency), Decimal(0))
