"""The request that a service is sent for one take, and what goes with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Mode
from storyreel.specs.timing import FrameRate

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
