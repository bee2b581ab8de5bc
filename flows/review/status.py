"""The review status of a film, shot by shot, and verdicts given on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any
from unicodedata import normalize

from pydantic import TypeAdapter, ValidationError

from storyreel.flows.planning.finishing.deliverables import EVERY_DELIVERABLE
from storyreel.flows.planning.history import open_history
from storyreel.flows.planning.model import Plan, PlannedTake, ReviewState, takes_by_shot
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.takes.made import stored_clip, wanted_of
from storyreel.flows.player.links import NO_LINKS, Links
from storyreel.flows.review.model import ShotToReview, TakeToReview, action_of, review_state
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.slates import deliverable_of, is_line
from storyreel.specs.language.values import NonEmptyText
from storyreel.specs.problems.phrases import listed, shown, suggestion
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.validation.check import unknown_names
from storyreel.tasks.inspection.inspect import Inspection, Wanted, inspect_clip
from storyreel.tasks.ledger.purchase import NewVerdict, Purchase, Word
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.request.attachments import STILL
from storyreel.tasks.storage.clips import ClipStore
from storyreel.tasks.threads import in_own_thread

_ACTION: TypeAdapter[str] = TypeAdapter(NonEmptyText)


class ShotReview(Frozen):
    """A shot that must be approved or has verdicts, and its takes."""

    shot: ShotToReview
    state: ReviewState
    to_come: tuple[tuple[int, ReviewState], ...]
    """Number and state of each take that is not made."""

    @property
    def waits(self) -> bool:
        """Whether a verdict is needed now for the film to continue."""
        return self.state == "wfa" and bool(self.shot.takes)

    def as_json(self, links: Links = NO_LINKS) -> dict[str, Any]:
        """The form that `review --json` prints; `links` are those of a player that runs."""
        made = [
            {
                "take": take.take,
                "word": take.state,
                "key": take.key,
                "service": take.service,
                "cost": take.cost.model_dump(mode="json") if take.cost else None,
                "found": take.found,
                "said": take.note,
                "clip": str(take.clip),
                "play": links.take(take.clip.stem, self.shot.slate, take.take) or None,
            }
            for take in self.shot.takes
        ]
        to_come = [{"take": number, "word": state} for number, state in self.to_come]
        return {"shot": self.shot.slate, "word": self.state, "takes": [*made, *to_come]}


async def review_status(planner: Planner, named: Collection[str] = ()) -> list[ShotReview]:
    """The shots that must be approved or have verdicts, in the order of the film. Takes that wait are inspected.

    Spoken lines and shots in the shape of a deliverable are among them also if they are `named`: another take of these
    is asked for in this way alone.
    """
    plan, purchases, found = await in_own_thread(_look_up, planner)
    clips, rate = planner.home.clips(), plan.format.fps
    pictures = {f"{STILL}{take.identity}": found[take.key] for take in plan.pictures if take.key in found}
    reviews = []
    for slate, takes in takes_by_shot(plan.takes).items():
        can_be_named = is_line(slate) or deliverable_of(slate)
        state = review_state(takes) or ("wfa" if slate in named and can_be_named else None)
        if state is None:
            continue
        made = [(take, found[take.key]) for take in takes if take.key in found]
        to_review = [
            _to_review(
                take, clip, purchases.get(take.key), wanted_of(take, rate, pictures), clips, inspects=state == "wfa"
            )
            for take, clip in made
        ]
        shot = ShotToReview(
            film=plan.title,
            slate=slate,
            kind=takes[0].kind,
            action=action_of(takes[0]),
            takes=tuple(await asyncio.gather(*to_review)),
        )
        to_come = tuple((take.take, take.review or "todo") for take in takes if take.state != "cached")
        reviews.append(ShotReview(shot=shot, state=state, to_come=to_come))
    return reviews


def _look_up(planner: Planner) -> tuple[Plan, Mapping[str, Purchase], dict[str, Path]]:
    """The plan, its purchases, and the clips that exist of pictures and of shots with a status, by key."""
    with open_history(planner.home) as history:
        # What waits for approval is no longer free, and its deliverable is left out of other plans.
        plan = planner._replace(deliverables=(EVERY_DELIVERABLE,)).plan(history)
        purchases = history.purchases([take.key for take in plan.takes])
    clips = planner.home.clips()
    in_shapes = [take for take in plan.in_shapes if not take.is_redrawn]
    shown = [takes for takes in takes_by_shot(plan.clips).values() if review_state(takes)]
    shown += takes_by_shot(in_shapes).values()
    wanted = (*plan.pictures, *plan.speech, *chain.from_iterable(shown))
    return plan, purchases, {take.key: clip for take in wanted if (clip := stored_clip(take, purchases, clips))}


def parse_verdicts(
    reviews: Sequence[ShotReview],
    approve: Sequence[str],
    retake: Sequence[str],
    *,
    note: str = "",
    action: str = "",
    by: str = "",
) -> list[NewVerdict]:
    """The verdicts that `1B` and `1B:2` stand for. Raises LookupError for a shot or take that cannot be reviewed."""
    verdicts = []
    for written in approve:
        shot, take = _find(reviews, written)
        verdicts += shot.verdicts(Word.APPROVED, take or shot.best, note, by=by)
    for written in retake:
        shot, take = _find(reviews, written)
        verdicts += shot.verdicts(Word.RETAKE, take, note, action, by)
    keys = [one.key for one in verdicts]
    if twice := next((one for one in verdicts if keys.count(one.key) > 1), None):
        raise LookupError(f"take {twice.take} of {twice.slate} is named twice")
    return verdicts


def action_problem(planner: Planner, verdicts: Sequence[NewVerdict]) -> str:
    """The mistake in the new action of the verdicts on a shot; empty if it can be made or there is none."""
    action = next((one.action for one in verdicts if one.action), "")
    if not action:
        return ""
    if line := next((one.slate for one in verdicts if one.action and is_line(one.slate)), ""):
        return f"the words of {line} are those of the storyboard; change them there"
    try:
        _ACTION.validate_python(action)
    except ValidationError as error:
        return f"the new action cannot be used: {error.errors()[0]['msg']}"
    if unknown := next(unknown_names(planner.film, action), None):
        return f"the new action cannot be used: {'; '.join(filter(None, unknown))}"
    try:
        planner.plan_as_if(verdicts)
    except StoryboardError as error:
        return f"the new action cannot be made: {error.problems[0].message}"
    return ""


def _find(reviews: Sequence[ShotReview], written: str) -> tuple[ShotToReview, int | None]:
    """The shot and the number of the take, None without one, of `1B` or `1B:2`. Raises LookupError."""
    slate, _, number = normalize("NFC", written).partition(":")
    shots = {review.shot.slate: review.shot for review in reviews}
    if slate not in shots:
        otherwise = f"there is {listed(tuple(shots), 'and')}" if shots else "no shot of the film asks for a review"
        raise LookupError(f"there is no shot `{shown(slate)}` to be reviewed; {suggestion(slate, shots, otherwise)}")
    numbers = [take.take for take in shots[slate].takes]
    if not numbers:
        raise LookupError(f"no take of {slate} is made yet")
    if not number:
        return shots[slate], None
    if not number.isdecimal() or int(number) not in numbers:
        made = listed([str(number) for number in numbers], "and")
        raise LookupError(f"`{shown(written)}` is not a take that is made; of {slate} there is {made}")
    return shots[slate], int(number)


async def _to_review(
    take: PlannedTake, clip: Path, purchase: Purchase | None, wanted: Wanted, clips: ClipStore, *, inspects: bool
) -> TakeToReview:
    inspection: Inspection | None = None
    if inspects and not take.chosen.is_free and take.verdict is None:
        with suppress(MediaError):
            inspection = await inspect_clip(clip, take.request, wanted, clips)
    return TakeToReview.of(take, take.chosen, purchase, clip, inspection)
