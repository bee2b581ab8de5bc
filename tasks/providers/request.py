"""The request for one take, with its attachments, and the key that identifies it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import Literal

from storyreel.specs.frozen import Frozen, Trusted
from storyreel.specs.language.titles import Card, Credits, Lettering
from storyreel.specs.storyboard import Mode
from storyreel.specs.timing import FrameRate

_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))

AttachmentKind = Literal["image", "video", "voice", "sound"]

Use = Literal["first_frame", "first_clip", "last_frame", "edited", "image", "video", "voice", "sound"]
"""The purpose for which a service gets an attachment."""


class Crop(Frozen):
    """The shape that a picture is cut to before it is sent, and the point around which it is."""

    width: int
    height: int
    x: float = 0.5
    """From 0, the left edge, to 1, the right edge."""
    y: float = 0.5
    """From 0, the upper edge, to 1, the lower edge."""

    def __str__(self) -> str:
        return f"cut to {self.width}:{self.height} around {self.x:g}, {self.y:g}"


class Attachment(Trusted):
    """A picture, video, voice or sound that is sent with a request."""

    kind: AttachmentKind
    digest: str
    """Its part of the key: `sha256:…` of a file's content, `url:…` with a remote address as written, `take:…` with the
    key of the take whose last frame it is, or its end, or its clip."""
    source: str
    """An absolute path or a URL; empty for what is made of another take's clip and does not exist yet. Not in the
    key."""
    subject: str = ""
    """The cast member or location that it shows, by its key in the storyboard, or empty. Not in the key."""
    voice: Attachment | None = None
    """A recording of the voice of the person it shows, for services that accept one with a reference."""
    silence: Fraction = Fraction(0)
    """Seconds of silence that are put before a sound when it is sent. In the key by its digest."""
    frame_digest: str = ""
    """SHA-256, in hex, of the file that was made of another take's clip, once it exists. Not in the key."""
    seconds: Fraction | None = None
    """Length of a local video; None if unknown, as of a remote one. Not in the key."""
    crop: Crop | None = None
    """The cut that a picture gets before it is sent. In the key by its digest."""

    def cut_to(self, crop: Crop) -> Attachment:
        """The picture as it is cut."""
        return self.model_copy(update={"digest": f"{self.digest} {crop}", "crop": crop})

    @property
    def is_local(self) -> bool:
        """Whether it is a file of this machine."""
        return not self.digest.startswith("url:")

    @property
    def is_picture_here(self) -> bool:
        """Whether it is a picture or a video that exists on this machine already."""
        return self.digest.startswith("sha256:") and self.kind in ("image", "video")

    @property
    def content_digest(self) -> str:
        """SHA-256, in hex, that the content of a local file must have."""
        return self.frame_digest or self.digest.removeprefix("sha256:")


HUES = 12
COLOURS = 2 * HUES
"""Number of colours that a board has for people: each hue in two shades."""


