"""Read still pictures of any format as upright RGB, and scale, crop or blur them."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageCms, ImageFilter, ImageOps, UnidentifiedImageError

from storyreel.tasks.media.colour import HLG, PQ
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import first_frame

LARGEST = 80_000_000
"""Most pixels of a picture: more than any camera has, fewer than a forged header claims to fill the memory."""

_HEADER = 4096
"""Bytes at the start of a picture in which its colours are described."""

_HINT = "export it again as PNG or JPEG, or name another picture"


def open_still(path: Path, near: tuple[int, int]) -> Image.Image:
    """Read a picture upright, in 8-bit sRGB; RGBA if it is transparent anywhere, else RGB. Of an animation, the first.

    `near` is the size in pixels at which it is used: a picture that is many times larger is scaled down, never below
    that. Raises MediaError if the file cannot be read as a picture.
    """
    try:
        with Image.open(path) as file:
            if file.width * file.height > LARGEST:
                raise MediaError(
                    f"{path} has {file.width}×{file.height} pixels, far too many for a picture",
                    hint="scale it down to 4000 pixels a side or less",
                )
            file.draft(None, (near[0] * 2, near[1] * 2))
            # Pillow takes the numbers of high dynamic range for sRGB.
            still = first_frame(path) if _is_hdr(path) else _in_srgb(ImageOps.exif_transpose(file))
        # A few pictures far larger than the frame would fill the memory.
        still.thumbnail((near[0] * 3, near[1] * 3), reducing_gap=3)
        return still
    except FileNotFoundError as error:
        raise MediaError(f"{path} does not exist", hint="correct the path in the storyboard") from error
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path} claims more pixels than any picture has", hint="scale it down") from error
    except UnidentifiedImageError as error:
        raise MediaError(f"{path} cannot be read as a picture", hint=_HINT) from error
    # Pillow's decoders raise almost anything on damaged files: SyntaxError from PNG, struct.error from TIFF …
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, ArithmeticError, LookupError) as error:
        raise MediaError(f"{path} is damaged: {error}", hint=_HINT) from error


def cover(still: Image.Image, width: int, height: int, upward: float = 0.5) -> Image.Image:
    """Scale and crop a picture to fill a size. Of one that is too tall, `upward` 0 keeps the top, 0.5 the middle."""
    return ImageOps.fit(still, (width, height), Image.Resampling.LANCZOS, centering=(0.5, upward))


def blurred_backdrop(still: Image.Image, width: int, height: int, light: float) -> Image.Image:
    """A backdrop of this size: the picture far out of focus, darkened to `light` (0 to 1)."""
    # Blurring a thumbnail is a hundred times faster than blurring the picture, and looks the same.
    small = cover(still, max(1, width // 16), max(1, height // 16)).filter(ImageFilter.GaussianBlur(2.5))
    return small.point(lambda level: int(level * light)).resize((width, height), Image.Resampling.BICUBIC)


def _is_hdr(path: Path) -> bool:
    """Whether a picture is PQ or HLG, by `cICP` (PNG, 11.3.2.6) or `nclx` (AVIF, HEIF: ISO/IEC 14496-12, 12.1.5)."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
    png, heif = head.find(b"cICP"), head.find(b"nclx")
    if head.startswith(b"\x89PNG") and png >= 0:
        return head[png + 5] in (PQ, HLG)
    return head[4:8] == b"ftyp" and heif >= 0 and int.from_bytes(head[heif + 6 : heif + 8], "big") in (PQ, HLG)


def _in_srgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = image.convert("I")
    if image.mode == "I":  # 16 bits of grey, which Pillow clips instead of scaling
        return image.point(lambda level: level / 257).convert("L").convert("RGB")
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK"):
        return _from_profile(profile, image)
    is_transparent = "A" in image.getbands() or "transparency" in image.info
    return image.convert("RGBA" if is_transparent else "RGB")


def _from_profile(profile: bytes, image: Image.Image) -> Image.Image:
    """Convert a picture from its colour profile to sRGB. A broken profile is ignored."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        converted = None
    return converted or image.convert("RGB")
