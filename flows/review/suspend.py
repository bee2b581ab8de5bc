"""Suspends a deployed run that needs an answer from a person, and reads the answer when it runs again.

Nothing of a suspended run is executing. Its questions and their answers are stored as the run's input in Prefect;
verdicts are noted in the ledger once, so that an old answer never overrides a later verdict.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from typing import Any, Literal, NamedTuple
from uuid import UUID

from prefect import State, get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.exceptions import Pause, PrefectHTTPStatusError
from prefect.input import RunInput, keyset_from_paused_state
from prefect.runtime import flow_run
from prefect.states import Suspended

from storyreel.flows.lifecycle.cancellation import stop_handler
from storyreel.flows.lifecycle.deployed import is_deployed
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.summary import summarize_purchases
from storyreel.flows.production.ceiling import Ceiling
from storyreel.flows.production.report import run_links
from storyreel.flows.production.takes import TakeRuns
from storyreel.flows.review.forms import Question, approved_budget, budget_form, by_field, review_form, verdicts_in
from storyreel.flows.review.model import ReviewNeeded, ShotToReview, TakeToReview, action_of, shots_to_approve
from storyreel.flows.review.status import action_problem
from storyreel.specs.errors import StoryreelError
from storyreel.specs.language.slates import deliverable_of
from storyreel.specs.money import Money
from storyreel.tasks.ledger.budget import Limit
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.tasks.studio import Studio
from storyreel.tasks.threads import in_own_thread

_QUESTION = "storyreel-asks-"
"""Prefix of the keys under which a run's input holds questions."""
_MOST_ROUNDS = 200
"""Questions of one run that are read."""


class NotApproved(StoryreelError):
    """A person decided that the run must not continue; what was made is kept."""


Announce = Callable[[Literal["review.requested", "budget.exceeded"], Mapping[str, Any]], None]
"""Tells others that the run has been suspended: why, and with which details."""


class Round(NamedTuple):
    """A question and its answer; None if there is none yet."""

    question: Question
    answer: dict[str, Any] | None


class Approval:
    """The questions and answers of this run. A run that is not deployed cannot ask; its methods return at once."""

    def __init__(self, planner: Planner, rounds: Sequence[Round], announce: Announce) -> None:
        self._planner, self._rounds, self._announce = planner, tuple(rounds), announce
        self._problems: dict[str, str] = {}
        """Problems of the last answer, by slate."""

    @classmethod
    async def begin(cls, planner: Planner, announce: Announce) -> Approval:
        """Read the answers given while the run was suspended, and note their verdicts. Raises NotApproved."""
        if not _can_ask():
            return cls(planner, (), announce)
        async with get_client() as client:
            approval = cls(planner, await rounds_of(client, UUID(flow_run.id)), announce)
            await approval._require_not_stopped(client)
        await in_own_thread(approval._note_verdicts)
        return approval

    @property
    def ceiling(self) -> Ceiling | None:
        """The most that the run may cost by its last answer on that; None if there is none."""
        return _ceiling(self._approved)

    async def ask_to_review(self, needed: ReviewNeeded) -> None:
        """Suspend the run until a person has answered for the shots that wait; returns only if it cannot ask."""
        if not _can_ask():
            return
        question = Question(number=len(self._rounds) + 1, shots=by_field(needed.shots))
        home = self._planner.home
        form = await asyncio.to_thread(review_form, question, self._problems, home.house, await run_links(home))
        slates = [shot.slate for shot in needed.shots]
        is_of_film = all(shot.kind == "clip" and not deliverable_of(shot.slate) for shot in needed.shots)
        waiting = f"{', '.join(slates)} of {needed.of} shots" if is_of_film else ", ".join(slates)
        shots, spent = ", ".join(slates), await in_own_thread(self._planner.committed, flow_run.id)
        told = {
            "shots": slates,
            "spent": [money.model_dump(mode="json") for money in spent],
            "summary": f"{waiting}; {_in_words(spent)} spent",
        }
        await _suspend(question, form, needed.message, f"waits for a person to approve {shots}", told, self._announce)

    async def ask_for_budget(self, excess: StoryreelError) -> None:
        """Suspend the run until a person has decided whether it may cost more.

        Returns if it cannot ask, or if no single amount can be approved, as with unknown prices or several currencies.
        """
        if not _can_ask():
            return
        plan = await in_own_thread(self._planner.plan)
        committed = await in_own_thread(self._planner.committed, flow_run.id)
        if plan.unpriced or len(plan.totals) != 1:
            return
        (more,) = plan.totals
        total = sum((money.amount for money in committed if money.currency == more.currency), start=more.amount)
        needed = Money(amount=total, currency=more.currency)
        question = Question(number=len(self._rounds) + 1, money=needed)
        reason = "\n".join(filter(None, (_too_little(self._approved, needed), excess.message)))
        why = "\n".join(filter(None, (reason, excess.hint)))
        purchases = summarize_purchases(plan.bought)
        form = budget_form(question, why, purchases)
        waits = f"waits for a person to decide on its budget: it would cost {needed.exactly} in all"
        told = {
            "shots": list(dict.fromkeys(take.shot for take in plan.bought)),
            "cost": needed.model_dump(mode="json"),
            "reason": why,
            "summary": f"{reason}\nit would buy {purchases}; the whole run then costs {needed.exactly}",
        }
        await _suspend(question, form, why, waits, told, self._announce)

    @property
    def _approved(self) -> Money | None:
        """The amount that was approved last; None if none was."""
        return _approved_amount(self._rounds)

    async def _require_not_stopped(self, client: PrefectClient) -> None:
        """Raise NotApproved if an answer stops the run. The answer is deleted, so that a retry asks again."""
        for question, answer in self._rounds:
            if question.money and answer and approved_budget(question, answer) is None:
                await client.delete_flow_run_input(UUID(flow_run.id), _answer_key(question.number))
                amount = question.money.exactly
                raise NotApproved(f"stopped: it was decided not to spend {amount}; what was made is kept")

    def _note_verdicts(self) -> None:
        """Note the verdicts of the last answer in the ledger; those of earlier ones are in it already."""
        if not self._rounds or not (last := self._rounds[-1]).answer:
            return
        given = list(verdicts_in(last.question, last.answer))
        problems = [action_problem(self._planner, verdicts) for _, verdicts in given]
        self._problems = {shot.slate: problem for (shot, _), problem in zip(given, problems, strict=True) if problem}
        valid = [one for shot, verdicts in given if shot.slate not in self._problems for one in verdicts]
        with closing(self._planner.home.ledger()) as ledger:
            if ledger.add_verdicts(valid, f"{flow_run.id}/{last.question.number}"):
                for one in valid:
                    get_run_logger().info("%s take %d: %s by %s", one.slate, one.take, one.word, one.by)


