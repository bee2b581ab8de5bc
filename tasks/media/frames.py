"""Single frames of a clip as pictures, turned upright and with square pixels."""

from __future__ import annotations

import io
from pathlib import Path

from av.video.frame import VideoFrame
from PIL import Image

from storyreel.tasks.files import replacing
from storyreel.tasks.media.probe import matrix_of, no_picture, open_clip, picture_stream


def first_frame(clip: Path) -> Image.Image:
    """The first frame of a clip, RGB. Raises MediaError."""
    with open_clip(clip) as source:
        stream = picture_stream(source, clip)
        for frame in source.decode(stream):
            return displayed_image(frame, pixel=float(stream.sample_aspect_ratio or 1))
    raise no_picture(clip)


def write_last_frame(clip: Path, into: Path) -> None:
    """Write the last frame of a clip as PNG. The file is complete or absent. Raises MediaError."""
    with open_clip(clip) as source:
        stream = picture_stream(source, clip)
        stream.thread_type = "AUTO"
        if stream.duration:
            source.seek((stream.start_time or 0) + stream.duration, stream=stream, backward=True)
        last: VideoFrame | None = None
        for frame in source.decode(stream):
            if last is None or (frame.pts or 0) >= (last.pts or 0):
                last = frame
        if last is None:
            raise no_picture(clip)
        picture = displayed_image(last, pixel=float(stream.sample_aspect_ratio or 1))
    with replacing(into) as fresh:
        # Level 1 takes 49 ms at 720p where the default takes 120, for 14 % more bytes (measured).
        picture.save(fresh, "PNG", compress_level=1)


def thumbnail(clip: Path, width: int) -> bytes:
    """The last keyframe before the middle of a clip, as a JPEG of this width in pixels.

    Only one frame is decoded, so that the thumbnails of hundreds of clips are quickly made. Raises MediaError.
    """
    with open_clip(clip) as source:
        stream = picture_stream(source, clip)
        stream.codec_context.skip_frame = "NONKEY"
        if stream.duration:
            source.seek((stream.start_time or 0) + stream.duration // 2, stream=stream, backward=True)
        frame = next(source.decode(stream), None)
        if frame is None:
            raise no_picture(clip)
        picture = displayed_image(frame, pixel=float(stream.sample_aspect_ratio or 1))
    return jpeg(picture, width, 60)


def jpeg(picture: Image.Image, width: int, quality: int) -> bytes:
    """A picture scaled to a width in pixels, as JPEG."""
    height = max(1, round(picture.height * width / picture.width))
    small = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2)
    held = io.BytesIO()
    small.save(held, "JPEG", quality=quality, optimize=True)
    return held.getvalue()


def displayed_image(frame: VideoFrame, pixel: float = 1.0) -> Image.Image:
    """A decoded frame as RGB, in its own colour matrix, turned upright. `pixel` is a pixel's width to its height."""
    matrix = matrix_of(int(frame.colorspace), frame.height)
    picture: Image.Image = frame.reformat(format="rgb24", src_colorspace=matrix).to_image()  # type: ignore[no-untyped-call]
    if pixel != 1.0:
        picture = picture.resize((round(picture.width * pixel), picture.height), Image.Resampling.BICUBIC)
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture
