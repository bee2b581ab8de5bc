"""The models of what is spoken: dialogue, narration, the services that speak them, and shots that last as long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, WrapValidator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from storyreel.specs.language.base import ShorthandModel, StoryboardModel
from storyreel.specs.language.tongues import Language
from storyreel.specs.language.values import Key, ModelName, Name, NonEmptyText, Slate, Source, Switch, Text
from storyreel.specs.timing import Duration

NARRATOR = "narrator"
"""The speaker of narration that names no other; need not be in the cast."""
SPEECH = "speech"
"""The `duration` of a shot that lasts as long as what is said in it."""
MOST_LINES = 50
"""Most lines of dialogue, and of narration, of one shot."""


class Dialogue(StoryboardModel):
    """One spoken line, written `{mira: "Who's there?", delivery: whispered, sound: lines/1A.wav}`.

    A speaker who is not in the shot's cast is heard off screen.
    """

    speaker: Key
    line: NonEmptyText
    delivery: Text = ""
    """The way in which the line is spoken: whispered, out of breath, …"""
    sound: Source | None = None
    """Its recording, a sound file beside the storyboard."""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            if isinstance(value, Dialogue):
                return value
            raise ValueError('a line of dialogue names its speaker; write `{mira: "Who\'s there?"}`')
        if set(value) >= {"speaker", "line"}:
            return value
        lines = {who: line for who, line in value.items() if who != "delivery"}
        # Alone it is a speaker of that name.
        recording = {"sound": lines.pop("sound")} if "sound" in lines and len(lines) == 2 else {}
        if len(lines) != 1:
            raise ValueError('a line of dialogue names one speaker; write `{mira: "Who\'s there?"}`')
        ((who, line),) = lines.items()
        return {"speaker": who, "line": line, "delivery": value.get("delivery", ""), **recording}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        line = {"description": "Who speaks, and what they say."} | full["properties"]["line"]
        one_speaker = {
            "type": "object",
            "propertyNames": {"pattern": full["properties"]["speaker"]["pattern"]},
            "properties": {"delivery": full["properties"]["delivery"]},
            "additionalProperties": line,
        }
        recorded = one_speaker | {"properties": one_speaker["properties"] | {"sound": full["properties"]["sound"]}}
        return {
            "description": full["description"],
            "anyOf": [
                one_speaker | {"not": {"required": ["delivery"]}, "minProperties": 1, "maxProperties": 1},
                one_speaker | {"required": ["delivery"], "minProperties": 2, "maxProperties": 2},
                recorded
                | {"not": {"required": ["delivery"]}, "required": ["sound"], "minProperties": 2, "maxProperties": 2},
                recorded | {"required": ["delivery", "sound"], "minProperties": 3, "maxProperties": 3},
            ],
        }


class Narration(ShorthandModel):
    """A line that is heard over the picture; a bare text is the line."""

    shorthand = "line"

    line: NonEmptyText
    """The words."""
    speaker: Key = NARRATOR
    """The speaker: `narrator`, or a key of the cast."""
    delivery: Text = ""
    """The way in which the line is spoken: calm, amused, …"""
    sound: Source | None = None
    """Its recording, a sound file beside the storyboard; without it a service speaks it."""
    from_: Duration | None = Field(None, alias="from")
    """Time of the shot at which it begins; with the shot, or after the line before, when left out."""
    through: Slate | None = None
    """The slate of the last shot that it is heard over; this one when left out."""


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class _OrOne:
    """The JSON Schema of a list that may be written as its only entry."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        form = handler(schema)
        return {"anyOf": [form["items"], form]}


Narrations = Annotated[tuple[Narration, ...], Field(max_length=MOST_LINES), BeforeValidator(_as_list), _OrOne()]
"""The narration of a shot: a line, or several."""


class CastSpeech(ShorthandModel):
    """The voice of a member of the cast at a speech service; a bare text is the voice."""

    shorthand = "voice"

    voice: Text = ""
    """The service's name of a voice, as `storyreel providers` lists it; that of the film's `speech` when left out."""
    provider: Name | None = None
    """The service that speaks; that of the film's `speech` when left out."""
    model: ModelName | None = None
    """The service's model for speech; the first of them when left out."""


class Speech(StoryboardModel):
    """The service and voice of the narration, and of the dialogue if that is asked for."""

    provider: Name | None = None
    """The service that speaks. When left out `animatic`: a guide voice on this machine, free of charge."""
    model: ModelName | None = None
    """The service's model for speech; the first of them when left out."""
    voice: Text = ""
    """The service's name of the voice of everybody who has none of their own; the model's first when left out."""
    language: Language | None = None
    """The language of the lines, such as `en`; the service recognizes it when left out."""
    dialogue: Switch = False
    """Whether the lines of dialogue are spoken too, and clips made to them where a service can."""


def _or_speech(value: Any, handler: Any) -> Any:
    return SPEECH if value == SPEECH else handler(value)


class _OrSpeech:
    """The JSON Schema of a duration that may be `speech`."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"const": SPEECH}, handler(schema)]}


if TYPE_CHECKING:
    ShotLength = Duration | Literal["speech"]
else:
    # As a union, a wrong length would be reported twice: as no duration, and as not `speech`.
    ShotLength = Annotated[Duration, WrapValidator(_or_speech), _OrSpeech()]
"""The length of a shot: a duration, or `speech`, as long as what is said in it."""
