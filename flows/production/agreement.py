"""Checks that a run buys only what was agreed to: the agreed takes, or a budget, or `buy=True` in Python."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from storyreel.flows.errors import NotAllowed
from storyreel.flows.planning.candidate import Candidate
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.summary import summarize_purchases
from storyreel.specs.errors import StoryreelError
from storyreel.tasks.ledger.budget import Limit


class NotAgreed(StoryreelError):
    """A run would buy takes that are not agreed to, as the film or the ledger has changed. Nothing was bought."""


def agreed_key(key: str) -> str:
    """The first 12 hex digits of a take's key, as listed in the flow's parameter `agreed`."""
    return key[:12]


def agreed_keys(plan: Plan) -> list[str]:
    """The parameter `agreed` that allows all that a plan buys, from each take's service and its fallbacks."""
    return sorted({agreed_key(way.key) for take in plan.bought for way in take.candidates})


def is_agreed(candidate: Candidate, agreed: Collection[str] | None) -> bool:
    """Whether a candidate may be ordered: it is free, it is among `agreed`, or that is None and all are."""
    return agreed is None or candidate.is_free or agreed_key(candidate.key) in agreed


def check_agreed(plan: Plan, agreed: Collection[str]) -> None:
    """Return if every take that the plan buys is among `agreed`. Raises NotAgreed."""
    more = [take for take in plan.bought if {agreed_key(way.key) for way in take.candidates} - set(agreed)]
    if more:
        takes = ", ".join(f"{take.shot} take {take.take} ({take.reason})" for take in more)
        raise NotAgreed(f"the film or the ledger has changed since it was planned; this would be bought too: {takes}")


def held_to(plan: Plan, agreed: Collection[str]) -> Plan:
    """The plan in which clips that hang on speech, and are not among `agreed`, wait.

    They had another length, and so another price, when the run was agreed to: the speech was not made yet.
    """
    slates = {take.identity: take.shot for take in plan.speech}
    waiting = {
        take.identity: tuple(slates[each] for each in take.speech if each in slates)
        for take in plan.bought
        if take.speech and not any(is_agreed(way, agreed) for way in take.candidates)
    }
    while more := {
        take.identity: waiting[take.continues]
        for take in plan.takes
        if take.continues in waiting and take.state == "new" and take.identity not in waiting
    }:
        waiting |= more
    takes = (
        take.model_copy(update={"waits_for": take.waits_for or waiting[take.identity]})
        if take.identity in waiting
        else take
        for take in plan.takes
    )
    return plan.model_copy(update={"takes": tuple(takes)}) if waiting else plan


def check_consent(plan: Plan, limits: Sequence[Limit], *, buy: bool) -> None:
    """Return if a call from Python buys nothing, has `buy=True` or is limited by a budget. Raises NotAllowed."""
    if not plan.bought or buy or limits:
        return
    has_one_sum = len(plan.totals) == 1 and not plan.unpriced
    budget = f"budget='{plan.totals[0].exactly}' to allow up to that amount, or " if has_one_sum else ""
    raise NotAllowed(
        f"this would buy {summarize_purchases(plan.bought)}; nothing was bought",
        hint=f"pass {budget}buy=True to allow whatever it costs",
    )
