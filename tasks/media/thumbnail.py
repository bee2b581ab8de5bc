"""A clip as one small picture."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import as_seen
from storyreel.tasks.media.probe import opened, picture_stream


def thumbnail(clip: Path, width: int) -> bytes:
    """The last picture before the middle of a clip that stands for itself, as a JPEG so many pixels wide.

    One picture is decoded, so that a film of hundreds is quickly looked through. Raises MediaError for what is no clip.
    """
    with opened(clip) as source:
        stream = picture_stream(source, clip)
        stream.codec_context.skip_frame = "NONKEY"
        if stream.duration:
            source.seek((stream.start_time or 0) + stream.duration // 2, stream=stream, backward=True)
        frame = next(source.decode(stream), None)
        if frame is None:
            raise MediaError(f"{clip} holds no picture", "generate or export the clip again")
        picture = as_seen(frame, pixel=float(stream.sample_aspect_ratio or 1))
    return jpeg(picture, width, 60)


def jpeg(picture: Image.Image, width: int, quality: int) -> bytes:
    """A picture scaled to a width in pixels, as JPEG."""
    height = max(1, round(picture.height * width / picture.width))
    small = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2)
    held = io.BytesIO()
    small.save(held, "JPEG", quality=quality, optimize=True)
    return held.getvalue()