class WrittenCard(Frozen):
    """A card or credits, and their lettering, without the name of its font's file."""

    card: Card | None = None
    credits: Credits | None = None
    lettering: Lettering
    drawing: int
    """Number of the way in which they are drawn."""

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """The texts, each with its role: `line`, or in credits the role of the names; may be empty."""
        if self.credits:
            return tuple((entry.role, ", ".join(entry.names)) for entry in self.credits.entries)
        return (("", self.card.text), *((("line", self.card.line),) if self.card.line else ())) if self.card else ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that is drawn."""
        if self.credits:
            return tuple(text for entry in self.credits.entries for text in (entry.role, *entry.names) if text)
        return tuple(text for _, text in self.lines)


class Board(Frozen):
    """The content of an animatic: a shot's slate, text and timing. Only requests to the animatic have one."""

    film: str
    scene: str
    """Scene and heading, may be empty."""
    slate: str
    """Of a picture that of what it is made for: `1A@still`, `1A@last-still`, `mira@sheet`."""
    size: str
    """Shot size as text, may be empty."""
    camera: str
    """Camera move, one of `storyreel.specs.storyboard.Camera.move`."""
    action: str
    """Of a sheet, the description."""
    dialogue: tuple[tuple[str, str], ...]
    """Speaker and line."""
    place: str
    """The location's name, may be empty; of a sheet, the name of whom or what it shows."""
    frames: int
    rate: FrameRate
    font: str = ""
    """The absolute path of the user's own font, or empty. Not in the key, its digest is in `lettering`."""
    lettering: str = ""
    """The fonts and directions of its letters; empty if all are in DejaVu Sans, from left to right."""
    missing: tuple[str, ...] = ()
    """The letters that no font had when it was planned; they are drawn as empty boxes."""
    angle: str = ""
    """Camera angle, may be empty."""
    lens: str = ""
    """Lens, may be empty."""
    cast: tuple[tuple[str, int, bool], ...] = ()
    """The people who are seen, if there may be no picture to show: name, number of colour, and whether the hair is
    long. Empty if there is one."""
    pictured: bool = False
    """Whether a picture shows another person of the shot: the figures are then beside that one."""
    titled: bool = False
    """Whether the film lays words over the foot of this picture, which is left free for them."""
    headed: Literal["", "small", "large"] = ""
    """The size of the words that the film lays over the head of this picture, which is left free for them; empty if
    there are none."""
    crossed: Literal["", "small", "large"] = ""
    """The size of those that it lays over the middle; its own words stand above or below them."""
    subtitled: bool = False
    """Whether it lays subtitles over it, which stand for those that are drawn here."""
    continues: bool = False
    """Whether it begins with the end of another shot, which does not show what happens in this one."""
    voice: str = ""
    """The engine that speaks the dialogue, with its version; empty if tones stand for it."""
    language: str = ""
    """The language of what it speaks, as `en`; empty if it is not known."""
    spoken: tuple[int, int] | None = None
    """The frames `[first, end)` in which the dialogue is heard, of a shot that lasts as its lines do; None for all."""
    written: WrittenCard | None = None
    """The card or credits that fill the picture, and are all that is drawn; None of any other shot. Its slate is not in
    the key then."""
    display_font: str = ""
    """The absolute path of the font of its card, or empty. Not in the key, its digest is in `lettering`."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that is drawn."""
        if self.written:
            return self.written.texts
        spoken = (text for who, line in self.dialogue for text in (who.upper(), line))
        seen = (name.upper() for name, *_ in self.cast)
        others = filter(None, (self.angle.upper(), self.lens.upper(), *seen))
        return self.film, self.scene, self.slate, self.action, self.place.upper(), *spoken, *others

    @property
    def bare(self) -> Board:
        """The same without what the picture at the end of its clip does not depend on; itself if there is none."""
        if not any(getattr(self, name) for name in _BESIDE_PICTURES):
            return self
        return self.model_copy(update={name: type(self).model_fields[name].default for name in _BESIDE_PICTURES})


_BESIDE_PICTURES = (
    *("angle", "lens", "cast", "pictured", "titled", "headed", "crossed", "subtitled", "continues"),
    *("voice", "language"),
)


