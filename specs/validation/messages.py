"""Errors of pydantic models as problems of a YAML file: in the words of its language, each at its place.

The only module that knows pydantic's error types; none of pydantic's own text reaches the user. A validator that
raises ValueError writes its text as `what is wrong; what to write instead`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from storyreel.specs.frozen import field_descriptions, fields_of
from storyreel.specs.language.base import ShorthandModel
from storyreel.specs.language.values import MEANING, OTHER_WORDS
from storyreel.specs.problems.phrases import listed, shown, suggestion
from storyreel.specs.problems.problem import KeyErrors, KeyPath, Problem
from storyreel.specs.yaml.look_alikes import foreign_letter, odd_character
from storyreel.specs.yaml.tree import Node, Positions

KEY = "[key]"
"""Ends the path of an error that is about a key of a mapping rather than about its value."""

_LONGEST_WORD = 60
"""Characters of a value that is no text: a name, an amount, a length."""

Model = TypeVar("Model", bound=BaseModel)
Text = tuple[str, str]
"""A message and its hint."""


class Language(NamedTuple, Generic[Model]):
    """A kind of YAML file: the model of its root, and what messages say about such files."""

    model: type[Model]
    name: str
    """The name of the kind, as in `this is not a …`."""
    beginning: str
    """The hint for a file that is empty or something else: how such a file begins."""
    meaning: Mapping[str, str] = MEANING
    """A description of a text, by the pattern that it has to match."""
    explain_key: Callable[[KeyPath], Text | None] = lambda path: None
    """The message for a key that is known elsewhere, but not at this path."""


def validate(
    language: Language[Model], root: Node, file: str, context: object = None
) -> tuple[Model | None, list[Problem]]:
    """The model of a tree; None, and at least one problem, if it is refused. Validators get `context`."""
    try:
        return language.model.model_validate(root.to_python(), context=context), []
    except ValidationError as refused:
        positions = Positions(file, root)
        return None, [problem for error in errors_of(refused) for problem in problems(error, positions, language)]


def errors_of(refused: ValidationError) -> list[ErrorDetails]:
    """The errors of a model. Pydantic also calls a list too short if none of its elements is valid; that is dropped."""
    errors = refused.errors(include_url=False)
    return [error for error in errors if not (error["type"] == "too_short" and error["input"])]


def path_of(error: ErrorDetails) -> KeyPath:
    """The path in the file of what an error is about."""
    return tuple(step for step in error["loc"] if step != KEY)


def problems(error: ErrorDetails, positions: Positions, language: Language[Any]) -> Iterator[Problem]:
    """An error of the models as problems in the file: one, or one a key of KeyErrors."""
    path, kind = path_of(error), error["type"]
    if error["loc"][-1:] == (KEY,):
        yield Problem(positions.key(path), *_wrong_name(path, error, language))
    elif kind == "extra_forbidden":
        message, hint = _unknown_key(path, language)
        yield Problem(positions.key(path), message, _joined(foreign_letter(str(path[-1])), hint))
    elif kind == "value_error" and isinstance(wrong := error["ctx"]["error"], KeyErrors):
        for key, text in wrong.errors:
            yield Problem(positions.nearest((*path, key)), *_split(text))
    else:
        message, hint = _text(path, _written_path(path, positions, language), error, language)
        yield Problem(positions.nearest(path), message, _with_odd_character(hint, error["input"]))


def _with_odd_character(hint: str, value: object) -> str:
    """A hint that also names a character of a short value that only looks like a sign of the language."""
    odd = odd_character(value) if isinstance(value, str) and len(value) <= _LONGEST_WORD else ""
    return _joined(odd, hint)


def _joined(odd: str, hint: str) -> str:
    return "; ".join(filter(None, (f"it contains {odd}" if odd else "", hint)))


def _written_path(path: KeyPath, positions: Positions, language: Language[Any]) -> KeyPath:
    """The path of a value as its author wrote it: without the key that a bare value stands for."""
    model = _model_at(path[:-1], language) if path else None
    is_bare = model and issubclass(model, ShorthandModel) and path[-1] == model.shorthand and path not in positions
    return path[:-1] if is_bare else path


def _text(path: KeyPath, written: KeyPath, error: ErrorDetails, language: Language[Any]) -> Text:
    """The message and hint for an error; `written` is the path that the message names."""
    what, kind = _called(written), error["type"]
    if kind == "missing":
        return _missing(path, language)
    if kind in ("model_type", "model_attributes_type"):
        return _no_model(what, path, error, language)
    if kind == "string_pattern_mismatch":
        return _no_match(what, error, language)
    if kind == "tuple_type":
        return _no_list(what, error, _model_at((*path, 0), language))
    if kind in _TEXTS:
        return _TEXTS[kind](what, error)
    message, hint = _TEMPLATES.get(kind, _OTHERWISE)
    return message.format(what=what, written=_written(error["input"]), **error.get("ctx", {})), hint


def _wrong_name(path: KeyPath, error: ErrorDetails, language: Language[Any]) -> Text:
    name = f"the name `{shown(path[-1])}`"
    if error["type"] == "value_error":
        message, hint = _split(str(error["ctx"]["error"]))
        return f"{name}: {message}", hint
    if error["type"] == "string_pattern_mismatch":
        return f"{name} must be {language.meaning[error['ctx']['pattern']]}", ""
    if error["type"] == "enum":
        words = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
        return f"{name} is not known", suggestion(str(path[-1]), words, f"write {listed(words)}")
    if error["type"] == "string_too_long":
        return f"{name} must be at most {error['ctx']['max_length']} characters long", ""
    return f"{name} must be a text", ""


def _unknown_key(path: KeyPath, language: Language[Any]) -> Text:
    key = str(path[-1])
    model = _model_at(path[:-1], language)
    known = list(fields_of(model)) if model else []
    hint = suggestion(key, known, f"known here are {listed(known, 'and', len(known))}")
    return language.explain_key(path) or (f"unknown key `{shown(key)}`", hint)


def _missing(path: KeyPath, language: Language[Any]) -> Text:
    model = _model_at(path[:-1], language)
    described = field_descriptions(model) if model else {}
    meaning = re.split(r"[;.\n]", described.get(str(path[-1]), ""))[0]
    if path == (next(iter(language.model.model_fields)),):
        return f"`{path[-1]}` is missing", language.beginning
    return f"`{path[-1]}` is missing", meaning[:1].lower() + meaning[1:]


def _no_model(what: str, path: KeyPath, error: ErrorDetails, language: Language[Any]) -> Text:
    model = _model_at(path, language)
    if model is language.model or model is None:
        return f"this is not a {language.name}", language.beginning
    required = _required(model)
    fields = fields_of(model)
    known = f"known are {listed(fields, 'and', len(fields))}"
    hint = f"it needs {listed(required, 'and')}" if required else known
    if not issubclass(model, ShorthandModel):
        if isinstance(value := error["input"], str) and (near := suggestion(value, _bare_keys(model))):
            return f"{what} is {_written(value)}", near
        return f"{what} must have keys of its own", hint
    if choices := _choices(fields[model.shorthand].annotation):
        return f"{what} must be {listed(choices)}, or have keys of its own", hint
    return f"{what} must have a bare `{model.shorthand}`, or keys of its own", hint


def _choices(annotation: Any) -> list[str]:
    """The words that a value may be; empty if it is no choice among words."""
    kind = _without_wrapping(annotation)
    return [str(word) for word in get_args(kind)] if get_origin(kind) is Literal else []


def _bare_keys(model: type[BaseModel]) -> list[str]:
    """The keys whose names may be written in place of the model."""
    return [key for key in fields_of(model) if _accepts(model, key)]


def _accepts(model: type[BaseModel], value: object) -> bool:
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True


def _no_match(what: str, error: ErrorDetails, language: Language[Any]) -> Text:
    if str(error["input"]).strip():
        return f"{what} is {_written(error['input'])}, but must be {language.meaning[error['ctx']['pattern']]}", ""
    return f"{what} is empty", "write a text, or leave the key out"


def _no_choice(what: str, error: ErrorDetails) -> Text:
    allowed = re.findall(r"'([^']*)'|\b(\d+)\b", str(error["ctx"]["expected"]))
    words = [quoted or number for quoted, number in allowed]
    written = _written(error["input"])
    word = written.strip("`")
    meant = OTHER_WORDS.get(re.sub(r"[\s_-]+", " ", word.lower()), word)
    return f"{what} is {written}", suggestion(meant if meant in words else word, words, f"write {listed(words)}")


def _no_text(what: str, error: ErrorDetails) -> Text:
    value = error["input"]
    if value is None:
        return f"{what} is empty", "write a text, or leave the key out"
    if isinstance(value, Mapping):
        return f"{what} is not a text, because `{{` opens a mapping", "put a text that begins with `{` in quotes"
    if isinstance(value, list):
        return f"{what} is a list, but must be one text", "put a text that begins with `[` or `-` in quotes"
    return f"{what} is {_written(value)}, but must be a text", "put it in quotes if it is meant as a text"


def _too_long(what: str, error: ErrorDetails) -> Text:
    return f"{what} has {len(str(error['input']).strip())} characters, at most {error['ctx']['max_length']}", ""


def _no_list(what: str, error: ErrorDetails, model: type[BaseModel] | None) -> Text:
    """The message and hint for a value that is no list; `model` is that of an entry, if it has keys."""
    value = error["input"]
    one = shown(value, 30) if isinstance(value, str | int | float) else "{…}" if isinstance(value, Mapping) else "…"
    if model and not isinstance(value, Mapping) and not (issubclass(model, ShorthandModel) or _accepts(model, value)):
        required = _required(model) or list(fields_of(model))[:1]
        own = one if len(required) == 1 else "…"
        one = "{" + ", ".join(f"{key}: {own}" for key in required) + "}"
    return f"{what} must be a list", f"write `[{one}]`, or one `-` a line"


def _refused(what: str, error: ErrorDetails) -> Text:
    message, hint = _split(str(error["ctx"]["error"]))
    value = error["input"]
    if isinstance(value, str | int | float | bool) or value is None:
        return f"{what} is {_written(value)}: {message}", hint
    return message, hint


_TEXTS: Mapping[str, Callable[[str, ErrorDetails], Text]] = {
    "literal_error": _no_choice,
    "enum": _no_choice,
    "string_type": _no_text,
    "string_too_long": _too_long,
    "value_error": _refused,
}
_TEMPLATES: Mapping[str, Text] = {
    "too_long": ("{what} may have at most {max_length} entries", ""),
    "too_short": ("{what} is empty", "write at least one"),
    "greater_than_equal": ("{what} is {written}, but must be at least {ge}", ""),
    "less_than_equal": ("{what} is {written}, but must be at most {le}", ""),
    "int_from_float": ("{what} is {written}, but must be a whole number", ""),
    "dict_type": ("{what} must have names, each with a value of its own", "write `name: …` below it, one a line"),
}
_OTHERWISE = ("{what} cannot be {written}", "see the language reference for what it may be")


def _split(text: str) -> Text:
    message, _, hint = text.partition("; ")
    return message, hint


def _called(path: KeyPath) -> str:
    """The name of a value: its key; of an element the key of its list."""
    keys = [step for step in path if isinstance(step, str)]
    if not keys:
        return "the file"
    if not isinstance(path[-1], int):
        return f"`{shown(keys[-1])}`"
    return f"entry {path[-1] + 1} of `{shown(keys[-1])}`"


def _written(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"`{shown(getattr(value, 'text', value))}`" if str(value) else "empty"


def _required(model: type[BaseModel]) -> list[str]:
    return [key for key, field in fields_of(model).items() if field.is_required()]


def _model_at(path: KeyPath, language: Language[Any]) -> type[BaseModel] | None:
    found: Any = language.model
    for step in path:
        found = _inside(found, step)
    return _as_model(found)


def _as_model(annotation: Any) -> type[BaseModel] | None:
    kind = _without_wrapping(annotation)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _inside(annotation: Any, step: str | int) -> Any:
    """The type that a key or an index of a type leads to."""
    kind = _without_wrapping(annotation)
    if model := _as_model(kind):
        field = fields_of(model).get(str(step))
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
