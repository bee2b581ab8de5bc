"""Copies of pictures in the form that a service takes, and in the shape in which a clip is made of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from PIL import Image

from storyreel.tasks.media.stills import open_still
from storyreel.tasks.providers.capability import MediaLimits
from storyreel.tasks.providers.request import Crop
from storyreel.tasks.request.local_files import LocalFileChecks

_JPEG_QUALITY = 95


def is_sendable(picture: Path, limits: MediaLimits) -> bool:
    """Whether a service with these limits takes the file of a picture as it is."""
    return LocalFileChecks().problem_with(picture, "image", limits) is None


def write_cut(picture: Path, crop: Crop, into: Path) -> None:
    """Write a picture as PNG, cut to a shape around a point, or as near as its edges allow. Raises MediaError.

    It has the size of the clip that is made of it: what is left of a picture may be smaller than services take.
    """
    still = open_still(picture, (crop.width, crop.height))
    wide = min(still.width, round(Fraction(still.height * crop.width, crop.height)))
    high = min(still.height, round(Fraction(still.width * crop.height, crop.width)))
    left = min(max(0, round(still.width * crop.x - wide / 2)), still.width - wide)
    top = min(max(0, round(still.height * crop.y - high / 2)), still.height - high)
    kept = (left, top, left + wide, top + high)
    still.resize((crop.width, crop.height), Image.Resampling.LANCZOS, box=kept).save(into)


def write_sendable(picture: Path, limits: MediaLimits, folder: Path) -> Path | None:
    """Write a copy that such a service takes, as like the picture as can be; returns its file, None if none is taken.

    It is without transparency, over black, and not larger than the service takes. Raises MediaError.
    """
    most = limits.image_sides[1]
    still = open_still(picture, (most, most))
    if still.mode == "RGBA":
        still = Image.alpha_composite(Image.new("RGBA", still.size, (0, 0, 0, 255)), still).convert("RGB")
    still.thumbnail((most, most))
    for name in ("sendable.png", "sendable.jpg"):
        still.save(copy := folder / name, quality=_JPEG_QUALITY)
        if is_sendable(copy, limits):
            return copy
    return None
