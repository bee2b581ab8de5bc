"""A shot of a storyboard, and the defaults of shots."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from storyreel.specs.language.base import StoryboardModel
from storyreel.specs.language.finishing.deliverables import Centre
from storyreel.specs.language.grade import Grade
from storyreel.specs.language.models import (
    Camera,
    Continuation,
    Mode,
    References,
    TakeEdit,
    Transition,
    UsedPart,
)
from storyreel.specs.language.sound import Mix
from storyreel.specs.language.speech import MOST_LINES, Dialogue, Narrations, ShotLength
from storyreel.specs.language.stills import Review, Stills, WantedStill
from storyreel.specs.language.titles import CARDS, NOT_OF_CARDS, Card, Credits, Words, card_filled_in, is_card
from storyreel.specs.language.values import (
    Key,
    ModelName,
    Name,
    NonEmptyText,
    Providers,
    Seed,
    Slate,
    Source,
    Switch,
    Takes,
)
from storyreel.specs.problems.problem import KeyErrors
from storyreel.specs.timing import Duration

ShotSize = Literal[
    "extreme wide", "wide", "full", "medium wide", "medium", "medium close up", "close up", "extreme close up", "insert"
]


class ShotDefaults(StoryboardModel):
    """Defaults of shots: any key of a shot but `shot`, `action` and `continues`.

    A value of the shot takes precedence over one of its scene, and that over one of the film.
    """

    cast: Annotated[tuple[Key, ...], Field(max_length=20)] = ()
    """The persons who are seen, by their keys in the film's cast."""
    location: Key | None = None
    """Its location, by the key in the film's locations; `null` for none."""
    references: References = ()
    """Further pictures and videos for this shot alone: a prop, a costume."""
    size: ShotSize | None = None
    """Shot size: how much of the subject is seen."""
    camera: Camera = Camera.model_construct()
    """The camera's move, angle and lens."""
    duration: ShotLength = Duration("5s")
    """Length of the shot in the cut; `speech`: as long as its lines, with `pad` around them."""
    pad: Duration | None = None
    """With `duration: speech`, the time before the first word and after the last one; none when left out."""
    first_frame: Source | None = None
    """A picture that the shot begins with; the animatic shows it as the shot's board."""
    last_frame: Source | None = None
    """A picture that the clip ends with; the shot must also begin with one, by `first_frame` or `continues`."""
    still: WantedStill = None
    """A picture that is made for the shot to begin with: `true`, or what is seen in it. It is made before the clip."""
    last_still: WantedStill = None
    """The same for the end of the clip; the shot must also begin with a picture."""
    stills: Stills = Stills.model_construct()
    """The services that make the stills, and how many of each."""
    dialogue: Annotated[tuple[Dialogue, ...], Field(max_length=MOST_LINES)] = ()
    """The spoken lines, in order."""
    narration: Narrations = ()
    """The narration over the picture: a text, or lines with a speaker and times of their own."""
    transition: Transition = Transition.model_construct()
    """The transition from the shot before to this one."""
    handles: Literal["hold", "shoot"] = "hold"
    """The frames that a dissolve needs beyond those bought: `hold` repeats the edge frame, `shoot` buys them."""
    grade: Grade | None = None
    """The colours of the shot in the film, in whichever clip it is shown; `null` for those of the clip."""
    frame_at: Centre | None = None
    """The centre of what is kept of the shot in a deliverable of another shape; `null` for that of the deliverable."""
    native_audio: Literal["keep", "drop"] = "keep"
    """Whether the sound of the generated clip is used."""
    sound: Source | None = None
    """The recording of the shot, a sound file beside the storyboard: the clip is made to it where the service can, else
    it is laid under the shot in the place of the clip's own sound."""
    mix: Mix = Mix.model_construct()
    """The level and the fades of the shot's own sound."""
    mode: Mode | None = None
    """Forces the mode of generation; chosen by the references and first frame when left out."""
    provider: Name = "animatic"
    """The service that makes the takes: `animatic` draws them on this machine, free of charge; others cost money."""
    providers: Providers = ()
    """Instead of `provider`, at most 5 services: the next is tried after the final refusal of the one before."""
    model: ModelName | None = None
    """The service's model, as `storyreel providers` lists it; the first that it lists when left out."""
    fallback_on_refusal: Switch = False
    """Whether the next service is also tried after one has refused the shot for its content."""
    takes: Takes = 1
    """Number of takes that are made, each with a seed of its own."""
    circled: Takes | None = None
    """The number of the take that goes into the cut; when left out the best by inspection, else the last."""
    seed: Seed | None = None
    """The first take's seed, the others count on from it; derived from the rest of the request when left out."""
    expand_prompt: Switch = False
    """Whether the service may rewrite the prompt before it makes the clip; it would paraphrase labels and lines."""
    watermark: Switch = False
    """Whether the service puts its own mark, that the clip is AI generated, into the picture."""
    timeout: Duration = Duration("1200s")
    """The time that a run waits for a take at its service; the order is kept, and the next run continues to wait."""
    review: Review = Review.model_construct()
    """`required`: a person must approve a take of the shot before the film is joined, and its stills before the clip is
    made."""

    @property
    def services(self) -> tuple[str, ...]:
        """The services in the order in which they are tried: `providers`, or `provider` alone."""
        return self.providers or (self.provider,)

    @property
    def lasts_as_speech(self) -> bool:
        """Whether it is as long as what is said in it."""
        return not isinstance(self.duration, Duration)

    @property
    def begins_with_picture(self) -> bool:
        """Whether its clip begins with a given picture: a file, a still, or the end of another clip."""
        return bool(self.first_frame or self.still)

    @property
    def recordings(self) -> tuple[str, ...]:
        """The recordings of the shot, as written: its own, or those of its lines in their order."""
        return (self.sound,) if self.sound else tuple([line.sound for line in self.dialogue if line.sound])


