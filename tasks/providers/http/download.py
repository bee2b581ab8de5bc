"""Downloads of finished clips: into a file, resumed where they broke off, without the service's key."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import httpx

from storyreel.tasks.progress import Progress
from storyreel.tasks.providers.errors import Terminal, Transient
from storyreel.tasks.providers.http.allowed_hosts import AllowedHosts, LinkNotAllowed, checked_request
from storyreel.tasks.providers.http.response import retry_after
from storyreel.tasks.storage.files import mark_of
from storyreel.tasks.threads import finish_in_thread, in_threads

MAX_CLIP_BYTES = 2 << 30
"""15 s at 1080p have about 40 million."""

_CONNECT_SECONDS = 15
_EXPIRED = (401, 403, 404, 410)
"""Statuses by which hosts of clips answer when a link has expired; polling the task again may give a fresh link."""
_NO_SUCH_RANGE = 416
_TRIES = 4
_PAUSE = 0.2
"""Seconds before a broken download is continued."""
_MAX_REDIRECTS = 5
_BLOCK_BYTES = 1 << 20
"""Bytes that are written at a time."""


class LinkExpired(Transient):
    """The link no longer leads to the clip; the task must be polled again."""


class _Broken(Exception):
    """The response does not continue the bytes in the file; the download starts again from zero."""


async def download(
    url: str, into: Path, *, service: str, hosts: AllowedHosts, progress: Progress, read_timeout: float = 60
) -> None:
    """Download a clip into a file. A broken download continues where it stopped if the host supports ranges.

    While it is not whole and can be continued, by the next call too, a mark with the tag of its version is beside it.
    `read_timeout` is in seconds, to connect and for each wait for further bytes.
    Raises LinkExpired, Transient, or Terminal (a link that must not be followed, too large a body, a full disk).
    """
    transfer = await asyncio.to_thread(_Transfer, into, service, hosts, read_timeout, progress)
    for tries_left in reversed(range(_TRIES)):
        try:
            await transfer.run(url)
            await asyncio.to_thread(transfer.forget)
            return
        except (httpx.HTTPError, _Broken) as error:
            if not tries_left:
                what = f"the clip from {service} did not arrive: {str(error) or type(error).__name__}"
                raise Transient(what, service=service) from error
            await asyncio.sleep(_PAUSE)


class _Transfer:
    """The download of one clip, over several connections if one breaks."""

    def __init__(self, into: Path, service: str, hosts: AllowedHosts, read_timeout: float, progress: Progress) -> None:
        self._into, self._service, self._hosts, self._progress = into, service, hosts, progress
        self._timeout = httpx.Timeout(read_timeout, connect=min(read_timeout, _CONNECT_SECONDS))
        self._tries = 0
        self._mark = mark_of(into)
        self._etag = self._mark.read_text() if self._mark.exists() and into.exists() else ""
        """The host's strong tag of this version of the clip; empty if it gave none."""
        self._written = into.stat().st_size if self._etag else 0
        """Bytes in the file."""

    async def run(self, link: str) -> None:
        """Download the bytes that are missing, following redirects."""
        self._tries += 1
        url = self._parsed(link)
        for _ in range(_MAX_REDIRECTS):
            # A new client for each redirect, so that no header or cookie goes to another host.
            client, request = await self._request(url)
            async with client:
                response = await client.send(request, stream=True)
                if not response.is_redirect:
                    await self._receive(response)
                    return
                url = self._joined(url, response.headers.get("location", ""))
        self._refuse("its link leads in circles")

    async def _request(self, url: httpx.URL) -> tuple[httpx.AsyncClient, httpx.Request]:
        headers = {"Accept-Encoding": "identity"}
        if self._written and self._etag:
            headers |= {"Range": f"bytes={self._written}-", "If-Range": self._etag}
        try:
            # Each try takes the next address of the host.
            return await checked_request(
                "GET", url, self._hosts, limit=self._timeout, attempt=self._tries, headers=headers
            )
        except LinkNotAllowed as error:
            self._refuse(f"its link {error.message}")
        except (OSError, UnicodeError) as error:
            what = f"the host of {self._service}'s clip cannot be found: {url.host}"
            raise Transient(what, service=self._service) from error

    async def _receive(self, response: httpx.Response) -> None:
        """Append the body to the file, or replace the file if the body is not the part that was asked for."""
        if response.status_code in _EXPIRED:
            raise LinkExpired(f"{self._service}'s link to the clip has expired", service=self._service)
        if response.status_code == _NO_SUCH_RANGE:
            self._start_again()
            raise _Broken("its host has no such part of it")
        if response.status_code not in (200, 206):
            what = f"the host of {self._service}'s clip answers {response.status_code}"
            busy = Transient(what, service=self._service)
            busy.retry_after = retry_after(response.headers)
            raise busy
        if response.status_code == 200:
            self._start_again()
        elif _first_byte(response) != self._written or response.headers.get("etag", self._etag) != self._etag:
            self._start_again()
            raise _Broken("its host sent another part than was asked for")
        etag = response.headers.get("etag", self._etag)
        # Two versions with one weak tag look alike, but their bytes may not be joined (RFC 9110, 13.1.5).
        self._etag = "" if etag.startswith("W/") else etag
        length = int(response.headers.get("content-length") or 0)
        total = self._written + length if length else 0
        if total > MAX_CLIP_BYTES:
            self._refuse(f"it claims to have {total / 1e9:.1f} GB")
        try:
            if self._etag:
                await asyncio.to_thread(self._mark.write_text, self._etag)
            else:
                await asyncio.to_thread(self.forget)
            await self._write(response, total)
        except OSError as error:
            await asyncio.to_thread(self.forget)
            raise Terminal(
                f"the clip from {self._service} cannot be written to {self._into.parent}: {error.strerror or error}",
                service=self._service,
                hint="make room on that disk, or set STORYREEL_HOME to a folder on another; the clip is paid for, and "
                "the same command then downloads it",
            ) from error

    async def _write(self, response: httpx.Response, total: int) -> None:
        """`total` is the size of the whole clip in bytes, 0 if unknown."""
        async with in_threads(self._opened()) as append:
            block = bytearray()
            try:
                async for chunk in response.aiter_raw():
                    if self._written + len(block) + len(chunk) > MAX_CLIP_BYTES:
                        self._refuse("it does not end")
                    block += chunk
                    if total:
                        self._progress(min(1.0, (self._written + len(block)) / total))
                    if len(block) >= _BLOCK_BYTES:
                        full, block = block, bytearray()
                        await finish_in_thread(append, full)
            finally:
                await finish_in_thread(append, block)

    @contextmanager
    def _opened(self) -> Iterator[Callable[[bytes | bytearray], None]]:
        """A function that appends to the file and counts the bytes."""
        with self._into.open("ab" if self._written else "wb") as file:

            def append(block: bytes | bytearray) -> None:
                file.write(block)
                self._written += len(block)

            yield append

    def forget(self) -> None:
        """Delete the mark: the clip is whole, or what is here of it is not to be continued."""
        self._mark.unlink(missing_ok=True)

    def _start_again(self) -> None:
        self._written, self._etag = 0, ""

    def _parsed(self, link: str) -> httpx.URL:
        try:
            return httpx.URL(link)
        except httpx.InvalidURL:
            self._refuse("its link is no address")

    def _joined(self, url: httpx.URL, location: str) -> httpx.URL:
        try:
            return url.join(location)
        except httpx.InvalidURL:
            self._refuse("its link leads to no address")

    def _refuse(self, why: str) -> NoReturn:
        self.forget()
        raise Terminal(f"the clip from {self._service} is not downloaded: {why}", service=self._service)


def _first_byte(response: httpx.Response) -> int:
    """The position of the part in the clip; -1 if the response does not say."""
    found = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    return int(found[1]) if found else -1