class Request(Trusted):
    """The request that is sent to a service for one take. Equal requests have one key and are bought once."""

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
    """Pixels of the clip."""
    references: tuple[Attachment, ...]
    """In the order in which the prompt numbers them."""
    first_frame: Attachment | None
    last_frame: Attachment | None = None
    first_clip: Attachment | None = None
    """The end of another take's clip, which this one goes on from and begins with."""
    edited: Attachment | None = None
    """The clip of another take, which this one is an edit of."""
    audio: Literal["", "origin", "auto"] = ""
    """The fate of the sound of the edited clip; empty if none is edited."""
    sound: Attachment | None = None
    """The recording that the clip is made to, from its first frame on."""
    board: Board | None = None
    expand_prompt: bool = False
    """Whether the service may rewrite the prompt."""
    watermark: bool = False
    """Whether the service marks the clip as AI generated."""
    voice: str = ""
    """The service's name of the voice that speaks; of speech alone. Its prompt is the line."""
    language: str = ""
    """The language that is spoken, as `en` or `zh`; empty if it is not known."""
    delivery: str = ""
    """The way in which the line is spoken, in free words, for services that take a direction; may be empty."""
    take: int
    """From 1."""

    @property
    def attachments(self) -> Iterator[tuple[Use, Attachment]]:
        """All attachments with their uses: frames, the clip before, references, voices, the sound."""
        if self.first_frame:
            yield "first_frame", self.first_frame
        if self.first_clip:
            yield "first_clip", self.first_clip
        if self.last_frame:
            yield "last_frame", self.last_frame
        if self.edited:
            yield "edited", self.edited
        for reference in self.references:
            yield reference.kind, reference
            if reference.voice:
                yield "voice", reference.voice
        if self.sound:
            yield "sound", self.sound

    @cached_property
    def key(self) -> str:
        """SHA-256, in hex, of the canonical form."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @cached_property
    def identity(self) -> str:
        """The name of the take in requests that are made of it: its key, but of a drawing that of its bare board.

        What is bought of the picture at its end is then not bought again where more is told beside the picture.
        """
        return self.key if self._is_bare else hashlib.sha256(self.canonical(bare=True).encode()).hexdigest()

    @property
    def _is_bare(self) -> bool:
        return self.board is None or self.board.bare is self.board

    def with_own_seed(self) -> Request:
        """The same with a seed that follows from all else that is in its `identity`; `seed` must be 0."""
        form = self.canonical(bare=True)
        seed = int.from_bytes(hashlib.sha256(form.encode()).digest()[:4]) % 2**31
        seeded = self.model_copy(update={"seed": seed})
        # Its form differs in the seed alone, and the name stands there once: within a text, quotes are escaped.
        seeded.__dict__["identity"] = hashlib.sha256(form.replace('"seed":0', f'"seed":{seed}', 1).encode()).hexdigest()
        if self._is_bare:
            seeded.__dict__["key"] = seeded.identity
        return seeded

    def canonical(self, *, bare: bool = False) -> str:
        """The request as JSON with sorted keys and with the digests of the attachments alone, or with its bare board.

        A field that was added later is left out if it is empty, so that earlier purchases keep their keys.
        """
        # As `model_dump(mode="json")` would write it; that takes most of the time in which a long film is planned.
        form = {**self.__dict__, "mode": self.mode.value, "seconds": str(self.seconds)}
        for name in ("key", "identity"):
            form.pop(name, None)
        board = self.board.bare if self.board and bare else self.board
        form["board"] = board.model_dump(mode="json") if board else None
        form["references"] = [_digests(reference) for reference in self.references]
        form["first_frame"] = _digests(self.first_frame) if self.first_frame else None
        form["last_frame"] = _digests(self.last_frame) if self.last_frame else None
        form["first_clip"] = _digests(self.first_clip) if self.first_clip else None
        form["edited"] = _digests(self.edited) if self.edited else None
        form["sound"] = _digests(self.sound) if self.sound else None
        for name in _ADDED_LATER:
            if not form[name]:
                del form[name]
        if self.board:
            of_card = ("slate",) if self.board.written else ()
            for name in (
                "font",
                "display_font",
                *of_card,
                *(name for name in _ADDED_TO_BOARD if not form["board"][name]),
            ):
                del form["board"][name]
        return _CANONICAL.encode(form)


_ADDED_TO_BOARD = ("lettering", "missing", "spoken", "written", *_BESIDE_PICTURES)
_ADDED_LATER = (
    *("last_frame", "first_clip", "edited", "audio", "sound", "expand_prompt", "watermark"),
    *("voice", "language", "delivery"),
)


def _digests(attachment: Attachment) -> list[str]:
    return [attachment.kind, attachment.digest] + ([attachment.voice.digest] if attachment.voice else [])
