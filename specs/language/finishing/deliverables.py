"""The models of deliverables: the finished film in another shape, rate, codec or dress."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from storyreel.specs.language.base import ShorthandModel, StoryboardModel
from storyreel.specs.language.finishing.codecs import INTERMEDIATE, Codec, Quality
from storyreel.specs.language.models import AspectRatio, Format, Resolution
from storyreel.specs.language.sound import FilmLevel
from storyreel.specs.language.titles import LetteringStyle
from storyreel.specs.language.tongues import Language
from storyreel.specs.language.values import BitRate, DeliverableName, PictureSize, Slate, Switch
from storyreel.specs.timing import FrameRate

NEAR = Fraction(2, 100)
"""A picture whose ratio differs by at most this part is stretched to fill a frame; any other keeps its shape."""

_ONE_WORD = ("burn_in", "soft", "none")


def _as_number(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError("not a number; write it without quotes and without a unit")


Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_as_number)]
"""A part of a width or height, from 0 to 1."""


def is_near(ratio: Fraction, own: Fraction) -> bool:
    """Whether a picture of a ratio fills a frame of the ratio `own` as it is."""
    return abs(ratio / own - 1) <= NEAR


class Centre(StoryboardModel):
    """A point of the picture: the centre of what is kept in another shape, or as near to it as the picture reaches."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    x: Share = 0.5
    """From 0, the left edge, to 1, the right edge."""
    y: Share = 0.5
    """From 0, the upper edge, to 1, the lower edge."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("it says nothing of a place; write `x`, `y` or both")
        return self


class Reframe(Centre, ShorthandModel):
    """The way in which a shot of another shape fills a picture; a bare word is its `way`."""

    shorthand = "way"

    way: Literal["centre", "blur", "bars"] = "centre"
    """`centre`: cut to it around its centre, or around `x` and `y`. `blur`: whole, between blurred sides. `bars`:
    whole, between bars."""


def _as_slates(value: object) -> object:
    if isinstance(value, bool):
        return () if value else None
    if isinstance(value, list) and not value:
        raise ValueError("no shot is named; write `true` for all of them, or their slates")
    return value


class _OrSwitch:
    """The JSON Schema of a list that may be `true` or `false`."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        form = handler(schema)
        kinds = [kind | {"minItems": 1} if kind.get("type") == "array" else kind for kind in form["anyOf"]]
        return form | {"anyOf": [{"type": "boolean"}, *kinds]}


SomeShots = Annotated[tuple[Slate, ...] | None, BeforeValidator(_as_slates), _OrSwitch()]
"""Slates of shots: `true` is all of them, here none named; `false` is None."""


class DeliverableFormat(StoryboardModel):
    """The picture of a deliverable. The film's is used for what is left out."""

    aspect_ratio: AspectRatio | None = None
    """Width to height."""
    resolution: Resolution | None = None
    """The class of size."""
    size: PictureSize | None = None
    """Width and height in pixels, in place of both: `1080x1920`. Both are even, from 256 to 4096."""
    fps: FrameRate | None = None
    """Frames a second."""


class DeliverableSubtitles(StoryboardModel):
    """The subtitles of a deliverable; a bare `burn_in` has them in the picture alone, a bare `soft` as tracks alone."""

    burn_in: Switch = False
    """Whether those of one language are drawn into the picture."""
    soft: Switch = False
    """Whether each language has a track, which a player shows or hides."""
    language: Language | None = None
    """The language of those in the picture; the first of the deliverable's when left out."""
    style: LetteringStyle | None = None
    """The style of those in the picture; that of the film's subtitles when left out."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in _ONE_WORD:
            raise ValueError("write `burn_in`, `soft` or `none`, or keys of its own: `{burn_in: true, language: en}`")
        return {key: key == value for key in _ONE_WORD[:2]}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        return {"description": full.pop("description"), "anyOf": [{"enum": list(_ONE_WORD)}, full]}


class SizedFormat(Format):
    """A film's format with another size in pixels."""

    pixels: tuple[int, int]
    """Width and height."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels


class Deliverable(StoryboardModel):
    """The film once more, of the same takes: in another shape, rate or codec, or with other words."""

    name: DeliverableName
    """Its name and that of its file; unique in the film."""
    format: DeliverableFormat = DeliverableFormat.model_construct()
    """The size and rate of its picture."""
    codec: Codec = "h264"
    """The encoding of its picture. h264, h265 and av1 are in an MP4 file with AAC; prores-422-hq and dnxhr-hq in a MOV
    file with sound that is not compressed."""
    quality: Quality | None = None
    """The quality of its encoding; `high`, that of the film, when left out."""
    bit_rate: BitRate | None = None
    """The average rate of its picture, in place of a quality: `8 Mbit/s`."""
    sound: FilmLevel | None = None
    """The loudness and the highest peak; those of the film when left out."""
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=40)] = ()
    """The languages of its subtitles, each one of the film's; all of the film's when left out."""
    subtitles: DeliverableSubtitles | None = None
    """Subtitles as tracks and in its picture: `burn_in`, `soft`, `none`; as in the film when left out."""
    titles: Switch = True
    """Whether words lie over its picture; `false` also leaves out subtitles in the picture. Cards and credits stay."""
    reframe: Reframe = Reframe.model_construct()
    """The way in which a shot of another shape fills the picture: `centre`, `blur`, `bars`, or `{x: 0.4, y: 0.5}`, the
    point around which it is cut."""
    shoot: SomeShots = None
    """Whether the services make its shots again in its shape, or the slates of those that they make again."""

    @property
    def ending(self) -> str:
        """The ending of its file's name."""
        return "mov" if self.codec in INTERMEDIATE else "mp4"

    @property
    def bits_per_second(self) -> int | None:
        """The written rate of its picture; None if it has a quality instead."""
        if self.bit_rate is None:
            return None
        number = self.bit_rate.removesuffix("bit/s")
        return int(Fraction(number[:-1].strip()) * {"M": 1_000_000, "k": 1_000}[number[-1]])

    def size(self, film: Format) -> tuple[int, int]:
        """Width and height in pixels, in a film of this format."""
        if self.format.size:
            width, _, height = self.format.size.replace("×", "x").partition("x")
            return int(width), int(height)
        return self._in_classes(film).size

    def has_shape_of(self, film: Format) -> bool:
        """Whether a picture of the film fills it as it is."""
        return is_near(Fraction(*film.size), Fraction(*self.size(film)))

    def rate(self, film: Format) -> FrameRate:
        """Frames a second, in a film of this format."""
        return self.format.fps or film.fps

    def requested_format(self, film: Format) -> Format:
        """The format that services are asked for: of the shapes and classes that they sell the nearest, at its rate."""
        if not self.format.size:
            return self._in_classes(film)
        width, height = self.size(film)
        return film.nearest(width, height).model_copy(update={"fps": self.rate(film)})

    def requested_formats(self, film: Format) -> tuple[Format, ...]:
        """`requested_format`, and for a size in pixels the larger classes, of which it is made smaller where a service
        does not sell that one."""
        asked = self.requested_format(film)
        return (asked, *asked.larger) if self.format.size else (asked,)

    def shoots(self, slate: str) -> bool:
        """Whether the services make this shot again in its shape."""
        return self.shoot is not None and (not self.shoot or slate in self.shoot)

    def _in_classes(self, film: Format) -> Format:
        own = {"aspect_ratio": self.format.aspect_ratio, "resolution": self.format.resolution, "fps": self.format.fps}
        return film.model_copy(update={key: value for key, value in own.items() if value})
