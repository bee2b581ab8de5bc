"""Single frames of a clip as pictures, turned upright and with square pixels."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import av
import ffmpeg
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.colour import BT709, RGB, Colour, colour_of, has_alpha, is_grey, on_black, scaled
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import decoded_frames, no_picture, open_clip, picture_stream
from storyreel.tasks.media.shape.orientation import orientation_of, turned_image
from storyreel.tasks.storage.files import replacing

LAST_FRAME, STRIP = ".png", ".jpg"
"""Suffixes of the pictures beside a clip: its last frame, and its first, middle and last frame as a strip."""
STRIP_SIDE = 288
"""Pixels at the longer side of each frame of a strip: enough for the contact sheet of a film of 45 shots and more."""
_GAP, _BETWEEN = 2, (64, 64, 64)
"""Pixels between two frames of a strip, and their colour."""
_SMALLEST = 48
"""Pixels of width below which a picture shows nothing."""


def first_frame(clip: Path) -> Image.Image:
    """The first frame of a clip that can be decoded, RGB. Raises MediaError."""
    with open_clip(clip) as source:
        stream = picture_stream(source, clip)
        for frame in decoded_frames(source, stream):
            return displayed_image(frame, stream)
    raise no_picture(clip)


def last_frame(clip: Path) -> Image.Image:
    """The last frame of a clip that can be decoded, RGB. Raises MediaError."""
    # From the start, if the file cannot be searched or its end is damaged.
    picture = _last_frame(clip, from_end=True) or _last_frame(clip, from_end=False)
    if picture is None:
        raise no_picture(clip)
    return picture


def write_last_frame(clip: Path, into: Path, *, sides: tuple[int, int] | None = None) -> None:
    """Write the last frame of a clip that can be decoded as PNG, scaled if a side is not within `sides`, in pixels.

    It is the picture beside the clip, if that was kept when the clip was examined. The file is complete or absent.
    Raises MediaError.
    """
    picture = _kept(clip.with_suffix(LAST_FRAME)) or last_frame(clip)
    if sides:
        picture = _fitted(picture, *sides)
    with replacing(into) as fresh:
        write_png(picture, fresh)


def write_png(picture: Image.Image, into: Path | io.BytesIO) -> None:
    """Write a picture as PNG."""
    # Level 1 takes 49 ms at 720p where the default takes 120, for 14 % more bytes (measured).
    picture.save(into, "PNG", compress_level=1)


def _kept(file: Path) -> Image.Image | None:
    """A PNG; None if it does not exist, or its checksums are wrong."""
    try:
        with Image.open(file, formats=["PNG"]) as found:
            picture: Image.Image = found.convert("RGB")
            return picture
    except (OSError, SyntaxError, ValueError):
        return None


def _fitted(picture: Image.Image, shortest: int, longest: int) -> Image.Image:
    """The picture, scaled if a side is shorter or longer; never longer."""
    factor = min(max(1.0, shortest / min(picture.size)), longest / max(picture.size))
    if factor == 1.0:
        return picture
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _last_frame(clip: Path, *, from_end: bool) -> Image.Image | None:
    """The last frame that can be decoded; `from_end` only from the last keyframe on."""
    with open_clip(clip) as source:
        stream = picture_stream(source, clip)
        stream.thread_type = "AUTO"
        if from_end:
            if not stream.duration:
                return None
            try:
                source.seek((stream.start_time or 0) + stream.duration, stream=stream, backward=True)
            except FFmpegError:
                return None
        # A decoder gives frames in the order in which they are shown.
        last = next(iter(deque(decoded_frames(source, stream), maxlen=1)), None)
        return displayed_image(last, stream) if last else None


def strip(clip: Path, side: int) -> Image.Image:
    """The first, the middle and the last frame of a clip side by side, each with `side` pixels at its longer side.

    Raises MediaError.
    """
    frames = _first_middle_last(clip)
    size = within(frames[0].size, side)
    return side_by_side(
        [frame.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=2) for frame in frames]
    )


def within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """A size in pixels, scaled so that `side` is its longer side."""
    width, height = (max(1, round(length * side / max(size))) for length in size)
    return width, height


def side_by_side(frames: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size as one, from left to right."""
    width, height = frames[0].size
    whole = Image.new("RGB", (len(frames) * (width + _GAP) - _GAP, height), _BETWEEN)
    for n, frame in enumerate(frames):
        whole.paste(frame, (n * (width + _GAP), 0))
    return whole


def frame_width(strip: Image.Image) -> int:
    """The width of each frame of a strip, in pixels."""
    return (strip.width - 2 * _GAP) // 3


def middle_frame(strip: Image.Image) -> Image.Image:
    """The middle one of the three frames of a strip."""
    width = frame_width(strip)
    return strip.crop((width + _GAP, 0, 2 * width + _GAP, strip.height))


def write_strip(picture: Image.Image, into: Path) -> None:
    """Write a strip as JPEG."""
    picture.save(into, "JPEG", quality=85)


