"""Writes defaults into the shots: those of the film, over them those of the scene, over them the shot's own values."""

from __future__ import annotations

from collections.abc import Iterable

from storyreel.specs.language.speech import SPEECH
from storyreel.specs.language.titles import CARDS, NOT_OF_CARDS
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import ShotDefaults
from storyreel.specs.yaml.tree import HEAVIEST, Entry, Node

Entries = dict[str, Entry]


def cascade(root: Node, file: str) -> Node:
    """The tree with defaults in every shot, positions kept. Raises StoryboardError if too heavy, see `Node.weight`."""
    # The film's `defaults` take precedence over what it says for all shots.
    film = {key: entry for key, entry in root.entries.items() if key in _OF_EVERY_SHOT} | _defaults(root)
    entries = dict(root.entries)
    if shots := entries.get("shots"):
        entries["shots"] = shots.with_node(_shots(shots.node, film, first=True))
    if scenes := entries.get("scenes"):
        first = not (shots and shots.node.items)
        filled = [_scene(scene, film, first and number == 0) for number, scene in enumerate(scenes.node.items)]
        entries["scenes"] = scenes.with_node(scenes.node.with_children(filled) if filled else scenes.node)
    if not entries:
        return root
    full = root.with_children(entries)
    if full.weight > HEAVIEST:
        where = root.at(("defaults",)) or root
        message = "with the defaults in every shot the film holds more than is read"
        raise StoryboardError([Problem(where.position(file), message, "make the defaults smaller, or split the film")])
    return full


def _scene(scene: Node, film: Entries, first: bool) -> Node:
    """A scene with defaults in its shots. Its `location` is one of its defaults, too."""
    inherited = _override(film, _defaults(scene))
    if location := scene.entries.get("location"):
        inherited |= {"location": location}
    shots = scene.entries.get("shots")
    if not shots:
        return scene
    return scene.with_children(scene.entries | {"shots": shots.with_node(_shots(shots.node, inherited, first))})


def _shots(shots: Node, inherited: Entries, first: bool) -> Node:
    if not shots.items or not inherited:
        return shots
    return shots.with_children(
        [_shot(shot, inherited, first and number == 0) for number, shot in enumerate(shots.items)]
    )


def _shot(shot: Node, inherited: Entries, first: bool) -> Node:
    own = shot.entries
    if not own:
        return shot
    if any(key in own for key in CARDS):
        inherited = {key: entry for key, entry in inherited.items() if key not in _NOT_INHERITED_BY_CARDS}
        # Over most cards nothing is said.
        if "duration" in inherited and inherited["duration"].node.value == SPEECH and own.keys().isdisjoint(_SPOKEN):
            del inherited["duration"]
    entries = _override(inherited, own)
    # A shot that continues another begins with that one's last frame, not with a default picture.
    if "continues" in own:
        _drop(("first_frame", "still"), entries, own)
    # An edit of another shot's take has all that from there.
    if (edited := shot.at(("edit", "of"))) and _word(edited) not in ("", _word(shot.at(("shot",)) or edited)):
        _drop(("first_frame", "last_frame", "still", "last_still"), entries, own)
    # The first shot has nothing to dissolve from.
    if first and "transition" not in own and "transition" in entries and _is_dissolve(entries["transition"].node):
        del entries["transition"]
    return shot.with_children(entries)


def _drop(keys: Iterable[str], entries: Entries, own: Entries) -> None:
    """Remove keys that a shot has from its defaults alone."""
    for key in keys:
        if key not in own:
            entries.pop(key, None)


def _override(inherited: Entries, own: Entries) -> Entries:
    """Inherited values, overridden by own ones; `provider` and `providers` override each other, as do a picture that is
    given and one that is made."""
    entries = inherited | own
    if own.keys().isdisjoint(_REPLACING):
        return entries
    for of_file, of_still in (("first_frame", "still"), ("last_frame", "last_still")):
        if of_file in own:
            _drop((of_still,), entries, own)
        elif of_still in own and own[of_still].node.value is not False:
            _drop((of_file,), entries, own)
    for key, other in _ALTERNATIVES.items():
        if key in own and other not in own:
            entries.pop(other, None)
    return entries


def _defaults(around: Node) -> Entries:
    """The keys of `defaults` that shots have; validation reports all others."""
    defaults = around.at(("defaults",))
    return {key: entry for key, entry in (defaults.entries if defaults else {}).items() if key in _KEYS}


def _word(node: Node) -> str:
    return str(getattr(node.value, "text", node.value) or "")


def _is_dissolve(transition: Node) -> bool:
    kind = transition.at(("type",)) or transition
    return kind.value == "dissolve"


_KEYS = frozenset(ShotDefaults.model_fields)
_OF_EVERY_SHOT = frozenset({"review"})
_ALTERNATIVES = {"provider": "providers", "providers": "provider"}
_REPLACING = frozenset({*_ALTERNATIVES, "first_frame", "last_frame", "still", "last_still"})
"""The keys whose value removes that of another key."""
_SPOKEN = frozenset({"dialogue", "narration", "sound"})
_NOT_INHERITED_BY_CARDS = NOT_OF_CARDS | _SPOKEN
"""Fields that a card does not inherit: what is said belongs to shots that show who says it."""
