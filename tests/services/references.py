"""The pictures, videos and voices that a create names: can they be had, and are they what Wan 2.7 takes?

Limits are those of Model Studio's video API reference; the resellers state the same or nothing.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import ipaddress
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import av
from PIL import Image, UnidentifiedImageError

Kind = Literal["image", "video", "clip", "voice", "audio"]

_MB = 1_000_000
_MOST_BYTES = {"image": 20 * _MB, "video": 100 * _MB, "clip": 100 * _MB, "voice": 15 * _MB, "audio": 15 * _MB}
_SIDES = {"image": (240, 8000), "video": (240, 4096), "clip": (240, 4096)}
_SECONDS = {"video": (1, 30), "clip": (2, 10), "voice": (1, 10), "audio": (2, 30)}
_SLACK = 0.1
"""Seconds by which a container may say more or less than its stream holds."""


@dataclass(frozen=True)
class Reference:
    """A file that a create names."""

    url: str
    kind: Kind
    """`clip` is a first clip to continue, `voice` a person's voice, `audio` the sound to move to."""
    where: str
    """The field it stands in."""
    seconds: tuple[int, int] | None = None
    """Least and most, where a model differs from Wan 2.7."""
    sides: tuple[int, int] | None = None
    shape: float = 8
    """How many times as long as the shorter the longer side may be."""
    formats: tuple[str, ...] = ("JPEG", "PNG", "BMP", "WEBP")
    """Of a picture."""


@dataclass(frozen=True)
class Finding:
    """The result of opening a reference."""

    problem: Literal["", "unreachable", "format", "size", "shape", "duration", "bytes"] = ""
    detail: str = ""
    width: int = 0
    height: int = 0
    """Pixels; 0 where it was not opened."""
    seconds: float = 0
    """Length; 0 of a picture, and where it was not opened."""


async def examine(reference: Reference, stored: Callable[[str], bytes | None], *, fetches: bool) -> Finding:
    """Open a reference that is at hand: a data URI, an upload, or with `fetches` a file on this machine.

    What lies elsewhere is taken on trust.
    """
    try:
        content = await _content(reference.url, stored, fetches)
        return Finding() if content is None else await asyncio.to_thread(_opened, content, reference)
    except _Unfit as unfit:
        return unfit.finding


class _Unfit(Exception):
    def __init__(self, problem: Literal["unreachable", "format", "size", "shape", "duration", "bytes"], detail: str):
        super().__init__(detail)
        self.finding = Finding(problem, detail)


async def _content(url: str, stored: Callable[[str], bytes | None], fetches: bool) -> bytes | None:
    if url.startswith("data:"):
        return _decoded(url)
    if (kept := stored(url)) is not None:
        return kept
    if url.startswith("oss:"):
        raise _Unfit("unreachable", f"there is no upload {url}")
    if fetches and is_local_url(url):
        return await asyncio.to_thread(_fetched, url)
    return None


def _decoded(url: str) -> bytes:
    label, comma, text = url.partition(",")
    if not comma or not label.endswith(";base64"):
        raise _Unfit("format", "not a data:{MIME};base64,… URI")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _Unfit("format", f"not base64: {error}") from error


def is_local_url(url: str) -> bool:
    """Whether a URL is on this machine; nothing else is ever spoken to."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fetched(url: str) -> bytes:
    try:
        with _straight().open(url, timeout=10) as response:
            content: bytes = response.read()
            return content
    except (urllib.error.URLError, OSError) as error:
        raise _Unfit("unreachable", str(error)) from error


def _straight() -> urllib.request.OpenerDirector:
    """No proxy between two addresses of this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _opened(content: bytes, reference: Reference) -> Finding:
    kind = reference.kind
    if len(content) > _MOST_BYTES[kind]:
        raise _Unfit("bytes", f"{len(content)} bytes")
    found = _picture(content, reference.formats) if kind == "image" else _stream(content, reference)
    if kind in _SIDES:
        width, height = found.width, found.height
        least, most = reference.sides or _SIDES[kind]
        if min(width, height) < least or max(width, height) > most:
            raise _Unfit("size", f"{width}*{height}, each side must be {least} to {most} pixels")
        if max(width, height) > reference.shape * min(width, height):
            raise _Unfit("shape", f"{width}:{height} is beyond 1:{reference.shape:g} and {reference.shape:g}:1")
    return found


def _picture(content: bytes, formats: tuple[str, ...]) -> Finding:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            if image.format not in formats:
                raise _Unfit("format", f"{image.format} is none of {', '.join(formats)}")
            if image.format == "PNG" and "A" in image.getbands():
                raise _Unfit("format", "a PNG with an alpha channel")
            width, height = image.size
            return Finding(width=int(width), height=int(height))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise _Unfit("format", f"no image: {error}") from error


def _stream(content: bytes, reference: Reference) -> Finding:
    kind = reference.kind
    try:
        with av.open(io.BytesIO(content), "r") as container:
            seconds = (container.duration or 0) / av.time_base
            least, most = reference.seconds or _SECONDS[kind]
            if not least - _SLACK <= seconds <= most + _SLACK:
                raise _Unfit("duration", f"{seconds:.2f} s, must be {least} to {most} s")
            if kind not in _SIDES:
                if not container.streams.audio:
                    raise _Unfit("format", "no sound in it")
                return Finding(seconds=seconds)
            if not container.streams.video:
                raise _Unfit("format", "no picture in it")
            stream = container.streams.video[0]
            return Finding(width=stream.width, height=stream.height, seconds=seconds)
    except av.error.FFmpegError as error:
        raise _Unfit("format", f"cannot be opened: {error}") from error
