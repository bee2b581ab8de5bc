"""Before money is spent: is everything there that it takes, and does the user want it?"""

from __future__ import annotations

import os
import sys
from collections import Counter

import typer
from rich.console import Console

from flows import showing
from flows.failures import NotAllowed, RunFailed
from flows.plan import Plan, PlannedTake
from tasks.providers import load


def make_sure(plan: Plan, yes: bool, console: Console) -> None:
    """Return when the plan may be carried out.

    Raises RunFailed when a service's key is missing, and NotAllowed when something would be bought that nobody has
    agreed to: with `yes` it is agreed, on a terminal the plan is shown and the user asked.
    """
    for name in sorted({take.request.provider for take in plan.takes if take.state != "cached"}):
        if missing := load(name).lacks(os.environ):
            raise RunFailed(f"{name} needs a key, and {missing} is not set\nnext: export {missing}=…")
    bought = [take for take in plan.takes if _costs(take)]
    if not bought or yes:
        return
    what = _counted(bought)
    if not (sys.stdin.isatty() and console.is_terminal):
        raise NotAllowed(f"this would buy {what}; without a terminal that needs --yes")
    showing.print_plan(console, plan)
    if not typer.confirm(f"Buy {what}?", err=True):
        raise NotAllowed(f"nothing was bought of {what}")


def _costs(take: PlannedTake) -> bool:
    return take.state == "new" and (take.price is None or bool(take.price.amount))


def _counted(takes: list[PlannedTake]) -> str:
    """`3 takes from aimlapi and 1 from freepik`."""
    services = Counter(take.request.provider for take in takes)
    (first, number), *others = services.most_common()
    return " and ".join(
        [f"{number} {'take' if number == 1 else 'takes'} from {first}", *(f"{n} from {name}" for name, n in others)]
    )
