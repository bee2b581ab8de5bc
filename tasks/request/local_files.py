"""Will a service take this file? Local pictures, videos and voices are looked at before anything is sent anywhere.

Pictures by their header, by Pillow; videos and voices by their container, by PyAV. Nothing is decoded.
"""

from __future__ import annotations

import warnings
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, UnidentifiedImageError

from storyreel.specs.frozen import Frozen
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import open_clip, picture_stream
from storyreel.tasks.providers.capability import MediaLimits
from storyreel.tasks.providers.request import AttachmentKind, Use

Wrong = tuple[str, str]
"""What is wrong with a file, beginning with a verb: `is 200x300 pixels …`; and what to do."""

_MB = 1_000_000
_SLACK = Fraction(1, 10)
"""Seconds by which a container may say more or less than its stream holds."""
_READ_AS = {"MPO": "JPEG"}
"""A JPEG with further pictures behind the first, as telephones write it, is a JPEG to whoever reads the first."""


class Facts(Frozen):
    """What a file is. Sides are 0 and seconds None where it has none."""

    format: str
    """A picture's as Pillow calls it; else the names that FFmpeg has for its container, with commas between."""
    bytes: int
    width: int = 0
    height: int = 0
    """Pixels."""
    alpha: bool = False
    seconds: Fraction | None = None


class LocalFiles:
    """The files of a film, each opened once, however many shots and services it is looked at for."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Path, AttachmentKind], Facts | Wrong] = {}

    def wrong_with(self, file: Path, use: Use, limits: MediaLimits) -> Wrong | None:
        """Why a service with these limits would refuse a file; None when it would not."""
        kind = as_kind(use)
        if (file, kind) not in self._seen:
            self._seen[file, kind] = _facts(file, kind)
        seen = self._seen[file, kind]
        return _beyond(seen, kind, limits) if isinstance(seen, Facts) else seen

    def seconds(self, video: Path) -> Fraction | None:
        """Length of a video that has been looked at; None where it was not, or does not say."""
        seen = self._seen.get((video, "video"))
        return seen.seconds if isinstance(seen, Facts) else None


def as_kind(use: Use) -> AttachmentKind:
    """What a file is that is put to a use: a frame is a picture."""
    return "image" if use == "first_frame" or use == "last_frame" else use


def _facts(file: Path, kind: AttachmentKind) -> Facts | Wrong:
    try:
        if kind == "image":
            return _picture(file)
        return _clip(file) if kind == "video" else _voice(file)
    except MediaError as error:
        return f"cannot be used: {error.message}", error.hint
    except Image.DecompressionBombError:
        return "has far more pixels than anybody takes", "scale it"
    except (UnidentifiedImageError, SyntaxError, ValueError):
        return "is no picture that can be opened", "export it again as PNG or JPEG"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}", ""


def _picture(file: Path) -> Facts:
    with warnings.catch_warnings():
        # Pillow warns of pictures so large that decoding them hurts; this one is not decoded.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(file) as image:
            return Facts(
                format=_READ_AS.get(image.format or "", image.format or ""),
                bytes=file.stat().st_size,
                width=image.width,
                height=image.height,
                alpha="A" in image.getbands() or "transparency" in image.info,
            )


def _clip(file: Path) -> Facts:
    with open_clip(file, to_decode=False) as clip:
        picture = picture_stream(clip, file).codec_context
        return Facts(
            format=clip.format.name,
            bytes=file.stat().st_size,
            width=picture.width,
            height=picture.height,
            seconds=_seconds(clip.duration),
        )


def _voice(file: Path) -> Facts:
    with open_clip(file, to_decode=False) as sound:
        if not sound.streams.audio:
            raise MediaError(f"{file} holds no sound", hint="record or export it again")
        return Facts(format=sound.format.name, bytes=file.stat().st_size, seconds=_seconds(sound.duration))


def _seconds(duration: int | None) -> Fraction | None:
    return None if duration is None else Fraction(duration, av.time_base)


def _beyond(facts: Facts, kind: AttachmentKind, limits: MediaLimits) -> Wrong | None:
    """The first limit that a file is beyond."""
    if kind == "image":
        return (
            _wrong_format(facts, limits.image_formats)
            or _wrong_alpha(facts, limits)
            or _wrong_bytes(facts, limits.image_bytes)
            or _wrong_sides(facts, limits.image_sides, limits.shape)
        )
    if kind == "video":
        return (
            _wrong_format(facts, limits.video_formats)
            or _wrong_bytes(facts, limits.video_bytes)
            or _wrong_sides(facts, limits.video_sides, limits.shape)
            or _wrong_seconds(facts, limits.video_seconds)
        )
    return (
        _wrong_format(facts, limits.voice_formats)
        or _wrong_bytes(facts, limits.voice_bytes)
        or _wrong_seconds(facts, limits.voice_seconds)
    )


def _wrong_format(facts: Facts, formats: tuple[str, ...]) -> Wrong | None:
    if set(facts.format.split(",")) & set(formats):
        return None
    return f"is {facts.format or 'of no known format'}", f"make it {' or '.join(formats)}"


def _wrong_alpha(facts: Facts, limits: MediaLimits) -> Wrong | None:
    if not facts.alpha or limits.alpha or facts.format != "PNG":
        return None
    # Not laid over white on the way: nobody but the author knows what should show through.
    return "is a PNG with transparency", "save it without, over the background that it should have"


def _wrong_bytes(facts: Facts, most: int) -> Wrong | None:
    if facts.bytes <= most:
        return None
    return f"has {facts.bytes / _MB:.1f} MB, at most {most // _MB} MB are taken", "make it smaller"


def _wrong_sides(facts: Facts, sides: tuple[int, int], shape: int) -> Wrong | None:
    shorter, longer = sorted((facts.width, facts.height))
    size = f"is {facts.width}x{facts.height} pixels"
    if shorter < sides[0] or longer > sides[1]:
        return f"{size}, each side must have {sides[0]} to {sides[1]}", "scale it"
    if longer > shape * shorter:
        return f"{size}, no side may be more than {shape} times the other", "crop it"
    return None


def _wrong_seconds(facts: Facts, seconds: tuple[int, int]) -> Wrong | None:
    least, most = seconds
    if facts.seconds is None or least - _SLACK <= facts.seconds <= most + _SLACK:
        return None
    return f"is {float(facts.seconds):.3g} s long, it must be {least} to {most} s", "cut it to that length"
