"""The storyboard of a tree with mistakes: each mistake is taken out, so that the rest can be checked in the same run.

A required key that is missing gets a placeholder. The result is for finding more problems only, never for a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from storyreel.specs.language.models import Format, Look
from storyreel.specs.language.titles import CARDS, Card, Credits
from storyreel.specs.problems.problem import MOST_PROBLEMS, KeyPath, Problem
from storyreel.specs.storyboard import Shot, ShotDefaults, Storyboard
from storyreel.specs.validation.messages import KEY, Language, Text, errors_of, path_of, problems
from storyreel.specs.yaml.tree import Entry, Node, Positions

_ROUNDS = 8
_SAFE = frozenset({"title", "storyboard", "look", "vars", "music", "ambience", "sound", "lettering", "titles"})
"""Keys of the film whose removal changes no shot."""
_NAMED = (("cast",), ("locations",))
_PLACEHOLDERS: Mapping[str, str | int] = {"title": "untitled", "storyboard": 1, "action": "…"}

_OF_CARDS = frozenset(Card.model_fields) | frozenset(Credits.model_fields)
_OF_SHOTS_ALONE = frozenset(Shot.model_fields) - frozenset(ShotDefaults.model_fields)

_OF_FILM: Mapping[str | int, str] = {
    **dict.fromkeys(Format.model_fields, "format"), **dict.fromkeys(Look.model_fields, "look"),
}  # fmt: skip
"""The sections of the film that hold what is often looked for in shots, by key."""

Edits = Mapping[KeyPath, Node | None]
"""The node to put at a path; None to remove what is there."""


def _explain_key(path: KeyPath) -> Text | None:
    if path[-1] == "<<":
        return "`<<` merges nothing here", "put what shots share under `defaults`"
    if path[-2:-1] == ("defaults",) and path[-1] in _OF_SHOTS_ALONE:
        return f"`{path[-1]}` cannot be a default", "write it in each shot"
    if len(path) == 1 and path[0] in CARDS:
        return f"`{path[0]}` is a key of shots", f"write it as one of the `shots`: `- {path[0]}: …`"
    if len(path) == 1 and path[0] in ShotDefaults.model_fields:
        return f"`{path[0]}` is a key of shots", f"write it in a shot, or for all shots as `defaults: {{{path[0]}: …}}`"
    if path[-3:-2] == ("shots",) and path[-1] in _OF_CARDS:
        key = "card" if path[-1] in Card.model_fields else "credits"
        return f"`{path[-1]}` is a key of `{key}`", f"write it inside: `{key}: {{{path[-1]}: …}}`"
    is_of_shots = path[-2:-1] == ("defaults",) or path[-3:-2] == ("shots",)
    if (section := _OF_FILM.get(path[-1])) and (is_of_shots or len(path) == 1):
        wanted = "the shot's `action` says what happens; for the whole film write" if path[-1] == "prompt" else "write"
        return f"`{path[-1]}` is a key of `{section}`", f"{wanted} `{section}: {{{path[-1]}: …}}`"
    if path[-1] == "ambience":
        return "`ambience` is a key of scenes, or of a film without any", "write it beside the `scene`"
    if path[-1] == "sheet":
        return "`sheet` is a key of cast members and locations", "write it where the person or place is described"
    if path[-1] in ("still", "last_still") and path[0] in ("cast", "locations"):
        return f"`{path[-1]}` is a key of shots", "of a person or a place it is a `sheet`"
    return None


STORYBOARD = Language(
    model=Storyboard,
    name="storyboard",
    beginning="a film begins with `storyboard: 1`, the version of the language",
    explain_key=_explain_key,
)


class Recovered(NamedTuple):
    """A storyboard without its mistakes."""

    storyboard: Storyboard | None
    """None if too little is left."""
    root: Node
    """The tree that it was made from."""
    problems: list[Problem]
    altered: frozenset[str]
    """The slates of the shots that a mistake was taken out of."""


def recover(root: Node, file: str) -> Recovered:
    """Validate a tree, and take mistakes out until the rest is valid."""
    positions = Positions(file, root)
    found: list[Problem] = []
    altered: set[str] = set()
    halves_altered = False
    for round_ in range(_ROUNDS):
        try:
            return Recovered(Storyboard.model_validate(root.to_python()), root, found, frozenset(altered))
        except ValidationError as refused:
            errors = errors_of(refused)[:MOST_PROBLEMS]
        whole = [error for error in errors if not error["loc"]]
        if round_ == 0:
            halves_altered = any(path_of(error)[:1] in (("scenes",), ("shots",)) for error in errors)
            new = errors
        else:
            new = whole if not halves_altered else []
        found += [problem for error in new for problem in problems(error, positions, STORYBOARD)]
        if whole or len(errors) == MOST_PROBLEMS or any(path_of(error) in _NAMED for error in errors):
            break
        for error in errors:
            altered |= _altered(root, path_of(error), error["type"])
        edits = dict(_edit(root, error, f"unnamed-{round_}-{number}") for number, error in enumerate(errors))
        altered |= {str(node.value) for path, node in edits.items() if node and path[-1] == "shot"}
        root = _edited(root, (), edits, {path[:end] for path in edits for end in range(len(path))})
    return Recovered(None, root, found, frozenset(altered))


def _altered(root: Node, path: KeyPath, kind: str) -> set[str]:
    """The slates of the shots whose meaning changes when the value at a path is removed."""
    if path[0] in _SAFE or (path[0] in ("cast", "locations") and kind == "extra_forbidden"):
        return set()
    if path[0] == "shots" and len(path) > 1:
        return _slates([root.at(path[:2])])
    if path[0] == "scenes" and len(path) > 2 and path[2] == "shots":
        return _slates([root.at(path[:4])] if len(path) > 3 else [])
    scenes = [root.at(path[:2])] if path[0] == "scenes" and len(path) > 1 else (root.child("scenes") or root).items
    scene_shots = [shots for scene in scenes if scene and (shots := scene.child("shots"))]
    film_shots = root.child("shots") if path[0] != "scenes" else None
    return _slates(shot for shots in [*scene_shots, film_shots] if shots for shot in shots.items)


def _slates(shots: Iterable[Node | None]) -> set[str]:
    slates = (shot.child("shot") for shot in shots if shot)
    return {str(getattr(slate.value, "text", slate.value)) for slate in slates if slate}


def _edit(root: Node, error: ErrorDetails, unnamed: str) -> tuple[KeyPath, Node | None]:
    """The edit that removes an error. A missing slate becomes `unnamed`."""
    path = path_of(error)
    if error["type"] == "missing":
        key, around = path[-1], root.at(path[:-1]) or root
        if key in ("shot", "scene"):
            return path, around.with_scalar(unnamed)
        return (path, around.with_scalar(_PLACEHOLDERS[str(key)])) if key in _PLACEHOLDERS else (path[:-1], None)
    while (node := root.at(path)) is None:
        path = path[:-1]
    # The name of a cast member or location stays known when the value is wrong, but not when the name is.
    known = path[:-1] in _NAMED and error["loc"][-1] != KEY
    return path, node.with_children({}) if known else None


def _edited(node: Node, here: KeyPath, edits: Edits, parents: Set[KeyPath]) -> Node:
    """A node with the edits below it made; `parents` are the paths that have any."""
    if here not in parents:
        return node
    if node.items:
        items = [((*here, number), item) for number, item in enumerate(node.items)]
        return node.with_children([_edited(item, path, edits, parents) for path, item in items if path not in edits])
    entries = {
        key: entry.with_node(_edited(entry.node, (*here, key), edits, parents))
        for key, entry in node.entries.items()
        if (*here, key) not in edits
    }
    keys = [*node.entries, *_PLACEHOLDERS, "shot", "scene"]
    put = {key: Entry(node.line, node.column, new) for key in keys if (new := edits.get((*here, key)))}
    return node.with_children(entries | put)
