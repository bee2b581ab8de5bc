"""The Content Credentials of a film, as its storyboard asks for them."""

from __future__ import annotations

from typing import Any

from pydantic import GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from storyreel.specs.language.base import StoryboardModel
from storyreel.specs.language.values import Switch, Text


class Credentials(StoryboardModel):
    """Content Credentials (C2PA): the film's file says, signed, which model at which service made which of its takes.

    A bare `true` is without an author and without prompts.
    """

    author: Text = ""
    """The maker of the film."""
    prompts: Switch = False
    """Whether the prompts of the takes are in it, for everybody to read."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return {} if value is True else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        return {"description": full.pop("description"), "anyOf": [{"const": True}, full]}