class Shot(ShotDefaults):
    """One shot of the film."""

    shot: Slate
    """The slate, a label that may be changed freely: no take is bought again because of it."""
    action: NonEmptyText
    """The action, in the present tense; `{mira}` in it is the cast member or location of that name."""
    continues: Continuation | None = None
    """The shot whose last frame this one begins with, or whose end it goes on from."""

    edit: TakeEdit | None = None
    """A change to a take of this shot or of another one, which makes one more take of this shot."""
    use: UsedPart | None = None
    """The part of its take that is in the cut; all that `duration` asks for when left out."""
    card: Card | None = None
    """Words alone, in the place of a picture; needs neither a slate nor an action."""
    credits: Credits | None = None
    """The credits, on cards or as a roll; needs neither a slate nor an action."""
    titles: Annotated[tuple[Words, ...], Field(max_length=50)] = ()
    """Words over the picture, by times of the shot; they may stay beyond its end."""

    @model_validator(mode="before")
    @classmethod
    def _with_slate_and_action(cls, value: Any) -> Any:
        if not is_card(value):
            return value
        written = [key for key in CARDS if key in value]
        empty = [key for key in written if value[key] is None]
        errors = [(key, f"`{key}` is empty; write its words, or leave the key out") for key in empty]
        if len(written) > 1:
            errors.append(("credits", "a shot is a card or credits; make them two shots"))
        errors += [(key, _not_of(written[0], key)) for key in sorted(NOT_OF_CARDS.intersection(value))]
        if errors:
            raise KeyErrors(errors)
        return card_filled_in(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A shot with a slate and an action; or a card or credits, which need neither."""
        full = handler.resolve_ref_schema(handler(schema))
        description, known = full.pop("description"), full["properties"]
        plain = {key: said for key, said in known.items() if key not in CARDS}
        shared = {key: said for key, said in plain.items() if key not in NOT_OF_CARDS}
        forms = [full | {"properties": plain}]
        for key in CARDS:
            (words,) = (kind for kind in known[key]["anyOf"] if "$ref" in kind)
            own = {key: words | {"description": known[key]["description"]}}
            forms.append(full | {"properties": own | shared, "required": [key]})
        return {"description": description, "anyOf": forms}

    @property
    def is_card(self) -> bool:
        """Whether it is a card or credits: drawn on this machine from its words alone, in the film and in its draft."""
        return self.card is not None or self.credits is not None

    @property
    def begins_with_picture(self) -> bool:
        return super().begins_with_picture or self.continues is not None

    @property
    def request_count(self) -> int:
        """Number of its requests: one for each of its takes and stills and each service that may make it."""
        clips = self.all_takes * len(self.services)
        if not (self.still or self.last_still):
            return clips
        stills = sum(still.takes or self.stills.takes for still in (self.still, self.last_still) if still)
        return clips + stills * (len(self.stills.services) or 1)

    @property
    def upstream(self) -> str | None:
        """The slate of the shot that must be made before this one; None if there is none."""
        if self.edit and self.edits_another:
            return self.edit.of
        return self.continues.shot if self.continues else None

    @property
    def edits_another(self) -> bool:
        """Whether all its takes are edits of another shot's take."""
        return self.edit is not None and self.edit.of not in (None, self.shot)

    @property
    def edits_itself(self) -> bool:
        """Whether it has an edit of one of its takes beside them: it is in the cut unless one of them is circled."""
        return self.edit is not None and not self.edits_another

    @property
    def own_edits(self) -> int:
        """Number of its takes that are edits of another of its takes."""
        return self.edit.takes if self.edit and self.edits_itself else 0

    @property
    def all_takes(self) -> int:
        """Number of its takes, the edits of its own takes included, which come last."""
        return self.takes + self.own_edits

    @property
    def continues_clip(self) -> bool:
        """Whether it goes on from the end of another shot's clip, rather than from its last frame alone."""
        return self.continues is not None and self.continues.with_ == "clip"

    @property
    def circled_take(self) -> int:
        """The number of the circled take, else of the last, from 1: the one that a shot which continues this one begins
        with. It does not depend on an inspection, as the keys of takes must be known before anything runs. An edit of
        the shot itself has the number after that of the last take."""
        return self.circled or self.all_takes

    @property
    def edited_take(self) -> int | None:
        """The number of the take that its edit is of; None if that is the other shot's `circled_take`."""
        if self.edit is None or self.edit.take or self.edits_another:
            return self.edit.take if self.edit else None
        return self.circled if self.circled and self.circled <= self.takes else self.takes


def _not_of(kind: str, key: str) -> str:
    return f"{'a card has' if kind == 'card' else 'credits have'} no `{key}`; remove it, only words are drawn"
