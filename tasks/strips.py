"""Strips of clips, their first, middle and last frame: beside an examined clip, else in the house folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PIL import Image

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import STRIP, STRIP_SIDE, frame_width, jpeg_within, strip, write_strip
from storyreel.tasks.storage.files import make_folder, replacing


def strip_jpeg(clip: Path, house: Path, side: int, most: int) -> bytes:
    """The strip of a clip of the store as JPEG of at most so many bytes, its frames at most `side` pixels long.

    Empty if the clip cannot be read any more, or if so few bytes show nothing.
    """
    try:
        picture = _kept_strip(clip, house)
    except (MediaError, OSError):
        return b""
    smaller = min(1.0, side / max(frame_width(picture), picture.height))
    picture.thumbnail((round(picture.width * smaller), picture.height), Image.Resampling.BICUBIC)
    return jpeg_within(picture, most)


def _kept_strip(clip: Path, house: Path) -> Image.Image:
    """The strip beside the clip or from `house`, made there if it is in neither.

    Raises MediaError, and OSError if neither can be done.
    """
    kept = house / "strips" / clip.stem[:2] / f"{clip.stem}.jpg"
    for place in (clip.with_suffix(STRIP), kept):
        with suppress(OSError), Image.open(place) as found:
            opened: Image.Image = found.convert("RGB")
            return opened
    made = strip(clip, STRIP_SIDE)
    with suppress(OSError):  # a full disk: it is drawn again
        make_folder(kept.parent)
        with replacing(kept) as fresh:
            write_strip(made, fresh)
    return made
