"""A deployed run that must ask people: it is suspended with a form, and begins again from the top with the answer.

While it is suspended nothing of it runs anywhere. What it asked and what it was told is kept as the run's input; what
was said of takes goes into the ledger, once, so that an old answer never stands over a later word.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import PrefectHTTPStatusError
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput, keyset_from_paused_state
from prefect.runtime import flow_run
from prefect.states import Suspended

from storyreel.flows.lifecycle.deployed import is_deployed
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.summary import summarize_purchases
from storyreel.flows.production.takes import Shooting
from storyreel.flows.review.forms import Question, approved_budget, budget_form, by_field, review_form, verdicts_in
from storyreel.flows.review.model import ReviewNeeded, ShotToReview, TakeToReview, action_of, note_of, shots_to_approve
from storyreel.flows.review.status import action_problem
from storyreel.specs.money import Money
from storyreel.tasks.ledger.budget import Limit
from storyreel.tasks.ledger.ledger import Ledger

_QUESTION = "storyreel-asks-"
"""How the keys of a run's input begin that hold what it asked."""
_MOST_ROUNDS = 200
"""Questions of one run that are looked at."""


class NotApproved(Exception):
    """Somebody has decided that a run is not to go on; what was made is kept."""


class Round(NamedTuple):
    """A question, and what was answered; None before somebody has."""

    asked: Question
    answer: dict[str, Any] | None


class Approval:
    """What a run asks people, and what it was told. A run that is not deployed asks nobody: it ends."""

    def __init__(self, planner: Planner, rounds: Sequence[Round]) -> None:
        self._planner, self._rounds = planner, tuple(rounds)
        self._complaints: dict[str, str] = {}

    @classmethod
    async def begin(cls, planner: Planner) -> Approval:
        """Take in what the run was told since it was suspended. Raises NotApproved."""
        if not _can_ask():
            return cls(planner, ())
        async with get_client() as client:
            approval = cls(planner, await rounds_of(client, UUID(flow_run.id)))
            await approval._obey(client)
        approval._take_in()
        return approval

    def limits(self, said: tuple[Limit, ...]) -> tuple[Limit, ...]:
        """The limits of the run: what was approved for it last, else those that the storyboard or its caller said."""
        amounts = [approved_budget(asked, answer) for asked, answer in self._rounds if asked.money and answer]
        return tuple(Limit(scope="run", most=amount) for amount in amounts[-1:] if amount) or said

    async def ask_to_review(self, needed: ReviewNeeded) -> None:
        """Suspend the run until somebody has looked at the shots that wait; returns only where nobody can be asked."""
        if not _can_ask():
            return
        asked = Question(number=len(self._rounds) + 1, shots=by_field(needed.shots))
        form = await asyncio.to_thread(review_form, asked, self._complaints)
        await _suspend(asked, form, needed.message)

    async def ask_for_money(self, excess: str) -> None:
        """Suspend the run until somebody has said whether it may cost more.

        Returns where nobody can be asked, or no one amount can be approved: prices are unknown, or in two currencies.
        """
        if not _can_ask():
            return
        plan, before = self._planner.plan(), self._planner.committed(flow_run.id)
        if plan.unpriced or len(plan.totals) != 1:
            return
        (more,) = plan.totals
        spent = sum((money.amount for money in before if money.currency == more.currency), start=more.amount)
        asked = Question(number=len(self._rounds) + 1, money=Money(amount=spent, currency=more.currency))
        await _suspend(asked, budget_form(asked, excess, summarize_purchases(plan.bought)), excess)

    async def _obey(self, client: PrefectClient) -> None:
        """End the run when somebody has said so. It is told once: who then tries the run again is asked again."""
        for asked, answer in self._rounds:
            if asked.money and answer and approved_budget(asked, answer) is None:
                await client.delete_flow_run_input(UUID(flow_run.id), _answer_key(asked.number))
                raise NotApproved(f"stopped: it was decided not to spend {asked.money.exactly}; what was made is kept")

    def _take_in(self) -> None:
        """Write into the ledger what was said of takes in the last round; all earlier ones were taken in before it."""
        if not self._rounds or not (last := self._rounds[-1]).answer:
            return
        said = list(verdicts_in(last.asked, last.answer))
        refusals = [(shot.slate, action_problem(self._planner, words)) for shot, words in said]
        self._complaints = {slate: wrong for slate, wrong in refusals if wrong}
        good = [word for (_, words), (_, wrong) in zip(said, refusals, strict=True) if not wrong for word in words]
        with closing(self._planner.home.ledger()) as ledger:
            if ledger.add_verdicts(good, f"{flow_run.id}/{last.asked.number}"):
                for word in good:
                    get_run_logger().info("%s take %d: %s, says %s", word.slate, word.take, word.word, word.by)


async def shots_waiting(plan: Plan, shooting: Shooting, ledger: Ledger) -> list[ShotToReview]:
    """The shots of a run that must be approved and are not, now that their takes are made."""
    return [
        ShotToReview(
            film=plan.title,
            slate=slate,
            action=action_of(takes[0]),
            takes=tuple([await _seen(take, shooting, ledger) for take in takes]),
        )
        for slate, takes in shots_to_approve(plan).items()
    ]


async def rounds_of(client: PrefectClient, run: UUID) -> list[Round]:
    """All that a run has asked, in order, each with what was answered."""
    kept = await client.filter_flow_run_input(run, key_prefix=_QUESTION, limit=_MOST_ROUNDS, exclude_keys=set())
    asked = sorted((Question.model_validate_json(one.value) for one in kept), key=lambda one: one.number)
    return [Round(one, await _answer(client, run, one.number)) for one in asked]


async def _answer(client: PrefectClient, run: UUID, number: int) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = json.loads(await client.read_flow_run_input(run, _answer_key(number)))
    except PrefectHTTPStatusError as missing:
        if missing.response.status_code == 404:
            return None
        raise
    return answer


async def _seen(take: PlannedTake, shooting: Shooting, ledger: Ledger) -> TakeToReview:
    made = await shooting.made(take)
    purchase = ledger.find(made.way.key)
    return TakeToReview(
        take=take.take,
        key=made.way.key,
        word=(take.review or "wfa") if take.verdict else "wfa",
        service=made.way.request.provider,
        cost=(purchase.cost if purchase else None) or made.way.price,
        clip=made.clip.path,
        inspection=made.inspection,
        said=note_of(take.verdict),
    )


async def _suspend(asked: Question, form: type[RunInput], why: str) -> None:
    """Suspend this run with a form. Its process ends with that; returns only when Prefect does not allow it."""
    get_run_logger().warning("%s\nthis run is suspended until somebody has answered: Resume on its page", why)
    async with get_client() as client:
        run, question = UUID(flow_run.id), f"{_QUESTION}{asked.number}"
        await client.create_flow_run_input(run, question, asked.model_dump_json())
    try:
        # Prefect suspends only once for a key, so that each question has one of its own.
        await asuspend_flow_run(wait_for_input=form, key=_pause_key(asked.number))
    except RuntimeError as refused:
        get_run_logger().error("%s", refused)


def _can_ask() -> bool:
    """Whether this run can be suspended: it was deployed, and is no part of another."""
    return is_deployed() and not flow_run.parent_flow_run_id


def _pause_key(number: int) -> str:
    return f"approval-{number}"


def _answer_key(number: int) -> str:
    return keyset_from_paused_state(Suspended(pause_key=_pause_key(number)))["response"]
