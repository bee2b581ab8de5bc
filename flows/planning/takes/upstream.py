"""The shots and takes that others continue or edit: their order, and the take that a shot is made of, found before
anything is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from storyreel.flows.planning.model import PlannedTake
from storyreel.specs.cut import Anchor
from storyreel.specs.storyboard import Shot
from storyreel.tasks.request.materials import Upstream


def upstream_of(shot: Shot, made: Mapping[str, tuple[Shot, Sequence[PlannedTake]]]) -> Upstream | None:
    """The take that must be made before a shot, of those that are planned: the one in the cut, unless it edits another.

    None if there is none; of a shot that cannot be planned, one that stands for it.
    """
    if shot.upstream is None:
        return None
    if shot.upstream not in made:
        return Upstream("unsupported")
    before, takes = made[shot.upstream]
    if shot.edits_another:
        return as_edited(takes[(shot.edited_take or before.circled_take) - 1])
    return as_upstream(takes[before.circled_take - 1])


def as_upstream(take: PlannedTake) -> Upstream:
    """A take as the one that another continues: whichever service makes it, its clip has at least these seconds."""
    return Upstream(take.identity, min(candidate.request.seconds for candidate in take.candidates))


def as_edited(take: PlannedTake) -> Upstream:
    """A take as the one that another is an edit of: whichever service makes it, no more than these seconds are paid."""
    return Upstream(take.identity, max(candidate.request.seconds for candidate in take.candidates))


def anchor_of(shot: Shot, continued: frozenset[str]) -> Anchor:
    """The end of a shot's clip that must be in the cut; `continued` are the slates that other shots continue."""
    if shot.continues:
        return "first"
    return "last" if shot.shot in continued or shot.last_frame else "free"


def upstream_first(shots: Iterable[Shot]) -> Iterator[Shot]:
    """Every shot after the one that it continues. The reader has refused cycles."""
    by_slate = {shot.shot: shot for shot in shots}
    done: set[str] = set()
    for shot in by_slate.values():
        chain = [shot]
        while (upstream := chain[-1].upstream) and upstream not in done:
            chain.append(by_slate[upstream])
        for link in reversed(chain):
            if link.shot not in done:
                done.add(link.shot)
                yield link


def chain_lengths(shots: Iterable[Shot]) -> dict[str, int]:
    """For each shot, the number of shots in the chain that ends with it."""
    lengths: dict[str, int] = {}
    for shot in upstream_first(shots):
        lengths[shot.shot] = lengths[shot.continues.shot] + 1 if shot.continues else 1
    return lengths
