"""What every service is: an interface, the request it is sent, what it is able to do, and how it can fail."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from specs.storyboard import Mode
from specs.timing import FrameRate

Progress = Callable[[float], None]
"""Told how much of a piece of work is done, from 0 to 1."""


class Frozen(BaseModel):
    """Base of what goes between the parts."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Money(Frozen):
    """An amount in one currency."""

    amount: Decimal
    currency: str
    """ISO 4217: USD, CNY."""


class Attachment(Frozen):
    """A picture, video or voice that goes with a request."""

    kind: Literal["image", "video", "voice"]
    digest: str
    """What stands for it in the key: `sha256:…` of a file's content, `url:…` a remote address as written,
    `take:…` the key of the take whose last frame it is."""
    source: str
    """An absolute path or a URL; empty for a last frame that does not exist yet. No part of the key."""
    whose: str = ""
    """The cast member or location it shows, by its key in the storyboard. No part of the key."""
    voice: Attachment | None = None
    """How the person it shows speaks, for services that take a voice beside a reference."""


class Board(Frozen):
    """What the animatic draws: a shot's slate, words and timing. Part of an animatic's request alone."""

    film: str
    scene: str
    """Scene and heading, may be empty."""
    slate: str
    size: str
    """Shot size in words, may be empty."""
    camera: str
    """Camera move, one of `specs.storyboard.Camera.move`."""
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
    board: Board | None = None
    take: int
    """From 1."""

    @property
    def key(self) -> str:
        """SHA-256, in hex, of the canonical form of what reaches the service."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def canonical(self) -> str:
        """The request as JSON with sorted keys, attachments by their digests alone."""
        form = self.model_dump(mode="json", exclude={"references", "first_frame"})
        form["references"] = [_digests(reference) for reference in self.references]
        form["first_frame"] = _digests(self.first_frame) if self.first_frame else None
        return json.dumps(form, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _digests(attachment: Attachment) -> list[str]:
    return [attachment.kind, attachment.digest] + ([attachment.voice.digest] if attachment.voice else [])


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
    voice: bool = False
    prompt_length: int | None = None
    """Characters."""
    negative_length: int | None = None

    def sold_for(self, seconds: Fraction, with_video: bool) -> Fraction | None:
        """The shortest sold length that covers `seconds`; None when none does."""
        durations = self.durations_with_video if with_video and self.durations_with_video else self.durations
        if durations is None:
            return seconds
        return next((Fraction(sold) for sold in durations if sold >= seconds), None)


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
    """Surely not accepted, or only a read: it may be tried again. `retry_after` seconds where the service said."""

    retry_after: float | None = None


class Terminal(ProviderError):
    """Refused, or failed for good; trying the same again cannot help."""


class Ambiguous(ProviderError):
    """A paid submit whose fate is not known. It must not be sent again."""


def _rebuild(kind: type[ProviderError], message: str, attributes: dict[str, object]) -> ProviderError:
    error = kind(message)
    error.__dict__.update(attributes)
    return error


class Provider(ABC):
    """A service that makes clips. Used as an async context manager, one for all takes of a run."""

    name: str
    capabilities: dict[Mode, Capability]

    async def __aenter__(self) -> Provider:
        return self

    async def __aexit__(self, *exception: object) -> None:
        return None

    @abstractmethod
    async def submit(self, request: Request) -> Accepted:
        """Order a take. Raises Transient, Terminal or Ambiguous."""

    @abstractmethod
    async def look(self, task: str) -> Standing:
        """How a task stands. Raises Transient, or Terminal when it failed for good."""

    @abstractmethod
    async def fetch(self, request: Request, standing: Standing, into: Path, progress: Progress) -> None:
        """Bring the finished clip into the file `into`. Raises Transient or Terminal."""
