"""What the models refuse, in the words of the language.

The one place that knows the validation library's error types; none of its own words reaches a reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from storyreel.specs.language.models import ShorthandModel
from storyreel.specs.language.values import MEANING
from storyreel.specs.problems.phrases import listed, shown, suggestion
from storyreel.specs.problems.problem import KeyPath, Problem
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.yaml.tree import Positions

KEY = "[key]"
"""Ends the path of an error that is about a name rather than about what it names."""


def place_of(error: ErrorDetails) -> KeyPath:
    """The path in the file of what an error is about."""
    return tuple(step for step in error["loc"] if step != KEY)


def problem(error: ErrorDetails, places: Positions) -> Problem:
    """An error of the models as a problem in the file."""
    place = place_of(error)
    if error["loc"][-1:] == (KEY,):
        return Problem(places.key(place), f"the name `{shown(place[-1])}` must be {_pattern(error)}")
    if error["type"] == "extra_forbidden":
        return Problem(places.key(place), *_unknown_key(place))
    if error["type"] == "missing":
        return Problem(places.nearest(place), *_missing(place))
    return Problem(places.nearest(place), *_SAID.get(error["type"], _otherwise)(_called(place), error, place))


def _unknown_key(place: KeyPath) -> tuple[str, str]:
    key = str(place[-1])
    noun = _noun(place[:-1])
    known = list(noun.model_fields) if noun else []
    if key == "<<":
        return "`<<` merges nothing here", "put what shots share under `defaults`"
    if place[-2:-1] == ("defaults",) and key in ("shot", "action", "continues"):
        return f"`{key}` cannot be a default", "write it in each shot"
    return f"unknown key `{shown(key)}`", suggestion(key, known, f"known here are {listed(known, 'and', len(known))}")


def _missing(place: KeyPath) -> tuple[str, str]:
    noun = _noun(place[:-1])
    field = noun.model_fields.get(str(place[-1])) if noun else None
    meaning = re.split(r"[;.\n]", field.description or "")[0] if field else ""
    if place == ("storyboard",):
        return "`storyboard` is missing", "a film begins with `storyboard: 1`, the version of the language"
    return f"`{place[-1]}` is missing", meaning[:1].lower() + meaning[1:]


def _choice(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    allowed = re.findall(r"'([^']*)'|\b(\d+)\b", str(error["ctx"]["expected"]))
    words = [quoted or number for quoted, number in allowed]
    written = _written(error["input"])
    return f"{what} is {written}", suggestion(written.strip("`"), words, f"write {listed(words)}")


def _no_text(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    value = error["input"]
    if value is None:
        return f"{what} is empty", "write a text, or leave the key out"
    if isinstance(value, Mapping):
        return f"{what} is no text, because `{{` opens a mapping", "put a text that begins with `{` in quotes"
    if isinstance(value, list):
        return f"{what} is a list, but must be one text", "put a text that begins with `[` or `-` in quotes"
    return f"{what} is {_written(value)}, but must be a text", "put it in quotes if it is meant as a text"


def _pattern(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch":
        return MEANING[error["ctx"]["pattern"]]
    return "a text" if error["type"] != "string_too_long" else f"at most {error['ctx']['max_length']} characters long"


def _no_match(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    if str(error["input"]).strip():
        return f"{what} is {_written(error['input'])}, but must be {_pattern(error)}", ""
    return f"{what} is empty", "write a text, or leave the key out"


def _too_long_text(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    return f"{what} has {len(str(error['input']).strip())} characters, at most {error['ctx']['max_length']}", ""


def _too_many(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    return f"{what} may have at most {error['ctx']['max_length']} entries", ""


def _too_few(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    return f"{what} is empty", "write at least one"


def _too_small(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    return f"{what} is {_written(error['input'])}, but must be at least {error['ctx']['ge']}", ""


def _too_great(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    return f"{what} is {_written(error['input'])}, but must be at most {error['ctx']['le']}", ""


def _not_whole(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    return f"{what} is {_written(error['input'])}, but must be a whole number", ""


def _no_list(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    value = error["input"]
    one = shown(value, 30) if isinstance(value, str | int | float) else "{…}" if isinstance(value, Mapping) else "…"
    return f"{what} must be a list", f"write `[{one}]`, or one `-` a line"


def _no_names(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    return f"{what} must have names, each with a value of its own", "write `name: …` below it, one a line"


def _no_noun(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    noun = _noun(place)
    if noun is Storyboard or noun is None:
        return "this is no storyboard", "a film begins with `storyboard: 1`, `title: …` and `shots:`"
    bare = f"a bare `{noun.shorthand}`, or " if issubclass(noun, ShorthandModel) else ""
    keys = [key for key, field in noun.model_fields.items() if field.is_required()]
    fix = (
        f"it needs {listed(keys, 'and')}"
        if keys
        else f"known are {listed(noun.model_fields, 'and', len(noun.model_fields))}"
    )
    return f"{what} must have {bare}keys of its own", fix


def _refused(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    said, _, fix = str(error["ctx"]["error"]).partition("; ")
    value = error["input"]
    if isinstance(value, str | int | float | bool) or value is None:
        return f"{what} is {_written(value)}: {said}", fix
    return said, fix


def _otherwise(what: str, error: ErrorDetails, place: KeyPath) -> tuple[str, str]:
    return f"{what} cannot be {_written(error['input'])}", "see the language reference for what it may be"


_SAID: dict[str, Callable[[str, ErrorDetails, KeyPath], tuple[str, str]]] = {
    "literal_error": _choice,
    "enum": _choice,
    "string_type": _no_text,
    "string_unicode": _otherwise,
    "string_pattern_mismatch": _no_match,
    "string_too_long": _too_long_text,
    "too_long": _too_many,
    "too_short": _too_few,
    "greater_than_equal": _too_small,
    "less_than_equal": _too_great,
    "int_from_float": _not_whole,
    "tuple_type": _no_list,
    "dict_type": _no_names,
    "model_type": _no_noun,
    "model_attributes_type": _no_noun,
    "value_error": _refused,
}


def _called(place: KeyPath) -> str:
    """What a value is called: its key, an element by the key of its list."""
    keys = [step for step in place if isinstance(step, str)]
    if not keys:
        return "the film"
    if not isinstance(place[-1], int):
        return f"`{shown(keys[-1])}`"
    return f"entry {place[-1] + 1} of `{shown(keys[-1])}`"


def _written(value: object) -> str:
    """A value as its author wrote it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"`{shown(getattr(value, 'text', value))}`" if str(value) else "empty"


def _noun(place: KeyPath) -> type[BaseModel] | None:
    """The noun that stands at a path of the language."""
    found: Any = Storyboard
    for step in place:
        found = _inside(found, step)
    return _noun_of(found)


def _noun_of(annotation: Any) -> type[BaseModel] | None:
    kind = _without_wrapping(annotation)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _inside(annotation: Any, step: str | int) -> Any:
    """What a key or an index of a type leads to."""
    kind = _without_wrapping(annotation)
    if noun := _noun_of(kind):
        field = noun.model_fields.get(str(step))
        return field.annotation if field else None
    if get_origin(kind) is tuple:
        return get_args(kind)[0]
    return get_args(kind)[1] if get_origin(kind) is dict else None


def _without_wrapping(annotation: Any) -> Any:
    """A type without its annotations and without `| None`."""
    if get_origin(annotation) is Annotated:
        return _without_wrapping(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _without_wrapping(next(kind for kind in get_args(annotation) if kind is not type(None)))
    return annotation
