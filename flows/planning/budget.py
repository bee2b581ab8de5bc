"""Budgets: what a run, a shot and a month may cost, held against what a plan would buy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.specs.language.models import Budget
from storyreel.specs.money import Money
from storyreel.tasks.ledger.budget import BudgetExceeded, Limit

Committed = Callable[..., tuple[Money, ...]]
"""What is spoken for within a scope already, one sum a currency: `storyreel.tasks.ledger.ledger.Ledger.committed`."""


class BudgetedPlan(NamedTuple):
    """A plan, the budget limits that it was checked against, and the error if it would pass one of them."""

    plan: Plan
    limits: tuple[Limit, ...]
    excess: BudgetExceeded | None = None


_WHOSE = {"run": "a run", "shot": "a shot", "month": "a month"}


def limits_of(budget: Budget | None, per_run: Money | None = None) -> tuple[Limit, ...]:
    """The limits of a storyboard's budget; `per_run`, where it is given, stands in for its own."""
    run = per_run or (budget.per_run if budget else None)
    named = (("run", run), ("shot", budget and budget.per_shot), ("month", budget and budget.per_month))
    return tuple(Limit(scope=scope, most=most) for scope, most in named if most)


def check_budget(plan: Plan, limits: Sequence[Limit], committed: Committed, run: str = "") -> None:
    """Return when all that the plan buys fits; `run` is the flow run that buys it, where there is one already.

    Raises BudgetExceeded, which names the shots that fit.
    """
    till = _Till(plan.title, run, limits, committed)
    broken = [trouble for take in plan.bought for trouble in till.take(take)]
    if broken:
        fits = fitting_shots(plan, limits, committed, run)
        hint = f"these shots fit: {', '.join(fits)}" if fits else "none of the shots fits"
        raise BudgetExceeded(f"{broken[0]}; nothing was bought", hint=hint, fits=fits)


def fitting_shots(plan: Plan, limits: Sequence[Limit], committed: Committed, run: str = "") -> tuple[str, ...]:
    """The shots that can be bought within the limits, taken in the order of the film, each with what it continues."""
    till = _Till(plan.title, run, limits, committed)
    bought: dict[str, list[PlannedTake]] = {}
    for take in plan.bought:
        bought.setdefault(take.shot, []).append(take)
    shots = {take.identity: take.shot for take in plan.takes}
    fits: dict[str, bool] = {}

    def look(shot: str) -> bool:
        if shot not in fits:
            before = {shots.get(take.continues or "", "") for take in bought[shot]} & bought.keys()
            fits[shot] = all(map(look, before)) and till.all(bought[shot])
        return fits[shot]

    return tuple(filter(look, bought))


class _Till:
    """What is spoken for within some limits, counted on take by take."""

    def __init__(self, film: str, run: str, limits: Sequence[Limit], committed: Committed) -> None:
        self._film, self._run, self._limits, self._committed = film, run, limits, committed
        self._spoken_for: dict[tuple[Limit, str], Decimal] = {}

    def all(self, takes: Iterable[PlannedTake]) -> bool:
        """Take these in if all of them fit, else none; gives whether they did."""
        before = dict(self._spoken_for)
        if any(trouble for take in takes for trouble in self.take(take)):
            self._spoken_for = before
            return False
        return True

    def take(self, take: PlannedTake) -> Iterator[str]:
        """Count a take in; yields what it breaks, in words."""
        for limit in self._limits:
            of = (limit, take.shot if limit.scope == "shot" else "")
            most = limit.most
            if take.price is None:
                yield f"the price of {take.shot} from {take.request.provider} is not known, so no budget can hold"
            elif take.price.currency != most.currency:
                yield (
                    f"{take.request.provider} is paid in {take.price.currency}, and the budget is in {most.currency}: "
                    "amounts of two currencies cannot be compared"
                )
            else:
                if of not in self._spoken_for:
                    self._spoken_for[of] = _in(most.currency, self._before(limit, of[1]))
                self._spoken_for[of] += take.price.amount
                if self._spoken_for[of] > most.amount:
                    yield self._too_much(limit, of[1], take.shot)

    def _before(self, limit: Limit, shot: str) -> tuple[Money, ...]:
        if limit.scope == "run" and not self._run:
            return ()
        return self._committed(limit.scope, film=self._film, slate=shot, run=self._run)

    def _too_much(self, limit: Limit, shot: str, at: str) -> str:
        whose = f"{_WHOSE[limit.scope]} ({shot})" if shot else _WHOSE[limit.scope]
        return f"the budget is {limit.most.exactly} for {whose}, and with {at} it would be passed"


def _in(currency: str, amounts: Iterable[Money]) -> Decimal:
    return next((money.amount for money in amounts if money.currency == currency), Decimal(0))
