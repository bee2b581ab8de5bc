"""A storyboard: its shots, scenes and the whole film, as frozen models.

These models are the language: they accept what `storyboard.schema.json` describes. `reading` makes them of a file;
`validation` applies the defaults, and checks what needs several models or other files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from storyreel.specs.language.base import StoryboardModel
from storyreel.specs.language.finishing.credentials import Credentials
from storyreel.specs.language.finishing.deliverables import Deliverable
from storyreel.specs.language.finishing.imprint import Label, Metadata
from storyreel.specs.language.finishing.subtitles import Subtitles
from storyreel.specs.language.models import (
    Budget,
    Camera,
    CastMember,
    Continuation,
    Draft,
    Ending,
    Format,
    Location,
    Look,
    Mode,
    Reference,
    TakeEdit,
    Transition,
)
from storyreel.specs.language.shots import Shot, ShotDefaults
from storyreel.specs.language.sound import Ambience, FilmLevel, Music
from storyreel.specs.language.speech import Dialogue, Speech
from storyreel.specs.language.stills import Review, Still, Stills
from storyreel.specs.language.titles import Lettering, Words, with_slates
from storyreel.specs.language.tongues import Language
from storyreel.specs.language.values import (
    MOST_TAKES,
    Key,
    Name,
    Slate,
    Text,
    Title,
    as_count,
)
from storyreel.specs.problems.problem import KeyPath, Position
from storyreel.specs.sources import ELSEWHERE, is_outside, packed_path

__all__ = [
    "MOST_REQUESTS", "MOST_SHOTS", "MOST_TAKES", "PLACEHOLDER", "Budget", "Camera", "CastMember", "Continuation",
    "Dialogue", "Draft", "Ending", "Format", "Location", "Look", "Mode", "Music", "Reference", "Review", "Scene",
    "Shot", "ShotDefaults", "Still", "Stills", "Storyboard", "TakeEdit", "Transition", "is_remote",
]  # fmt: skip

PLACEHOLDER = re.compile(r"\{([^{}\s]+)\}")
"""`{mira}` inside a text: the key of a cast member or location, in composed letters (NFC)."""

MOST_SHOTS = 10_000
"""Most shots of one film."""
MOST_REQUESTS = 30_000
"""Most requests that a film plans: one for each take and each service that may make it."""

_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Scene(StoryboardModel):
    """Shots in one place and time."""

    scene: Slate
    """The scene's number or name, unique in the film."""
    heading: Text = ""
    """The slug line: INT. LAMP ROOM - NIGHT."""
    location: Key | None = None
    """The location of its shots, unless they have their own."""
    defaults: ShotDefaults = ShotDefaults.model_construct()
    """Defaults of its shots."""
    ambience: Ambience | None = None
    """The sound of the place, under all its shots."""
    shots: Annotated[tuple[Shot, ...], Field(min_length=1, max_length=MOST_SHOTS)]
    """In the order of the film."""


