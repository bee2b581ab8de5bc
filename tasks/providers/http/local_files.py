"""Ways to give a service a file of this machine: inside the request, in the service's store, in the user's bucket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from storyreel.specs.file_kind import HEAD, FileKind, file_kind
from storyreel.tasks.bucket import Bucket, BucketUnavailable, BucketUnusable
from storyreel.tasks.providers.errors import Terminal, Transient
from storyreel.tasks.providers.http.allowed_hosts import AllowedHosts, LinkNotAllowed, checked_request
from storyreel.tasks.settings import MEDIA_URL, Settings

_LINK_SECONDS = 24 * 3600
"""How long a signed link is valid: services download references when a task begins, and a task may wait."""
_TIMEOUT = httpx.Timeout(120, connect=15)


def kind_of_file(file: Path) -> FileKind:
    """The media type and suffix of a picture, video or voice. Raises OSError if the file cannot be read."""
    with file.open("rb") as opened:
        return file_kind(opened.read(HEAD)) or FileKind("application/octet-stream", file.suffix.lower())


def name_by_content(file: Path, digest: str) -> str:
    """The file's name in a store, the same for equal contents: `sha256-….png`."""
    return digest.replace(":", "-") + kind_of_file(file).suffix


async def as_data_uri(file: Path) -> str:
    """The file as a `data:` URI."""
    kind, content = await asyncio.to_thread(lambda: (kind_of_file(file), file.read_bytes()))
    return f"data:{kind.media_type};base64,{base64.b64encode(content).decode()}"


async def upload_file(
    method: str, address: str, *, service: str, hosts: AllowedHosts, what: str, **content: Any
) -> None:
    """Send a file, named `what` in errors, to an address in a service's store, without the key.

    409, the file exists, is a success. Raises Transient, or Terminal if the address is invalid or may not be used.
    """
    # No message holds the address, which holds a signature.
    try:
        store, request = await checked_request(method, httpx.URL(address), hosts, limit=_TIMEOUT, **content)
        async with store:
            response = await store.send(request)
    except (httpx.InvalidURL, LinkNotAllowed) as error:
        why = error.message if isinstance(error, LinkNotAllowed) else "is no address"
        raise Terminal(f"{what} was not sent: the address that {service} gave for it {why}", service=service) from error
    except (httpx.HTTPError, OSError, UnicodeError) as error:
        text = str(error) or type(error).__name__
        raise Transient(f"{service}'s store did not take {what}: {text}", service=service) from error
    if response.status_code != 409 and not response.is_success:
        raise Transient(f"{service}'s store did not take {what}: it answers {response.status_code}", service=service)


class ReferenceBucket:
    """The user's folder for references, on any fsspec file system that signs links: `s3://films/references`."""

    def __init__(self, url: str) -> None:
        self._bucket = Bucket(url, MEDIA_URL)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ReferenceBucket | None:
        """The bucket that STORYREEL_MEDIA_URL names, or None."""
        url = Settings.read(environment).media_url
        return cls(url) if url else None

    async def put(self, file: Path, digest: str) -> str:
        """Copy a file to the bucket unless it exists there, and return a signed link. Raises Transient or Terminal."""
        return await asyncio.to_thread(self._put, file, digest)

    def _put(self, file: Path, digest: str) -> str:
        try:
            name = name_by_content(file, digest)
            if self._bucket.size(name) is None:
                self._bucket.put(file, name)
            return self._bucket.link(name, _LINK_SECONDS)
        except OSError as error:
            raise Terminal(f"{file.name} cannot be read: {error.strerror or error}") from error
        except BucketUnavailable as error:
            raise Transient(error.message) from error
        except BucketUnusable as error:
            raise Terminal(error.message, hint=error.hint, next=error.next) from error
