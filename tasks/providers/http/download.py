"""Bringing a finished clip here: into a temporary file, resumed where it broke off, without the service's key."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import NoReturn

import httpx

from storyreel.tasks.providers.errors import Terminal, Transient
from storyreel.tasks.providers.http.allowed_hosts import Forbidden, Gate, proxy_for
from storyreel.tasks.providers.http.trust import trusted
from storyreel.tasks.providers.provider import Progress

LARGEST_CLIP = 2 << 30
"""Bytes; 15 s at 1080p have about 40 million."""

_CONNECT_SECONDS = 15
_GONE = (401, 403, 404, 410)
"""How result hosts answer when a link has expired; a look at the task may give a fresh one."""
_NOT_THAT_PART = 416
_TRIES = 4
_PAUSE = 0.2
"""Seconds before a broken download goes on."""
_HOPS = 5


class LinkExpired(Transient):
    """The link no longer leads to the clip; the task must be looked at again."""


class _Broken(Exception):
    """The host sent something that does not go on from what is here; begin anew."""


async def download(url: str, into: Path, *, service: str, base: str, progress: Progress, patience: float = 60) -> None:
    """Download a clip into a file; a broken download goes on where it stopped if the host allows it.

    `base` is where the service itself is; `patience` is in seconds, for each silence. Raises LinkExpired, Transient,
    or Terminal for a link that must not be followed, for what is too large to be a clip, and for a full disk.
    """
    fetching = _Download(into, service, Gate(base), patience, progress)
    for tries_left in reversed(range(_TRIES)):
        try:
            await fetching.go_on(url)
            return
        except (httpx.HTTPError, _Broken) as error:
            if not tries_left:
                what = f"the clip from {service} did not arrive: {str(error) or type(error).__name__}"
                raise Transient(what, service=service) from error
            await asyncio.sleep(_PAUSE)


class _Download:
    """One clip on its way."""

    def __init__(self, into: Path, service: str, gate: Gate, patience: float, progress: Progress) -> None:
        self._into, self._service, self._gate, self._progress = into, service, gate, progress
        self._patience = httpx.Timeout(patience, connect=min(patience, _CONNECT_SECONDS))
        self._tries = 0
        self._here = 0
        """Bytes that are in the file."""
        self._tag = ""
        """What the host calls this version of the clip."""

    async def go_on(self, link: str) -> None:
        """Fetch what is still missing, wherever the link leads on to."""
        self._tries += 1
        url = self._parsed(link)
        for _ in range(_HOPS):
            client, request = await self._asked(url)
            # A client of its own for each hop: no header and no cookie of anybody's goes anywhere else.
            async with client:
                response = await client.send(request, stream=True)
                if not response.is_redirect:
                    await self._take(response)
                    return
                url = self._joined(url, response.headers.get("location", ""))
        self._refuse("its link leads in circles")

    async def _asked(self, url: httpx.URL) -> tuple[httpx.AsyncClient, httpx.Request]:
        """A connection to the very address that was looked at: a name may mean another one a moment later."""
        headers = {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"}
        if self._here and self._tag:
            headers |= {"Range": f"bytes={self._here}-", "If-Range": self._tag}
        try:
            if proxy := proxy_for(url):
                self._gate.check_unresolved(url)
                client = httpx.AsyncClient(proxy=proxy, timeout=self._patience, verify=trusted())
                return client, client.build_request("GET", url, headers=headers)
            found = await self._gate.addresses(url)
        except Forbidden as error:
            self._refuse(str(error))
        except (OSError, UnicodeError) as error:
            what = f"the host of {self._service}'s clip cannot be found: {url.host}"
            raise Transient(what, service=self._service) from error
        place = url.copy_with(host=found[self._tries % len(found) - 1].partition("%")[0])
        client = httpx.AsyncClient(timeout=self._patience, trust_env=False, verify=trusted())
        named = {"sni_hostname": url.raw_host.decode("ascii")}
        return client, client.build_request("GET", place, headers=headers, extensions=named)

    async def _take(self, response: httpx.Response) -> None:
        """Write what comes behind what is here."""
        if response.status_code in _GONE:
            raise LinkExpired(f"{self._service}'s link to the clip has expired", service=self._service)
        if response.status_code == _NOT_THAT_PART:
            self._begin_anew()
            raise _Broken("its host has no such part of it")
        if response.status_code not in (200, 206):
            raise Transient(f"the host of {self._service}'s clip answers {response.status_code}", service=self._service)
        if response.status_code == 200:
            self._begin_anew()
        elif _first_byte(response) != self._here:
            self._begin_anew()
            raise _Broken("its host sent another part than was asked for")
        tag = response.headers.get("etag", self._tag)
        # A weak tag says that two versions look alike, not that their bytes can be joined (RFC 9110, 13.1.5).
        self._tag = "" if tag.startswith("W/") else tag
        promised = int(response.headers.get("content-length") or 0)
        whole = self._here + promised if promised else 0
        if whole > LARGEST_CLIP:
            self._refuse(f"it claims to have {whole / 1e9:.1f} GB")
        try:
            await self._write(response, whole)
        except OSError as error:
            raise Terminal(
                f"the clip from {self._service} cannot be written to {self._into.parent}: {error.strerror or error}",
                service=self._service,
                hint="make room on that disk, or set STORYREEL_HOME to a folder on another; the clip is paid for and "
                "is fetched by the same command then",
            ) from error

    async def _write(self, response: httpx.Response, whole: int) -> None:
        with self._into.open("ab" if self._here else "wb") as file:
            async for chunk in response.aiter_raw():
                if self._here + len(chunk) > LARGEST_CLIP:
                    self._refuse("it does not end")
                file.write(chunk)
                self._here += len(chunk)
                if whole:
                    self._progress(min(1.0, self._here / whole))

    def _begin_anew(self) -> None:
        self._here, self._tag = 0, ""

    def _parsed(self, link: str) -> httpx.URL:
        try:
            return httpx.URL(link)
        except httpx.InvalidURL:
            self._refuse("its link is no address")

    def _joined(self, url: httpx.URL, onward: str) -> httpx.URL:
        try:
            return url.join(onward)
        except httpx.InvalidURL:
            self._refuse("its link leads to no address")

    def _refuse(self, why: str) -> NoReturn:
        raise Terminal(f"the clip from {self._service} is not fetched: {why}", service=self._service)


def _first_byte(response: httpx.Response) -> int:
    """Where the part that came begins; -1 where that is not said."""
    written = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    return int(written[1]) if written else -1
