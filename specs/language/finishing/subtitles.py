"""The subtitles of a film, as its storyboard asks for them."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from pydantic import GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from storyreel.specs.language.base import StoryboardModel
from storyreel.specs.language.titles import LetteringStyle
from storyreel.specs.language.tongues import Language
from storyreel.specs.language.values import Switch

LARGEST_TRANSLATIONS = 8_000_000
"""Bytes of a file of translations."""
_BURN_IN = "burn_in"


class Subtitles(StoryboardModel):
    """The subtitles of the film: a track for each of its languages, and burnt into the picture where that is asked for.

    A bare `true` is the tracks alone, a bare `burn_in` also the picture.
    """

    burn_in: Switch = False
    """Whether those of one language are drawn into the picture, for players that show no tracks."""
    style: LetteringStyle | None = None
    """The style of those in the picture; that of the film's `lettering` when left out."""
    language: Language | None = None
    """The language of those in the picture, one of the film's `languages`; the film's own when left out."""
    speakers: Switch = False
    """Whether each begins with the name of who speaks."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        if value is True or value == _BURN_IN:
            return {_BURN_IN: value == _BURN_IN}
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        return {"description": full.pop("description"), "anyOf": [{"enum": [True, _BURN_IN]}, full]}


def translations_name(storyboard: str) -> str:
    """The name of the file of translations beside a storyboard's file of this name."""
    return f"{PurePath(storyboard).stem}.translations.yaml"
