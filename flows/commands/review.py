"""The command by which takes are approved or made again."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from storyreel.flows.commands.options import AsJson, File, Provider, Set, print_json, request_of


def review(
    storyboard: File,
    approve: Annotated[
        list[str] | None,
        typer.Option("--approve", metavar="SHOT[:TAKE]", help="Put a take into the cut; the best when none is named."),
    ] = None,
    retake: Annotated[
        list[str] | None,
        typer.Option(
            "--retake", metavar="SHOT[:TAKE]", help="Have another take made; of all there are when none is named."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Approve all that waits, the best take of each.")] = False,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for whoever reads it later.")] = "",
    action: Annotated[str, typer.Option("--action", metavar="TEXT", help="With --retake: what happens instead.")] = "",
    provider: Provider = None,
    sets: Set = None,
    as_json: AsJson = False,
) -> None:
    """Approve takes, or wish for others; make and buy nothing. Without options: show what waits, and ask."""
    from storyreel.flows.commands import review_prompts as approvals
    from storyreel.flows.planning.planner import Planner
    from storyreel.flows.review.status import action_problem, parse_verdicts, review_status

    if action and not retake:
        raise typer.BadParameter("--action goes with --retake")
    sheet = request_of(storyboard, provider, sets)
    planner = Planner.of(sheet)
    standings = asyncio.run(review_status(planner))
    console, waiting = Console(stderr=True, soft_wrap=True), [standing for standing in standings if standing.waits]
    chosen = [*(approve or ()), *((standing.shot.slate for standing in waiting) if everything else ())]
    if chosen or retake:
        try:
            said = parse_verdicts(standings, chosen, retake or (), note=note, action=action, by=approvals.whoever())
        except LookupError as error:
            raise typer.BadParameter(str(error)) from error
        if wrong := action_problem(planner, said):
            raise typer.BadParameter(f"--action: {wrong}")
    elif everything or as_json or not waiting or not approvals.somebody_is_there(console):
        said = []
    else:
        approvals.print_standings(console, planner.film.title, standings)
        said = approvals.asked(console, planner, waiting)
    runs = approvals.note_down(planner, said) if said else []
    if said:
        standings = asyncio.run(review_status(planner))
    if as_json:
        print_json(
            {
                "title": planner.film.title,
                "shots": [standing.as_json() for standing in standings],
                "said": [one.model_dump(mode="json") for one in said],
                "runs": [run.model_dump(mode="json") for run in runs],
            }
        )
    else:
        approvals.print_standings(Console(), planner.film.title, standings)
        approvals.tell(Console(soft_wrap=True), said, runs, approvals.next_step(sheet, standings))
