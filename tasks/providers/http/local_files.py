"""Ways to give a service a file of this machine by a link: in the service's store, in the user's bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from storyreel.tasks.providers.errors import Terminal, Transient
from storyreel.tasks.providers.http.allowed_hosts import AllowedHosts, LinkNotAllowed, checked_request
from storyreel.tasks.providers.http.response import retry_after
from storyreel.tasks.providers.sent_file import SentFile
from storyreel.tasks.settings import MEDIA_URL, Settings
from storyreel.tasks.storage.bucket import Bucket, BucketUnavailable, BucketUnusable

_LINK_SECONDS = 24 * 3600
"""Seconds that a signed link is valid: services download references when a task begins, and a task may wait."""
_TIMEOUT = httpx.Timeout(120, connect=15)


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
            response = await store.send(request, stream=True)
    except (httpx.InvalidURL, LinkNotAllowed) as error:
        why = error.message if isinstance(error, LinkNotAllowed) else "is no address"
        raise Terminal(f"{what} was not sent: the address that {service} gave for it {why}", service=service) from error
    except (httpx.HTTPError, OSError, UnicodeError) as error:
        text = str(error) or type(error).__name__
        raise Transient(f"{service}'s store did not take {what}: {text}", service=service) from error
    if response.status_code != 409 and not response.is_success:
        busy = Transient(f"{service}'s store did not take {what}: it answers {response.status_code}", service=service)
        busy.retry_after = retry_after(response.headers)
        raise busy


class ReferenceBucket:
    """The user's folder for references, on any fsspec file system that signs links: `s3://films/references`."""

    def __init__(self, url: str) -> None:
        self._bucket = Bucket(url, MEDIA_URL)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ReferenceBucket | None:
        """The bucket that STORYREEL_MEDIA_URL names, or None."""
        url = Settings.read(environment).media_url
        return cls(url) if url else None

    async def put(self, file: SentFile) -> str:
        """Store a file unless it is there with this content; returns a signed link. Raises Transient or Terminal."""
        return await asyncio.to_thread(self._put, file)

    def _put(self, file: SentFile) -> str:
        try:
            self._bucket.keep(file.name, file.content)
            return self._bucket.link(file.name, _LINK_SECONDS)
        except BucketUnavailable as error:
            raise Transient(error.message) from error
        except BucketUnusable as error:
            raise Terminal(error.message, hint=error.hint, next=error.next) from error
