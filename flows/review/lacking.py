"""The takes that a run could not make, and those that wait for a person. The film is not joined without its own takes;
those of a deliverable alone never hold it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from storyreel.flows.planning.model import Plan
from storyreel.flows.production.outcomes import ClipsToBuy, DeliverablesFailed, Failure, ShotsFailed
from storyreel.flows.production.takes import TakeRuns
from storyreel.flows.review.model import ReviewNeeded, ShotToReview
from storyreel.flows.review.suspend import unapproved_shots
from storyreel.specs.language.slates import deliverable_of
from storyreel.tasks.studio import Studio


class Lacking(NamedTuple):
    """The takes that are not made, not approved or not bought yet, after all others were made."""

    plan: Plan
    failures: Sequence[Failure]
    unapproved: Sequence[ShotToReview]

    @classmethod
    async def of(cls, plan: Plan, failures: Sequence[Failure], takes: TakeRuns, studio: Studio) -> Lacking:
        """The takes of a run that are lacking, of which these have failed.

        Raises ShotsFailed, ReviewNeeded or ClipsToBuy if the film lacks any.
        """
        shots = len(plan.cut.events)
        if not all(deliverable_of(failure.shot) for failure in failures):
            raise ShotsFailed(failures, shots)
        failed = {failure.shot for failure in failures}
        asked = await unapproved_shots(plan, takes, studio, leave_out=failed)
        if not all(deliverable_of(shot.slate) for shot in asked):
            raise ReviewNeeded(asked, shots)
        if any(take.waits_for and not take.deliverable for take in plan.takes):
            raise ClipsToBuy(plan.waiting)
        return cls(plan, failures, asked)

    @property
    def deliverables(self) -> frozenset[str]:
        """The names of the deliverables that lack takes."""
        slates = [*(one.shot for one in self.failures), *(one.slate for one in self.unapproved)]
        slates += [take.shot for take in self.plan.takes if take.waits_for]
        return frozenset(map(deliverable_of, slates))

    def check(self, film: Path | str, not_joined: Mapping[str, str], made: int) -> None:
        """Return if the run has made all deliverables. `film` is made; `not_joined` are reasons by name.

        Raises ShotsFailed, DeliverablesFailed, ReviewNeeded or ClipsToBuy.
        """
        if self.failures:
            raise ShotsFailed(self.failures, len(self.plan.cut.events), film)
        if not_joined:
            raise DeliverablesFailed(film, not_joined, made + len(not_joined))
        if self.unapproved:
            raise ReviewNeeded(self.unapproved, len(self.plan.cut.events), film)
        if self.deliverables:
            raise ClipsToBuy(self.plan.waiting)
