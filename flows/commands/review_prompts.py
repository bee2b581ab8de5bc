"""Approvals at the terminal: how a film stands with them, what a person is asked, and what is told afterwards."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from storyreel.flows.commands.reconcile_prompts import somebody_is_there
from storyreel.flows.planning.model import ReviewState
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.review.status import ShotReview, action_problem, parse_verdicts
from storyreel.flows.servers.choose import set_prefect_defaults
from storyreel.tasks.ledger.ledger import NewVerdict, Word

__all__ = ["asked", "next_step", "note_down", "print_standings", "somebody_is_there", "tell", "whoever"]

if TYPE_CHECKING:
    from storyreel.flows.review.resume import ResumedRun

_COLOURS: dict[ReviewState, str] = {
    "todo": "dim", "wip": "cyan", "wfa": "yellow", "retake": "magenta", "approved": "green",
}  # fmt: skip
_WAYS = "[a]pprove, [r]etake, [l]ater, [q]uit"


def print_standings(console: Console, title: str, standings: Sequence[ShotReview]) -> None:
    """A row a take: how it stands, who made it, for how much, and remarks; then where what waits is."""
    if not standings:
        console.print("No shot asks for a review; `review: required` in the storyboard does.", highlight=False)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for name in ("take", "state", "from", "cost", "remarks"):
        table.add_column(name, overflow="fold", no_wrap=name in ("take", "state"))
    for standing in standings:
        slate = standing.shot.slate
        for take in standing.shot.takes:
            cost = take.cost.exactly if take.cost and take.cost.amount else "free" if take.cost else "unknown"
            word = Text(take.word, style=_COLOURS[take.word])
            table.add_row(f"{slate} take {take.take}", word, take.service, cost, Text(take.remarks))
        for number, word_to_come in standing.to_come:
            table.add_row(f"{slate} take {number}", Text(word_to_come, style=_COLOURS[word_to_come]), "", "", "")
    console.print(table)
    for standing in standings:
        for take in standing.shot.takes:
            if take.word == "wfa":
                line = f"{standing.shot.slate} take {take.take}: {take.clip}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)


def asked(console: Console, planner: Planner, waiting: Sequence[ShotReview]) -> list[NewVerdict]:
    """What a person on a terminal says of one shot after the other."""
    said: list[NewVerdict] = []
    for standing in waiting:
        shot = standing.shot
        console.print(Text.assemble("\n", (shot.slate, "bold"), f" {shot.action}"))
        answer = typer.prompt(_WAYS, default="l", err=True).strip().lower()[:1]
        if answer == "q":
            break
        if answer == "a":
            numbers = [take.take for take in shot.takes]
            take = shot.best
            if len(numbers) > 1:
                take = typer.prompt("which take", default=shot.best, type=int, err=True)
            named = f"{shot.slate}:{take}" if take in numbers else shot.slate
            said += parse_verdicts([standing], [named], (), by=whoever())
        elif answer == "r":
            note = typer.prompt("note", default="", show_default=False, err=True)
            action = typer.prompt("new action, or nothing", default="", show_default=False, err=True)
            words = parse_verdicts([standing], (), [shot.slate], note=note, action=action, by=whoever())
            if wrong := action_problem(planner, words):
                console.print(f"{wrong}; {shot.slate} is left for later", markup=False, highlight=False)
            else:
                said += words
    return said


def note_down(planner: Planner, said: Sequence[NewVerdict]) -> list[ResumedRun]:
    """Write what was said into the ledger, and let the runs go on that waited for it."""
    with closing(planner.home.ledger()) as ledger:
        ledger.add_verdicts(said)
    set_prefect_defaults()
    from storyreel.flows.review.resume import resume_runs

    return asyncio.run(resume_runs(planner.film.title, planner.home))


def tell(console: Console, said: Sequence[NewVerdict], runs: Sequence[ResumedRun], then: str) -> None:
    """What was noted, which runs go on, and what to do where none does."""
    lines = []
    for one in said:
        wish = f"retake, with another action: {one.action}" if one.action else "retake"
        lines.append(f"{one.slate} take {one.take}: {'approved' if one.word is Word.APPROVED else wish}")
    lines += [f"run {run.name}: {run.outcome}" for run in runs]
    lines += [] if any(run.goes_on for run in runs) or not then else [f"next: {then}"]
    for line in lines:
        console.print(line, markup=False, highlight=False)


def next_step(sheet: RunRequest, standings: Sequence[ShotReview]) -> str:
    """The command to run next; none where nothing is reviewed."""
    if waiting := next((standing for standing in standings if standing.waits), None):
        return sheet.command("review", "--approve", waiting.shot.slate)
    return sheet.command("render") if standings else ""


def whoever() -> str:
    """Who gives the command; where the machine has no name for them, nobody in particular."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
