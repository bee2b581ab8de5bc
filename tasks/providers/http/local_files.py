"""How a local file comes to where a service finds it: inside the request, or in a bucket of the user's."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from storyreel.tasks.bucket import Bucket, BucketUnavailable, BucketUnusable
from storyreel.tasks.providers.errors import Terminal, Transient

BUCKET = "STORYREEL_MEDIA_URL"
"""The environment variable that names the bucket."""

_DAY = 24 * 3600
"""Seconds that a signed link is good for; services fetch references when a task begins, which may wait."""


class Kind(NamedTuple):
    """What a file is, by its first bytes; its name may say something else."""

    media_type: str
    suffix: str


def kind_of(file: Path) -> Kind:
    """What a picture, video or voice is called on the wire. Raises OSError when it cannot be read."""
    with file.open("rb") as opened:
        head = opened.read(16)
    for start, kind in _BY_HEAD:
        if head.startswith(start):
            return kind
    if head.startswith(b"RIFF"):
        return Kind("image/webp", ".webp") if head[8:12] == b"WEBP" else Kind("audio/wav", ".wav")
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        is_quicktime = head[4:8] != b"ftyp" or head[8:12] == b"qt  "
        return Kind("video/quicktime", ".mov") if is_quicktime else Kind("video/mp4", ".mp4")
    return Kind("application/octet-stream", file.suffix.lower())


_BY_HEAD = (
    (b"\x89PNG", Kind("image/png", ".png")),
    (b"\xff\xd8\xff", Kind("image/jpeg", ".jpg")),
    (b"BM", Kind("image/bmp", ".bmp")),
    (b"ID3", Kind("audio/mpeg", ".mp3")),
    (b"\xff\xfb", Kind("audio/mpeg", ".mp3")),
    (b"\xff\xfa", Kind("audio/mpeg", ".mp3")),
    (b"\xff\xf3", Kind("audio/mpeg", ".mp3")),
    (b"\xff\xf2", Kind("audio/mpeg", ".mp3")),
)


def name_for(file: Path, digest: str) -> str:
    """A name by content, so that a file is called the same wherever it comes from: `sha256-….png`."""
    return digest.replace(":", "-") + kind_of(file).suffix


async def as_data_uri(file: Path) -> str:
    """A file as a `data:` URI."""
    kind, content = await asyncio.to_thread(lambda: (kind_of(file), file.read_bytes()))
    return f"data:{kind.media_type};base64,{base64.b64encode(content).decode()}"


class ReferenceBucket:
    """A folder of any fsspec file system that can sign links: `s3://films/references`."""

    def __init__(self, url: str) -> None:
        self._vault = Bucket(url, BUCKET)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ReferenceBucket | None:
        """The one that STORYREEL_MEDIA_URL names."""
        url = environment.get(BUCKET)
        return cls(url) if url else None

    async def put(self, file: Path, digest: str) -> str:
        """Bring a file there, named by its digest, unless it is there; gives a signed link to it.

        Raises Transient, or Terminal when the bucket or its settings must be changed first.
        """
        return await asyncio.to_thread(self._put, file, digest)

    def _put(self, file: Path, digest: str) -> str:
        try:
            name = name_for(file, digest)
            if self._vault.size(name) is None:
                self._vault.put(file, name)
            return self._vault.link(name, _DAY)
        except OSError as error:
            raise Terminal(f"{file.name} cannot be read: {error.strerror or error}") from error
        except BucketUnavailable as error:
            raise Transient(error.message) from error
        except BucketUnusable as error:
            raise Terminal(error.message, hint=error.hint) from error
