"""Reviews on the terminal: the takes of a film, the questions about each shot, and what was recorded."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from storyreel.flows.planning.model import ReviewState
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.player.links import NO_LINKS, Links, is_playing
from storyreel.flows.review.status import ShotReview, action_problem, parse_verdicts
from storyreel.flows.servers.choose import set_prefect_defaults
from storyreel.flows.servers.local import local_server
from storyreel.flows.servers.prefect_settings import is_server_named
from storyreel.flows.terminal import Column, Row, Terminal, print_rows, styled
from storyreel.specs.language.slates import deliverable_of
from storyreel.specs.problems.phrases import abridged
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.purchase import NewVerdict, Word

if TYPE_CHECKING:
    from storyreel.flows.review.resume import ResumedRun
    from storyreel.flows.review.suspended import RunElsewhere

_COLOURS: dict[ReviewState, str] = {
    "todo": "dim", "wip": "cyan", "wfa": "yellow", "retake": "magenta", "approved": "green",
}  # fmt: skip
_COLUMNS = (Column("take"), Column("state"), Column("from"), Column("cost"), Column("remarks", is_text=True))
_CHOICES = "[a]pprove, [r]etake, [l]ater, [q]uit"


def print_reviews(console: Terminal, title: str, reviews: Sequence[ShotReview]) -> None:
    """Print a row for each take, then the files of the takes that wait for a review."""
    if not reviews:
        console.print(
            "No shot, and no still that is bought, needs a review; `review: required` in the storyboard asks for one."
        )
        return
    rows: list[Row] = []
    for review in reviews:
        slate = review.shot.slate
        for take in review.shot.takes:
            cost = take.cost.exactly if take.cost and take.cost.amount else "free" if take.cost else "unknown"
            state = Text(take.state, style=_COLOURS[take.state])
            rows.append(Row([f"{slate} take {take.take}", state, take.service, cost, take.remarks]))
        for number, word in review.to_come:
            rows.append(Row([f"{slate} take {number}", Text(word, style=_COLOURS[word]), "", "", ""]))
    print_rows(console, _COLUMNS, rows, title)
    waiting = [(review.shot, take) for review in reviews for take in review.shot.takes if take.state == "wfa"]
    links = playable_links() if waiting else NO_LINKS
    for shot, take in waiting:
        console.print(f"{shot.slate} take {take.take}: {take.clip}", soft_wrap=True)
        if address := links.take(take.clip.stem, shot.slate, take.take):
            console.print(f"  {'play' if shot.kind in ('clip', 'speech') else 'show'}: {address}", soft_wrap=True)


def playable_links() -> Links:
    """The links of takes; empty ones if no player answers."""
    home = Home.of()
    return Links.of(home) if is_playing(home) else NO_LINKS


def ask_verdicts(console: Terminal, planner: Planner, waiting: Sequence[ShotReview]) -> list[NewVerdict]:
    """Ask about one shot after the other, and return the verdicts that were given."""
    verdicts: list[NewVerdict] = []
    for review in waiting:
        shot = review.shot
        console.print(styled("\n", (shot.slate, "bold"), f" {shot.action}"))
        answer = typer.prompt(_CHOICES, default="l", err=True).strip().lower()[:1]
        if answer == "q":
            break
        if answer == "a":
            numbers = [take.take for take in shot.takes]
            take = shot.best
            if len(numbers) > 1:
                take = typer.prompt("which take", default=shot.best, type=int, err=True)
            named = f"{shot.slate}:{take}" if take in numbers else shot.slate
            verdicts += parse_verdicts([review], [named], (), by=user_name())
        elif answer == "r":
            note = typer.prompt("note", default="", show_default=False, err=True)
            action = typer.prompt("new action, or nothing", default="", show_default=False, err=True)
            retakes = parse_verdicts([review], (), [shot.slate], note=note, action=action, by=user_name())
            if problem := action_problem(planner, retakes):
                console.print(f"{problem}; {shot.slate} is left for later")
            else:
                verdicts += retakes
    return verdicts


def record(planner: Planner, verdicts: Sequence[NewVerdict]) -> list[ResumedRun]:
    """Write the verdicts to the ledger, and resume the suspended runs that waited for them."""
    with closing(planner.home.ledger()) as ledger:
        ledger.add_verdicts(verdicts)
    set_prefect_defaults()
    from storyreel.flows.review.resume import resume_runs

    return asyncio.run(resume_runs(planner.film.title, planner.home))


def look_elsewhere(request: RunRequest, planner: Planner) -> list[RunElsewhere]:
    """The suspended runs that ask about takes of the film which the request does not show."""
    if not (is_server_named() or local_server()):
        return []  # Prefect's client takes longer to load than all else that is looked at.
    set_prefect_defaults()
    from storyreel.flows.review.suspended import runs_elsewhere

    return asyncio.run(runs_elsewhere(request, planner.film))


def print_elsewhere(console: Terminal, runs: Sequence[RunElsewhere]) -> None:
    """Print a line for each run that asks about other takes, with the command that shows them."""
    for run in runs:
        what = f"run {run.name} waits for approval of {abridged(run.shots)}, made with other variables or services"
        console.print(f"{what}: {run.command}", soft_wrap=True)


def print_recorded(
    console: Terminal, verdicts: Sequence[NewVerdict], runs: Sequence[ResumedRun], next_command: str
) -> None:
    """Print the verdicts, the runs that were resumed, and the next command if none was."""
    lines = []
    for one in verdicts:
        retake = f"retake, with a new action: {one.action}" if one.action else "retake"
        lines.append(f"{one.slate} take {one.take}: {'approved' if one.word is Word.APPROVED else retake}")
    lines += [f"run {run.name}: {run.outcome}" for run in runs]
    lines += [] if any(run.goes_on for run in runs) or not next_command else [f"next: {next_command}"]
    for line in lines:
        console.print(line)


def next_command(request: RunRequest, reviews: Sequence[ShotReview]) -> str:
    """The command that approves the first shot that waits, or else renders; empty if no shot is reviewed.

    It names the deliverables of which a take is still to be bought: others are made if they cost nothing.
    """
    if waiting := next((review for review in reviews if review.waits), None):
        return request.command("review", "--approve", waiting.shot.slate)
    named = {deliverable_of(review.shot.slate) for review in reviews if review.to_come} - {""}
    return request.model_copy(update={"deliverables": tuple(sorted(named))}).command("render") if reviews else ""


def user_name() -> str:
    """The name of the user on this machine; `somebody` if it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
