"""Checks of a request body against a table of fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

Problem = Literal["missing", "unknown", "type", "choice", "short", "long", "low", "high", "combination"]


@dataclass(frozen=True)
class Violation:
    """One error in a body."""

    where: tuple[str | int, ...]
    problem: Problem
    expected: str
    received: str

    @property
    def path(self) -> str:
        """`input.media[0].url`."""
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.where).lstrip(".")


@dataclass(frozen=True)
class Field:
    """The type of a field, and its limits."""

    kind: Literal["text", "url", "integer", "boolean", "list", "object"]
    needed: bool = False
    choices: tuple[Any, ...] = ()
    least: int | None = None
    """A number itself, the length of a text in characters, of a list in items."""
    most: int | None = None
    item: Field | None = None
    fields: Mapping[str, Field] | None = None
    schemes: tuple[str, ...] = ("http", "https")
    """Of a URL."""
    text_numbers: bool = False
    """"5" is taken for 5."""
    whole_floats: bool = False
    """5.0 is taken for 5, as JavaScript knows no difference."""


def violations(
    fields: Mapping[str, Field], body: Any, *, unknown_fields: Literal["refuse", "ignore"]
) -> list[Violation]:
    """All errors in a body, in the order of the table."""
    return list(_in_object(fields, body, (), unknown_fields == "refuse"))


def _in_object(
    fields: Mapping[str, Field], body: Any, where: tuple[str | int, ...], strict: bool
) -> Iterator[Violation]:
    if not isinstance(body, dict):
        yield Violation(where, "type", "object", kind_of(body))
        return
    for name, field in fields.items():
        if name in body:
            yield from _in_value(field, body[name], (*where, name), strict)
        elif field.needed:
            yield Violation((*where, name), "missing", field.kind, "undefined")
    if strict:
        for name in body.keys() - fields.keys():
            yield Violation((*where, name), "unknown", "no such field", kind_of(body[name]))


def _in_value(field: Field, value: Any, where: tuple[str | int, ...], strict: bool) -> Iterator[Violation]:
    value = plain(field, value)
    if not _IS[field.kind](value):
        yield Violation(where, "type", field.kind, kind_of(value))
    elif field.kind == "url" and not _is_url(value, field.schemes):
        yield Violation(where, "type", " or ".join(field.schemes) + " url", str(value)[:80])
    elif field.choices and value not in field.choices:
        yield Violation(where, "choice", " | ".join(f"'{choice}'" for choice in field.choices), str(value)[:80])
    else:
        yield from _in_bounds(field, value, where)
        if field.kind == "list" and field.item:
            for index, item in enumerate(value):
                yield from _in_value(field.item, item, (*where, index), strict)
        elif field.kind == "object" and field.fields is not None:
            yield from _in_object(field.fields, value, where, strict)


def _in_bounds(field: Field, value: Any, where: tuple[str | int, ...]) -> Iterator[Violation]:
    measured = value if field.kind == "integer" else len(value) if field.kind in ("text", "list") else 0
    if field.least is not None and measured < field.least:
        yield Violation(where, "low" if field.kind == "integer" else "short", f"at least {field.least}", str(measured))
    if field.most is not None and measured > field.most:
        yield Violation(where, "high" if field.kind == "integer" else "long", f"at most {field.most}", str(measured))


def plain(field: Field, value: Any) -> Any:
    """The value as the service takes it."""
    if field.kind == "integer" and field.text_numbers and isinstance(value, str) and value.strip().isdigit():
        return int(value)
    if field.kind == "integer" and field.whole_floats and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def kind_of(value: Any) -> str:
    """The JSON type of a value."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    if parts.scheme not in schemes or any(character.isspace() for character in value):
        return False
    return bool(parts.path) if parts.scheme == "data" else bool(parts.netloc)


_IS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "url": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
