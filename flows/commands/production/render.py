"""The command `render`: plans a film, asks whether to buy, and makes it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, cast

import typer

from storyreel.flows.commands import options


def render(
    storyboard: Annotated[
        str | None, typer.Argument(metavar="STORYBOARD", help=options.STORYBOARD, show_default=False)
    ] = None,
    provider: options.Provider = None,
    sets: options.Set = None,
    select: options.Select = None,
    budget: options.Budget = None,
    draft: options.Draft = False,
    stills: options.Stills = False,
    deliverables: options.Deliverables = None,
    saved: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Carry out this saved plan, or stop if the film has changed."),
    ] = None,
    out: options.Out = None,
    yes: Annotated[bool, typer.Option("--yes", help="Buy what the plan buys without asking.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Make the film. Shows the plan and asks before it buys anything."""
    if (storyboard is None) == (saved is None):
        raise typer.BadParameter("give a storyboard, or a plan with --plan")
    if saved and (provider or sets or select or draft or stills or deliverables):
        fixed = "--provider, --set, --select, --stills, --deliverable and --draft"
        raise typer.BadParameter(f"a plan fixes {fixed}; leave them out with --plan")
    from storyreel.flows.servers.choose import run_server

    # A server of the run's own takes seconds to start, in which all else is imported, the film planned, the user asked.
    with run_server() as server:
        from storyreel.flows.commands.screen import tables
        from storyreel.flows.commands.screen.consent import load_agreed, require_consent, try_early
        from storyreel.flows.planning.drafts import SIMILAR
        from storyreel.flows.planning.summary import summarize
        from storyreel.flows.terminal import Terminal, styled

        progress = Terminal(stderr=True)
        # Planned before Prefect is imported, so that a mistake in the storyboard is printed at once.
        if storyboard:
            request = options.request_of(
                storyboard, provider, sets, select, budget, out, draft=draft, stills=stills, deliverables=deliverables
            )
            budgeted = options.plan_of(request)
        else:
            request, budgeted = load_agreed(cast("Path", saved), budget, out)
        for note in try_early(request, budgeted.plan):
            progress.print(note, soft_wrap=True)
        require_consent(budgeted, request, yes, progress)
        progress.print(styled((budgeted.plan.name, "bold"), f": {summarize(budgeted.plan)}"), soft_wrap=True)
        if budgeted.plan.is_draft:
            progress.print(SIMILAR, soft_wrap=True)
        from storyreel.flows.commands.launch import run

        rendering, page = run(request, budgeted.plan, progress, server)
    print_text = partial(tables.print_rendering, page=page, unapproved=budgeted.plan.unapproved)
    options.print_result(rendering, as_json, print_text)
