"""The command `render`: plans a film, asks whether to buy, and makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console

from storyreel.flows.commands import tables
from storyreel.flows.commands.consent import load_agreed, require_consent
from storyreel.flows.commands.options import (
    STORYBOARD,
    AsJson,
    Budget,
    Out,
    Provider,
    Select,
    Set,
    output,
    plan_of,
    print_json,
    request_of,
)
from storyreel.flows.planning.summary import summarize


def render(
    storyboard: Annotated[str | None, typer.Argument(metavar="STORYBOARD", help=STORYBOARD, show_default=False)] = None,
    provider: Provider = None,
    sets: Set = None,
    select: Select = None,
    budget: Budget = None,
    saved: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Carry out this saved plan, or stop if the film has changed."),
    ] = None,
    out: Out = None,
    yes: Annotated[bool, typer.Option("--yes", help="Buy what the plan buys without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the film. Shows the plan and asks before it buys anything."""
    if (storyboard is None) == (saved is None):
        raise typer.BadParameter("give a storyboard, or a plan with --plan")
    if saved and (provider or sets or select):
        raise typer.BadParameter("a plan fixes --provider, --set and --select; leave them out with --plan")
    # Planned before Prefect is imported, so that a mistake in the storyboard is printed at once.
    if storyboard:
        request = request_of(storyboard, provider, sets, select, budget, out)
        budgeted = plan_of(request)
    else:
        request, budgeted = load_agreed(cast("Path", saved), budget, out)
    progress = Console(stderr=True)
    require_consent(budgeted, request, yes, progress)
    progress.print(f"[bold]{budgeted.plan.title}[/bold]: {summarize(budgeted.plan)}", highlight=False)
    from storyreel.flows.commands.launch import run

    rendering, page = run(request, budgeted.plan, progress)
    if as_json:
        print_json(rendering.as_json())
    else:
        tables.print_rendering(output(), rendering, page)
