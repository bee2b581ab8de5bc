"""The nouns of a storyboard, as frozen models.

These models are the language: what they accept is what `storyboard.schema.json` says. What spans several
nouns (an unknown name, a cycle, a missing file) is looked at in `checking`; reading and the cascade of
defaults are in `reading`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from specs.problems import Position
from specs.timing import Duration, FrameRate

IMAGE_ENDINGS = ("png", "jpg", "jpeg", "webp", "bmp")
VIDEO_ENDINGS = ("mp4", "mov")
SOUND_ENDINGS = ("wav", "mp3", "m4a", "aac", "flac", "ogg")
PLACEHOLDER = re.compile(r"\{([A-Za-z][A-Za-z0-9_-]*)\}")
"""`{mira}` inside a text: the label of a cast member or location."""


def _as_text(value: object) -> object:
    """A plain number in the place of a text is that text: `title: 1984`, `shot: 12`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(getattr(value, "text", value))
    return value


_TEXT_SCHEMA = {"anyOf": [{"type": "string", "maxLength": 5000}, {"type": "integer"}]}
Text = Annotated[str, BeforeValidator(_as_text), StringConstraints(max_length=5000), WithJsonSchema(_TEXT_SCHEMA)]
"""Free text of at most 5000 characters, the longest that any service reads."""

_SLATE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"
Slate = Annotated[
    str,
    BeforeValidator(_as_text),
    StringConstraints(pattern=_SLATE_PATTERN),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": _SLATE_PATTERN}, {"type": "integer", "minimum": 0,
                                                                                "maximum": 10**9}]}),
]
"""A shot's or scene's name on the slate: letters, digits, `.`, `_`, `-`, at most 32."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
"""What a cast member, location, variable or service is called in the file."""


class Mode(StrEnum):
    """What a service is asked for."""

    TEXT = "text-to-video"
    IMAGE = "image-to-video"
    REFERENCE = "reference-to-video"


class Noun(BaseModel):
    """Base of all nouns: frozen, and no key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, strict=False)


class Short(Noun):
    """A noun that may be written as one bare value, which then stands for its `shorthand` field."""

    shorthand: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        return {cls.shorthand: value} if isinstance(value, str | int | float) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [full["properties"][cls.shorthand], full]}


class Format(Noun):
    """The picture of the finished film."""

    aspect_ratio: Literal["16:9", "9:16", "1:1", "4:3", "3:4"] = "16:9"
    """Width to height."""
    resolution: Literal["720p", "1080p"] = "720p"
    """Class of size; the exact pixels are in `size`."""
    fps: FrameRate = FrameRate(Fraction(30))
    """Frames a second; Wan 2.7 delivers 30, so 30 needs no conversion."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as the services deliver them (DashScope's table of output sizes)."""
        return _SIZES[self.resolution][self.aspect_ratio]


_SIZES: dict[str, dict[str, tuple[int, int]]] = {
    "720p": {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (960, 960), "4:3": (1104, 832), "3:4": (832, 1104)},
    "1080p": {"16:9": (1920, 1080), "9:16": (1080, 1920), "1:1": (1440, 1440), "4:3": (1648, 1248),
              "3:4": (1248, 1648)},
}


class Look(Short):
    """How the whole film looks; a bare text is its prompt."""

    shorthand = "prompt"

    prompt: Text = ""
    """Ends every shot's prompt."""
    avoid: Annotated[Text, Field(max_length=500)] = ""
    """What must not be seen; sent as the negative prompt, at most 500 characters."""


