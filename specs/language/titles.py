"""The models of what is written in a film: words over its picture, cards, credits, and the lettering of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, StringConstraints, WithJsonSchema, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from storyreel.specs.language.base import ShorthandModel, StoryboardModel
from storyreel.specs.language.values import HEX_COLOUR, LongWording, Phrase, Source, Switch, Wording
from storyreel.specs.timing import Duration

LetteringStyle = Literal["clean", "film", "documentary", "vertical"]
"""`clean`: sans serif. `film`: serif, as in a feature. `documentary`: sans serif beside a thin line, at the left.
`vertical`: large and bold, away from what phones show over a film."""

Place = Literal[
    "middle", "top", "bottom", "left", "right", "top left", "top right", "bottom left", "bottom right"
]  # fmt: skip
"""A place for words inside the title-safe area."""

WordsKind = Literal["title", "lower_third", "caption"]

MOST_NAMES = 500
"""Most names in the credits of a shot."""


def _as_colour(value: object) -> object:
    if isinstance(value, str):
        return value
    raise ValueError('a colour needs quotes; write for example "#f4efe6", as YAML reads a bare `#` as a comment')


Colour = Annotated[
    Annotated[str, StringConstraints(pattern=HEX_COLOUR)] | None,
    BeforeValidator(_as_colour),
    WithJsonSchema({"type": "string", "pattern": HEX_COLOUR}),
]
"""Red, green and blue in hexadecimal digits: `"#f4efe6"`. None only as a default, never as a value that is written."""


class Lettering(ShorthandModel):
    """The lettering of titles, cards, credits and subtitles; a bare word is its style."""

    shorthand = "style"

    style: LetteringStyle = "clean"
    """`clean`, `film`, `documentary` or `vertical`: fonts, sizes and places."""
    colour: Colour = None
    """The colour of the words; that of the style when left out."""
    accent: Colour = None
    """The colour of lines beside them, of roles in credits and the like; that of the style when left out."""
    font: Source | None = None
    """A font file beside the storyboard (TTF, OTF or TTC) for the words; letters that it lacks are drawn in others."""


class Words(StoryboardModel):
    """Words over the picture: a `title`, a `lower_third` or a `caption`, and when they are seen."""

    title: Wording = ""
    """Large words, alone in the picture."""
    lower_third: Wording = ""
    """A name or a place, small, at the foot of the picture."""
    caption: Wording = ""
    """Smaller words: a date, a place, a note."""
    line: Phrase = ""
    """A second line below, smaller."""
    from_: Duration = Field(Duration("0s"), alias="from")
    """Their beginning: a time of the film, or of the shot that they are written in."""
    to: Duration | None = None
    """Their end, which may be after the end of the shot; when left out, they stay as long as they take to read
    twice, and of a shot at most until its end."""
    place: Place | None = None
    """Their place inside the title-safe area; set by the kind of words and the style when left out."""
    style: LetteringStyle | None = None
    """Another style than that of the film's `lettering`."""
    colour: Colour = None
    """Another colour of the words."""
    fade: Duration | None = None
    """The length of the fade at either end; half a second when left out, `0s` for none."""

    @property
    def kind(self) -> WordsKind:
        """Which of the three they are."""
        return "title" if self.title else "lower_third" if self.lower_third else "caption"

    @property
    def text(self) -> str:
        """The words themselves, without the second line."""
        return self.title or self.lower_third or self.caption

    @model_validator(mode="after")
    def _one_kind(self) -> Words:
        if sum(bool(words) for words in (self.title, self.lower_third, self.caption)) != 1:
            raise ValueError("words are one of a title, a lower third and a caption; write `{title: The Keeper}`")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return _one_of(handler.resolve_ref_schema(handler(schema)), ("title", "lower_third", "caption"))


class Card(ShorthandModel):
    """A card: words alone, as a shot of their own; a bare text is its words."""

    shorthand = "text"

    text: LongWording
    """Its words. A line break in them is kept."""
    line: Phrase = ""
    """A second line below, smaller."""
    style: LetteringStyle | None = None
    """Another style than that of the film's `lettering`."""
    colour: Colour = None
    """Another colour of the words."""
    background: Colour = None
    """The colour behind them; that of the style when left out."""


