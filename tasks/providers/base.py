"""What every service is: an interface, the request it is sent, what it is able to do, and how it can fail."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import ClassVar, Literal

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.specs.problems.phrases import shown
from storyreel.specs.storyboard import Mode
from storyreel.specs.timing import FrameRate

Progress = Callable[[float], None]
"""Told how much of a piece of work is done, from 0 to 1."""


AttachmentKind = Literal["image", "video", "voice"]

Use = Literal["first_frame", "last_frame", "image", "video", "voice"]
"""What an attachment is to a service."""


class Attachment(Frozen):
    """A picture, video or voice that goes with a request."""

    kind: AttachmentKind
    digest: str
    """What stands for it in the key: `sha256:…` of a file's content, `url:…` a remote address as written,
    `take:…` the key of the take whose last frame it is."""
    source: str
    """An absolute path or a URL; empty for a last frame that does not exist yet. No part of the key."""
    whose: str = ""
    """The cast member or location it shows, by its key in the storyboard. No part of the key."""
    voice: Attachment | None = None
    """How the person it shows speaks, for services that take a voice beside a reference."""
    seconds: Fraction | None = None
    """Length of a local reference video; None where it is not known, as a remote one's. No part of the key."""


class Board(Frozen):
    """What the animatic draws: a shot's slate, words and timing. Part of an animatic's request alone."""

    film: str
    scene: str
    """Scene and heading, may be empty."""
    slate: str
    size: str
    """Shot size in words, may be empty."""
    camera: str
    """Camera move, one of `storyreel.specs.storyboard.Camera.move`."""
    action: str
    dialogue: tuple[tuple[str, str], ...]
    """Speaker and line."""
    place: str
    """The location's name, may be empty."""
    frames: int
    rate: FrameRate


