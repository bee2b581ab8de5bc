"""Defaults flow down: from the film to its scenes, from a scene to its shots, and a shot's own word wins."""

from __future__ import annotations

from storyreel.specs.problems.problem import Position, Problem, StoryboardError
from storyreel.specs.storyboard import ShotDefaults
from storyreel.specs.yaml.tree import HEAVIEST, Entry, Node

Entries = dict[str, Entry]


def cascade(root: Node, file: str) -> Node:
    """The tree with every shot's defaults written into it, each at the place that it came from.

    Raises StoryboardError when that makes the film heavier than any can need.
    """
    film = _of_the_film(root) | _defaults(root)
    entries = dict(root.entries)
    first = True
    if shots := entries.get("shots"):
        entries["shots"] = shots.with_node(_filled(shots.node, film, first))
        first = first and not shots.node.items
    if scenes := entries.get("scenes"):
        played = []
        for scene in scenes.node.items:
            played.append(_played(scene, film, first))
            first = False
        entries["scenes"] = scenes.with_node(scenes.node.with_children(played) if played else scenes.node)
    if not entries:
        return root
    full = root.with_children(entries)
    if full.weight > HEAVIEST:
        where = root.at(("defaults",)) or root
        raise StoryboardError(
            [
                Problem(
                    Position(file, where.line, where.column),
                    "with the defaults in every shot the film holds more than one can need",
                    "make the defaults smaller, or split the film",
                )
            ]
        )
    return full


def _played(scene: Node, film: Entries, first: bool) -> Node:
    """A scene with its shots filled in. The scene's location stands above its defaults."""
    inherited = _nearer(film, _defaults(scene))
    if location := scene.entries.get("location"):
        inherited |= {"location": location}
    shots = scene.entries.get("shots")
    if not shots:
        return scene
    return scene.with_children(scene.entries | {"shots": shots.with_node(_filled(shots.node, inherited, first))})


def _filled(shots: Node, inherited: Entries, first: bool) -> Node:
    if not shots.items or not inherited:
        return shots
    return shots.with_children(
        [_shot(shot, inherited, first and number == 0) for number, shot in enumerate(shots.items)]
    )


def _shot(shot: Node, inherited: Entries, first: bool) -> Node:
    own = shot.entries
    if not own:
        return shot
    entries = _nearer(inherited, own)
    # What a shot says of its beginning stands against a default picture to begin with.
    if "continues" in own and "first_frame" not in own:
        entries.pop("first_frame", None)
    # The first shot has nothing to dissolve from, and need not say so.
    if first and "transition" not in own and "transition" in entries and _is_dissolve(entries["transition"].node):
        del entries["transition"]
    return shot.with_children(entries)


def _nearer(inherited: Entries, own: Entries) -> Entries:
    """What is inherited with what stands nearer in its place; `provider` and `providers` say the same thing."""
    entries = inherited | own
    for written, other in _SAME.items():
        if written in own and other not in own:
            entries.pop(other, None)
    return entries


def _of_the_film(root: Node) -> Entries:
    """What the film says at its top for all shots; its defaults stand nearer."""
    return {key: entry for key, entry in root.entries.items() if key in _FOR_ALL}


def _defaults(around: Node) -> Entries:
    """The keys of `defaults` that shots have; what else stands there is named by the models."""
    defaults = around.at(("defaults",))
    return {key: entry for key, entry in (defaults.entries if defaults else {}).items() if key in _KEYS}


def _is_dissolve(transition: Node) -> bool:
    kind = transition.at(("type",)) or transition
    return kind.value == "dissolve"


_KEYS = frozenset(ShotDefaults.model_fields)
_FOR_ALL = frozenset({"review"})
"""Keys of the film that mean every shot."""
_SAME = {"provider": "providers", "providers": "provider"}
"""Keys that say the same thing in two ways."""