class Credit(StoryboardModel):
    """One entry of the credits, written `{Directed by: Ana}` or `{Music: [Tom, Zoe]}`; a bare text has no role."""

    role: Phrase = ""
    """Their role in the making of the film; may be empty."""
    names: Annotated[tuple[Wording, ...], Field(min_length=1, max_length=MOST_NAMES)]
    """The names of those who had the role."""

    @model_validator(mode="before")
    @classmethod
    def _by_role(cls, value: Any) -> Any:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return {"names": [value]}
        if not isinstance(value, Mapping) or set(value) == {"role", "names"}:
            return value
        if len(value) != 1:
            raise ValueError("an entry of the credits has one role; write `- Directed by: Ana`, one `-` a line")
        ((role, names),) = value.items()
        return {"role": str(role), "names": names if isinstance(names, list | tuple) else [names]}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        names = {key: said for key, said in full["properties"]["names"].items() if key != "description"}
        one = names["items"]
        return {
            "description": full["description"],
            "anyOf": [
                one,
                {
                    "type": "object",
                    "propertyNames": {"pattern": r"^[^\n]{0,200}$"},
                    "additionalProperties": {"description": "Who has done it.", "anyOf": [one, names]},
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ],
        }


class Credits(StoryboardModel):
    """The credits, as a shot of their own: cards one after the other, or a roll; a bare list is its entries."""

    entries: Annotated[tuple[Credit, ...], Field(min_length=1, max_length=MOST_NAMES)]
    """Roles with names, in order: `- Directed by: Ana`."""
    roll: Switch = False
    """Whether they roll from below, rather than being shown on one card after the other."""
    style: LetteringStyle | None = None
    """Another style than that of the film's `lettering`."""
    colour: Colour = None
    """Another colour of the names."""
    background: Colour = None
    """The colour behind them; that of the style when left out."""

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:
        return {"entries": value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _not_too_many(self) -> Credits:
        if (count := sum(len(entry.names) for entry in self.entries)) > MOST_NAMES:
            raise ValueError(f"the credits have {count} names, at most {MOST_NAMES}; split them into several shots")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(schema))
        bare = {key: said for key, said in full["properties"]["entries"].items() if key != "description"}
        return {"description": full.pop("description"), "anyOf": [bare, full]}


CARDS = ("card", "credits")
"""The keys of a shot that make it one of words alone."""

NOT_OF_CARDS = frozenset({
    "action", "cast", "location", "references", "size", "camera", "first_frame", "last_frame", "still", "last_still",
    "stills", "native_audio", "mode", "provider", "providers", "model", "fallback_on_refusal", "takes", "circled",
    "seed", "expand_prompt", "watermark", "timeout", "review", "continues", "edit", "use", "grade",
    "frame_at",
})  # fmt: skip
"""The keys of a shot that say how a service makes it, and how its clip is changed: a card is drawn on this machine,
from its words alone, in the colours of `lettering`."""


def is_card(shot: object) -> bool:
    """Whether a shot, as it is written, is a card or credits."""
    return isinstance(shot, Mapping) and ("card" in shot or "credits" in shot)


def card_filled_in(shot: Mapping[str, Any]) -> dict[str, Any]:
    """A card or credits as they are written, with the slate and the action that they may leave out."""
    key = next(key for key in CARDS if key in shot)
    words = shot[key].get("text") if isinstance(shot[key], Mapping) else shot[key]
    action = words if isinstance(words, str | int | float) and str(words).strip() else key
    return {"shot": f"{key}-1", "action": action, **shot}


def with_slates(film: Any) -> Any:
    """A film as it is written, with a slate for each card and credits without: `card-1`, `card-2`, `credits-1`."""
    if not any(is_card(shot) and "shot" not in shot for shot in _shots(film)):
        return film
    taken = {str(getattr(slate := shot["shot"], "text", slate)) for shot in _shots(film) if "shot" in shot}
    counts = dict.fromkeys(CARDS, 0)

    def named(shot: Any) -> Any:
        if not is_card(shot) or "shot" in shot:
            return shot
        key = next(key for key in CARDS if key in shot)
        counts[key] += 1
        while (slate := f"{key}-{counts[key]}") in taken:
            counts[key] += 1
        return {"shot": slate, **shot}

    def filled(around: Any) -> Any:
        if not isinstance(around, Mapping) or not isinstance(around.get("shots"), list | tuple):
            return around
        return {**around, "shots": [named(shot) for shot in around["shots"]]}

    scenes = film.get("scenes")
    return filled({**film, "scenes": [filled(scene) for scene in scenes]} if isinstance(scenes, list | tuple) else film)


def _shots(film: Any) -> Iterator[Mapping[str, Any]]:
    """The shots of a film as it is written, as far as they are mappings."""
    scenes = film.get("scenes") if isinstance(film, Mapping) else None
    for around in (film, *(scenes if isinstance(scenes, list | tuple) else ())):
        shots = around.get("shots") if isinstance(around, Mapping) else None
        yield from (shot for shot in shots if isinstance(shot, Mapping)) if isinstance(shots, list | tuple) else ()


def _one_of(full: JsonSchemaValue, kinds: tuple[str, ...]) -> JsonSchemaValue:
    """The schema of a model that has exactly one of some keys."""
    shared = {key: said for key, said in full["properties"].items() if key not in kinds}
    forms = [{**full, "properties": {kind: full["properties"][kind], **shared}, "required": [kind]} for kind in kinds]
    return {"description": full["description"], "anyOf": [_without(form, "description") for form in forms]}


def _without(form: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: said for name, said in form.items() if name != key}