class Request(Frozen):
    """All that reaches a service for one take. Two equal requests have one key and are bought once."""

    provider: str
    model: str
    mode: Mode
    prompt: str
    negative_prompt: str
    seed: int
    seconds: Fraction
    """Sold seconds."""
    aspect_ratio: str
    resolution: str
    width: int
    height: int
    """Pixels the clip must have."""
    references: tuple[Attachment, ...]
    """In the order they are numbered in."""
    first_frame: Attachment | None
    last_frame: Attachment | None = None
    board: Board | None = None
    take: int
    """From 1."""

    @property
    def uses(self) -> Iterator[tuple[Use, Attachment]]:
        """Everything that goes with the request, and what it is there: frames, references, voices."""
        if self.first_frame:
            yield "first_frame", self.first_frame
        if self.last_frame:
            yield "last_frame", self.last_frame
        for reference in self.references:
            yield reference.kind, reference
            if reference.voice:
                yield "voice", reference.voice

    @property
    def key(self) -> str:
        """SHA-256, in hex, of the canonical form of what reaches the service."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def canonical(self) -> str:
        """The request as JSON with sorted keys, attachments by their digests alone.

        A field that came later is left out where it says nothing: what was bought before it came keeps its key.
        """
        form = self.model_dump(mode="json", exclude={"references", "first_frame", "last_frame"})
        form["references"] = [_digests(reference) for reference in self.references]
        form["first_frame"] = _digests(self.first_frame) if self.first_frame else None
        if self.last_frame:
            form["last_frame"] = _digests(self.last_frame)
        return json.dumps(form, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _digests(attachment: Attachment) -> list[str]:
    return [attachment.kind, attachment.digest] + ([attachment.voice.digest] if attachment.voice else [])


class MediaLimits(Frozen):
    """What a service takes for a picture, a video or a voice."""

    image_formats: tuple[str, ...]
    """As Pillow calls them."""
    alpha: bool
    """Whether a PNG may have an alpha channel."""
    image_bytes: int
    image_sides: tuple[int, int]
    """Pixels, at least and at most, of each side."""
    video_formats: tuple[str, ...]
    """As FFmpeg calls their container."""
    video_bytes: int
    video_sides: tuple[int, int]
    video_seconds: tuple[int, int]
    voice_formats: tuple[str, ...]
    voice_bytes: int
    voice_seconds: tuple[int, int]
    shape: int
    """How many times the longer side of a picture or video may be as long as the shorter."""


class Capability(Frozen):
    """What a service's model is able to do in one mode. None means no limit."""

    mode: Mode
    model: str
    durations: tuple[int, ...] | None = None
    """Sold seconds in rising order; None where any length to the frame can be had."""
    durations_with_video: tuple[int, ...] | None = None
    """Sold seconds when a reference video is sent; None where it makes no difference."""
    ratios: tuple[str, ...] = ("16:9", "9:16", "1:1", "4:3", "3:4")
    resolutions: tuple[str, ...] = ("720p", "1080p")
    images: int | None = None
    """Reference images at most."""
    videos: int | None = None
    """Reference videos at most."""
    references: int | None = None
    """Images and videos together at most."""
    first_frame: bool = True
    """Whether the clip can be made to begin with a given picture."""
    last_frame: bool = False
    """Whether the clip can be made to end with a given picture, beside the one that it begins with."""
    follows_first_frame: bool = False
    """Whether the clip takes the first frame's shape, whatever the aspect ratio."""
    voice: bool = False
    """Whether a reference can be given a voice."""
    data_uris: tuple[Use, ...] = ()
    """What may travel inside the request; everything else needs a link."""
    uploads: bool = False
    """Whether the service keeps files for us."""
    media: MediaLimits | None = None
    """What files may be like."""
    negative_prompt: bool = True
    """Whether what to avoid is a field of its own; else it stands at the end of the prompt."""
    prompt_length: int | None = None
    """Characters."""
    negative_length: int | None = None

    label: Literal["Image 1", "image 1"] = "Image 1"
    """How the service's prompts call the first reference image; videos alike."""
    draws_board: bool = False
    """Takes the shot's words and timing as a `Board` and has no prompt."""

    def reads_file(self, use: Use) -> bool:
        """Whether a local file can be sent without a bucket of the user's."""
        return self.draws_board or self.uploads or use in self.data_uris

    def sold_for(self, frames: int, rate: FrameRate, with_video: bool) -> Fraction | None:
        """The shortest sold length, in seconds, that covers `frames`; None when none does.

        A length covers what it reaches to the nearest frame: 5 s cover the 120 frames of 5 s at 23.976.
        """
        durations = self.sold(with_video)
        if durations is None:
            return rate.seconds(frames)
        lengths = map(Fraction, durations)
        return next((sold for sold in lengths if rate.nearest_frames(sold) >= frames), None)

    def sold(self, with_video: bool) -> tuple[int, ...] | None:
        """Sold seconds in rising order, with or without a reference video; None for any length."""
        return self.durations_with_video if with_video and self.durations_with_video else self.durations


class Accepted(Frozen):
    """A service's answer to a submit: the id of its task, and the cost where it says so."""

    task: str
    cost: Money | None = None


class Standing(Frozen):
    """How a service's task stands."""

    state: Literal["pending", "finished"]
    detail: str = ""
    """The service's own word: queued, generating, …"""
    result: str = ""
    """Where the finished clip is: a URL."""
    cost: Money | None = None
    """What the service says it cost, where it says so at the end."""
    billed_seconds: Fraction | None = None
    """Seconds that the service says it billed, input and output together, where it says so at the end."""
    is_known: bool = True
    """Whether `detail` is a word that the service is known to use."""
    is_queued: bool = False
    """Whether `detail` says that the service has accepted the order and not begun with it."""


class RemoteTask(Frozen):
    """An entry of a service's list of tasks."""

    task: str
    model: str = ""
    created: datetime | None = None
    """With its time zone; None where the list does not say."""
    detail: str = ""
    """The service's own word for how it stands."""


class ProviderError(Exception):
    """A service did not do what was asked. One of the three roots below decides what happens next.

    `service` is its name; `hint` ends the message with what to do.
    """

    def __init__(self, message: str, *, service: str = "", hint: str = "") -> None:
        self.message, self.service, self.hint = message, service, hint
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.__dict__)


class Transient(ProviderError):
    """Surely not accepted, or only a read: it may be tried again.

    `retry_after` is in seconds, where the service said so.
    """

    retry_after: float | None = None


class Terminal(ProviderError):
    """Trying the same again cannot help: something must be changed first. Of an accepted task it says nothing."""


class Refusal(Terminal):
    """What a service says, once and for all, of a request that it has read.

    `code` is its own word for the reason, where it has one. `is_content` says that its moderation objects, which
    another service may see otherwise and the author must decide.
    """

    code: str = ""
    is_content: bool = False


