"""Writes another cut into a storyboard's text: the order of its shots, the parts of their takes, transitions, takes.

Comments and layout stay: a shot is moved with the lines that it is written in and the comments above them. The new text
is read again, and is returned only if it says the cut that was asked for, and the rest as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import yaml

from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.problem import KeyPath, Problem, StoryboardError
from storyreel.specs.reading import NO_VARS, from_tree
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.yaml.edits import MappingText, NewValue, apply_edits
from storyreel.specs.yaml.pairs import events
from storyreel.specs.yaml.tree import parse

_BLANK = " \t\r\n"


class Recut(Frozen):
    """A change of a film's cut."""

    order: tuple[str, ...]
    """The slates of the shots in the new cut, in their order."""
    values: Mapping[str, Mapping[str, NewValue]]
    """The keys that change, with their values, by slate; None removes a key."""
    ending: Mapping[str, str] | None = None
    """The new ending; None if it stays."""


def recut(text: str, film: Storyboard, wanted: Recut, set_vars: Mapping[str, str] = NO_VARS) -> tuple[str, Storyboard]:
    """The text with another cut, and what it says. `film` is the storyboard of `text`, read with `set_vars`.

    Raises StoryboardError for a cut that the storyboard cannot say, or a text that cannot be edited on its own.
    """
    wanted = _without_pads(text, film, _with_slates(text, film, wanted))
    text = _with_order(_with_values(text, film, wanted), film, wanted.order)
    again = _read(text, film, set_vars)
    shots = {shot.shot: shot for shot in film.all_shots}
    # A default transition does not apply to the first shot, whichever that is.
    changed = {slate: {"transition", *wanted.values.get(slate, ())} for slate in wanted.order}
    said = [(shot.shot, shot.model_dump(exclude=changed.get(shot.shot))) for shot in again.all_shots]
    if said != [(slate, shots[slate].model_dump(exclude=changed[slate])) for slate in wanted.order]:
        message = "the shots are written in a way that cannot be reordered without changing more than their order"
        raise _error(film, message, "reorder them by hand")
    return text, again


def _with_slates(text: str, film: Storyboard, wanted: Recut) -> Recut:
    """The change that also writes the slates of cards without one, where they would be counted in another order."""
    cards = [card.shot for card in film.all_shots if card.is_card]
    counted = [slate for slate in cards if "shot" not in MappingText(text, film.where_shot(slate)).keys]
    kept = [slate for slate in wanted.order if slate in counted]
    if kept == counted[: len(kept)]:
        return wanted
    values = {slate: {**wanted.values.get(slate, {}), "shot": slate} for slate in kept}
    return wanted.model_copy(update={"values": {**wanted.values, **values}})


def _without_pads(text: str, film: Storyboard, wanted: Recut) -> Recut:
    """The change that also removes the `pad` of shots which get a length of their own, where it may not be."""
    padded = [
        slate
        for slate, values in wanted.values.items()
        if "duration" in values and "pad" in MappingText(text, film.where_shot(slate)).keys
    ]
    values = {slate: {**wanted.values[slate], "pad": None} for slate in padded}
    return wanted.model_copy(update={"values": {**wanted.values, **values}})


def _with_values(text: str, film: Storyboard, wanted: Recut) -> str:
    edits = []
    for slate, values in wanted.values.items():
        mapping = MappingText(text, film.where_shot(slate))
        if not mapping.keys:
            raise _error(film, f"shot {slate} is written in a way that cannot be edited", "write it out by hand", slate)
        edits += mapping.edits({key: _plain(value) for key, value in values.items()}, inherited=False)
        if not all(key in mapping.keys or value is not None for key, value in values.items()):
            raise _error(film, f"what shot {slate} has from its defaults cannot be removed", "edit it by hand", slate)
    if wanted.ending is not None:
        edits += MappingText(text, film.where()).edits({"ending": _plain(wanted.ending)}, inherited=False)
    return apply_edits(text, sorted(edits))


def _plain(value: NewValue) -> NewValue:
    """A mapping of one key that has a shorthand as that alone: `{type: cut}` as `cut`."""
    if isinstance(value, Mapping) and set(value) == {"type"}:
        return value["type"]
    return value


