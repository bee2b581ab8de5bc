"""The draft of a film: the same storyboard, for a cheaper model, a smaller size or another service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import Draft, Shot, Storyboard
from storyreel.specs.validation.check import FREE

WRITE = "write for example `draft: {resolution: 480p}` beside its `title`"


def draft_of(film: Storyboard) -> Storyboard:
    """The storyboard of a draft, without deliverables. Raises StoryboardError if the film says nothing of one."""
    draft = film.draft
    if draft is None:
        raise StoryboardError([Problem(film.where("title"), "the film has no `draft`", WRITE)])
    size = {"resolution": draft.resolution} if draft.resolution else {}

    def drafted(shots: Iterable[Shot]) -> tuple[Shot, ...]:
        return tuple(_drafted(shot, draft) for shot in shots)

    return film.model_copy(
        update={
            "format": film.format.model_copy(update=size),
            "deliverables": (),
            "shots": drafted(film.shots),
            "scenes": tuple(scene.model_copy(update={"shots": drafted(scene.shots)}) for scene in film.scenes),
        }
    )


def _drafted(shot: Shot, draft: Draft) -> Shot:
    if shot.is_card:
        return shot
    changed: dict[str, Any] = {"model": draft.model} if draft.model else {}
    changed["frame_at"] = None  # A draft has no deliverables.
    # It is of what the shot says: few models edit a take, or go on from more than its last frame.
    changed["edit"] = None
    if shot.circled and shot.circled > shot.takes:  # one of its edits
        changed["circled"] = None
    if shot.continues:
        changed["continues"] = shot.continues.model_copy(update={"with_": "frame"})
    # A shot that is drawn in the film, because it says so, costs nothing; it is drawn in the draft, too.
    is_drawn = shot.services == (FREE,) and shot.model_fields_set & {"provider", "providers"}
    if draft.provider and not is_drawn:
        changed |= {"provider": draft.provider, "providers": ()}
    return shot.model_copy(update=changed)
