"""The draft of a film and the film itself, side by side: notes on both, and the finals of approved drafts."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from storyreel.flows.planning.model import Plan, PlannedTake, takes_by_shot
from storyreel.flows.planning.selection import Selected
from storyreel.specs.problems.phrases import abridged
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.providers.request import Request
from storyreel.tasks.request.unsupported import Unsupported

SIMILAR = "A draft has the seeds of its film; another model or size makes a similar clip of a seed, not the same."
"""The note on the limits of a draft, for all who print it."""

_OF_DRAFT = ("provider", "model")
"""Keys of a shot that `draft` may replace."""


def beside_film(draft: Plan, film: Plan, storyboard: Storyboard) -> Plan:
    """The plan of a draft, with that of its film. Raises StoryboardError if nothing in it is cheaper or different."""
    draft = draft.model_copy(update={"other": film})
    same = _same(draft)
    paid = [take for take in draft.clips if not take.chosen.is_free]
    if paid and len(same) == len(paid):
        hint = "give it another `provider`, another `model` or a smaller `resolution`"
        where = storyboard.where("draft")
        raise StoryboardError([Problem(where, "the draft asks the services for the same as the film", hint)])
    return _warned(draft, _about_same(same))


def beside_draft(film: Plan, draft: Plan | StoryboardError, file: str) -> Plan:
    """The plan of a film, whose storyboard is `file`, with that of its draft, or a warning that it cannot be made."""
    if isinstance(draft, StoryboardError):
        return _warned(film, [f"the draft cannot be made: {draft.problems[0].message}"])
    film = film.model_copy(update={"other": draft})
    return _warned(film, [*_about_same(_same(film)), *_notes_on_approvals(film.clips, draft, file)])


def worth_their_final(takes: Sequence[PlannedTake], draft: Plan | StoryboardError) -> Selected:
    """The takes of a film, by shot and number, whose draft was approved as the storyboard has it.

    Raises StoryboardError if the draft cannot be planned.
    """
    if isinstance(draft, StoryboardError):
        raise draft
    approved = {(each.shot, each.take): each for each in _approved(draft)}
    pairs = ((take, approved.get((take.shot, take.take))) for take in takes)
    return frozenset((take.shot, take.take) for take, each in pairs if each and _is_of(take, each))


def approved_drafts(film: Plan) -> list[str]:
    """The takes of a film's plan whose drafts are approved: `1A take 2`."""
    found = worth_their_final(film.takes, film.other) if film.other else ()
    return [f"{take.shot} take {take.take}" for take in film.takes if (take.shot, take.take) in found]


def in_words_of_draft(unsupported: Unsupported) -> Unsupported:
    """An error of a shot of a draft, which says so, and is at the key of `draft` where that may be the cause."""
    return Unsupported(
        unsupported.field,
        f"in the draft: {unsupported.message}",
        unsupported.hint,
        unsupported.at or (("draft", unsupported.field) if unsupported.field in _OF_DRAFT else ()),
        tuple(map(in_words_of_draft, unsupported.others)),
    )


def with_seeds(requests: Sequence[Request], in_film: Sequence[PlannedTake]) -> Sequence[Request]:
    """The requests of a draft with the seeds of the takes that they are drafts of. What is drawn has no seeds."""
    if not in_film or requests[0].board or in_film[0].request.board:
        return requests
    pairs = zip(requests, in_film, strict=True)
    return [request.model_copy(update={"seed": take.request.seed}) for request, take in pairs]


def _same(plan: Plan) -> list[PlannedTake]:
    """The takes that are bought with the same request for the draft and for the film."""
    beside = plan.beside
    same = ((take, beside.get((take.shot, take.take))) for take in plan.clips)
    return [take for take, other in same if other and other.key == take.key and not take.chosen.is_free]


def _about_same(same: Iterable[PlannedTake]) -> Iterator[str]:
    if shots := list(dict.fromkeys(take.shot for take in same)):
        yield f"in the draft {abridged(shots)} is made as in the film, and is bought once for both"


def _approved(draft: Plan) -> Iterator[PlannedTake]:
    return (take for take in draft.clips if take.review == "approved")


def _is_of(take: PlannedTake, draft: PlannedTake) -> bool:
    """Whether a take of a film has this draft. One that a verdict gave another action has no final yet."""
    return (take.shot, take.take, take.action) == (draft.shot, draft.take, draft.action)


def _notes_on_approvals(takes: Sequence[PlannedTake], draft: Plan, file: str) -> Iterator[str]:
    """A sentence for each approved draft that no take of the film is the final of, or none that is in the cut."""
    by_shot = takes_by_shot(takes)
    for each in _approved(draft):
        finals = by_shot[each.shot]
        found = next((take for take in finals if _is_of(take, each)), None)
        say = f"the approved draft of {each.shot}"
        if any(take.is_stand_in for take in finals) or (found and (found.circled or found.is_open)):
            continue
        if found:
            why, how = f"is take {each.take}, and the film has another one in the cut", ("--circle", str(each.take))
        elif each.action != finals[0].action:
            why, how = "has another action than the film", ("--action", each.action)
        else:
            why, how = f"is take {each.take}, and the film has {len(finals)}", ("--takes", str(each.take - len(finals)))
        again = shlex.join(["storyreel", "retake", file, each.shot, *how])
        yield f"{say} {why}; next: {again}"


def _warned(plan: Plan, warnings: Iterable[str]) -> Plan:
    return plan.model_copy(update={"warnings": (*plan.warnings, *warnings)})
