"""Open the pictures and videos of a request."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from PIL import Image

from storyreel.tasks.media.frames import first_frame
from storyreel.tasks.media.probe import Probe, probe
from storyreel.tasks.media.stills import open_still
from storyreel.tasks.providers.animatic.canvas import Canvas
from storyreel.tasks.providers.request import Attachment, Request

KEPT = 0.72
"""Part of a picture that must remain if it is cropped to fill a shape; otherwise it is shown whole."""

CARD, PICTURE = b"storyreel card", b"storyreel picture"
"""The comment in a picture that the animatic drew: of words alone, or of pictures that it was given."""


class Picture(NamedTuple):
    """A local picture or video."""

    path: Path
    still: Image.Image
    """RGB or RGBA; the first frame of a video."""
    video: Probe | None = None
    is_drawn: bool = False
    """Whether the animatic drew it, so that it does not show what happens in the shot."""
    is_sheet: bool = False
    """Whether it is the sheet of a person or a place, which shows more than one view."""

    @property
    def ratio(self) -> float:
        """Width to height as displayed."""
        return self.still.width / self.still.height

    def fits(self, ratio: float) -> bool:
        """Whether it may be cropped to this ratio, width to height."""
        return min(self.ratio / ratio, ratio / self.ratio) >= KEPT


def opened(attachment: Attachment | None, canvas: Canvas) -> Picture | None:
    """The picture or video of an attachment; None without one, if it is remote, or if it is a card that the animatic
    drew, which has nothing to show but words. Raises MediaError."""
    if not attachment or not attachment.source or _is_remote(attachment):
        return None
    path = Path(attachment.source)
    if attachment.kind == "video":
        return Picture(path, first_frame(path), probe(path))
    still, mark = open_still(path, near=(canvas.width, canvas.height)), mark_of(path)
    return None if mark == CARD else Picture(path, still, is_drawn=mark == PICTURE)


def mark_of(path: Path) -> bytes:
    """The mark of a picture that the animatic drew, CARD or PICTURE; empty for any other."""
    with Image.open(path) as file:
        comment = file.info.get("comment", b"")
    return comment if comment in (CARD, PICTURE) else b""


def references(request: Request, canvas: Canvas, most: int) -> tuple[Picture, ...]:
    """The first local picture of each character and prop, in the order of the request. Raises MediaError.

    A sheet only of people without another picture.
    """
    found: dict[str, Picture] = {}
    for reference in request.references:
        name, is_sheet = reference.subject or reference.digest, reference.digest.startswith("still:")
        if (name in found and (is_sheet or not found[name].is_sheet)) or (name not in found and len(found) == most):
            continue
        if picture := opened(reference, canvas):
            found[name] = picture._replace(is_sheet=is_sheet)
    return tuple(found.values())


def all_references(request: Request, canvas: Canvas, most: int) -> Iterator[Picture]:
    """The first local pictures and videos, whomever they show. Raises MediaError."""
    found = (picture for reference in request.references if (picture := opened(reference, canvas)))
    return islice(found, most)


def remote_notes(request: Request) -> tuple[str, ...]:
    """A line for each remote frame and reference: an animatic does not download them."""
    notes = [
        f"{which} frame: {_address(frame)}"
        for which, frame in (("First", request.first_frame), ("Last", request.last_frame))
        if frame and _is_remote(frame)
    ]
    counts = {"image": 0, "video": 0}
    for reference in request.references:
        counts[reference.kind] += 1
        if _is_remote(reference):
            whose = f"{reference.subject}, " if reference.subject else ""
            notes.append(f"{reference.kind.title()} {counts[reference.kind]}: {whose}{_address(reference)}")
    return tuple(notes)


def _is_remote(attachment: Attachment) -> bool:
    return attachment.source.lower().startswith(("http://", "https://"))


def _address(attachment: Attachment) -> str:
    """Host and path of a URL, without its query, which often contains a secret."""
    parts = urlsplit(attachment.source)
    return f"{parts.hostname or ''}{parts.path}"
