"""The models of stills: pictures that shots begin and end with, sheets of persons and places, and who makes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from storyreel.specs.language.base import ShorthandModel, StoryboardModel
from storyreel.specs.language.values import ModelName, Name, Providers, Seed, Takes, Text

_SWITCHES = frozenset({"yes", "no", "on", "off", "none"})
"""Words that other dialects of YAML read as true or false."""


class Still(ShorthandModel):
    """A picture that a picture model makes; `true`, or a bare text, which is its prompt."""

    shorthand = "prompt"

    prompt: Text = ""
    """Words for the picture; of a still the action of the shot when left out."""
    takes: Takes | None = None
    """Number of pictures to choose from; as many as `stills` says when left out."""
    circled: Takes | None = None
    """The number of the one that is used; the last when left out."""
    seed: Seed | None = None
    """The first one's seed, the others count on from it; derived from the rest of the request when left out."""

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        if value is True:
            return {}
        if isinstance(value, str) and value.strip().lower() in _SWITCHES:
            raise ValueError("that would be its words; write `true`, `false`, or what is seen in it")
        return {cls.shorthand: value} if isinstance(value, str | int | float) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        form = super().__get_pydantic_json_schema__(schema, handler)
        return form | {"anyOf": [{"const": True}, *form["anyOf"]]}


class _OrFalse:
    """The JSON Schema of a field that may be `false`."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        form = handler(schema)
        return form | {"anyOf": [{"const": False}, *form["anyOf"]]}


WantedStill = Annotated[Still | None, BeforeValidator(lambda value: None if value is False else value), _OrFalse()]
"""A still, or none: `false` is none."""


class Stills(StoryboardModel):
    """The services that make the stills, and how many of each."""

    provider: Name | None = None
    """The service that makes them; the shot's own when left out."""
    providers: Providers = ()
    """Instead of `provider`, at most 5 services: the next is tried after the final refusal of the one before."""
    model: ModelName | None = None
    """The service's model for pictures, as `storyreel providers` lists it; the first of them when left out."""
    takes: Takes = 1
    """Number of pictures of each, to choose from."""

    @property
    def services(self) -> tuple[str, ...]:
        """The services in the order in which they are tried; none if the shot's own are to be asked."""
        return self.providers or ((self.provider,) if self.provider else ())


Approval = Literal["required", "none"]


class Review(ShorthandModel):
    """Which takes a person must approve; a bare word is for stills, speech and clips alike."""

    shorthand = "clip"

    clip: Approval = "none"
    """`required`: a take of the shot before the film is joined."""
    still: Approval = "none"
    """`required`: a still before a clip is made of it."""
    speech: Approval = "none"
    """`required`: speech before a clip is made to it, and before the film is joined."""

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return {"clip": value, "still": value, "speech": value} if value in get_args(Approval) else {"clip": value}
