"""Before money is spent: is everything there that it takes, does it fit the budget, and does the user want it?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer
from rich.console import Console

from storyreel.flows.commands import tables as showing
from storyreel.flows.commands.options import plan_of, sheet_of
from storyreel.flows.errors import NotAllowed, RunFailed
from storyreel.flows.planning.budget import BudgetedPlan
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.saved import differences, load_plan
from storyreel.flows.planning.summary import summarize_purchases
from storyreel.tasks.ledger.budget import BudgetExceeded
from storyreel.tasks.providers import load


def make_sure(planning: BudgetedPlan, sheet: RunRequest, yes: bool, console: Console) -> None:
    """Return when the plan may be carried out.

    Raises RunFailed when a service's key is missing, BudgetExceeded, and NotAllowed when something would be bought that
    nobody has agreed to: with `yes` it is agreed; on a terminal the plan is shown and the user asked; without one a
    budget that it fits is enough.
    """
    plan = planning.plan
    lacking(plan)
    if not plan.bought:
        return
    if planning.excess:
        raise with_next(planning.excess, sheet)
    if yes:
        return
    what = summarize_purchases(plan.bought)
    if not (sys.stdin.isatty() and console.is_terminal):
        if planning.limits:
            return
        enough = f" or --budget '{plan.totals[0].exactly}'" if len(plan.totals) == 1 and not plan.unpriced else ""
        raise NotAllowed(f"this would buy {what}", hint=f"without a terminal that needs --yes{enough}")
    showing.print_plan(console, planning)
    if not typer.confirm(f"Buy {what}?", err=True):
        raise NotAllowed(f"nothing was bought of {what}")


def lacking(plan: Plan) -> None:
    """Return when the key of every service is set that a plan may order from. Raises RunFailed."""
    for name in sorted(
        {way.request.provider for take in plan.takes for way in take.candidates if take.state != "cached"}
    ):
        if missing := load(name).missing_variable(os.environ):
            raise RunFailed(f"{name} needs a key, and {missing} is not set", next=f"export {missing}=…")


def as_agreed(file: Path, budget: str | None, out: str | None) -> tuple[RunRequest, BudgetedPlan]:
    """What a plan that was kept asks for, planned anew.

    Raises NotAllowed, naming what has changed, when that would no longer do exactly what was agreed to.
    """
    saved = load_plan(file)
    agreed = sheet_of(saved.found_from(file), saved.provider, None, list(saved.selection), budget, out)
    sheet = agreed.model_copy(update={"vars": saved.words})
    planning = plan_of(sheet)
    if changed := differences(saved, planning.plan):
        lines = "\n  ".join(changed)
        raise NotAllowed(
            f"nothing was bought, because this changed since the plan was made:\n  {lines}",
            next=sheet.command("plan", "-o", str(file)),
        )
    return sheet, planning


def with_next(excess: BudgetExceeded, sheet: RunRequest) -> BudgetExceeded:
    """The error, with the command that renders the shots that fit, or else shows the plan."""
    excess.next = sheet.command("render", "--select", ",".join(excess.fits)) if excess.fits else sheet.command("plan")
    return excess
