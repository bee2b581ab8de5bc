"""A storyboard with mistakes, made whole without them, so that the rest of it can be checked as well.

What is wrong is taken out, what is missing is stood in for. Nothing but more problems comes of the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from storyreel.specs.problems.problem import MOST_PROBLEMS, KeyPath, Problem
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.validation import messages
from storyreel.specs.yaml.tree import Entry, Node, Positions

_ROUNDS = 8
_HARMLESS = frozenset({"title", "storyboard", "look", "vars", "music"})
_UNDERLYING = (("cast",), ("locations",))
_STAND_INS: Mapping[str, str | int] = {"title": "untitled", "storyboard": 1, "action": "…"}


def validated(root: Node, file: str) -> tuple[Storyboard | None, list[Problem], frozenset[str]]:
    """The storyboard of a tree, what the models refuse of it, and the slates of the shots that this has touched.

    None when too little is left of it.
    """
    places = Positions(file, root)
    problems: list[Problem] = []
    touched: set[str] = set()
    halves_touched = False
    for round_ in range(_ROUNDS):
        try:
            return Storyboard.model_validate(root.plain()), problems, frozenset(touched)
        except ValidationError as refused:
            errors = [error for error in refused.errors(include_url=False) if not _is_echo(error)][:MOST_PROBLEMS]
        if round_ == 0:
            problems += [messages.problem(error, places) for error in errors]
            halves_touched = any(messages.place_of(error)[:1] in (("scenes",), ("shots",)) for error in errors)
        whole = any(not error["loc"] for error in errors)
        if whole and round_ and not halves_touched:
            problems += [messages.problem(error, places) for error in errors if not error["loc"]]
        if whole or len(errors) == MOST_PROBLEMS or any(messages.place_of(error) in _UNDERLYING for error in errors):
            break
        for error in errors:
            touched |= _touched(root, messages.place_of(error), error["type"])
        edits = dict(_edit(root, error, f"unnamed-{round_}-{number}") for number, error in enumerate(errors))
        touched |= {str(node.value) for place, node in edits.items() if node and place[-1] == "shot"}
        root = _edited(root, (), edits, {place[:end] for place in edits for end in range(len(place))})
    return None, problems, frozenset(touched)


def _is_echo(error: ErrorDetails) -> bool:
    """A list of which no element is right is called too short as well."""
    return error["type"] == "too_short" and bool(error["input"])


def _touched(root: Node, place: KeyPath, kind: str) -> set[str]:
    """The slates of the shots whose meaning changes when the value at a place is taken out."""
    if place[0] in _HARMLESS or (place[0] in ("cast", "locations") and kind == "extra_forbidden"):
        return set()
    if place[0] == "shots" and len(place) > 1:
        return _slates([root.at(place[:2])])
    if place[0] == "scenes" and len(place) > 2 and place[2] == "shots":
        return _slates([root.at(place[:4])] if len(place) > 3 else [])
    scenes = [root.at(place[:2])] if place[0] == "scenes" and len(place) > 1 else (root.child("scenes") or root).items
    scene_shots = [shots for scene in scenes if scene and (shots := scene.child("shots"))]
    film_shots = root.child("shots") if place[0] != "scenes" else None
    return _slates(shot for shots in [*scene_shots, film_shots] if shots for shot in shots.items)


def _slates(shots: Iterable[Node | None]) -> set[str]:
    slates = (shot.child("shot") for shot in shots if shot)
    return {str(getattr(slate.value, "text", slate.value)) for slate in slates if slate}


Edits = Mapping[KeyPath, Node | None]
"""What is put at a place; None for nothing."""


def _edit(root: Node, error: ErrorDetails, unnamed: str) -> tuple[KeyPath, Node | None]:
    """What makes an error go away. A slate that is missing becomes `unnamed`."""
    place = messages.place_of(error)
    if error["type"] == "missing":
        key, around = place[-1], root.at(place[:-1]) or root
        if key in ("shot", "scene"):
            return place, around.reading(unnamed)
        return (place, around.reading(_STAND_INS[str(key)])) if key in _STAND_INS else (place[:-1], None)
    while (node := root.at(place)) is None:
        place = place[:-1]
    # Somebody with a mistake stays known, with nothing to them; somebody whose name is none cannot.
    known = place[:-1] in _UNDERLYING and error["loc"][-1] != messages.KEY
    return place, node.holding({}) if known else None


def _edited(node: Node, here: KeyPath, edits: Edits, on_the_way: Set[KeyPath]) -> Node:
    """A node with the edits below it made; `on_the_way` are the places that have any."""
    if here not in on_the_way:
        return node
    if node.items:
        items = [((*here, number), item) for number, item in enumerate(node.items)]
        return node.holding([_edited(item, place, edits, on_the_way) for place, item in items if place not in edits])
    entries = {
        key: entry.holding(_edited(entry.node, (*here, key), edits, on_the_way))
        for key, entry in node.entries.items()
        if (*here, key) not in edits
    }
    return node.holding(entries | _put(node, here, edits))


def _put(node: Node, here: KeyPath, edits: Edits) -> dict[str, Entry]:
    """What the edits put into a mapping."""
    keys = [*node.entries, *_STAND_INS, "shot", "scene"]
    return {key: Entry(node.line, node.column, new) for key in keys if (new := edits.get((*here, key)))}
