"""Open the pictures and videos of a request."""

from __future__ import annotations

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


class Picture(NamedTuple):
    """A local picture or video."""

    path: Path
    still: Image.Image
    """RGB or RGBA; the first frame of a video."""
    video: Probe | None = None

    @property
    def ratio(self) -> float:
        """Width to height as displayed."""
        return self.still.width / self.still.height

    def fits(self, ratio: float) -> bool:
        """Whether it may be cropped to this ratio, width to height."""
        return min(self.ratio / ratio, ratio / self.ratio) >= KEPT


def opened(attachment: Attachment | None, canvas: Canvas) -> Picture | None:
    """The picture or video of an attachment; None without one, or if it is remote. Raises MediaError."""
    if not attachment or not attachment.source or _is_remote(attachment):
        return None
    path = Path(attachment.source)
    if attachment.kind == "video":
        return Picture(path, first_frame(path), probe(path))
    return Picture(path, open_still(path, near=(canvas.width, canvas.height)))


def references(request: Request, canvas: Canvas, most: int) -> tuple[Picture, ...]:
    """The first local picture of each character and prop, in the order of the request. Raises MediaError."""
    names: set[str] = set()
    pictures: list[Picture] = []
    for reference in request.references:
        if len(pictures) == most:
            break
        name = reference.subject or reference.digest
        if name not in names and (picture := opened(reference, canvas)):
            names.add(name)
            pictures.append(picture)
    return tuple(pictures)


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
