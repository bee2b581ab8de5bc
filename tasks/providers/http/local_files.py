"""How a local file comes to where a service finds it: inside the request, or in a bucket of the user's."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path

from storyreel.specs.file_kind import HEAD, FileKind, file_kind
from storyreel.tasks.bucket import Bucket, BucketUnavailable, BucketUnusable
from storyreel.tasks.providers.errors import Terminal, Transient
from storyreel.tasks.settings import MEDIA_URL, Settings

_DAY = 24 * 3600
"""Seconds that a signed link is good for; services fetch references when a task begins, which may wait."""


def kind_of(file: Path) -> FileKind:
    """The media type and suffix of a picture, video or voice. Raises OSError when the file cannot be read."""
    with file.open("rb") as opened:
        return file_kind(opened.read(HEAD)) or FileKind("application/octet-stream", file.suffix.lower())


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
        self._vault = Bucket(url, MEDIA_URL)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ReferenceBucket | None:
        """The one that STORYREEL_MEDIA_URL names."""
        url = Settings.read(environment).media_url
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
