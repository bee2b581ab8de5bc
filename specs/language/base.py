"""The bases of the storyboard's models."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from storyreel.specs.frozen import Frozen


class StoryboardModel(Frozen):
    """Base of all models of a storyboard. Space around a text is removed."""

    model_config = ConfigDict(str_strip_whitespace=True)


class ShorthandModel(StoryboardModel):
    """A model that may be written as one value, which is then the value of its `shorthand` key."""

    shorthand: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        return {cls.shorthand: value} if isinstance(value, str | int | float) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        bare = {key: value for key, value in full["properties"][cls.shorthand].items() if key != "default"}
        return {"description": full.pop("description"), "anyOf": [bare, full]}