class Refused(Refusal):
    """The order was turned down: nothing was bought."""


class TaskFailed(Refusal):
    """The order was accepted, and has failed: no clip will ever come of it."""


class TaskForgotten(Terminal):
    """The service no longer knows a task. What was paid may be lost; it is never bought again by itself."""


class Ambiguous(ProviderError):
    """A paid submit whose fate is not known. It must not be sent again."""


def _rebuild(kind: type[ProviderError], message: str, attributes: dict[str, object]) -> ProviderError:
    error = kind(message)
    error.__dict__.update(attributes)
    return error


class Provider(ABC):
    """A service that makes clips. Used as an async context manager, one for all takes of a run."""

    name: ClassVar[str]
    capabilities: ClassVar[Mapping[Mode, Capability]]
    paid: ClassVar[bool] = True
    """Whether a submit costs money; what is free may be submitted again without asking."""
    poll_floor: ClassVar[float] = 3
    """Seconds that must be between two looks at a task."""
    poll_pace: ClassVar[float | None] = None
    """Seconds between two looks that the service itself advises; None where it says nothing."""
    calls_back: bool = False
    """Whether the service has been asked to call when a task changes."""
    lists_all: ClassVar[bool] = False
    """Whether `tasks` gives all that was accepted between two times of the last day, each with its time, so that what
    is not among them was never accepted."""
    at_once: ClassVar[int] = 4
    """Takes that may be at the service at the same time, where the account says nothing else: see `bears`."""

    @classmethod
    def lacks(cls, environment: Mapping[str, str]) -> str:
        """The environment variable that must be set before the service can be used; empty when nothing is missing."""
        return ""

    @classmethod
    def quota_variable(cls) -> str:
        """The environment variable that says how many takes an account may have at the service."""
        return f"{cls.name.upper()}_AT_ONCE"

    @classmethod
    def bears(cls, environment: Mapping[str, str] = os.environ) -> int:
        """Takes that may be at the service at the same time: `at_once`, unless `<SERVICE>_AT_ONCE` says otherwise.

        Raises Terminal when that is no number of takes.
        """
        said = environment.get(cls.quota_variable(), "").strip()
        if not said:
            return cls.at_once
        if not re.fullmatch(r"[1-9][0-9]{0,3}", said):
            what = f"{cls.quota_variable()} must be a whole number from 1 to 9999, and is {shown(said)!r}"
            raise Terminal(what, service=cls.name, hint=f"for example {cls.quota_variable()}={cls.at_once}")
        return int(said)

    async def __aenter__(self) -> Provider:
        return self

    async def __aexit__(self, *exception: object) -> None:
        return None

    async def prepare(self, request: Request) -> None:  # noqa: B027  (most have nothing to prepare)
        """Bring what a request needs to the service; costs nothing. Raises Transient or Terminal."""

    @abstractmethod
    async def submit(self, request: Request) -> Accepted:
        """Order a take. Raises Transient, Terminal (Refused when the service read it and said no) or Ambiguous."""

    @abstractmethod
    async def look(self, task: str) -> Standing:
        """How a task stands.

        Raises TaskFailed, which alone means that it failed for good; TaskForgotten; Transient; or any other Terminal
        when the service does not tell, as with a key that was revoked: the task may be well all the same.
        """

    @abstractmethod
    async def fetch(self, request: Request, standing: Standing, into: Path, progress: Progress) -> None:
        """Bring the finished clip into the file `into`.

        Raises Transient, or Terminal when something must be changed first; the clip stays where it is.
        """

    async def cancel(self, task: str) -> bool:
        """Call a task off; whether it was, and so costs nothing. Most services cannot."""
        return False

    async def tasks(self, since: datetime, until: datetime) -> list[RemoteTask] | None:
        """The service's own list of what it accepted between two times; None where there is no list."""
        return None

    async def last_frame(self, request: Request, clip: Path, into: Path) -> bool:
        """Write the picture that a shot continuing this clip begins with, as a PNG.

        False when there is none. Usually not overwritten in subclasses.
        """
        from storyreel.tasks.media.frames import last_frame

        await asyncio.to_thread(last_frame, clip, into)
        return True
