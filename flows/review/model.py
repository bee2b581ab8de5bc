"""The data of a review: the shots that must be approved, with their takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from storyreel.flows.planning.candidate import Candidate
from storyreel.flows.planning.model import Plan, PlannedTake, ReviewState, TakeKind, takes_by_shot
from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.slates import deliverable_of
from storyreel.specs.money import Money
from storyreel.specs.problems.phrases import counted
from storyreel.tasks.inspection.inspect import Inspection, best_take
from storyreel.tasks.ledger.purchase import NewVerdict, Purchase, Word

_FURTHEST_FIRST: tuple[ReviewState, ...] = ("approved", "wfa", "wip", "retake", "todo")


def review_state(takes: Iterable[PlannedTake]) -> ReviewState | None:
    """The state of a shot: that of its most advanced take; None if no take has one."""
    states = {take.review for take in takes}
    return next((state for state in _FURTHEST_FIRST if state in states), None)


def shots_to_approve(plan: Plan) -> dict[str, list[PlannedTake]]:
    """The takes of the shots, and of the stills, that must be approved and are not, by slate.

    Stand-ins need no approval, and a still only one if a clip waits for it. What waits for a still is not made yet. The
    draft of a film waits for no approval: it is looked at as a whole.
    """
    awaited = {still for take in plan.takes for still in take.waits_for}

    def must_be_approved(slate: str, takes: Sequence[PlannedTake]) -> bool:
        if review_state(takes) == "approved" or not any(take.needs_review for take in takes):
            return False
        if takes[0].kind != "clip":
            # Narration is a part of the film itself.
            return slate in awaited or (takes[0].kind == "speech" and not plan.is_draft)
        return not any(take.waits_for for take in takes) and not plan.is_draft

    return {slate: takes for slate, takes in takes_by_shot(plan.takes).items() if must_be_approved(slate, takes)}


def action_of(take: PlannedTake) -> str:
    """The action in the request of a take; of a still its own words, if it has any, and of speech the line."""
    words = dict(take.chosen.brief.words)
    return words.get(take.kind) or words.get("line") or words.get("action", "")


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
        """A take to review that this candidate made."""
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
    """A shot, or a still, whose takes a person reviews."""

    film: str
    slate: str
    kind: TakeKind = "clip"
    action: str
    takes: tuple[TakeToReview, ...]
    """The takes that are made."""

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
    """Shots or stills wait for approval. Every take that may be made was made and is kept; the film is not joined,
    unless they are shots of deliverables alone and `film` is where it is."""

    def __init__(self, shots: Sequence[ShotToReview], of: int, film: Path | str = "") -> None:
        self.shots, self.of = tuple(shots), of
        lines = sum(shot.kind == "speech" for shot in shots)
        in_shapes = sum(shot.kind == "clip" and bool(deliverable_of(shot.slate)) for shot in shots)
        clips = sum(shot.kind == "clip" for shot in shots) - in_shapes
        stills = len(shots) - clips - in_shapes - lines
        beside = [counted(number, what) for number, what in ((stills, "still"), (lines, "line")) if number]
        beside += [f"{counted(in_shapes, 'shot')} of deliverables"] if in_shapes else []
        many = (*beside, f"{clips} of {of} shots" if clips else "")
        self.what = "the shot" if clips == of == 1 and not beside else " and ".join(filter(None, many))
        """The number of those that wait: `2 of 5 shots`, `3 stills`."""
        made = f"{film} is made, and " if film else ""
        told = [
            f"{made}{self.what} {'waits' if len(shots) == 1 else 'wait'} for approval; everything that was made is kept"
        ]
        told += [f"  {shot.slate}: {_listed(shot.takes)}" for shot in shots]
        super().__init__("\n".join(told))


def _listed(takes: Iterable[TakeToReview]) -> str:
    return ", ".join(
        f"take {take.take} ({take.state_in_words}{f': {take.remarks}' if take.remarks else ''})" for take in takes
    )