class Storyboard(StoryboardModel):
    """A whole film."""

    storyboard: Annotated[Literal[1], BeforeValidator(as_count)]
    """The version of this language."""
    title: Title
    """The film's name, at most 200 characters."""
    vars: dict[Name, Text] = Field(default={})
    """Variables, used as `${name}` in any text; `--set name=value` overrides them for one run."""
    format: Format = Format.model_construct()
    """The picture of the finished film."""
    look: Look = Look.model_construct()
    """The look of the whole film."""
    cast: dict[Key, CastMember] = Field(default={})
    """The people of the film, by the names that shots use."""
    locations: dict[Key, Location] = Field(default={})
    """The places of the film, by the names that shots use."""
    speech: Speech | None = None
    """The service and voice of the narration, and of the dialogue if that is asked for."""
    defaults: ShotDefaults = ShotDefaults.model_construct()
    """Defaults of all shots."""
    scenes: Annotated[tuple[Scene, ...], Field(min_length=1, max_length=MOST_SHOTS)] = ()
    """The scenes in the order of the film."""
    shots: Annotated[tuple[Shot, ...], Field(min_length=1, max_length=MOST_SHOTS)] = ()
    """The shots of a film without scenes."""
    budget: Budget | None = None
    """The most that may be spent; nothing is bought that would exceed it."""
    draft: Draft | None = None
    """The differences of the film's draft, which `--draft` makes in place of the film."""
    review: Review = Review.model_construct()
    """`required`: a person must approve stills and takes of every shot, unless the shot or its defaults say `none`."""
    ending: Ending = Ending.model_construct()
    """The end of the last shot."""
    music: Annotated[tuple[Music, ...], Field(max_length=50)] = ()
    """Sound files under the whole film, at most 50."""
    ambience: Ambience | None = None
    """The sound of the place, in a film without scenes; else each scene has its own."""
    sound: FilmLevel | None = None
    """The loudness and the highest peak of the film."""
    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=40)] = ()
    """The languages of the film's subtitles, its own first; the others are in its file of translations."""
    subtitles: Subtitles | None = None
    """Subtitles as tracks in the film, and in its picture; files beside it are written without this key, too."""
    lettering: Lettering = Lettering.model_construct()
    """The lettering of titles, cards, credits and subtitles."""
    titles: Annotated[tuple[Words, ...], Field(max_length=1000)] = ()
    """Words over the picture, by times of the film."""
    label: Label | None = None
    """Words in a corner of the picture, over all shots that a model made: `AI generated`."""
    metadata: Metadata | None = None
    """Tags of the film's file: description, date, language, author, copyright."""
    credentials: Credentials | None = None
    """Content Credentials (C2PA) in the film: which model at which service made which take, signed."""
    deliverables: Annotated[tuple[Deliverable, ...], Field(max_length=20)] = ()
    """The film once more for each of them, in another shape, rate, codec or dress."""

    _folder: Path = PrivateAttr(default=Path())
    _is_confined: bool = PrivateAttr(default=False)
    _positions: Mapping[KeyPath, Position] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _with_slates(cls, value: Any) -> Any:
        return with_slates(value)

    @model_validator(mode="after")
    def _scenes_or_shots(self) -> Storyboard:
        if bool(self.scenes) == bool(self.shots):
            raise ValueError("a storyboard has either `scenes` or `shots`")
        return self

    @property
    def folder(self) -> Path:
        """The folder that the storyboard's paths are relative to."""
        return self._folder

    @property
    def confined_to(self) -> Path | None:
        """The folder that no local file of it may be outside of, as it came from an address; None if any file may be
        named."""
        return self._folder.absolute() if self._is_confined else None

    @cached_property
    def continued(self) -> frozenset[str]:
        """The slates of the shots that others continue: the end of their clips is in the cut."""
        return frozenset(shot.continues.shot for shot in self.all_shots if shot.continues)

    @cached_property
    def awaited(self) -> frozenset[str]:
        """The slates of the shots of which others need the take in the cut, before any is inspected."""
        edited = {shot.edit.of for shot in self.all_shots if shot.edits_another and shot.edit and not shot.edit.take}
        return self.continued | {slate for slate in edited if slate}

    @property
    def all_shots(self) -> tuple[Shot, ...]:
        """Every shot in the order of the film."""
        return self.shots or tuple(shot for scene in self.scenes for shot in scene.shots)

    @property
    def own_language(self) -> str:
        """The tag of the language that is spoken; empty if it is not written."""
        return self.languages[0] if self.languages else ""

    @property
    def has_subtitle_tracks(self) -> bool:
        """Whether the film itself has its subtitles as tracks."""
        return bool(self.languages or self.subtitles)

    @property
    def burnt_in_language(self) -> str | None:
        """The tag of the language whose subtitles are in the picture; None if none are."""
        if self.subtitles and self.subtitles.burn_in:
            return self.subtitles.language or self.own_language
        return None

    def resolve(self, source: str) -> Path | str:
        """The absolute path of a local source, or an address as it is written."""
        if is_remote(source):
            return source
        folder = self._folder.absolute()
        # What was unpacked with the storyboard is the right file; one of that name on this host may be another.
        if is_outside(source):
            unpacked = folder / packed_path(source)
            if self._is_confined or unpacked.exists():
                return unpacked
        return folder / source

    def relative_path(self, file: Path) -> str | None:
        """The path of a local file relative to the storyboard's folder; None if it is outside of it."""
        folder = self._folder.absolute()
        if not file.is_relative_to(folder) or file.is_relative_to(folder / ELSEWHERE):
            return None
        return file.relative_to(folder).as_posix()

    def references_of(self, shot: Shot) -> tuple[tuple[str, tuple[Reference, ...]], ...]:
        """The references of a shot, by the key of what they show: its cast in order, then the location, then the shot's
        own references under an empty key. Those without references are left out."""
        references: list[tuple[str, tuple[Reference, ...]]] = [(who, self.cast[who].references) for who in shot.cast]
        if shot.location:
            references.append((shot.location, self.locations[shot.location].references))
        references.append(("", shot.references))
        return tuple((who, each) for who, each in references if each)

    def sheets_of(self, shot: Shot) -> tuple[str, ...]:
        """The cast members and the location of a shot that have a sheet, by their keys."""
        if not self._has_sheets:
            return ()
        nouns = {key: self.cast[key] for key in shot.cast} | (
            {shot.location: self.locations[shot.location]} if shot.location else {}
        )
        return tuple(key for key, noun in nouns.items() if noun.sheet)

    @cached_property
    def _has_sheets(self) -> bool:
        return any(who.sheet for who in self.cast.values()) or any(at.sheet for at in self.locations.values())

    def has_references(self, shot: Shot) -> bool:
        """Whether there is a picture or video of anything that is seen in a shot, or a sheet."""
        nouns: list[CastMember | Location] = [self.cast[who] for who in shot.cast]
        nouns += [self.locations[shot.location]] if shot.location else []
        return bool(shot.references) or any(noun.references or noun.sheet for noun in nouns)

    @cached_property
    def names(self) -> dict[str, str]:
        """The names of the cast and locations by their keys: as the storyboard gives them, else made from the key."""
        cast = {key: who.name or key.replace("_", " ").replace("-", " ").title() for key, who in self.cast.items()}
        return {key: at.name or key.replace("_", " ").replace("-", " ") for key, at in self.locations.items()} | cast

    def scene_of(self, slate: str) -> Scene | None:
        """The scene of a shot; None in a film without scenes."""
        path = self._paths.get(slate, ())
        return self.scenes[int(path[1])] if path[:1] == ("scenes",) else None

    def where(self, *path: str | int) -> Position:
        """The position in the file of a value, or of the innermost value around it that has one."""
        for end in range(len(path), -1, -1):
            if found := self._positions.get(path[:end]):
                return found
        return Position("storyboard", 1, 1)

    def where_shot(self, slate: str, *path: str | int) -> Position:
        """The position in the file of a shot, or of one of its values."""
        return self.where(*self._paths.get(slate, ()), *path)

    @cached_property
    def placed_shots(self) -> tuple[tuple[KeyPath, Shot], ...]:
        """Every shot with its path in the file: `("scenes", 0, "shots", 2)`."""
        placed: list[tuple[KeyPath, Shot]] = [(("shots", number), shot) for number, shot in enumerate(self.shots)]
        for place, scene in enumerate(self.scenes):
            placed += [(("scenes", place, "shots", number), shot) for number, shot in enumerate(scene.shots)]
        return tuple(placed)

    @cached_property
    def _paths(self) -> dict[str, KeyPath]:
        """The path of each shot by its slate; of two shots with the same slate, the first."""
        return {shot.shot: path for path, shot in reversed(self.placed_shots)}


def is_remote(source: str) -> bool:
    """Whether a source is an address rather than a path."""
    return _REMOTE.match(source) is not None
