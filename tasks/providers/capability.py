"""The abilities of a service's models in each mode, and the files that they accept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, Literal

from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Mode
from storyreel.specs.timing import FrameRate
from storyreel.tasks.providers.request import Use


class MediaLimits(Frozen):
    """The pictures, videos, voices and sounds that a service accepts."""

    image_formats: tuple[str, ...]
    """In Pillow's names."""
    alpha: bool
    """Whether a PNG may have an alpha channel."""
    image_bytes: int
    image_sides: tuple[int, int]
    """Least and most pixels of each side."""
    video_formats: tuple[str, ...]
    """FFmpeg's names of the containers."""
    video_bytes: int
    video_sides: tuple[int, int]
    video_seconds: tuple[int, int]
    """Least and most."""
    voice_formats: tuple[str, ...]
    voice_bytes: int
    voice_seconds: tuple[int, int]
    sound_formats: tuple[str, ...] = ("wav", "mp3")
    sound_bytes: int = 15_000_000
    sound_seconds: tuple[int, int] = (2, 30)
    shape: int | float
    """The greatest ratio of the longer side to the shorter one."""
    all_videos_seconds: int | None = None
    """Most seconds of all videos of a request together."""
    all_voices_seconds: int | None = None


class Capability(Frozen):
    """The abilities of a service's model in one mode. None means no limit."""

    mode: Mode
    model: str
    """The service's id of the model that it orders in this mode."""
    durations: tuple[int, ...] | None = None
    """Sold seconds in rising order, 0 alone for pictures; None if any number of frames is sold."""
    durations_with_video: tuple[int, ...] | None = None
    """Sold seconds if a reference video is sent; None if that makes no difference."""
    seconds_with_video: int | None = None
    """Most seconds of the clip and all reference videos together."""
    ratios: tuple[str, ...] = ("16:9", "9:16", "1:1", "4:3", "3:4")
    resolutions: tuple[str, ...] = ("720p", "1080p")
    images: int | None = None
    """Most reference images."""
    videos: int | None = None
    """Most reference videos."""
    references: int | None = None
    """Most images and videos together."""
    first_frame: bool = True
    """Whether the clip can begin with a given picture."""
    last_frame: bool = False
    """Whether the clip can end with a given picture, beside the one that it begins with."""
    first_clip: tuple[int, int] | None = None
    """Least and most seconds of a clip that it can go on from, which its own clip then begins with and which count
    among the sold seconds; None if it cannot."""
    edits: tuple[int, int] | None = None
    """Least and most seconds of a clip that it makes another one of; None if it edits none."""
    edits_part: bool = True
    """Whether that can be made of a part of the clip, from its beginning; if not, it is made of all of it."""
    follows_first_frame: bool = False
    """Whether the clip has the shape of what it begins with, whatever the aspect ratio."""
    voice: bool = False
    """Whether a reference can have a voice."""
    voices: int | None = None
    """Most voices, where they are sent beside the references and named in the prompt: Audio 1. None where each is a
    part of its reference."""
    sound: bool = False
    """Whether the clip can be made to a recording, in which lips and moves follow it."""
    data_uris: tuple[Use, ...] = ()
    """The uses whose files may be sent inside the request; all others need a link."""
    uploads: bool = False
    """Whether the service stores uploaded files."""
    media: MediaLimits | None = None
    """The files that it accepts; None if any."""
    negative_prompt: bool = True
    """Whether what to avoid is a field of its own; if not, it is put at the end of the prompt."""
    prompt_length: int | None = None
    """Characters."""
    negative_length: int | None = None
    prompt_expansion: bool = False
    """Whether it rewrites the prompt before it makes the clip, if it is asked to."""
    watermark: bool = False
    """Whether it marks the clip as AI generated, if it is asked to."""
    label: Literal["Image 1", "image 1", "[Image 1]"] = "Image 1"
    """The name of the first reference image in prompts; those of videos and voices have the same form."""
    form: str = ""
    """The way in which the service's module writes an order, where it has several; empty for its usual one."""
    speakers: tuple[str, ...] | None = None
    """The voices that speak lines, by the service's names; None if any name is taken."""
    languages: tuple[str, ...] | None = None
    """The languages that they speak, as `en` and `zh`; None if any is taken."""
    delivery: bool = False
    """Whether it is told how a line is spoken, in free words."""
    han_counts: int = 1
    """Characters that a Chinese one counts as, where the price and the longest text are reckoned in characters."""
    answers_at_once: bool = False
    """Whether the product itself is the answer to an order: there is no task to look at, to cancel or to list."""
    draws_board: bool = False
    """Whether it draws a `Board` instead of reading a prompt."""

    def accepts_local_file(self, use: Use) -> bool:
        """Whether a local file can be sent without a bucket of the user."""
        return self.draws_board or self.uploads or use in self.data_uris

    def characters(self, text: str) -> int:
        """The characters of a text, as the service counts them."""
        return len(text) + (self.han_counts - 1) * sum(map(is_han, text))

    def label_of(self, kind: str, number: int) -> str:
        """The name of an attachment in prompts, counted from 1 among those of its kind."""
        return _label(self.label, kind, number)

    def shortest_sold(self, frames: int, rate: FrameRate, videos: Sequence[Fraction | None] = ()) -> Fraction | None:
        """The shortest sold length that covers `frames`, in seconds; 5 s cover 120 at 23.976. None if none does.

        `videos` are the lengths of the reference videos, None where one is not known.
        """
        durations = self.sold_seconds(videos)
        return rate.seconds(frames) if durations is None else _shortest(durations, frames, rate)

    def sold_seconds(self, videos: Sequence[Fraction | None] = ()) -> tuple[int, ...] | None:
        """Sold seconds in rising order, beside reference videos of these lengths; None for any length."""
        durations = self.durations_with_video if videos and self.durations_with_video else self.durations
        if durations is None or self.seconds_with_video is None:
            return durations
        left = self.seconds_with_video - sum(math.ceil(seconds) for seconds in videos if seconds is not None)
        return tuple(sold for sold in durations if sold <= left)