def _first_middle_last(clip: Path) -> list[Image.Image]:
    """The first, the middle and the last frame; decodes only from the keyframes before them."""
    with open_clip(clip) as source:
        stream = picture_stream(source, clip)
        stream.thread_type = "AUTO"
        first = next(decoded_frames(source, stream), None)
        if first is None:
            raise no_picture(clip)
        if found := _by_time(source, stream, first):
            return [displayed_image(frame, stream) for frame in (first, *found)]
    return _by_number(clip)


def _by_time(source: InputContainer, stream: VideoStream, first: VideoFrame) -> tuple[VideoFrame, VideoFrame] | None:
    """The middle and the last frame; None in a file that cannot be searched, or whose end is damaged."""
    if not stream.duration or first.pts is None:
        return None
    begin = stream.start_time or 0
    half = first.pts + stream.duration // 2
    try:
        source.seek(begin + stream.duration, stream=stream, backward=True)
        middle, last = _from_here(source, stream, half)
        if middle is None:
            source.seek(half, stream=stream, backward=True)
            middle = next((frame for frame in decoded_frames(source, stream) if (frame.pts or 0) >= half), None)
    except FFmpegError:
        return None
    return (middle or last, last) if last else None


def _from_here(source: InputContainer, stream: VideoStream, half: int) -> tuple[VideoFrame | None, VideoFrame | None]:
    """Of the frames from where the file is, the first at the time `half`, unless it lies before them, and the last."""
    middle: VideoFrame | None = None
    last: VideoFrame | None = None
    is_before = False
    for frame in decoded_frames(source, stream):
        is_before = is_before or (frame.pts or 0) <= half
        if middle is None and is_before and (frame.pts or 0) >= half:
            middle = frame
        last = frame
    return middle, last


def _by_number(clip: Path) -> list[Image.Image]:
    """The three frames of a file that cannot be searched, or whose end is damaged: it is decoded twice."""
    with open_clip(clip) as source:
        count = sum(1 for _ in decoded_frames(source, picture_stream(source, clip)))
    numbers = (0, count // 2, max(0, count - 1))
    with open_clip(clip) as source:
        stream = picture_stream(source, clip)
        frames = enumerate(decoded_frames(source, stream))
        images = {n: displayed_image(frame, stream) for n, frame in frames if n in numbers}
    return [images[n] for n in numbers]


def jpeg_within(picture: Image.Image, most: int, quality: int = 60) -> bytes:
    """A picture as JPEG of at most so many bytes, made smaller as far as that needs; empty if nothing is left then."""
    width = picture.width
    while width >= _SMALLEST:
        made = jpeg(picture, width, quality)
        if len(made) <= most:
            return made
        # Bytes grow somewhat slower than the picture.
        width = min(round(width * 0.95), round(width * (most / len(made)) ** 0.6))
    return b""


def jpeg(picture: Image.Image, width: int, quality: int) -> bytes:
    """A picture scaled to a width in pixels, as JPEG."""
    height = max(1, round(picture.height * width / picture.width))
    small = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2)
    held = io.BytesIO()
    small.save(held, "JPEG", quality=quality, optimize=True)
    return held.getvalue()


def displayed_image(frame: VideoFrame, stream: VideoStream) -> Image.Image:
    """A decoded frame as a player shows it: RGB in the house's colours, upright, with square pixels."""
    colour, pixels = colour_of(frame, stream.codec_context.name), frame.format.name
    if colour.needs_matrix_only and not (frame.interlaced_frame or has_alpha(pixels) or is_grey(pixels)):
        matrix = BT709 if colour.matrix == RGB else colour.matrix
        picture: Image.Image = frame.reformat(format="rgb24", src_colorspace=matrix).to_image()  # type: ignore[no-untyped-call]
    else:
        picture = _converted(frame, colour)
    if (shape := stream.sample_aspect_ratio or 1) != 1:
        size = max(1, round(picture.width * shape)), picture.height
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    return turned_image(picture, orientation_of(frame))


def _converted(frame: VideoFrame, colour: Colour) -> Image.Image:
    """A frame as RGB by ffmpeg's filters, which PyAV lacks, as stored: not turned."""
    raw = io.BytesIO()
    with av.open(raw, "w", format="nut") as file:
        stream = file.add_stream("rawvideo", rate=24)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, frame.format.name
        frame.pts = None
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    picture = ffmpeg.input("pipe:", f="nut").video
    if frame.interlaced_frame:
        picture = picture.filter("bwdif", mode="send_frame", deint="all")
    picture = scaled(on_black(picture, frame.format.name), colour, frame.width, frame.height, "rgb24")
    try:
        pixels, _ = ffmpeg.run(
            ffmpeg.output(picture, "pipe:", f="rawvideo", **{"frames:v": 1}),
            cmd=str(find_ffmpeg().path), input=raw.getvalue(), capture_stdout=True, quiet=True,
        )  # fmt: skip
        return Image.frombytes("RGB", (frame.width, frame.height), pixels)
    except (ffmpeg.Error, ValueError) as error:
        raise MediaError("ffmpeg cannot convert the colours of a frame", next="storyreel doctor") from error
