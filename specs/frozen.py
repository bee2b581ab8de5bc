"""The base of the models that modules pass to each other."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from threading import RLock
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

_BUILDING = RLock()
"""Lock that is held while a model is built."""
_set = object.__setattr__


class Frozen(BaseModel):
    """A model that cannot be changed and takes no unknown fields.

    Its validator is built when it is first used: a command uses few of the models that it imports.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def model_rebuild(cls, *, _parent_namespace_depth: int = 2, **options: Any) -> bool | None:
        """Build the validator, in one thread at a time: pydantic up to 2.12.5 has no lock for it (read 2026-11-29)."""
        with _BUILDING:
            return super().model_rebuild(_parent_namespace_depth=_parent_namespace_depth + 1, **options)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields replaced, unchecked: pydantic's, in a third of its time; a plan makes thousands.

        What a `cached_property` has found is left out: it may be of a field that was replaced.
        """
        if deep or self.__pydantic_private__ is not None:
            copied = super().model_copy(update=update, deep=deep)
        else:
            copied, changes = self.__class__.__new__(self.__class__), update or {}
            _set(copied, "__dict__", {**self.__dict__, **changes})
            _set(copied, "__pydantic_fields_set__", self.__pydantic_fields_set__ | changes.keys())
            _set(copied, "__pydantic_extra__", None)
            _set(copied, "__pydantic_private__", None)
        values, fields = copied.__dict__, self.__pydantic_fields__
        if len(values) > len(fields):
            _set(copied, "__dict__", {name: value for name, value in values.items() if name in fields})
        return copied


class Trusted(Frozen):
    """A frozen model that only code of this program makes: mypy checks its values, and pydantic those that are read.

    A plan of a long film makes thousands.
    """

    if not TYPE_CHECKING:

        def __init__(self, /, **values: Any) -> None:
            required, defaults = _fields(self.__class__)
            if not required <= values.keys() or len(whole := {**defaults, **values}) > len(defaults):
                wrong = sorted(required - values.keys()) or sorted(values.keys() - defaults.keys())
                raise TypeError(f"{self.__class__.__name__} needs, or does not have, {', '.join(wrong)}")
            _set(self, "__dict__", whole)
            _set(self, "__pydantic_fields_set__", set(values))
            _set(self, "__pydantic_extra__", None)
            _set(self, "__pydantic_private__", None)

        # Else pydantic would call it for what it reads, too.
        __init__.__pydantic_base_init__ = True


@cache
def _fields(model: type[BaseModel]) -> tuple[frozenset[str], dict[str, Any]]:
    """The names of the required fields, and the defaults of all in their order; None for a required one."""
    fields = model.model_fields
    required = frozenset(name for name, field in fields.items() if field.is_required())
    return required, {name: None if name in required else field.default for name, field in fields.items()}


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the keys that a file has for them. A key that is a word of Python is a field's alias."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


@cache
def field_descriptions(model: type[BaseModel]) -> dict[str, str]:
    """The texts below the fields of a model and of its bases in their source, by the keys of the fields.

    Read when they are asked for: pydantic's `use_attribute_docstrings` parses the source of each model when its module
    is imported, which took a third of the time that the storyboard language is imported in.
    """
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            found.update(_texts_below_fields(each))
    named = {field.alias or name: name for name, field in model.model_fields.items()}
    return {key: text for key, field in named.items() if (text := found.get(field))}


def _texts_below_fields(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    (defined,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    body = defined.body if isinstance(defined, ast.ClassDef) else []
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(text.value.value)
