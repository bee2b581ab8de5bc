"""The smaller models of a storyboard: picture, cast, locations, camera, transitions, budget."""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from storyreel.specs.language.base import ShorthandModel, StoryboardModel
from storyreel.specs.language.speech import CastSpeech
from storyreel.specs.language.stills import WantedStill
from storyreel.specs.language.values import (
    IMAGE_ENDINGS,
    VIDEO_ENDINGS,
    Amount,
    Avoided,
    ModelName,
    Name,
    NonEmptyText,
    Slate,
    Source,
    Takes,
    Text,
)
from storyreel.specs.timing import Duration, FrameRate


class Mode(StrEnum):
    """The inputs from which a service generates a video, or another product of it."""

    TEXT = "text-to-video"
    IMAGE = "image-to-video"
    REFERENCE = "reference-to-video"
    EDIT = "video-edit"
    STILL = "still"
    """A picture instead of a video, from text and references."""
    SPEECH = "speech"
    """A line, spoken by a voice."""

    @property
    def product(self) -> Literal["clip", "picture", "speech"]:
        """A word for what is made."""
        match self:
            case Mode.STILL:
                return "picture"
            case Mode.SPEECH:
                return "speech"
            case _:
                return "clip"


AspectRatio = Literal["16:9", "9:16", "1:1", "4:3", "3:4"]
"""Width to height."""
Resolution = Literal["480p", "720p", "1080p"]
"""The classes of size, named by the shorter side of 16:9."""


class Format(StoryboardModel):
    """The picture of the finished film."""

    aspect_ratio: AspectRatio = "16:9"
    """Width to height."""
    resolution: Resolution = "720p"
    """The class of size; 720p at 16:9 is 1280 × 720 pixels. Not every model makes 480p."""
    fps: FrameRate = FrameRate(Fraction(30))
    """Frames a second. Wan 2.7 delivers 30, so 30 needs no conversion."""
    font: Source | None = None
    """A font file beside the storyboard (TTF, OTF or TTC) for the text of animatics and of the contact sheet; letters
    that it lacks are drawn in others."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as the services deliver them."""
        return _SIZES[self.resolution][self.aspect_ratio]

    def nearest(self, width: int, height: int) -> Format:
        """The format whose shape is nearest to that of a picture, in the smallest class that is as large."""
        ratio = Fraction(width, height)

        def difference(shape: AspectRatio) -> Fraction:
            own = Fraction(*_SIZES["1080p"][shape])
            return max(own / ratio, ratio / own)

        shape: AspectRatio = min(get_args(AspectRatio), key=difference)
        classes = get_args(Resolution)
        large = next((each for each in classes if min(_SIZES[each][shape]) >= min(width, height)), classes[-1])
        return self.model_copy(update={"aspect_ratio": shape, "resolution": large})

    @property
    def larger(self) -> tuple[Format, ...]:
        """The same in each of the larger classes, the next one first."""
        classes: tuple[Resolution, ...] = get_args(Resolution)
        above = classes[classes.index(self.resolution) + 1 :]
        return tuple(self.model_copy(update={"resolution": each}) for each in above)


# Model Studio's tables of output sizes: of Wan 2.7, and for 480p of Wan 2.5, which has no 4:3 and 3:4 there; these two
# are reckoned from the others' area. Read 2026-11-21 and 2026-11-29.
_SIZES: dict[str, dict[str, tuple[int, int]]] = {
    "480p": {"16:9": (832, 480), "9:16": (480, 832), "1:1": (624, 624), "4:3": (720, 544), "3:4": (544, 720)},
    "720p": {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (960, 960), "4:3": (1104, 832), "3:4": (832, 1104)},
    "1080p": {
        "16:9": (1920, 1080),
        "9:16": (1080, 1920),
        "1:1": (1440, 1440),
        "4:3": (1648, 1248),
        "3:4": (1248, 1648),
    },
}


class Look(ShorthandModel):
    """The look of the whole film; a bare text is its prompt."""

    shorthand = "prompt"

    prompt: Text = ""
    """Film stock, light, palette, style; the end of every shot's prompt."""
    avoid: Avoided = ""
    """The negative prompt, for things that must not be seen; at most 500 characters."""


