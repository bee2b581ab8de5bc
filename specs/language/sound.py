"""The models of what is heard: music, ambience, the mix of a shot, and the level of the whole film."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from storyreel.specs.language.base import ShorthandModel, StoryboardModel
from storyreel.specs.language.values import Level, Loudness, Source, Switch, TruePeak, number_in
from storyreel.specs.timing import Duration


class Music(StoryboardModel):
    """Sound laid under the whole film."""

    file: Source
    """A sound file beside the storyboard."""
    level: Level = "-18 dB"
    """Gain relative to the file."""
    duck: Literal["dialogue", "speech"] | None = None
    """`dialogue`: lowered by the sound of the shots in which somebody speaks. `speech`: lowered by the lines alone,
    those of the dialogue and those of the narration."""
    from_: Duration | None = Field(None, alias="from")
    """Time of the file at which it begins, and begins again; the start of the file when left out."""
    start: Duration | None = None
    """Time of the film at which it begins; the start of the film when left out."""
    end: Duration | None = None
    """Time of the film at which it stops; the end of the film when left out."""
    fade_in: Duration | None = None
    """Length of the fade at its start; none when left out."""
    fade_out: Duration | None = None
    """Length of the fade at its end; none when left out."""
    loop: Switch = True
    """Whether the file is repeated if it is shorter than its place in the film."""

    @property
    def gain(self) -> float:
        """The level in dB."""
        return number_in(self.level)


class Ambience(ShorthandModel):
    """The sound of a place under all shots of a scene, repeated as long as they last; a bare path is its file.

    Where a dissolve or a fade leads into the scene or out of it, it comes and goes with the picture.
    """

    shorthand = "file"

    file: Source
    """A sound file beside the storyboard."""
    level: Level = "-24 dB"
    """Gain relative to the file."""
    fade_in: Duration | None = None
    """Length of the fade at its start; that of the transition into the scene when left out."""
    fade_out: Duration | None = None
    """Length of the fade at its end; that of the transition out of the scene when left out."""

    @property
    def gain(self) -> float:
        """The level in dB."""
        return number_in(self.level)


class Mix(ShorthandModel):
    """The level of a shot's own sound, that of its clip or its recording, and its fades; a bare value is the gain."""

    shorthand = "gain"

    gain: Level = "0 dB"
    """Gain relative to the clip or the recording."""
    fade_in: Duration | None = None
    """Length of the fade at its start; none when left out."""
    fade_out: Duration | None = None
    """Length of the fade at its end; none when left out."""

    @property
    def gain_db(self) -> float:
        """The gain in dB."""
        return number_in(self.gain)


class FilmLevel(StoryboardModel):
    """The level of the whole film's sound: it is measured, and raised or lowered as a whole; peaks are limited."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    loudness: Loudness | None = None
    """The loudness of the film, integrated over its length (EBU R 128), from -40 to -5 LUFS: -14 for the web, -16 for
    podcasts, -23 for television. The level stays as it is mixed when left out."""
    peak: TruePeak = "-1 dBTP"
    """The highest true peak, from -9 to 0 dBTP."""

    @model_validator(mode="after")
    def _says_something(self) -> FilmLevel:
        if not self.model_fields_set:
            raise ValueError("nothing is said of the sound; write for example `{loudness: -14 LUFS, peak: -1 dBTP}`")
        return self

    @property
    def lufs(self) -> float | None:
        """The loudness in LUFS; None if the level stays as it is mixed."""
        return number_in(self.loudness) if self.loudness else None

    @property
    def dbtp(self) -> float:
        """The highest true peak in dBTP."""
        return number_in(self.peak)
