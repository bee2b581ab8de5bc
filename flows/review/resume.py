"""Resumes suspended runs of a film on a Prefect server once the verdicts that they wait for are noted."""

from __future__ import annotations

from contextlib import closing
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from storyreel.flows.review.forms import Question
from storyreel.flows.review.suspend import rounds_of
from storyreel.flows.review.suspended import reachable_client, suspended_runs
from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.purchase import Word
from storyreel.tasks.threads import in_own_thread


class ResumedRun(Frozen):
    """A suspended run, and whether it was resumed."""

    run: UUID
    name: str
    outcome: str
    goes_on: bool


async def resume_runs(title: str, home: Home) -> list[ResumedRun]:
    """Resume the suspended runs of a film whose shots are all approved or one of whose shots needs a retake.

    Returns all suspended runs of the film; an empty list if no server can be reached.
    """
    async with reachable_client() as client:
        return [await _resume(client, run, home) for run in await suspended_runs(client, title)] if client else []


async def _resume(client: PrefectClient, run: FlowRun, home: Home) -> ResumedRun:
    rounds = await rounds_of(client, run.id)
    question = rounds[-1].question if rounds else None
    if question is None or question.money:
        asks = question and question.money
        why = f"it asks for {asks.exactly}" if asks else "it was suspended by hand"
        return _outcome(run, f"still suspended, as {why}: Resume on its page")
    words = await in_own_thread(_words, question, home)
    waiting = [of_shot for of_shot in words if Word.APPROVED not in of_shot]
    if waiting and not any(of_shot == {Word.RETAKE} for of_shot in waiting):
        return _outcome(run, f"still suspended: {len(waiting)} of its {len(words)} shots wait")
    result = await client.resume_flow_run(run.id, run_input={})
    if result.status.value == "ACCEPT":
        return _outcome(run, "resumed", goes_on=True)
    return _outcome(run, f"could not be resumed: {getattr(result.details, 'reason', result.status.value)}")


def _words(question: Question, home: Home) -> list[set[Word | None]]:
    """For each shot of a question the words of the verdicts on its takes, with None for a take without one."""
    shots = [[take.key for take in shot.takes] for shot in question.shots.values()]
    with closing(home.ledger()) as ledger:
        verdicts = ledger.verdicts(key for keys in shots for key in keys)
    return [{verdicts[key].word if key in verdicts else None for key in keys} for keys in shots]


def _outcome(run: FlowRun, outcome: str, goes_on: bool = False) -> ResumedRun:
    return ResumedRun(run=run.id, name=run.name, outcome=outcome, goes_on=goes_on)
