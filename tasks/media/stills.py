"""Pictures from files, whatever they are, as upright RGB at a wanted size."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageCms, ImageFilter, ImageOps, UnidentifiedImageError

from storyreel.tasks.media.errors import MediaError

LARGEST = 80_000_000
"""Pixels a picture may have: more than any camera's, less than what a forged header uses to fill the memory."""

_HINT = "export it again as PNG or JPEG, or name another picture"


def open_still(path: Path, near: tuple[int, int]) -> Image.Image:
    """Read a picture: upright, in sRGB, 8 bits, the first one of an animation; RGBA where it has holes, else RGB.

    `near` is the size in pixels at which it is wanted; a JPEG that is many times larger is read at a fraction of
    its size, never below it. Raises MediaError for what cannot be read as a picture.
    """
    try:
        with Image.open(path) as file:
            if file.width * file.height > LARGEST:
                raise MediaError(
                    f"{path} has {file.width}×{file.height} pixels, far too many for a picture",
                    "scale it down to 4000 pixels a side or less",
                )
            file.draft(None, (near[0] * 2, near[1] * 2))
            still = _in_srgb(ImageOps.exif_transpose(file))
        # What is far larger than the frame is made small at once: a few large pictures would fill the memory.
        still.thumbnail((near[0] * 3, near[1] * 3), reducing_gap=3)
        return still
    except FileNotFoundError as error:
        raise MediaError(f"{path} is not there", "correct the path in the storyboard") from error
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path} claims more pixels than any picture has", "scale it down") from error
    except UnidentifiedImageError as error:
        raise MediaError(f"{path} is no picture that can be read, whatever its name says", _HINT) from error
    # Pillow's decoders raise almost anything on damaged files: SyntaxError from PNG, struct.error from TIFF …
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, ArithmeticError, LookupError) as error:
        raise MediaError(f"{path} is damaged: {error}", _HINT) from error


def cover(still: Image.Image, width: int, height: int, upward: float = 0.5) -> Image.Image:
    """Scale and crop a picture so that it fills a size.

    Of what is too tall, `upward` says which part stays: 0 the top, 0.5 the middle.
    """
    return ImageOps.fit(still, (width, height), Image.Resampling.LANCZOS, centering=(0.5, upward))


def blurred_backdrop(still: Image.Image, width: int, height: int, light: float) -> Image.Image:
    """A picture filling a size as a soft ground: far out of focus, and darkened to `light` (0 to 1)."""
    # Blurring a thumbnail is a hundred times faster than blurring the picture, and looks the same.
    small = cover(still, max(1, width // 16), max(1, height // 16)).filter(ImageFilter.GaussianBlur(2.5))
    return small.point(lambda level: int(level * light)).resize((width, height), Image.Resampling.BICUBIC)


def _in_srgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = image.convert("I")
    if image.mode == "I":  # 16 bits of grey: Pillow would clip instead of scaling
        return image.point(lambda level: level / 257).convert("L").convert("RGB")
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK"):
        return _through(profile, image)
    holes = "A" in image.getbands() or "transparency" in image.info
    return image.convert("RGBA" if holes else "RGB")


def _through(profile: bytes, image: Image.Image) -> Image.Image:
    """Bring a picture from its own colour profile to sRGB; one with a broken profile is taken as it is."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        converted = None
    return converted or image.convert("RGB")
