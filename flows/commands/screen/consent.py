"""Checks before money is spent: keys are set, the budget holds, and the user has agreed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from storyreel.flows.commands.options import can_ask, plan_of, request_of
from storyreel.flows.commands.screen import tables
from storyreel.flows.errors import NotAllowed, RunFailed
from storyreel.flows.names import default_folder
from storyreel.flows.output import legible
from storyreel.flows.planning.checks.budget import BudgetedPlan
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.saved import differences, load_plan
from storyreel.flows.planning.summary import summarize, summarize_purchases
from storyreel.flows.production.delivery import try_destination
from storyreel.flows.production.film_folder import FilmSource
from storyreel.flows.terminal import Terminal, styled
from storyreel.specs.storyboard import is_remote
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.budget import BudgetExceeded
from storyreel.tasks.providers import load
from storyreel.tasks.settings import PRICES


def try_early(request: RunRequest, plan: Plan) -> Iterator[str]:
    """Try the destination before the user is asked; yields a note if the film does not go to its usual folder.

    What needs a network is left to the run, which tries it all. Raises FolderTaken and DiskError.
    """
    if is_remote(str(request.storyboard)) or is_remote(str(request.out or "")):
        return
    source = FilmSource.of(request.storyboard, plan.title, is_draft=plan.is_draft)
    folder = try_destination(request.out, source, plan, Home.of())
    usual = default_folder(plan.title, source.stem)
    if not request.out and folder not in (usual, usual / "draft"):
        yield f"{usual} has the film of another storyboard in it; this one goes to {folder}"


def require_consent(budgeted: BudgetedPlan, request: RunRequest, yes: bool, console: Terminal) -> None:
    """Return if `yes` or the user agrees to the plan, or, without a terminal, a budget limits it.

    Raises RunFailed if a service's key is missing, BudgetExceeded, and NotAllowed.
    """
    plan = budgeted.plan
    require_keys(plan)
    if not plan.bought:
        return
    if budgeted.excess:
        raise with_next(budgeted.excess, request)
    if yes:
        return
    purchase = summarize_purchases(plan.bought)
    if not can_ask(console):
        if budgeted.limits:
            return
        enough = f" or --budget '{least}'" if (least := _least(plan)) else ""
        raise NotAllowed(f"this would buy {purchase}", hint=f"without a terminal that needs --yes{enough}")
    tables.print_plan(console, budgeted)
    if not typer.confirm(legible(f"Buy {purchase}?"), err=True):
        raise NotAllowed(f"nothing was bought of {purchase}")


def agree_unattended(budgeted: BudgetedPlan, yes: bool, console: Terminal, again: Callable[[str], str]) -> None:
    """Return if scheduled runs may carry out the plan: with a budget, or at any price with `yes`. Prints the plan.

    Neither keys, which workers have themselves, nor the budget is checked. Raises NotAllowed, which names the command
    that `again` gives for the amount that is needed, or for an empty text if a budget cannot limit the plan.
    """
    plan = budgeted.plan
    if not plan.bought:
        console.print(styled((plan.title, "bold"), f": {summarize(plan)}"), soft_wrap=True)
        return
    tables.print_plan(console, budgeted)
    if not (budgeted.limits or yes):
        raise NotAllowed(
            f"a run would buy {summarize_purchases(plan.bought)}, and it does not ask first",
            hint=f"{_how_to_limit(plan)}  or allow any price with --yes",
            next=again(_least(plan)),
        )


def _how_to_limit(plan: Plan) -> str:
    if plan.unpriced:
        how = f"give the prices:\n  in your price file ({PRICES}); see storyreel prices\n"
        return f"a budget cannot limit takes without a known price; {how}"
    if len(plan.totals) > 1:
        return "a budget cannot limit two currencies:\n  use services that are paid in one\n"
    least = _least(plan)
    return (
        "set a budget for a run:\n"
        f"  in the storyboard   budget: {{per_run: {least}}}\n"
        f"  or here             --budget '{least}'\n"
    )


def _least(plan: Plan) -> str:
    """The amount that the plan costs; empty if a budget cannot limit it."""
    return plan.totals[0].exactly if len(plan.totals) == 1 and not plan.unpriced else ""


def require_keys(plan: Plan) -> None:
    """Return if the keys of all services are set that a run of the plan asks. Raises RunFailed."""
    for name in plan.asked_services:
        if missing := load(name).missing_variable(os.environ):
            raise RunFailed(f"{name} needs a key, and {missing} is not set", next=f"export {missing}=…")


def load_agreed(file: Path, budget: str | None, out: str | None) -> tuple[RunRequest, BudgetedPlan]:
    """The request of a plan that was saved, and its plan as it is now.

    Raises NotAllowed, which lists what changed, if the plan is no longer the one that was saved.
    """
    saved = load_plan(file)
    place, selection = saved.storyboard_of(file), list(saved.selection)
    agreed = request_of(place, saved.provider, None, selection, budget, out, draft=saved.draft)
    request = agreed.model_copy(update={"vars": saved.words, "deliverables": saved.deliverables})
    budgeted = plan_of(request)
    if changed := differences(saved, budgeted.plan):
        lines = "\n  ".join(changed)
        raise NotAllowed(
            f"nothing was bought, because this changed since the plan was made:\n  {lines}",
            next=request.command("plan", "-o", str(file)),
        )
    return request, budgeted


def with_next(excess: BudgetExceeded, request: RunRequest) -> BudgetExceeded:
    """The error, with the command that renders the shots that fit, or else shows the plan."""
    excess.next = request.command_within_budget(excess.fits)
    return excess
