"""Selects the takes that a run makes: `1B`, `1A+`, `scene:2`, `state:new`, `changed`, `draft:approved`, or several."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from typing import get_args
from unicodedata import normalize

from storyreel.flows.planning.candidate import TakeState
from storyreel.flows.planning.model import PlannedTake
from storyreel.specs.derived.pictures import sheets_of, stills_of
from storyreel.specs.derived.speech import lines_to_speak
from storyreel.specs.errors import StoryreelError
from storyreel.specs.language.slates import owner_of
from storyreel.specs.problems.phrases import listed, suggestion
from storyreel.specs.storyboard import Storyboard

OF_APPROVED_DRAFTS = "draft:approved"
"""Selects the takes whose drafts are approved."""
STILLS = "stills"
"""Selects all stills and sheets."""
SPEECH = "speech"
"""Selects all lines that a service speaks."""


class NothingSelected(StoryreelError):
    """A part of a selection matches nothing in the film."""


Selected = frozenset[tuple[str, int]]
"""Takes by shot and number."""


def select_takes(
    terms: Iterable[str], takes: Sequence[PlannedTake], approved: Callable[[], Selected] | None = None
) -> Selected:
    """The selected takes, with the takes that they continue and that are not made yet, and those that their orders are
    for, too.

    Each term may hold several, separated by commas. `approved` gives the takes whose drafts are approved, for
    `draft:approved`; None if the film has no draft, or this is it. Raises NothingSelected.
    """
    chosen: set[tuple[str, int]] = set()
    for term in terms_of(terms):
        if term == OF_APPROVED_DRAFTS:
            finals = _of_approved_drafts(approved)
            shots = {shot for shot, _ in finals}
            in_shapes = (take for take in takes if take.deliverable and _belongs_to(take) in shots)
            chosen |= finals | {(take.shot, take.take) for take in in_shapes}
            continue
        chosen.update((take.shot, take.take) for take in takes if _condition(term, takes)(take))
    return frozenset(chosen | _needed(chosen, takes) | _bought_with(chosen, takes))


def _of_approved_drafts(approved: Callable[[], Selected] | None) -> Selected:
    if approved is None:
        hint = "leave out --draft, or write `draft` into the storyboard"
        raise NothingSelected(f"`{OF_APPROVED_DRAFTS}` is for the finals of a film that has a `draft`", hint=hint)
    if found := approved():
        return found
    hint = "storyreel render --draft makes the drafts, storyreel review --draft approves them"
    raise NothingSelected("no draft of the film's takes is approved", hint=hint)


def terms_of(selection: Iterable[str]) -> list[str]:
    """The single terms of a selection, of which each part may hold several, separated by commas."""
    return [part.strip() for written in selection for part in normalize("NFC", written).split(",")]


def slates_of_selection(takes: Iterable[PlannedTake], deliverables: Collection[str]) -> list[str]:
    """The slates that select the takes of a plan in another plan of its film, with the same deliverables asked for."""
    return list(
        dict.fromkeys(
            take.shot
            for take in takes
            if not take.is_stand_in
            # What is drawn for a deliverable follows the film's shot.
            and (not take.deliverable or (take.deliverable in deliverables and not take.is_redrawn))
        )
    )


def selectable(film: Storyboard) -> list[str]:
    """The terms that a film can be selected by: its shots and those with continuations, its scenes, the states."""
    continued = {shot.upstream for shot in film.all_shots}
    slates = [shot.shot for shot in film.all_shots]
    pictures = [*sheets_of(film, film.all_shots), *chain.from_iterable(map(stills_of, film.all_shots))]
    lines = [line.shot for line in lines_to_speak(film)]
    return [
        *slates,
        *(f"{slate}+" for slate in slates if slate in continued),
        *(f"scene:{scene.scene}" for scene in film.scenes),
        *(picture.shot for picture in pictures),
        *((STILLS,) if pictures else ()),
        *lines,
        *((SPEECH,) if lines else ()),
        "changed",
        *(f"state:{state}" for state in get_args(TakeState)),
        *((OF_APPROVED_DRAFTS,) if film.draft else ()),
    ]


def _condition(term: str, takes: Sequence[PlannedTake]) -> Callable[[PlannedTake], bool]:
    slates = {take.shot for take in takes}
    if term in slates:
        return lambda take: term in (take.shot, _belongs_to(take))
    if term == STILLS:
        return lambda take: take.is_picture
    if term == SPEECH:
        return lambda take: take.kind == "speech"
    if term == "changed":
        return lambda take: bool(take.chosen.changes)
    kind, colon, name = term.partition(":")
    if colon and kind == "scene":
        return _in_scene(name, takes)
    if colon and kind == "state":
        return _in_state(name)
    if term.endswith("+") and term[:-1] in slates:
        continuations = _with_continuations(term[:-1], takes)
        return lambda take: _belongs_to(take) in continuations
    near = suggestion(term.rstrip("+"), slates, "write a shot, `1A+`, `scene:2`, `state:new` or `changed`")
    raise NothingSelected(f"there is no shot `{term}`", hint=near)


def _belongs_to(take: PlannedTake) -> str:
    """The slate of the shot with which a take is selected: narration is heard over a shot, whatever that is made of,
    and a deliverable that is made shows it. Stills are selected by themselves, or as a shot needs them."""
    is_of_shot = take.kind == "speech" or (take.kind == "clip" and take.deliverable)
    return owner_of(take.shot) if is_of_shot else take.shot


def _in_scene(name: str, takes: Sequence[PlannedTake]) -> Callable[[PlannedTake], bool]:
    scenes = dict.fromkeys(take.scene for take in takes if take.scene)
    if name not in scenes:
        known = f"there are {listed(tuple(scenes), 'and')}" if scenes else "the film has none"
        raise NothingSelected(f"there is no scene `{name}`", hint=suggestion(name, scenes, known))
    return lambda take: take.scene == name


def _in_state(name: str) -> Callable[[PlannedTake], bool]:
    states = get_args(TakeState)
    if name not in states:
        hint = suggestion(name, states, f"write {listed(states)}")
        raise NothingSelected(f"there is no state `{name}`", hint=hint)
    return lambda take: take.state == name


def _with_continuations(slate: str, takes: Sequence[PlannedTake]) -> set[str]:
    """A shot and all shots that continue it, directly or through others."""
    continued_by: dict[str, set[str]] = {}
    same = _by_identity(takes)
    for take in takes:
        for before in same[take.continues] if take.continues else ():
            continued_by.setdefault(owner_of(before.shot), set()).add(owner_of(take.shot))
    found, open_ = {slate}, [slate]
    while open_:
        further = continued_by.get(open_.pop(), set()) - found
        found |= further
        open_ += further
    return found


def _needed(chosen: Iterable[tuple[str, int]], takes: Sequence[PlannedTake]) -> set[tuple[str, int]]:
    """The takes that chosen ones continue or are made of, directly or through others, and that are not made yet."""
    by_name = {(take.shot, take.take): take for take in takes}
    same = _by_identity(takes)
    needed: set[tuple[str, int]] = set()
    open_ = [by_name[name] for name in chosen]
    while open_:
        take = open_.pop()
        for before in chain.from_iterable(same[each] for each in take.needs) if take.state == "new" else ():
            if before.state != "cached" and (before.shot, before.take) not in needed:
                needed.add((before.shot, before.take))
                open_.append(before)
    return needed


def _bought_with(chosen: Iterable[tuple[str, int]], takes: Sequence[PlannedTake]) -> set[tuple[str, int]]:
    """The takes that are bought with chosen ones, as they have the same request."""
    names = set(chosen)
    keys = {take.key for take in takes if (take.shot, take.take) in names and not take.chosen.is_free}
    return {(take.shot, take.take) for take in takes if take.key in keys}


def _by_identity(takes: Iterable[PlannedTake]) -> dict[str, list[PlannedTake]]:
    """The takes by their identities, which those with the same request share."""
    found: dict[str, list[PlannedTake]] = {}
    for take in takes:
        found.setdefault(take.identity, []).append(take)
    return found
