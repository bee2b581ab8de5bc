"""Reviewing a film: how it stands with its shots, and what somebody says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from storyreel.flows.planning.history import open_history
from storyreel.flows.planning.model import PlannedTake, ReviewState, takes_by_shot
from storyreel.flows.planning.planner import Planner
from storyreel.flows.review.model import ShotToReview, TakeToReview, action_of, note_of, review_state
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.values import NonEmptyText
from storyreel.specs.problems.phrases import listed, shown, suggestion
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.validation.check import unknown_names
from storyreel.tasks.clips import ClipStore
from storyreel.tasks.inspection.inspect import Inspection, inspect_clip
from storyreel.tasks.ledger.ledger import NewVerdict, Purchase, Word
from storyreel.tasks.media.errors import MediaError

_TOLD: TypeAdapter[str] = TypeAdapter(NonEmptyText)


def action_problem(planner: Planner, said: Sequence[NewVerdict]) -> str:
    """Why something cannot be said of a shot: its new action is no action, or nobody can make it. Else empty."""
    action = next((one.action for one in said if one.action), "")
    if not action:
        return ""
    try:
        _TOLD.validate_python(action)
    except ValidationError as error:
        return f"the new action cannot be told: {error.errors()[0]['msg']}"
    if strange := next(unknown_names(planner.film, action), None):
        return f"the new action cannot be told: {'; '.join(filter(None, strange))}"
    try:
        planner.plan_as_if(said)
    except StoryboardError as error:
        return f"the new action cannot be made: {error.problems[0].message}"
    return ""


class ShotReview(Frozen):
    """A shot that somebody must approve or has said something of, and the takes that are planned of it."""

    shot: ShotToReview
    """With the takes that are there."""
    word: ReviewState
    to_come: tuple[tuple[int, ReviewState], ...]
    """Takes that are not there, by their numbers."""

    @property
    def waits(self) -> bool:
        """Whether somebody can say something of it now that would let it go on."""
        return self.word == "wfa" and bool(self.shot.takes)

    def as_json(self) -> dict[str, Any]:
        """The form that `review --json` prints."""
        there = [
            {
                "take": take.take,
                "word": take.word,
                "key": take.key,
                "service": take.service,
                "cost": take.cost.model_dump(mode="json") if take.cost else None,
                "found": take.found,
                "said": take.said,
                "clip": str(take.clip),
            }
            for take in self.shot.takes
        ]
        to_come = [{"take": number, "word": word} for number, word in self.to_come]
        return {"shot": self.shot.slate, "word": self.word, "takes": [*there, *to_come]}


async def review_status(planner: Planner) -> list[ShotReview]:
    """How a film stands with its reviews, in the order of the film. What waits is inspected."""
    with open_history(planner.home) as history:
        plan = planner.plan(history)
        purchases = history.purchases([take.key for take in plan.takes])
    clips = planner.home.clips()
    standings = []
    for slate, takes in takes_by_shot(plan.takes).items():
        if (word := review_state(takes)) is None:
            continue
        there = [(take, clip) for take in takes if (clip := _clip(take, purchases, clips))]
        seen = [_seen(take, clip, purchases.get(take.key), inspects=word == "wfa") for take, clip in there]
        standings.append(
            ShotReview(
                shot=ShotToReview(
                    film=plan.title, slate=slate, action=action_of(takes[0]), takes=tuple(await asyncio.gather(*seen))
                ),
                word=word,
                to_come=tuple((take.take, take.review or "todo") for take in takes if take.state != "cached"),
            )
        )
    return standings


def parse_verdicts(
    standings: Sequence[ShotReview], approve: Sequence[str], retake: Sequence[str], **more: str
) -> list[NewVerdict]:
    """What is said by `1B` and `1B:2`. Raises LookupError for what is no take that is there."""
    said = []
    for written in approve:
        shot, take = _meant(standings, written)
        said += shot.judged(Word.APPROVED, take or shot.best, more.get("note", ""), by=more.get("by", ""))
    for written in retake:
        shot, take = _meant(standings, written)
        said += shot.judged(Word.RETAKE, take, **more)
    if twice := next((one for one in said if sum(one.key == other.key for other in said) > 1), None):
        raise LookupError(f"take {twice.take} of {twice.slate} is named twice")
    return said


def _meant(standings: Sequence[ShotReview], written: str) -> tuple[ShotToReview, int | None]:
    slate, _, number = written.partition(":")
    shots = {standing.shot.slate: standing.shot for standing in standings}
    if slate not in shots:
        otherwise = f"there is {listed(tuple(shots), 'and')}" if shots else "no shot of the film asks for a review"
        raise LookupError(f"there is no shot `{shown(slate)}` to be reviewed; {suggestion(slate, shots, otherwise)}")
    numbers = [take.take for take in shots[slate].takes]
    if not numbers:
        raise LookupError(f"no take of {slate} is made yet")
    if not number:
        return shots[slate], None
    if not number.isdecimal() or int(number) not in numbers:
        there = listed([str(number) for number in numbers], "and")
        raise LookupError(f"`{shown(written)}` is no take that is there; of {slate} there is {there}")
    return shots[slate], int(number)


def _clip(take: PlannedTake, purchases: Mapping[str, Purchase], clips: ClipStore) -> Path | None:
    purchase = purchases.get(take.key)
    clip = clips.find(purchase.clip) if take.state == "cached" and purchase and purchase.clip else None
    return clip.path if clip else None


async def _seen(take: PlannedTake, clip: Path, purchase: Purchase | None, inspects: bool) -> TakeToReview:
    inspects = inspects and not take.chosen.is_free and take.verdict is None
    return TakeToReview(
        take=take.take,
        key=take.key,
        word=take.review or "wfa",
        service=take.request.provider,
        cost=(purchase.cost if purchase else None) or take.price,
        clip=clip,
        inspection=await _inspection(take, clip) if inspects else None,
        said=note_of(take.verdict),
    )


async def _inspection(take: PlannedTake, clip: Path) -> Inspection | None:
    """What is to be seen in a clip; a frame that it was to begin with is compared where it is a picture of the film."""
    first = take.request.first_frame
    picture = Path(first.source) if first and not first.digest.startswith(("url:", "take:")) else None
    try:
        return await inspect_clip(clip, take.request, first_frame=picture, wants_sound=take.keep_sound)
    except MediaError:
        return None
