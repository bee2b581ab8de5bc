"""The variables of a storyboard for a form: their values, their uses, and the values that they may have.

A variable that is a value of its own, as in `takes: ${takes}` or `location: ${where}`, can only be what that key
accepts; one inside a text can be any text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.problem import KeyPath
from storyreel.specs.reading import LARGEST
from storyreel.specs.schema import generate
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.yaml.load import load
from storyreel.specs.yaml.variables import Use, uses

_MOST_NUMBERS = 100
"""A range of more whole numbers is not a list to choose from."""
_UNIONS = ("anyOf", "oneOf", "allOf")


class Variable(Frozen):
    """A variable of a storyboard."""

    name: str
    value: str
    """The value in this run: that of the file, or one that was set for the run."""
    choices: tuple[str, ...] = ()
    """The only values that it may have; empty if it may be any text."""
    used_in: tuple[str, ...] = ()
    """The keys that use it, in the order of the file: `action of 1A`, `look`."""


def variables_of(file: Path, film: Storyboard, services: Collection[str]) -> list[Variable]:
    """The variables of a storyboard that was read from `file`, which `services` can make."""
    root, _ = load(file, LARGEST, "", "")
    found = [use for use in uses(root) if use.name in film.vars] if root else []
    schema = generate() if any(use.is_alone for use in found) else {}
    names = _Names(film, services)
    return [
        Variable(
            name=name,
            value=value,
            choices=_with(value, _choices([use for use in found if use.name == name and use.is_alone], schema, names)),
            used_in=tuple(dict.fromkeys(_called(use.path, film) for use in found if use.name == name)),
        )
        for name, value in film.vars.items()
    ]


class _Names:
    """The names that a film gives to its parts, by the key of a shot that takes one."""

    def __init__(self, film: Storyboard, services: Collection[str]) -> None:
        filmed = tuple(shot.shot for shot in film.all_shots if not shot.is_card)
        self._named: Mapping[str, tuple[str, ...]] = {
            "location": tuple(film.locations),
            "cast": tuple(film.cast),
            "continues": filmed,
            "of": filmed,
            "provider": tuple(services),
            "providers": tuple(services),
        }

    def of(self, path: KeyPath) -> tuple[str, ...]:
        """The names for the value at a path; empty if it takes no such name."""
        key = next((step for step in reversed(path) if isinstance(step, str)), "")
        return self._named.get(key, ()) if path[0] in ("defaults", "scenes", "shots") else ()


def _choices(alone: list[Use], schema: Mapping[str, Any], names: _Names) -> tuple[str, ...]:
    """The values that all places allow at which a variable stands alone; empty if they allow any text."""
    common: tuple[str, ...] | None = None
    for use in alone:
        allowed = names.of(use.path) or _allowed(use.path, schema)
        if allowed:
            common = allowed if common is None else tuple(value for value in common if value in allowed)
    return common or ()


def _with(value: str, choices: tuple[str, ...]) -> tuple[str, ...]:
    """The choices with the present value, which may be written in another way: 25.0 for 25, an accent on its own."""
    return (value, *choices) if choices and value not in choices else choices


def _allowed(path: KeyPath, schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The values that the language has for a path; empty if they are not few."""
    places = [dict(schema)]
    for step in path:
        places = [below for place in _resolved(places, schema) for below in _below(place, step)]
    values: dict[str, None] = {}
    for place in _resolved(places, schema):
        least, most = place.get("minimum"), place.get("maximum")
        if "enum" in place:
            values |= dict.fromkeys(str(value) for value in place["enum"])
        elif place.get("type") == "integer" and least is not None and most is not None and most - least < _MOST_NUMBERS:
            values |= dict.fromkeys(str(number) for number in range(least, most + 1))
        elif place.get("type") not in ("null", "object", "array", "boolean"):
            return ()
    return tuple(values)


def _resolved(places: list[dict[str, Any]], schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Schemas without references, and with each alternative of a union on its own."""
    for place in places:
        if "$ref" in place:
            yield from _resolved([schema["$defs"][place["$ref"].rpartition("/")[2]]], schema)
        elif union := next((place[kind] for kind in _UNIONS if kind in place and "properties" not in place), None):
            yield from _resolved(union, schema)
        else:
            yield place


def _below(place: dict[str, Any], step: str | int) -> list[dict[str, Any]]:
    """The schemas of what is under a key or an index."""
    if isinstance(step, int):
        return [place["items"]] if "items" in place else []
    if step in place.get("properties", {}):
        return [place["properties"][step]]
    named = [below for pattern, below in place.get("patternProperties", {}).items() if re.search(pattern, step)]
    further = place.get("additionalProperties")
    return named or ([further] if isinstance(further, dict) else [])


def _called(path: KeyPath, film: Storyboard) -> str:
    """The name of a value: `action of 1A`, `heading of scene 2`, `look`."""
    if path[0] == "scenes" and len(path) > 3 and path[2] == "shots":
        return _of(path[4:], film.scenes[int(path[1])].shots[int(path[3])].shot)
    if path[0] == "scenes" and len(path) > 2:
        return _of(path[2:], f"scene {film.scenes[int(path[1])].scene}")
    if path[0] == "shots" and len(path) > 2:
        return _of(path[2:], film.shots[int(path[1])].shot)
    if path[0] in ("cast", "locations") and len(path) > 2:
        return _of(path[2:], str(path[1]))
    return str(path[1]) if path[0] == "defaults" and len(path) > 1 else str(path[0])


def _of(path: KeyPath, whose: str) -> str:
    return f"{path[0]} of {whose}" if path else whose
