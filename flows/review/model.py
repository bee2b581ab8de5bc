"""The data of a review: shots that must be approved, and their takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from storyreel.flows.planning.model import Candidate, Plan, PlannedTake, ReviewState, takes_by_shot
from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.inspection.inspect import Inspection, best_take
from storyreel.tasks.ledger.purchase import NewVerdict, Purchase, Word

_FURTHEST_FIRST: tuple[ReviewState, ...] = ("approved", "wfa", "wip", "retake", "todo")


def review_state(takes: Iterable[PlannedTake]) -> ReviewState | None:
    """The state of a shot: that of its take that is furthest; None if no take has one."""
    states = {take.review for take in takes}
    return next((state for state in _FURTHEST_FIRST if state in states), None)


def shots_to_approve(plan: Plan) -> dict[str, list[PlannedTake]]:
    """The takes of the shots that must be approved and are not, by slate. Stand-ins need no approval."""
    return {
        shot: takes
        for shot, takes in takes_by_shot(plan.takes).items()
        if any(take.needs_review for take in takes) and review_state(takes) != "approved"
    }


def action_of(take: PlannedTake) -> str:
    """The action in the request of a take."""
    return dict(take.chosen.brief.words).get("action", "")


class TakeToReview(Frozen):
    """A take whose clip exists, with what a reviewer needs to know."""

    take: int
    key: str
    state: ReviewState
    service: str
    cost: Money | None
    """None if unknown."""
    clip: Path
    inspection: Inspection | None = None
    """None for a take that is free or has a verdict."""
    note: str = ""
    """The note of its latest verdict and the author: `too dark (Ana)`."""

    @classmethod
    def of(
        cls, take: PlannedTake, by: Candidate, purchase: Purchase | None, clip: Path, inspection: Inspection | None
    ) -> TakeToReview:
        """A take that this candidate made."""
        verdict = take.verdict
        return cls(
            take=take.take,
            key=by.key,
            state=(verdict and take.review) or "wfa",
            service=by.request.provider,
            cost=(purchase.cost if purchase else None) or by.price,
            clip=clip,
            inspection=inspection,
            note=f"{verdict.note} ({verdict.by})" if verdict and verdict.note else "",
        )

    @property
    def is_refused(self) -> bool:
        return self.state == "retake"

    @property
    def state_in_words(self) -> str:
        """The state as people read it outside the tables of the command line."""
        return "waits for approval" if self.state == "wfa" else self.state

    @property
    def found(self) -> str:
        """The findings of the inspection as text."""
        return "; ".join(finding.detail for finding in self.inspection.findings) if self.inspection else ""

    @property
    def remarks(self) -> str:
        """The findings and the note."""
        return "; ".join(filter(None, (self.found, self.note)))


class ShotToReview(Frozen):
    """A shot whose takes a person reviews."""

    film: str
    slate: str
    action: str
    takes: tuple[TakeToReview, ...]
    """Those that are made."""

    @property
    def best(self) -> int:
        """The number of the take with the best inspection, among those not refused if there are any."""
        among = [take for take in self.takes if not take.is_refused] or list(self.takes)
        inspections = [take.inspection for take in among if take.inspection]
        return among[best_take(inspections) if len(inspections) == len(among) else -1].take

    def verdicts(
        self, word: Word, take: int | None = None, note: str = "", action: str = "", by: str = ""
    ) -> list[NewVerdict]:
        """The verdicts that give `word` to a take by its number; without one, to all takes that are not refused yet."""
        among = [one for one in self.takes if take in (None, one.take)]
        if take is None:
            among = [one for one in among if not one.is_refused] or among
        return [
            NewVerdict(
                key=one.key, film=self.film, slate=self.slate, take=one.take, word=word, note=note, action=action, by=by
            )
            for one in among
        ]


class ReviewNeeded(StoryreelError):
    """Shots wait for approval. Every take was made and is kept; the film is not joined."""

    def __init__(self, shots: Sequence[ShotToReview], of: int) -> None:
        self.shots, self.of = tuple(shots), of
        which = f"{len(shots)} of {of} shots {'waits' if len(shots) == 1 else 'wait'}" if of > 1 else "the shot waits"
        lines = [f"{which} for approval; everything that was made is kept"]
        lines += [f"  {shot.slate}: {_listed(shot.takes)}" for shot in shots]
        super().__init__("\n".join(lines))


def _listed(takes: Iterable[TakeToReview]) -> str:
    return ", ".join(
        f"take {take.take} ({take.state_in_words}{f': {take.remarks}' if take.remarks else ''})" for take in takes
    )
