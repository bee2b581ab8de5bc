"""Checks of local pictures, videos, voices and sounds against the limits of a service, before anything is sent.

Pillow reads the header of a picture, PyAV the container of a video or voice. Nothing is decoded. Both are imported when
a film has such a file.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.providers.models import find_model, models_of

if TYPE_CHECKING:
    from storyreel.tasks.providers.capability import MediaLimits, Model
    from storyreel.tasks.providers.provider import Provider
    from storyreel.tasks.providers.request import AttachmentKind, Use

_MB = 1_000_000
_SLACK = Fraction(1, 10)
"""Seconds by which the length in a container may differ from that of its stream."""
_READ_AS = {"MPO": "JPEG"}
"""MPO, which telephones write, is a JPEG with further pictures after the first; services read the first."""


class FileProblem(NamedTuple):
    """A reason why a service would refuse a file."""

    what: str
    """Begins with a verb: `is 200x300 pixels …`."""
    hint: str
    """The next step, may be empty."""


class FileFacts(NamedTuple):
    """The properties of a file. A voice or sound has sides of 0; `seconds` is None for a picture and if unknown."""

    format: str
    """Pillow's name of a picture's format, or FFmpeg's names of the container, separated by commas."""
    bytes: int
    width: int = 0
    height: int = 0
    """Pixels."""
    alpha: bool = False
    seconds: Fraction | None = None


class LocalFileChecks:
    """Checks the files of a film. Each is opened once, for all shots and services."""

    def __init__(self) -> None:
        self._read: dict[tuple[Path, AttachmentKind], FileFacts | FileProblem] = {}
        self._models: dict[str, Mapping[str, Model]] = {}
        self._found: dict[tuple[str, str | None], Model | None] = {}

    def models_of(self, service: type[Provider]) -> Mapping[str, Model]:
        """The models of a service, by the user's own file of models, if there is one, as it was at the first shot."""
        if service.name not in self._models:
            self._models[service.name] = models_of(service)
        return self._models[service.name]

    def find_model(self, service: type[Provider], name: str | None) -> Model | None:
        """The model of these that a shot names, as `find_model` finds it."""
        if (which := (service.name, name)) not in self._found:
            self._found[which] = find_model(service, name, self.models_of(service))
        return self._found[which]

    def problem_with(self, file: Path, use: Use, limits: MediaLimits) -> FileProblem | None:
        """The reason why a service with these limits would refuse a file, or None."""
        kind = kind_for(use)
        found = self._facts(file, kind)
        return _exceeded(found, kind, limits) if isinstance(found, FileFacts) else found

    def seconds(self, file: Path, kind: AttachmentKind) -> Fraction | None:
        """Length of a video, voice or sound; None if it cannot be read, or if its container does not say."""
        found = self._facts(file, kind)
        return found.seconds if isinstance(found, FileFacts) else None

    def _facts(self, file: Path, kind: AttachmentKind) -> FileFacts | FileProblem:
        if (file, kind) not in self._read:
            self._read[file, kind] = _facts(file, kind)
        return self._read[file, kind]


def kind_for(use: Use) -> AttachmentKind:
    """The kind of file for a use: a frame is an image."""
    if use == "first_frame" or use == "last_frame":
        return "image"
    return "video" if use == "first_clip" or use == "edited" else use


def _facts(file: Path, kind: AttachmentKind) -> FileFacts | FileProblem:
    from PIL import Image, UnidentifiedImageError

    try:
        if kind == "image":
            return _picture(file)
        return _clip(file) if kind == "video" else _sound(file)
    except MediaError as error:
        return FileProblem(f"cannot be used: {error.message}", error.hint)
    except Image.DecompressionBombError:
        return FileProblem("has far more pixels than any service takes", "scale it")
    except (UnidentifiedImageError, SyntaxError, ValueError):
        return FileProblem("is no picture that can be opened", "export it again as PNG or JPEG")
    except OSError as error:
        return FileProblem(f"cannot be read: {error.strerror or error}", "")


