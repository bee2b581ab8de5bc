"""Which shots wait for somebody's approval, with what there is to be seen of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from storyreel.flows.planning.model import Plan, PlannedTake, ReviewState, takes_by_shot
from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.inspection.inspect import Inspection, best_take
from storyreel.tasks.ledger.ledger import NewVerdict, Verdict, Word

_FURTHEST: tuple[ReviewState, ...] = ("approved", "wfa", "wip", "retake", "todo")
"""The word for a shot is the first of these that one of its takes has."""


def review_state(takes: Iterable[PlannedTake]) -> ReviewState | None:
    """How a shot stands, by its takes."""
    words = {take.review for take in takes}
    return next((word for word in _FURTHEST if word in words), None)


def action_of(take: PlannedTake) -> str:
    """What happens in a take, as it was asked for."""
    return dict(take.chosen.brief.words).get("action", "")


def shots_to_approve(plan: Plan) -> dict[str, list[PlannedTake]]:
    """The shots that must be approved and are not, with their takes. What only stands in for a shot needs no word."""
    return {shot: takes for shot, takes in takes_by_shot(plan.takes).items() if _waits(takes)}


def _waits(takes: Sequence[PlannedTake]) -> bool:
    return any(take.needs_review for take in takes) and review_state(takes) != "approved"


class TakeToReview(Frozen):
    """A take that is there, as somebody who is to approve it sees it."""

    take: int
    key: str
    word: ReviewState
    service: str
    cost: Money | None
    """None where nobody knows it."""
    clip: Path
    inspection: Inspection | None = None
    """What was seen in it; None for what costs nothing."""
    said: str = ""
    """The note to what somebody said of it, and who that is."""

    @property
    def is_refused(self) -> bool:
        """Whether another one is wanted in its place."""
        return self.word == "retake"

    @property
    def found(self) -> str:
        """What is not as it should be, in words."""
        return "; ".join(finding.detail for finding in self.inspection.findings) if self.inspection else ""

    @property
    def remarks(self) -> str:
        """All that there is to say of it: what was found, and what somebody said."""
        return "; ".join(filter(None, (self.found, self.said)))


def note_of(verdict: Verdict | None) -> str:
    """The note to a verdict, as it is shown: `too dark (Ana)`."""
    return f"{verdict.note} ({verdict.by})" if verdict and verdict.note else ""


class ShotToReview(Frozen):
    """A shot that waits for approval."""

    film: str
    slate: str
    action: str
    takes: tuple[TakeToReview, ...]
    """Those that are there."""

    @property
    def best(self) -> int:
        """The number of the take to approve, as far as inspection can tell: of those not refused, if there are any."""
        among = [take for take in self.takes if not take.is_refused] or list(self.takes)
        inspections = [take.inspection for take in among if take.inspection]
        return among[best_take(inspections) if len(inspections) == len(among) else -1].take

    def judged(
        self, word: Word, take: int | None = None, note: str = "", action: str = "", by: str = ""
    ) -> list[NewVerdict]:
        """What it means to approve a take of it, by its number; or to wish for a retake of one, or of all there are."""
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
    """Shots wait for approval; everything was made and is kept, and the film is not joined."""

    def __init__(self, shots: Sequence[ShotToReview], of: int) -> None:
        self.shots, self.of = tuple(shots), of
        which = f"{len(shots)} of {of} shots {'waits' if len(shots) == 1 else 'wait'}" if of > 1 else "the shot waits"
        lines = [f"{which} for approval; everything that was made is kept"]
        lines += [f"  {shot.slate}: {_listed(shot.takes)}" for shot in shots]
        super().__init__("\n".join(lines))


def _listed(takes: Iterable[TakeToReview]) -> str:
    return ", ".join(f"take {take.take} ({take.word}{f': {take.remarks}' if take.remarks else ''})" for take in takes)