def _with_order(text: str, film: Storyboard, order: Sequence[str]) -> str:
    """The text with its shots, and the scenes that they are in, in this order; shots that are missing are taken out."""
    if [shot.shot for shot in film.all_shots] == list(order):
        return text
    if film.shots:
        return _reordered(text, film, ("shots",), [shot.shot for shot in film.shots], order)
    scenes = [scene.scene for scene in film.scenes]
    scene_of = {shot.shot: scene.scene for scene in film.scenes for shot in scene.shots}
    visited = [scene_of[slate] for slate in order]
    runs = [scene for number, scene in enumerate(visited) if not number or visited[number - 1] != scene]
    if len(runs) != len(set(runs)):
        split = next(scene for number, scene in enumerate(runs) if scene in runs[:number])
        message = f"shots of other scenes are between those of scene {split}, and a scene holds its shots together"
        raise _error(film, message, "move whole scenes, or make a scene of them by hand")
    # From the last on, so that the places of those before stay what they are.
    for number in range(len(film.scenes) - 1, -1, -1):
        scene = film.scenes[number]
        if scene.scene in runs:
            slates = [slate for slate in order if scene_of[slate] == scene.scene]
            path = ("scenes", number, "shots")
            text = _reordered(text, film, path, [shot.shot for shot in scene.shots], slates)
    return _reordered(text, film, ("scenes",), scenes, runs)


def _reordered(text: str, film: Storyboard, path: KeyPath, names: Sequence[str], order: Sequence[str]) -> str:
    """The text with the items of the list at a path in this order; those whose names are missing are taken out."""
    if list(names) == list(order):
        return text
    items = _items(text, path)
    if items is None or len(items) != len(names):
        where = ".".join(map(str, path))
        raise _error(film, f"`{where}` is not written with an item in lines of its own each", "reorder it by hand")
    pieces = dict(zip(names, items, strict=True))
    begin, end = items[0][0], items[-1][1]
    moved = "".join(_whole(text[slice(*pieces[name])]) for name in order)
    return text[:begin] + moved + text[end:]


def _whole(piece: str) -> str:
    return piece if piece.endswith(("\n", "\r")) else f"{piece}\n"


def _items(text: str, path: KeyPath) -> list[tuple[int, int]] | None:
    """The characters of each item of a list in lines: its lines, and the comments above them; None for another list."""
    every = list(events(text))
    found = _node_at(every, path)
    if found is None or not isinstance(every[found], yaml.SequenceStartEvent) or every[found].flow_style:
        return None
    starts, last, depth = [], every[found], 0
    for event in every[found + 1 :]:
        if not depth and isinstance(event, yaml.SequenceEndEvent):
            break
        if not depth:
            starts.append(event.start_mark.index)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if event.end_mark.index > event.start_mark.index:
            last = event
    begins = [_with_comments(text, _line_start(text, start)) for start in starts]
    if len(set(begins)) != len(begins) or any(a >= b for a, b in pairwise(begins)):
        return None
    content = len(text[: last.end_mark.index].rstrip(_BLANK))
    end = text.find("\n", content)
    return list(zip(begins, [*begins[1:], len(text) if end < 0 else end + 1], strict=True))


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _with_comments(text: str, start: int) -> int:
    """The start of the comments that are right above a line."""
    while start:
        above = _line_start(text, start - 1)
        if not text[above:start].strip().startswith("#"):
            break
        start = above
    return start


def _node_at(every: Sequence[Any], path: KeyPath) -> int | None:
    """The index of the event that begins the node at a path; None if it is not there."""
    index = next((n for n, event in enumerate(every) if isinstance(event, yaml.NodeEvent)), None)
    for step in path:
        if index is None:
            return None
        index = _child(every, index, step)
    return index


def _child(every: Sequence[Any], index: int, step: str | int) -> int | None:
    is_mapping = isinstance(every[index], yaml.MappingStartEvent)
    if not is_mapping and not isinstance(every[index], yaml.SequenceStartEvent):
        return None
    at, number = index + 1, 0
    while not isinstance(every[at], yaml.CollectionEndEvent):
        key = getattr(every[at], "value", None) if is_mapping else number
        value = _after(every, at) if is_mapping else at
        if key == step:
            return value
        at, number = _after(every, value), number + 1
    return None


def _after(every: Sequence[Any], index: int) -> int:
    """The index of the event behind a whole node."""
    depth = 0
    while True:
        event = every[index]
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        index += 1
        if not depth:
            return index


def _read(text: str, film: Storyboard, set_vars: Mapping[str, str]) -> Storyboard:
    root, problems = parse(text, film.where().file)
    if root is None or problems:
        raise StoryboardError(problems)
    storyboard, problems = from_tree(root, film.folder, film.where().file, set_vars)
    if storyboard is None or problems:
        raise of_cut(film, problems)
    return storyboard


def of_cut(film: Storyboard, problems: Iterable[Problem]) -> StoryboardError:
    """The problems that a film has with another cut, without their places: those are in a text that is not written."""
    found = (Problem(film.where("title"), f"with this cut {each.message}", each.hint) for each in problems)
    return StoryboardError(found)


def _error(film: Storyboard, message: str, hint: str, slate: str = "") -> StoryboardError:
    return StoryboardError([Problem(film.where_shot(slate) if slate else film.where("title"), message, hint)])