@cache
def _label(first_image: str, kind: str, number: int) -> str:
    name = f"{kind} {number}"
    return first_image.replace("Image 1", name.capitalize()).replace("image 1", name)


@lru_cache(256)
def _shortest(durations: tuple[int, ...], frames: int, rate: FrameRate) -> Fraction | None:
    return next((Fraction(sold) for sold in durations if rate.nearest_frames(sold) >= frames), None)


_HAN = (
    *((0x2E80, 0x2FD5), (0x3005, 0x3007), (0x3021, 0x3029), (0x31C0, 0x31EF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)),
    *((0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
)
"""Code points of the script Han, in Unicode's blocks of ideographs, radicals and strokes; rather too many than too few,
so that a budget holds."""


def is_han(letter: str) -> bool:
    """Whether a character is Chinese, as those are that Japanese and Korean have from there."""
    return any(first <= ord(letter) <= last for first, last in _HAN)


class Model(Frozen):
    """A thing that a service sells under one name: a model, or a family of which it orders another one in each mode."""

    modes: Mapping[Mode, Capability]
    max_concurrent: int | None = None
    """Most tasks of this model of one run at a time, among those that the service allows; None for as many."""
    min_poll_seconds: float | None = None
    """Least time between two polls of a task; None if it is the service's."""
    advised_poll_seconds: float | None = None
    """Time between two polls that is advised; None if it is the service's."""

    def only(self, id: str) -> Model | None:
        """The model in those modes alone in which its id is this; None if there are none."""
        modes = {mode: capability for mode, capability in self.modes.items() if capability.model == id}
        return self.model_copy(update={"modes": modes}) if modes else None


def model_of(*capabilities: Capability, **pace: Any) -> Model:
    """A model of capabilities of different modes; `pace` are its other fields."""
    return Model(modes={capability.mode: capability for capability in capabilities}, **pace)
