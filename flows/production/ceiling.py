"""The ceiling of a deployment: the most that any of its runs may buy for, whatever parameters the run is given.

It is stored as a pull step of the deployment. For a single run one can change parameters, job variables and tags, and
in Prefect's forms also those of the deployment; a pull step changes only when the film is deployed again, is written
in `prefect.yaml` as it is, and a deployment that is duplicated in Prefect's pages keeps it (3.9.1, read 2026-11-29).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefect import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import ValidationError

from storyreel.flows.errors import NotAllowed
from storyreel.flows.lifecycle.deployed import is_deployed, own_deployment
from storyreel.flows.names import RENDER_FLOW
from storyreel.flows.planning.checks.budget import limits_of
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.summary import summarize_purchases
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.models import Budget
from storyreel.specs.problems.phrases import shown
from storyreel.tasks.ledger.budget import BudgetExceeded, Limit, Scope

STEP = f"{__name__}.budget_ceiling"
"""Name of the pull step, which is that of the function."""
_RAISE = "approve it, or deploy the film again with a higher --budget"


class Ceiling(Frozen):
    """The amounts agreed to for the runs of a deployment. Without limits and `any_price` they buy nothing unasked."""

    limits: tuple[Limit, ...] = ()
    any_price: bool = False
    """Whether runs may buy without a limit."""

    @property
    def allows_purchases(self) -> bool:
        return self.any_price or bool(self.limits)

    @property
    def counts_film(self) -> bool:
        """Whether it limits what the runs of a film spend together, which the ledger counts by the film's title."""
        return any(limit.scope != "run" for limit in self.limits)

    @property
    def step(self) -> dict[str, dict[str, Any]]:
        """The pull step that stores it."""
        amounts = {f"per_{limit.scope}": limit.most.exactly for limit in self.limits}
        return {STEP: amounts or {"any_price": self.any_price}}

    def over(self, own: Iterable[Limit]) -> tuple[Limit, ...]:
        """The limits that hold for a run: its `own`, none above the ceiling. Amounts in two currencies both hold."""
        lowest: dict[tuple[Scope, str], Limit] = {}
        for limit in (*own, *self.limits):
            key = limit.scope, limit.most.currency
            if key not in lowest or limit.most.amount < lowest[key].most.amount:
                lowest[key] = limit
        return tuple(lowest.values())

    def raised(self, own: Sequence[Limit]) -> str:
        """A sentence on the limits that a run's `own` would have exceeded; empty if there are none."""
        held = [limit for limit in self.over(own) if limit not in own]
        amounts = ", ".join(f"{limit.most.exactly} for a {limit.scope}" for limit in held)
        return f"the deployment's budget is {amounts}, which no run can raise: {_RAISE}" if amounts else ""

    def excess(self, plan: Plan, deployed: str) -> BudgetExceeded | None:
        """The error for a plan that buys although nothing was agreed to, or not for its title; None if it may be
        carried out. `deployed` is the title of the film as it is deployed."""
        if not plan.bought or (self.allows_purchases and not (self.counts_film and plan.title != deployed)):
            return None
        why = "the film was deployed without a budget"
        if self.allows_purchases:
            scopes = " and ".join(f"a {limit.scope}" for limit in self.limits if limit.scope != "run")
            why = f"the budget of {scopes} that was agreed to is that of {shown(deployed or 'another film')!r}"
        message = f"this would buy {summarize_purchases(plan.bought)}, and {why}; nothing was bought"
        other = "this one by itself" if self.allows_purchases else "the film again with a --budget"
        return BudgetExceeded(message, hint=f"approve it, or deploy {other}")


_UNLIMITED = Ceiling(any_price=True)


def budget_ceiling(
    per_run: object = None, per_shot: object = None, per_month: object = None, any_price: bool = False
) -> dict[str, Any]:
    """Pull step: check the amounts, such as `20 USD`. It has nothing to pull; the run reads them from its deployment.

    A worker whose version of Storyreel has no such step fails here, before it could buy beyond them.
    Raises NotAllowed for something that is no amount.
    """
    _read({"per_run": per_run, "per_shot": per_shot, "per_month": per_month, "any_price": any_price})
    return {}


def ceiling_of(pull_steps: Iterable[Mapping[str, Any]] | None) -> Ceiling | None:
    """The ceiling in the pull steps of a deployment; None if they hold none. Raises NotAllowed if it is unreadable.

    Of several, the lowest holds.
    """
    found = [_read(step[STEP] or {}) for step in pull_steps or () if STEP in step]
    if not found:
        return None
    if not all(each.allows_purchases for each in found):
        return Ceiling()
    first, *more = found
    for other in more:
        first = Ceiling(limits=other.over(first.limits), any_price=first.any_price and other.any_price)
    return first


async def ceiling_of_run() -> Ceiling:
    """The ceiling of the deployment of the current flow run, read from Prefect's server.

    A run that is not deployed has none, nor one whose deployment holds none. Where the deployment was deleted, nothing
    may be bought.
    """
    if not is_deployed():
        return _UNLIMITED
    try:
        return ceiling_of((await own_deployment()).pull_steps) or _UNLIMITED
    except ObjectNotFound:
        return Ceiling()


async def ceiling_of_scene_run() -> Ceiling:
    """The same for the run of a scene: that of its film's deployment, which has the same name, if it holds one.

    Not every way to deploy a film again stores its ceiling with its scenes, too: `serve` and `deploy --print` do not.
    """
    try:
        name = (await own_deployment()).name
        async with get_client() as client:
            of_film = ceiling_of((await client.read_deployment_by_name(f"{RENDER_FLOW}/{name}")).pull_steps)
    except ObjectNotFound:
        of_film = None
    return of_film or await ceiling_of_run()


def _read(inputs: Mapping[str, Any]) -> Ceiling:
    amounts = {name: value for name, value in inputs.items() if name != "any_price" and value is not None}
    try:
        limits = limits_of(Budget.model_validate(amounts)) if amounts else ()
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise NotAllowed(
            f"the budget of the deployment cannot be read, so nothing is bought: {where}: {wrong['msg']}",
            hint="write for example `per_run: 20 USD`, and deploy it again",
        ) from error
    return Ceiling(limits=limits, any_price=inputs.get("any_price") is True and not limits)