class Reference(StoryboardModel):
    """A picture or a video of a person, place or thing: a path beside the storyboard, or an http(s) address.

    Written bare, its ending says whether it is a picture or a video; else write `{image: …}` or `{video: …}`.
    """

    image: Source | None = None
    """A picture: PNG, JPEG, WebP, BMP or AVIF, at most 20 MB."""
    video: Source | None = None
    """A video: MP4 or MOV, at most 100 MB, 1 to 30 s."""

    @property
    def source(self) -> str:
        """The path or address as written."""
        return self.image or self.video or ""

    @property
    def is_video(self) -> bool:
        return self.video is not None

    @model_validator(mode="before")
    @classmethod
    def _by_ending(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        ending = re.split(r"[?#]", value.strip(), maxsplit=1)[0].rpartition(".")[2].lower()
        if ending in IMAGE_ENDINGS:
            return {"image": value}
        if ending in VIDEO_ENDINGS:
            return {"video": value}
        raise ValueError("its ending says neither image nor video; write `{image: …}` or `{video: …}`")

    @model_validator(mode="after")
    def _one_kind(self) -> Reference:
        if (self.image is None) == (self.video is None):
            raise ValueError("a reference is one image or one video: `{image: …}` or `{video: …}`")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        path = next(kind for kind in full["properties"]["image"]["anyOf"] if kind["type"] == "string")
        endings = "|".join(
            "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in ending)
            for ending in (*IMAGE_ENDINGS, *VIDEO_ENDINGS)
        )
        by_ending = {"type": "string", "maxLength": path["maxLength"], "pattern": rf"^[^?#]*\.({endings})([?#].*)?$"}
        return {
            "description": full["description"],
            "anyOf": [
                by_ending,
                *(
                    {
                        "type": "object",
                        "properties": {kind: {"description": full["properties"][kind]["description"]} | path},
                        "required": [kind],
                        "additionalProperties": False,
                    }
                    for kind in ("image", "video")
                ),
            ],
        }


References = Annotated[tuple[Reference, ...], Field(max_length=20)]


class CastMember(StoryboardModel):
    """A person who appears in several shots and must look the same in each."""

    name: Text = ""
    """Their name in prompts; when left out, their key in the cast with a capital."""
    description: Text = ""
    """Their look, in a few words."""
    references: References = ()
    """Pictures and videos of them, the best first; at most 20."""
    voice: Source | None = None
    """A recording of their voice: WAV or MP3, 1 to 10 s, at most 15 MB."""
    speech: CastSpeech | None = None
    """Their voice at a speech service, for lines that have no recording."""
    sheet: WantedStill = None
    """A character sheet: a picture that shows them from several sides, made from the description and the pictures, and
    a reference in every shot with them. `true`, or further words for it."""


class Location(StoryboardModel):
    """A place that shots are set in."""

    name: Text = ""
    """Its name in prompts; when left out, its key in the locations."""
    description: Text = ""
    """The look of the place, in a few words."""
    references: References = ()
    """Pictures and videos of it; at most 20."""
    sheet: WantedStill = None
    """A picture of the place, made from the description and the pictures, and a reference in every shot there."""


class Camera(ShorthandModel):
    """The camera; a bare word is its move."""

    shorthand = "move"

    move: Literal["static", "handheld", "push in", "pull out", "pan left", "pan right", "tilt up", "tilt down"] = (
        "static"
    )
    """Its movement during the shot."""
    angle: Text = ""
    """The angle in free words: low angle, over the shoulder, …"""
    lens: Text = ""
    """The lens in free words: 35mm, shallow focus, …"""


class Continuation(ShorthandModel):
    """The shot that another one continues; a bare slate is its shot."""

    shorthand = "shot"

    shot: Slate
    """The slate of the shot that is continued."""
    with_: Literal["frame", "clip"] = Field("frame", alias="with")
    """The part that is sent: `frame`, the last frame, or `clip`, the last 2 seconds, so that motion goes on too."""


class TakeEdit(StoryboardModel):
    """A change that a service makes to a take, as a take of its own; the take that is edited stays what it is."""

    instruction: NonEmptyText
    """The change, in words: make it dusk."""
    of: Slate | None = None
    """The slate of the shot whose take is edited; this shot's own when left out."""
    take: Takes | None = None
    """The number of the take that is edited; when left out the circled one, else the last."""
    takes: Takes = 1
    """Number of edits that are made of a take of this shot itself, each with a seed of its own."""
    references: Annotated[tuple[Source, ...], Field(max_length=4)] = ()
    """Pictures that the instruction speaks of, as Image 1 and so on."""
    audio: Literal["origin", "auto"] = "origin"
    """`origin` keeps the sound of the take; `auto` leaves it to the service whether there is a new one."""


class UsedPart(StoryboardModel):
    """The part of a take that the cut shows. The take is made as the shot's `duration` says, whatever is used of it."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    from_: Duration = Field(Duration("0f"), alias="from")
    """The time of the take with which the shot begins in the cut."""
    length: Duration | None = None
    """Its length in the cut; the shot's `duration` when left out."""

    @model_validator(mode="after")
    def _says_something(self) -> UsedPart:
        if not self.model_fields_set:
            raise ValueError("it says nothing of a part; write `from`, `length` or both")
        return self


class Transition(ShorthandModel):
    """The transition from the shot before; a bare word is its type, with half a second unless it is a cut."""

    shorthand = "type"

    type: Literal["cut", "dissolve", "fade"] = "cut"
    """`dissolve` mixes the two shots around the cut. `fade` goes through black: the outgoing shot fades out
    over the first half and the incoming one in over the second; on the first shot it is a fade from black."""
    duration: Duration | None = None
    """Its length; half a second when left out. It never changes the running time."""


class Ending(Transition):
    """The end of the last shot: a cut, or a fade to black; a bare word is its type."""

    type: Literal["cut", "fade"] = "cut"
    """`fade` fades to black over the last frames of the film."""
    duration: Duration | None = None
    """Length of the fade; half a second when left out."""


class Budget(StoryboardModel):
    """The most that may be spent, each limit an amount such as `20 USD`; at least one of them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    per_run: Amount = None
    """In one run."""
    per_shot: Amount = None
    """On one shot: all its takes, over all runs."""
    per_month: Amount = None
    """On this film in a calendar month, UTC."""

    @model_validator(mode="after")
    def _limits_something(self) -> Budget:
        if not self.model_fields_set:
            raise ValueError("a budget limits something; write `per_run`, `per_shot` or `per_month`")
        return self


class Draft(StoryboardModel):
    """A cheaper version of the film, made before it by `--draft`: what is different in it; at least one of the keys.

    A draft has the seeds of the film, but another model or size makes a similar clip of them, not the same.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    provider: Name | None = None
    """The service that makes all shots of the draft."""
    model: ModelName | None = None
    """The model that makes all shots of the draft."""
    resolution: Resolution | None = None
    """The class of size of the draft; not above the film's."""

    @model_validator(mode="after")
    def _differs(self) -> Draft:
        if not self.model_fields_set:
            raise ValueError("a draft differs from its film; write `provider`, `model` or `resolution`")
        return self