def _picture(file: Path) -> FileFacts:
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow warns of pictures that are too large to decode; this one is not decoded.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(file) as image:
            return FileFacts(
                format=_READ_AS.get(image.format or "", image.format or ""),
                bytes=file.stat().st_size,
                width=image.width,
                height=image.height,
                alpha="A" in image.getbands() or "transparency" in image.info,
            )


def _clip(file: Path) -> FileFacts:
    from storyreel.tasks.media.probe import open_clip, picture_stream

    with open_clip(file, to_decode=False) as clip:
        picture = picture_stream(clip, file).codec_context
        return FileFacts(
            format=clip.format.name,
            bytes=file.stat().st_size,
            width=picture.width,
            height=picture.height,
            seconds=_seconds(clip.duration),
        )


def _sound(file: Path) -> FileFacts:
    from storyreel.tasks.media.probe import open_clip

    with open_clip(file, to_decode=False) as sound:
        if not sound.streams.audio:
            raise MediaError(f"{file} holds no sound", hint="record or export it again")
        return FileFacts(format=sound.format.name, bytes=file.stat().st_size, seconds=_seconds(sound.duration))


def _seconds(duration: int | None) -> Fraction | None:
    import av

    return None if duration is None else Fraction(duration, av.time_base)


def _exceeded(facts: FileFacts, kind: AttachmentKind, limits: MediaLimits) -> FileProblem | None:
    if kind == "image":
        return (
            _format_problem(facts, limits.image_formats)
            or _alpha_problem(facts, limits)
            or _bytes_problem(facts, limits.image_bytes)
            or _sides_problem(facts, limits.image_sides, limits.shape)
        )
    if kind == "video":
        return (
            _format_problem(facts, limits.video_formats)
            or _bytes_problem(facts, limits.video_bytes)
            or _sides_problem(facts, limits.video_sides, limits.shape)
            or _seconds_problem(facts, limits.video_seconds)
        )
    if kind == "voice":
        return (
            _format_problem(facts, limits.voice_formats)
            or _bytes_problem(facts, limits.voice_bytes)
            or _seconds_problem(facts, limits.voice_seconds)
        )
    return (
        _format_problem(facts, limits.sound_formats)
        or _bytes_problem(facts, limits.sound_bytes)
        or _seconds_problem(facts, limits.sound_seconds)
    )


def _format_problem(facts: FileFacts, formats: tuple[str, ...]) -> FileProblem | None:
    if set(facts.format.split(",")) & set(formats):
        return None
    return FileProblem(f"is {facts.format or 'of no known format'}", f"make it {' or '.join(formats)}")


def _alpha_problem(facts: FileFacts, limits: MediaLimits) -> FileProblem | None:
    if not facts.alpha or limits.alpha or facts.format != "PNG":
        return None
    # It is not laid over white here, as only the author knows what should show through.
    return FileProblem("is a PNG with transparency", "save it without, over the background that it should have")


def _bytes_problem(facts: FileFacts, most: int) -> FileProblem | None:
    if facts.bytes <= most:
        return None
    return FileProblem(f"has {facts.bytes / _MB:.1f} MB, at most {most // _MB} MB are taken", "make it smaller")


def _sides_problem(facts: FileFacts, sides: tuple[int, int], shape: float) -> FileProblem | None:
    shorter, longer = sorted((facts.width, facts.height))
    size = f"is {facts.width}x{facts.height} pixels"
    if shorter < sides[0] or longer > sides[1]:
        return FileProblem(f"{size}, each side must have {sides[0]} to {sides[1]}", "scale it")
    if longer > shape * shorter:
        return FileProblem(f"{size}, no side may be more than {shape} times the other", "crop it")
    return None


def _seconds_problem(facts: FileFacts, seconds: tuple[int, int]) -> FileProblem | None:
    least, most = seconds
    if facts.seconds is None or least - _SLACK <= facts.seconds <= most + _SLACK:
        return None
    what = f"is {float(facts.seconds):.3g} s long, it must be {least} to {most} s"
    return FileProblem(what, "cut it to that length")