def _too_little(approved: Money | None, needed: Money) -> str:
    """The reason why an approved amount does not let the run continue; empty if there is another or none."""
    if approved is None or approved.currency != needed.currency or approved.amount >= needed.amount:
        return ""
    short = Money(amount=needed.amount - approved.amount, currency=needed.currency)
    return f"the approved {approved.exactly} is {short.exactly} too little: the whole run costs {needed.exactly}"


def _in_words(spent: Sequence[Money]) -> str:
    return " and ".join(money.exactly for money in spent if money.amount) or "nothing"


async def unapproved_shots(
    plan: Plan, runs: TakeRuns, studio: Studio, leave_out: Collection[str] = ()
) -> list[ShotToReview]:
    """The shots and stills of a run that must be approved and are not, but for some slates; waits until their takes
    are made."""
    return [
        ShotToReview(
            film=plan.title,
            slate=slate,
            kind=takes[0].kind,
            action=action_of(takes[0]),
            takes=tuple([await _to_review(take, runs, studio) for take in takes]),
        )
        for slate, takes in shots_to_approve(plan).items()
        if slate not in leave_out
    ]


async def approved_ceiling(run: str) -> Ceiling | None:
    """The most that another run may cost by its last answer on that; None if there is none."""
    try:
        flow_run_id = UUID(run)
    except ValueError:
        return None
    async with get_client() as client:
        return _ceiling(_approved_amount(await rounds_of(client, flow_run_id)))


def _approved_amount(rounds: Sequence[Round]) -> Money | None:
    amounts = [approved_budget(question, answer) for question, answer in rounds if question.money and answer]
    return amounts[-1] if amounts else None


def _ceiling(amount: Money | None) -> Ceiling | None:
    return Ceiling(limits=(Limit(scope="run", most=amount),)) if amount else None


async def rounds_of(client: PrefectClient, run: UUID) -> list[Round]:
    """The questions of a run in order, each with its answer."""
    stored = await client.filter_flow_run_input(run, key_prefix=_QUESTION, limit=_MOST_ROUNDS, exclude_keys=set())
    questions = sorted((Question.model_validate_json(one.value) for one in stored), key=lambda one: one.number)
    return [Round(question, await _answer(client, run, question.number)) for question in questions]


async def _answer(client: PrefectClient, run: UUID, number: int) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = json.loads(await client.read_flow_run_input(run, _answer_key(number)))
    except PrefectHTTPStatusError as missing:
        if missing.response.status_code == 404:
            return None
        raise
    return answer


async def _to_review(take: PlannedTake, runs: TakeRuns, studio: Studio) -> TakeToReview:
    made = await runs.made(take)
    purchase = await studio.ask(Ledger.find, made.candidate.key)
    return TakeToReview.of(take, made.candidate, purchase, made.clip.path, made.inspection)


async def _suspend(
    question: Question, form: type[RunInput], why: str, waits: str, told: Mapping[str, Any], announce: Announce
) -> None:
    """Suspend this run with a form, which ends its process. Returns only if Prefect refuses.

    `waits` is the message of the state, and `told` what is announced. (Prefect's `suspend_flow_run` has no message.)
    """
    get_run_logger().warning("%s\nthis run is suspended until it is answered: Resume on its page", why)
    # Prefect suspends a run only once for a key, so each question has its own.
    state: State[Any] = Suspended(pause_key=_pause_key(question.number), message=f"{waits}: Resume on this page")
    keys = keyset_from_paused_state(state)
    state.state_details.run_input_keyset = {name: str(key) for name, key in keys.items()}
    async with get_client() as client:
        run, key = UUID(flow_run.id), f"{_QUESTION}{question.number}"
        await client.create_flow_run_input(run, key, question.model_dump_json())
        result: OrchestrationResult[Any] = await client.set_flow_run_state(run, state)
    if result.state and result.state.is_paused():
        # After the state: the server then deletes what is stored under these keys.
        await form.asave(keys)
        announce("budget.exceeded" if question.money else "review.requested", told)
        raise Pause(state=result.state)
    # A server that was away may have counted the run as lost.
    await stop_handler().follow_record()
    get_run_logger().error("this run cannot be suspended: %s", getattr(result.details, "reason", result.status.value))


def _can_ask() -> bool:
    """Whether this run can be suspended: it is deployed and not a subflow."""
    return is_deployed() and not flow_run.parent_flow_run_id


def _pause_key(number: int) -> str:
    return f"approval-{number}"


def _answer_key(number: int) -> str:
    return keyset_from_paused_state(Suspended(pause_key=_pause_key(number)))["response"]
