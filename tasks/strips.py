"""Strips of clips, their first, middle and last frame, kept in the house folder by the digest of the clip."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PIL import Image

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import jpeg_within, strip
from storyreel.tasks.storage.files import make_folder, replacing

SIDE = 240
"""Pixels at the longer side of each frame, as kept."""
_QUALITY = 85


def strip_jpeg(clip: Path, house: Path, side: int, most: int) -> bytes:
    """The strip of a clip of the store as JPEG of at most so many bytes, its frames at most `side` pixels long.

    Empty if the clip cannot be read any more, or if so few bytes show nothing.
    """
    try:
        picture = _kept_strip(clip, house)
    except (MediaError, OSError):
        return b""
    picture.thumbnail((round(picture.width * min(1.0, side / SIDE)), picture.height), Image.Resampling.BICUBIC)
    return jpeg_within(picture, most)


def _kept_strip(clip: Path, house: Path) -> Image.Image:
    """The strip from `house`, made if it is not there. Raises MediaError, and OSError if neither can be done."""
    kept = house / "strips" / clip.stem[:2] / f"{clip.stem}.jpg"
    with suppress(OSError), Image.open(kept) as found:
        opened: Image.Image = found.convert("RGB")
        return opened
    made = strip(clip, SIDE)
    with suppress(OSError):  # a full disk: it is drawn again
        make_folder(kept.parent)
        with replacing(kept) as fresh:
            made.save(fresh, "JPEG", quality=_QUALITY)
    return made