class Reference(Noun):
    """A picture or a video that shows somebody or something: a path beside the storyboard, or an http(s) URL.

    Written bare, its ending says which of the two it is; else `{image: …}` or `{video: …}`.
    """

    image: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    video: Annotated[str, Field(min_length=1, max_length=2000)] | None = None

    @property
    def source(self) -> str:
        """The path or URL as written."""
        return self.image or self.video or ""

    @property
    def is_video(self) -> bool:
        return self.video is not None

    @model_validator(mode="before")
    @classmethod
    def _by_ending(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        ending = value.split("?")[0].rpartition(".")[2].lower()
        if ending in IMAGE_ENDINGS:
            return {"image": value}
        if ending in VIDEO_ENDINGS:
            return {"video": value}
        raise ValueError(f"{value!r} ends like neither an image nor a video; write {{image: …}} or {{video: …}}")

    @model_validator(mode="after")
    def _one_kind(self) -> Reference:
        if (self.image is None) == (self.video is None):
            raise ValueError("a reference is one image or one video: {image: …} or {video: …}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        path = {"type": "string", "minLength": 1, "maxLength": 2000}
        endings = "|".join((*IMAGE_ENDINGS, *VIDEO_ENDINGS))
        anycase = "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in endings)
        return {
            "description": cls.__doc__,
            "anyOf": [
                {"type": "string", "maxLength": 2000, "pattern": rf"^[^?]*\.({anycase})(\?.*)?$"},
                *(
                    {"type": "object", "properties": {k: path}, "required": [k], "additionalProperties": False}
                    for k in ("image", "video")
                ),
            ],
        }


class CastMember(Noun):
    """Somebody who appears in more than one shot and must look the same in each."""

    name: Text = ""
    """What prompts call them; the key of the cast with a capital when empty."""
    description: Text = ""
    """A few words that a stranger would recognise them by."""
    references: tuple[Reference, ...] = ()
    """Pictures and videos of them."""
    voice: str | None = None
    """A sound file of them speaking, 1 to 10 s."""


class Location(Noun):
    """A place."""

    name: Text = ""
    description: Text = ""
    references: tuple[Reference, ...] = ()


class Camera(Short):
    """What the camera does; a bare word is its move."""

    shorthand = "move"

    move: Literal[
        "static", "handheld", "push in", "pull out", "pan left", "pan right", "tilt up", "tilt down"
    ] = "static"
    angle: Text = ""
    """In words: low angle, over the shoulder, …"""
    lens: Text = ""
    """In words: 35mm, shallow focus, …"""


class Dialogue(Noun):
    """One line somebody speaks, written `{mira: "Who's there?", delivery: whispered}`.

    A speaker who is not in the shot's cast speaks off screen.
    """

    speaker: str
    line: str
    delivery: str = ""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        said = {who: line for who, line in value.items() if who != "delivery"}
        if set(value) >= {"speaker", "line"}:
            return value
        if len(said) != 1:
            raise ValueError('a line of dialogue names one speaker: {mira: "Who\'s there?"}')
        ((who, line),) = said.items()
        return {"speaker": who, "line": _as_text(line), "delivery": _as_text(value.get("delivery", ""))}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "description": cls.__doc__,
            "type": "object",
            "properties": {"delivery": _TEXT_SCHEMA},
            "additionalProperties": _TEXT_SCHEMA,
            "propertyNames": {"pattern": r"^[A-Za-z][A-Za-z0-9_-]{0,39}$"},
            "anyOf": [
                {"required": ["delivery"], "minProperties": 2, "maxProperties": 2},
                {"not": {"required": ["delivery"]}, "minProperties": 1, "maxProperties": 1},
            ],
        }


class Transition(Short):
    """How one shot becomes the next; a bare word is its type, with half a second unless it is a cut."""

    shorthand = "type"

    type: Literal["cut", "dissolve", "fade"] = "cut"
    """`dissolve` mixes the two shots around the cut. `fade` goes through black: the outgoing shot fades out
    over the first half and the incoming one in over the second; on the first shot it is a fade from black."""
    duration: Duration | None = None
    """Its whole length; half a second when left out."""


class Music(Noun):
    """Sound laid under the whole film."""

    file: Annotated[str, Field(min_length=1, max_length=2000)]
    """A sound file beside the storyboard."""
    level: Annotated[str, Field(pattern=r"^[-+]?[0-9]{1,2}(\.[0-9]{1,2})? ?dB$")] = "-18 dB"
    """How loud, against the file as it is."""
    duck: Literal["dialogue"] | None = None
    """`dialogue`: gives way while somebody speaks."""
    start: Duration | None = None
    """Where in the film it begins; at the start when left out."""
    end: Duration | None = None
    """Where in the film it stops; at the end when left out."""
    fade_in: Duration | None = None
    fade_out: Duration | None = None
    loop: bool = True
    """Begins again when the file is shorter than its place in the film."""

    @property
    def gain(self) -> float:
        """The level in dB."""
        return float(self.level.removesuffix("dB"))


class ShotDefaults(Noun):
    """What shots have in common; every key of a shot but those that make it this one shot."""

    cast: tuple[Name, ...] = ()
    """Who is seen."""
    location: Name | None = None
    references: tuple[Reference, ...] = ()
    """Further pictures and videos for this shot alone."""
    size: (
        Literal[
            "extreme wide", "wide", "full", "medium wide", "medium",
            "medium close up", "close up", "extreme close up", "insert",
        ]
        | None
    ) = None
    camera: Camera = Camera()
    duration: Duration = Duration("5s")
    """Length in the cut."""
    first_frame: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    """An image that the shot begins with."""
    dialogue: tuple[Dialogue, ...] = ()
    transition: Transition = Transition()
    """How the shot before becomes this one."""
    handles: Literal["hold", "shoot"] = "hold"
    """Where a dissolve needs frames beyond those bought: `hold` repeats the edge frame, `shoot` buys them."""
    native_audio: Literal["keep", "drop"] = "keep"
    """Whether the sound that came with the clip is used."""
    mode: Mode | None = None
    """Forces what the service is asked for; chosen from the references and first frame when left out."""
    provider: Name = "animatic"
    takes: Annotated[int, Field(ge=1, le=20)] = 1
    circled: Annotated[int, Field(ge=1, le=20)] | None = None
    """The take that goes into the cut; the last when left out."""
    seed: Annotated[int, Field(ge=0, le=2147483647)] | None = None
    """Derived from the rest of the request when left out."""


class Shot(ShotDefaults):
    """One shot of the film."""

    shot: Slate
    """The slate. It may be changed freely: it is no part of what is bought."""
    action: Text
    """What happens."""
    continues: Slate | None = None
    """The shot whose last frame this one begins with."""

    @property
    def circled_take(self) -> int:
        """The number of the take that is in the cut, from 1."""
        return self.circled or self.takes

    @property
    def off_screen(self) -> tuple[str, ...]:
        """Who speaks without being seen."""
        return tuple(dict.fromkeys(d.speaker for d in self.dialogue if d.speaker not in self.cast))


class Scene(Noun):
    """Shots in one place and time."""

    scene: Slate
    heading: Text = ""
    """The slug line: INT. LAMP ROOM - NIGHT."""
    location: Name | None = None
    defaults: ShotDefaults = ShotDefaults()
    shots: Annotated[tuple[Shot, ...], Field(min_length=1)]


class Storyboard(Noun):
    """A whole film."""

    storyboard: Literal[1]
    """The version of this language."""
    title: Annotated[Text, Field(min_length=1, max_length=200)]
    vars: dict[Name, Text] = {}
    """Words used as `${name}` in any text; `--set name=value` overrides them."""
    format: Format = Format()
    look: Look = Look()
    cast: dict[Name, CastMember] = {}
    locations: dict[Name, Location] = {}
    defaults: ShotDefaults = ShotDefaults()
    scenes: tuple[Scene, ...] = ()
    shots: tuple[Shot, ...] = ()
    """The shots of a film without scenes."""
    ending: Transition = Transition()
    """How the last shot ends: `cut`, or `fade` to black."""
    music: tuple[Music, ...] = ()

    _folder: Path = PrivateAttr(default=Path())
    _positions: dict[tuple[str | int, ...], Position] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _scenes_or_shots(self) -> Storyboard:
        if bool(self.scenes) == bool(self.shots):
            raise ValueError("a storyboard has either `scenes:` or `shots:`")
        if self.ending.type == "dissolve":
            raise ValueError("a film ends with a cut or a fade, there is nothing to dissolve to")
        return self

    @property
    def folder(self) -> Path:
        """The folder that paths in the storyboard are beside."""
        return self._folder

    @property
    def all_shots(self) -> tuple[Shot, ...]:
        """Every shot in the order of the film."""
        return self.shots or tuple(shot for scene in self.scenes for shot in scene.shots)

    def scene_of(self, slate: str) -> Scene | None:
        """The scene a shot is in; None in a film without scenes."""
        return next((scene for scene in self.scenes if any(s.shot == slate for s in scene.shots)), None)

    def where(self, *path: str | int) -> Position:
        """The place in the file of a value, or of the nearest thing around it that has one."""
        for end in range(len(path), -1, -1):
            if found := self._positions.get(path[:end]):
                return found
        return Position("storyboard", 1, 1)

    def where_shot(self, slate: str, *path: str | int) -> Position:
        """The place in the file of a shot, or of one of its values."""
        return next((self.where(*at, *path) for at, shot in self.placed_shots() if shot.shot == slate), self.where())

    def placed_shots(self) -> Iterator[tuple[tuple[str | int, ...], Shot]]:
        """Every shot with its path in the file: `("scenes", 0, "shots", 2)`."""
        for number, shot in enumerate(self.shots):
            yield ("shots", number), shot
        for scene_number, scene in enumerate(self.scenes):
            for number, shot in enumerate(scene.shots):
                yield ("scenes", scene_number, "shots", number), shot
