"""Outcomes of takes, made or failed, and the error of a run in which takes failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from storyreel.flows.planning.candidate import Candidate
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.summary import summarize_purchases
from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.slates import deliverable_of, is_line, is_shot
from storyreel.specs.money import Money
from storyreel.specs.problems.phrases import counted
from storyreel.tasks.inspection.inspect import Inspection
from storyreel.tasks.ledger.budget import BudgetExceeded
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.providers.errors import Ambiguous, ProviderError, TaskForgotten
from storyreel.tasks.storage.clips import Clip
from storyreel.tasks.storage.disk import DiskError, is_of_disk


class MadeTake(Frozen):
    """A take whose clip is in the store."""

    candidate: Candidate
    """The service and request that made it."""
    clip: Clip
    inspection: Inspection | None
    """None for a free clip."""
    cost: Money | None = None
    """As its service has reported it for an order that was not finished before the run; None if it has not."""

    @property
    def is_damaged(self) -> bool:
        """Whether some of its frames are broken."""
        return any(finding.what == "damage" for finding in (self.inspection.findings if self.inspection else ()))


class Failure(Frozen):
    """A take that could not be made."""

    shot: str
    take: int
    service: str = ""
    message: str
    hint: str = ""
    is_budget: bool = False
    """Whether only a budget prevented it."""
    is_unknown: bool = False
    """Whether it is unknown if the service has the order."""

    def __str__(self) -> str:
        by = f" ({self.service})" if self.service else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.shot} take {self.take}{by}: {self.message}{hint}"


class UpstreamFailed(StoryreelError):
    """A take was not begun, because one that it continues or is made of failed."""


class ShotsFailed(StoryreelError):
    """Some shots could not be made; everything else was finished and is kept. One failure for each take.

    With `film` they are shots of deliverables alone, and that film is made.
    """

    def __init__(self, failures: Sequence[Failure], shots: int, film: Path | str = "") -> None:
        self.failures, self.shots = tuple(failures), shots
        slates = {failure.shot for failure in failures}
        lines_failed, clips_failed = sum(map(is_line, slates)), list(filter(is_shot, slates))
        pictures = len(slates) - lines_failed - len(clips_failed)
        in_shapes = sum(bool(deliverable_of(slate)) for slate in clips_failed)
        of_shots = len(clips_failed) - in_shapes
        clips = f"{of_shots} of {shots} shots" if of_shots else ""
        beside = [counted(number, what) for number, what in ((pictures, "picture"), (lines_failed, "line")) if number]
        beside += [f"{counted(in_shapes, 'shot')} of deliverables"] if in_shapes else []
        failed = " and ".join(filter(None, (clips, *beside)))
        causes = self._causes
        lines = [f"{f'{film} is made, and ' if film else ''}{failed} could not be made; what was finished is kept"]
        # Another render would end in the same way.
        next = "storyreel reconcile" if causes and all(failure.is_unknown for failure in causes) else ""
        super().__init__("\n".join((*lines, *(f"  {failure}" for failure in failures))), next=next)

    @property
    def is_budget(self) -> bool:
        """Whether only a budget prevented them, because other runs have used it up meanwhile."""
        return bool(self._causes) and all(failure.is_budget for failure in self._causes)

    @property
    def _causes(self) -> list[Failure]:
        """The failures without takes that were not begun because of others."""
        return [failure for failure in self.failures if failure.service or failure.is_budget]


class DeliverablesFailed(StoryreelError):
    """The film is made and delivered, and some of its deliverables could not be made; `failed` has the reasons."""

    def __init__(self, film: Path | str, failed: Mapping[str, str], all_of_them: int) -> None:
        self.failed = dict(failed)
        lines = [f"{film} is made, and {len(failed)} of {counted(all_of_them, 'deliverable')} could not be"]
        super().__init__("\n".join((*lines, *(f"  {name}: {reason}" for name, reason in failed.items()))))


class ClipsToBuy(StoryreelError):
    """The speech of a film is made, and clips that are as long as it, or made to it, are still to be bought."""

    def __init__(self, waiting: Sequence[PlannedTake]) -> None:
        self.waiting = tuple(waiting)
        what = summarize_purchases(waiting) if waiting else "what continues it"
        super().__init__(
            f"the speech is made; still to be bought, as long as it is: {what}; everything that was made is kept",
            hint="the next run asks for the price, and buys it",
        )


def not_stopped_by(failures: Sequence[Failure], plan: Plan) -> list[PlannedTake]:
    """The takes of a plan that did not fail and are not made to speech that failed."""
    names = {(failure.shot, failure.take) for failure in failures}
    return _without(plan, (take for take in plan.takes if (take.shot, take.take) in names))


def once_spoken(plan: Plan) -> list[PlannedTake]:
    """The takes of a plan without speech that is still to be made and without takes that are made to it."""
    return _without(plan, (take for take in plan.speech if take.state != "cached"))


def _without(plan: Plan, missing: Iterable[PlannedTake]) -> list[PlannedTake]:
    identities = {take.identity for take in missing}
    return [take for take in plan.takes if identities.isdisjoint((take.identity, *take.speech))]


def failure_of(take: PlannedTake, error: BaseException) -> Failure:
    """The failure for an error of a service, of media, of the disk, of a budget or of an upstream take; raises all
    others again."""
    if isinstance(error, OSError) and is_of_disk(error):
        error = DiskError.of(error)
    if not isinstance(error, (UpstreamFailed, ProviderError, BudgetExceeded, MediaError, DiskError)):
        raise error
    service = (error.service or take.request.provider) if isinstance(error, ProviderError) else ""
    # The command of a budget is for the whole run.
    hint = error.hint if isinstance(error, BudgetExceeded) else "; ".join(filter(None, (error.hint, error.next)))
    return Failure(
        shot=take.shot,
        take=take.take,
        service=service,
        message=error.message,
        hint=hint,
        is_budget=isinstance(error, BudgetExceeded),
        is_unknown=isinstance(error, (Ambiguous, TaskForgotten)),
    )
