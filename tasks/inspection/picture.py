"""Examine a still: find damage, and faults that are certain."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageStat

from storyreel.specs.frozen import Frozen
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import first_frame
from storyreel.tasks.media.stills import open_still

_WHOLE = (4096, 4096)
"""Pixels up to which a picture is decoded as it is, and not smaller."""
_SEEN = (256, 256)
"""Pixels at which a picture is looked at for one that shows nothing: noise averages out, and a small light remains."""


class StillBounds(Frozen):
    """Thresholds beyond which a measurement of a still is a finding."""

    version: int = 1
    """Increased when the findings of a still change and no other field shows it."""
    shape: float = 1.05
    """Factor by which the ratio of its sides may differ: models make sides of whole blocks, 1344×768 for 16:9."""
    smaller: float = 1.3
    """Factor by which its area may be smaller than was ordered; 1080p to 720p is 2.25. A larger one loses nothing."""
    blank_levels: int = 6
    """Levels of 255 that all of a picture of one colour differ by at most. Saved as a poor JPEG: up to 2."""


STILL_BOUNDS = StillBounds()


class Picture(Frozen):
    """Facts about a still."""

    width: int
    height: int
    """Pixels as displayed, after rotation."""
    is_blank: bool
    """Whether it is nearly one colour all over."""
    is_damaged: bool
    """Whether a part of it cannot be decoded."""

    def fits(self, width: int, height: int) -> bool:
        """Whether it has the shape of a size, and is not much smaller."""
        ratio = self.width * height / (self.height * width)
        is_large = self.width * self.height * STILL_BOUNDS.smaller >= width * height
        return 1 / STILL_BOUNDS.shape <= ratio <= STILL_BOUNDS.shape and is_large


def examine_picture(file: Path, name: str = "") -> Picture:
    """Decode all of a picture. Raises MediaError, with `name` for the file, if it is none, is cut short or damaged."""
    try:
        return _seen(open_still(file, _WHOLE), is_damaged=False)
    except MediaError as error:
        told = error.message.replace(str(file), name or str(file))
        raise MediaError(told, hint="download or copy it again") from error


def examine_damaged_picture(file: Path) -> Picture:
    """Examine a picture that `examine_picture` has refused, as far as it can be decoded. Raises MediaError."""
    # Pillow decodes a part of a picture only by a switch that is one for all threads; ffmpeg one of a JPEG.
    return _seen(first_frame(file), is_damaged=True)


def picture_of(file: Path) -> Picture:
    """Facts about a still that was bought, whole or damaged. Raises MediaError if nothing of it can be decoded."""
    try:
        return examine_picture(file)
    except MediaError:
        return examine_damaged_picture(file)


def _seen(picture: Image.Image, *, is_damaged: bool) -> Picture:
    small = picture.convert("RGB").resize(_SEEN, Image.Resampling.BOX)
    spans = [highest - lowest for lowest, highest in ImageStat.Stat(small).extrema]
    is_blank = max(spans) <= STILL_BOUNDS.blank_levels
    return Picture(width=picture.width, height=picture.height, is_blank=is_blank, is_damaged=is_damaged)
