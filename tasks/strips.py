"""Strips of clips, their first, middle and last frame: beside an examined clip, else in the house folder. Of a still
its picture."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PIL import Image

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import STRIP, STRIP_SIDE, frame_width, jpeg_within, strip, write_strip
from storyreel.tasks.media.stills import open_still
from storyreel.tasks.storage.clip_names import is_picture
from storyreel.tasks.storage.files import make_folder, replacing

_TIMES = 2
"""Length of a still's picture in frames of a strip."""


def strip_jpeg(clip: Path, house: Path, side: int, most: int) -> bytes:
    """The strip of a clip of the store as JPEG of at most so many bytes, its frames at most `side` pixels long.

    Of a still its picture, twice as long. Empty if the clip cannot be read any more, or if so few bytes show nothing.
    """
    is_still = is_picture(clip)
    try:
        picture = _kept_picture(clip, house, _still if is_still else _strip)
    except (MediaError, OSError):
        return b""
    longest = max(picture.size) / _TIMES if is_still else max(frame_width(picture), picture.height)
    smaller = min(1.0, side / longest)
    picture.thumbnail((round(picture.width * smaller), picture.height), Image.Resampling.BICUBIC)
    return jpeg_within(picture, most)


def _strip(clip: Path) -> Image.Image:
    return strip(clip, STRIP_SIDE)


def _still(file: Path) -> Image.Image:
    longest = _TIMES * STRIP_SIDE
    picture = open_still(file, (longest, longest)).convert("RGB")
    picture.thumbnail((longest, longest), Image.Resampling.BICUBIC)
    return picture


def _kept_picture(clip: Path, house: Path, draw: Callable[[Path], Image.Image]) -> Image.Image:
    """The strip beside the clip or from `house`, drawn there if it is in neither.

    Raises MediaError, and OSError if neither can be done.
    """
    kept = house / "strips" / clip.stem[:2] / f"{clip.stem}.jpg"
    for place in (kept,) if is_picture(clip) else (clip.with_suffix(STRIP), kept):
        with suppress(OSError), Image.open(place) as found:
            opened: Image.Image = found.convert("RGB")
            return opened
    made = draw(clip)
    with suppress(OSError):  # a full disk: it is drawn again
        make_folder(kept.parent)
        with replacing(kept) as fresh:
            write_strip(made, fresh)
    return made
