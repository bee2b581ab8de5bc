"""The author's words behind a request, stored with its order, so that a plan can say what has changed since.

A brief is not in the key; it explains why a key differs from an earlier one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from storyreel.specs.derived.pictures import PictureShot
from storyreel.specs.derived.speech import LineShot
from storyreel.specs.frozen import Frozen
from storyreel.specs.secrets import hidden
from storyreel.specs.storyboard import CastMember, Location, Mode, Shot, Storyboard
from storyreel.tasks.ledger.purchase import DRAFT_WORD
from storyreel.tasks.providers.request import Board, Request
from storyreel.tasks.request.attachments import SPEECH, STILL

_ORDER = "order of references"

NameOf = Callable[[str, str], tuple[str, str]]
"""`attachment_name` of a film, by the attachment's source and digest; it may remember what it was asked before."""


class Brief(Frozen):
    """Each value of the storyboard that reaches the service, by the author's name for it."""

    words: tuple[tuple[str, str], ...]
    """`("action", "Mira climbs the last stair.")`; empty values are left out."""

    def dump(self) -> str:
        """The brief as JSON, as the ledger stores it."""
        return json.dumps(dict(self.words), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def load(cls, stored: str) -> Brief | None:
        """A brief from the ledger; None if `stored` is empty, as in rows of older versions."""
        return cls(words=tuple(json.loads(stored).items())) if stored else None


def brief_of(storyboard: Storyboard, shot: Shot, request: Request, name_of: NameOf, *, is_draft: bool = False) -> Brief:
    """The brief of a request that was built for a shot. Each file and address is named by `name_of`."""
    words = {DRAFT_WORD: "yes"} if is_draft else {}  # the first, by which the ledger knows it
    is_edit = request.edited is not None
    if request.board:
        words.update(_board_words(request))
    elif isinstance(shot, LineShot):
        words.update(_line_words(request))
    elif isinstance(shot, PictureShot):
        words.update(_picture_words(storyboard, shot))
    else:
        words.update(_prompt_words(storyboard, shot, is_edit=is_edit))
    words.update(_attachment_words(shot, request, name_of))
    words.update(_format_words(shot, request))
    return Brief(words=tuple(word for word in words.items() if word[1]))


def changes(then: Brief, now: Brief) -> tuple[str, ...]:
    """The names of the values that differ: `action`, `reference mira-front.png`, `look`."""
    before, after = dict(then.words), dict(now.words)
    # A file that was only renamed is the same picture.
    kept = set(_files(before).values()) & set(_files(after).values())
    changed = [
        name
        for name in dict.fromkeys((*after, *before))
        if before.get(name) != after.get(name) and not (_is_file(name) and {before.get(name), after.get(name)} & kept)
    ]
    # If a reference was added or removed, the order of the others has not changed by itself.
    return tuple(name for name in changed if name != _ORDER or changed == [_ORDER])


def _prompt_words(storyboard: Storyboard, shot: Shot, *, is_edit: bool) -> Iterator[tuple[str, str]]:
    if is_edit:
        yield "instruction", shot.edit.instruction if shot.edit else ""
        yield "what to avoid", storyboard.look.avoid
        return
    yield "action", shot.action
    yield "size", shot.size or ""
    yield "camera", ", ".join(filter(None, (shot.camera.move, shot.camera.angle, shot.camera.lens)))
    yield "dialogue", " / ".join(f"{line.speaker} ({line.delivery}): {line.line}" for line in shot.dialogue)
    for who in dict.fromkeys((*shot.cast, *(line.speaker for line in shot.dialogue))):
        member = storyboard.cast.get(who)
        yield f"name of {who}", storyboard.names[who]
        yield f"description of {who}", member.description if member and who in shot.cast else ""
    if shot.location:
        yield "location", storyboard.names[shot.location]
        yield f"description of {shot.location}", storyboard.locations[shot.location].description
    yield "cast", ", ".join(shot.cast)
    yield "look", storyboard.look.prompt
    yield "what to avoid", storyboard.look.avoid


def _line_words(request: Request) -> Iterator[tuple[str, str]]:
    yield "line", request.prompt
    yield "voice", request.voice
    yield "language", request.language
    yield "delivery", request.delivery


def _picture_words(storyboard: Storyboard, picture: PictureShot) -> Iterator[tuple[str, str]]:
    """As `_prompt_words`, without what only moves or sounds."""
    if picture.has_own_words:
        yield picture.kind, picture.action
    if picture.kind == "sheet":
        noun: CastMember | Location | None = storyboard.cast.get(picture.of) or storyboard.locations[picture.of]
        yield f"description of {picture.of}", noun.description if noun else ""
        yield "look", storyboard.look.prompt
        yield "what to avoid", storyboard.look.avoid
        return
    for name, value in _prompt_words(storyboard, picture, is_edit=False):
        if name == "camera":
            yield name, ", ".join(filter(None, (picture.camera.angle, picture.camera.lens)))
        elif not (name == "action" and picture.has_own_words):
            yield name, value


def _board_words(request: Request) -> Iterator[tuple[str, str]]:
    board = request.board
    if board is None:
        return
    yield "font", board.lettering.partition(" ")[2]  # without the number of how it is drawn
    yield "letters that no font has", "".join(board.missing)
    if written := board.written:
        words = written.credits or written.card
        yield "words", " / ".join(": ".join(filter(None, line)) for line in written.lines)
        yield "lettering", written.lettering.model_dump_json(exclude_defaults=True)
        yield "form", words.model_dump_json(exclude_defaults=True, include={"roll", "background"}) if words else ""
        yield "frame rate", str(board.rate)
        yield "duration", f"{board.frames} frames"
        return
    yield from _drawing_words(board)
    yield "title", board.film
    yield "scene", board.scene
    yield "slate", board.slate
    yield "size", board.size
    yield "camera", board.camera
    yield "action", board.action
    yield "dialogue", " / ".join(f"{who}: {line}" for who, line in board.dialogue)
    yield "location", board.place
    yield "frame rate", str(board.rate)
    yield "duration", f"{board.frames} frames"


def _drawing_words(board: Board) -> Iterator[tuple[str, str]]:
    """The facts that change a drawing besides the words on its shot."""
    yield "angle", board.angle
    yield "lens", board.lens
    seen = (f"{name}, colour {colour}, {'long' if has_long else 'short'} hair" for name, colour, has_long in board.cast)
    yield "people who are drawn", " / ".join((*seen, *(("beside a picture",) if board.pictured else ())))
    places = ((board.headed, "at the head"), (board.crossed, "in the middle"), ("some" * board.titled, "at the foot"))
    yield "titles", ", ".join(f"{size} {place}".removeprefix("some ") for size, place in places if size)
    yield "subtitles", "in the picture" if board.subtitled else ""
    yield "guide voice", board.voice
    yield "language", board.language
    yield "time of the dialogue", "-".join(map(str, board.spoken or ()))


def _attachment_words(shot: Shot, request: Request, name_of: NameOf) -> Iterator[tuple[str, str]]:
    first, last = request.first_frame, request.last_frame
    if before := request.first_clip or (first if first and first.digest.startswith("take:") else None):
        yield f"{shot.upstream}, which it continues", before.digest
    elif first and first.digest.startswith(STILL):
        yield "still", first.digest
    elif first:
        file, identity = name_of(first.source, first.digest)
        yield f"first frame {file}", identity
    if request.edited:
        yield f"{shot.upstream if shot.edits_another else 'the take'}, which it edits", request.edited.digest
        yield "sound of the edit", request.audio
    if last and last.digest.startswith(STILL):
        yield "last still", last.digest
    elif last:
        file, identity = name_of(last.source, last.digest)
        yield f"last frame {file}", identity
    for reference in request.references:
        if reference.digest.startswith(STILL):
            yield f"sheet of {reference.subject}", reference.digest
            continue
        file, identity = name_of(reference.source, reference.digest)
        yield f"reference {file}", identity
        if voice := reference.voice:
            yield f"voice of {reference.subject}", name_of(voice.source, voice.digest)[1]
    if request.sound and request.sound.digest.startswith(SPEECH):
        yield "speech", request.sound.digest
    elif request.sound:
        file, identity = name_of(request.sound.source, request.sound.digest)
        yield f"recording {file}", identity
    yield _ORDER, ", ".join(reference.subject or "shot" for reference in request.references)


def _format_words(shot: Shot, request: Request) -> Iterator[tuple[str, str]]:
    yield "service", request.provider
    yield "model", request.model
    yield "mode", request.mode.value
    if request.mode is Mode.SPEECH:
        return
    if not request.board:
        yield "duration", f"{float(request.seconds):g}s"
    yield "aspect ratio", request.aspect_ratio
    yield "resolution", f"{request.resolution}, {request.width}x{request.height}"
    yield "seed", str(shot.seed) if shot.seed is not None else ""
    yield "expansion of the prompt", "on" if request.expand_prompt else ""
    yield "watermark", "on" if request.watermark else ""


def attachment_name(storyboard: Storyboard, source: str, digest: str) -> tuple[str, str]:
    """The name of an attachment in a brief: its file or the end of its address, and its digest.

    The file is relative to the storyboard. The digest of an address with a password or a signature is one without them.
    """
    if not digest.startswith("url:"):
        file = Path(source)
        return storyboard.relative_path(file) or file.name, digest
    name = PurePosixPath(urlsplit(source).path).name or source
    public = hidden(digest)
    return name, public if public == digest else f"{public} {hashlib.sha256(digest.encode()).hexdigest()[:12]}"


def _is_file(name: str) -> bool:
    return name.startswith(("reference ", "first frame ", "last frame ", "recording "))


def _files(words: Mapping[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in words.items() if _is_file(name)}
