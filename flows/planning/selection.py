"""Which shots a run is to make: `1B`, `1A+`, `scene:2`, `state:new`, `changed`, and any of these together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import get_args

from storyreel.flows.planning.model import PlannedTake, TakeState
from storyreel.specs.problems.phrases import listed, suggestion


class NothingSelected(Exception):
    """A selection that means no shot of the film. The message says which part, and what could be meant."""


def select_takes(terms: Iterable[str], takes: Sequence[PlannedTake]) -> frozenset[tuple[str, int]]:
    """The takes, by shot and number, that a selection means; what they continue and is not there is among them.

    Each term may hold several, parted by commas. Raises NothingSelected.
    """
    chosen: set[tuple[str, int]] = set()
    for term in (part.strip() for written in terms for part in written.split(",")):
        chosen.update((take.shot, take.take) for take in takes if _meaning(term, takes)(take))
    return frozenset(chosen | _needed(chosen, takes))


def _meaning(term: str, takes: Sequence[PlannedTake]) -> Callable[[PlannedTake], bool]:
    """Whether a take is meant by a term."""
    slates = {take.shot for take in takes}
    if term in slates:
        return lambda take: take.shot == term
    if term == "changed":
        return lambda take: bool(take.chosen.changes)
    kind, colon, name = term.partition(":")
    if colon and kind == "scene":
        return _in_scene(name, takes)
    if colon and kind == "state":
        return _in_state(name)
    if term.endswith("+") and term[:-1] in slates:
        onwards = _onwards(term[:-1], takes)
        return lambda take: take.shot in onwards
    near = suggestion(term.rstrip("+"), slates, "write a shot, `1A+`, `scene:2`, `state:new` or `changed`")
    raise NothingSelected(f"there is no shot `{term}`; {near}")


def _in_scene(name: str, takes: Sequence[PlannedTake]) -> Callable[[PlannedTake], bool]:
    scenes = dict.fromkeys(take.scene for take in takes if take.scene)
    if name not in scenes:
        there = f"there are {listed(tuple(scenes), 'and')}" if scenes else "the film has none"
        raise NothingSelected(f"there is no scene `{name}`; {suggestion(name, scenes, there)}")
    return lambda take: take.scene == name


def _in_state(name: str) -> Callable[[PlannedTake], bool]:
    states = get_args(TakeState)
    if name not in states:
        raise NothingSelected(f"there is no state `{name}`; {suggestion(name, states, f'write {listed(states)}')}")
    return lambda take: take.state == name


def _onwards(slate: str, takes: Sequence[PlannedTake]) -> set[str]:
    """A shot, what continues it, what continues that, and so on."""
    after: dict[str, set[str]] = {}
    shots = _shots_by_identity(takes)
    for take in takes:
        if take.continues:
            after.setdefault(shots[take.continues], set()).add(take.shot)
    found, open_ = {slate}, [slate]
    while open_:
        further = after.get(open_.pop(), set()) - found
        found |= further
        open_ += further
    return found


def _needed(chosen: Iterable[tuple[str, int]], takes: Sequence[PlannedTake]) -> set[tuple[str, int]]:
    """The takes that chosen ones begin with, and that are not there yet."""
    by_name = {(take.shot, take.take): take for take in takes}
    by_identity = {take.identity: take for take in takes}
    needed: set[tuple[str, int]] = set()
    open_ = [by_name[name] for name in chosen]
    while open_:
        take = open_.pop()
        if not take.continues or take.state != "new":
            continue
        before = by_identity[take.continues]
        if before.state != "cached" and (before.shot, before.take) not in needed:
            needed.add((before.shot, before.take))
            open_.append(before)
    return needed


def _shots_by_identity(takes: Sequence[PlannedTake]) -> Mapping[str, str]:
    return {take.identity: take.shot for take in takes}
