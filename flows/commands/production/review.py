"""The command `review`, by which takes are approved or sent back for a retake."""

from __future__ import annotations

import asyncio
from typing import Annotated
from unicodedata import normalize

import typer

from storyreel.flows.commands.options import AsJson, Draft, File, Provider, Set, can_ask, output, print_json, request_of
from storyreel.flows.commands.screen.completion import complete_slate
from storyreel.flows.terminal import Terminal


def review(
    storyboard: File,
    approve: Annotated[
        list[str] | None,
        typer.Option(
            "--approve",
            metavar="SHOT[:TAKE]",
            help="Use this take in the cut, or this still; without a number the best. Repeatable.",
            autocompletion=complete_slate,
        ),
    ] = None,
    retake: Annotated[
        list[str] | None,
        typer.Option(
            "--retake",
            metavar="SHOT[:TAKE]",
            help="Replace this take by a new one; without a number all takes of the shot, or of a line. Repeatable.",
            autocompletion=complete_slate,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Approve every shot that waits for a review, with its best take.")
    ] = False,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="The reason, kept with the verdict.")] = "",
    action: Annotated[
        str, typer.Option("--action", metavar="TEXT", help="With --retake: the new action, or words of the picture.")
    ] = "",
    provider: Provider = None,
    sets: Set = None,
    draft: Draft = False,
    as_json: AsJson = False,
) -> None:
    """Approve takes or ask for retakes. Makes and buys nothing. Without options it shows what waits, and asks."""
    from storyreel.flows.commands.screen import review_prompts as prompts
    from storyreel.flows.planning.planner import Planner
    from storyreel.flows.review.status import action_problem, parse_verdicts, review_status

    if action and not retake:
        raise typer.BadParameter("--action goes with --retake")
    request = request_of(storyboard, provider, sets, draft=draft)
    planner = Planner.of(request)
    named = {normalize("NFC", written).partition(":")[0] for written in (*(approve or ()), *(retake or ()))}
    reviews = asyncio.run(review_status(planner, named))
    console, waiting = Terminal(stderr=True, soft_wrap=True), [each for each in reviews if each.waits]
    approved = [*(approve or ()), *((each.shot.slate for each in waiting) if everything else ())]
    if approved or retake:
        try:
            verdicts = parse_verdicts(reviews, approved, retake or (), note=note, action=action, by=prompts.user_name())
        except LookupError as error:
            raise typer.BadParameter(str(error)) from error
        if problem := action_problem(planner, verdicts):
            raise typer.BadParameter(f"--action: {problem}")
    elif everything or as_json or not waiting or not can_ask(console):
        verdicts = []
    else:
        prompts.print_reviews(console, planner.name, reviews)
        verdicts = prompts.ask_verdicts(console, planner, waiting)
    runs = prompts.record(planner, verdicts) if verdicts else []
    if verdicts:
        reviews = asyncio.run(review_status(planner, named))
    elsewhere = prompts.look_elsewhere(request, planner) if reviews else []
    if as_json:
        links = prompts.playable_links()
        print_json(
            {
                "title": planner.name,
                "shots": [each.as_json(links) for each in reviews],
                "said": [verdict.model_dump(mode="json") for verdict in verdicts],
                "runs": [run.model_dump(mode="json") for run in runs],
                "elsewhere": [run.model_dump(mode="json") for run in elsewhere],
            }
        )
    else:
        prompts.print_reviews(output(), planner.name, reviews)
        prompts.print_elsewhere(output(), elsewhere)
        prompts.print_recorded(Terminal(soft_wrap=True), verdicts, runs, prompts.next_command(request, reviews))
