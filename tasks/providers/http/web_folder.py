"""Files below an http(s) address that a user names, such as a storyboard and its pictures on a web server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

from storyreel.tasks.providers.http.allowed_hosts import AllowedHosts, Checked, LinkNotAllowed, check_url
from storyreel.tasks.storage.bucket import BucketUnavailable, BucketUnusable, FileTooLarge, without_password

_TIMEOUT = httpx.Timeout(60, connect=15)
_LONGEST = 600.0
"""Seconds for one file."""
_MOST_REDIRECTS = 5
_KEPT = "/%?&=+,;:@!$'()*~"
"""Signs of a name that are not encoded; escapes in it stay."""


class WebFolder:
    """A folder on a web server, with the methods of a bucket that read.

    The user chose its host, so that may be in a private network, and redirects may then lead to it too. If it is a
    public host when it is first asked, neither a redirect nor a later look-up of its name leads into such a network.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._hosts: AllowedHosts | None = None

    def get(self, name: str, into: Path, most: int) -> bool:
        """Download a file of at most `most` bytes, False if it does not exist. Raises BucketError, and OSError."""
        with self._opened(name) as response:
            if response is None:
                return False
            with into.open("wb") as file:
                for block in _blocks(response, most):
                    file.write(block)
        return True

    def read(self, name: str, most: int) -> bytes | None:
        """A file of at most `most` bytes, None if it does not exist. Raises BucketError."""
        with self._opened(name) as response:
            return None if response is None else b"".join(_blocks(response, most))

    def __str__(self) -> str:
        return without_password(self.url)

    @contextmanager
    def _opened(self, name: str) -> Iterator[httpx.Response | None]:
        """The response with a file, after redirects; None if there is none."""
        try:
            url = httpx.URL(f"{self.url}/{quote(name, safe=_KEPT)}")
            for _ in range(_MOST_REDIRECTS):
                checked = self._checked(url)
                # A new client for each redirect, so that no password or cookie goes to another host.
                with httpx.Client(timeout=_TIMEOUT, **checked.client) as client:
                    headers = checked.headers | {"Accept-Encoding": "identity"}
                    request = client.build_request("GET", checked.url, headers=headers, extensions=checked.extensions)
                    response = client.send(request, stream=True)
                    if not response.is_redirect:
                        yield self._usable(response, name)
                        return
                    url = url.join(response.headers.get("location", ""))
            raise BucketUnusable(f"{self} leads in circles for {name}")
        except LinkNotAllowed as error:
            hint = "if you trust it, give that address yourself"
            raise BucketUnusable(f"{self} redirects {name} to an address that {error.message}", hint=hint) from error
        except httpx.InvalidURL as error:
            raise BucketUnusable(f"{self} gives no valid address for {name}") from error
        except httpx.HTTPError as error:
            raise BucketUnavailable(f"{self} did not give {name}: {str(error) or type(error).__name__}") from error

    def _checked(self, url: httpx.URL) -> Checked:
        try:
            if self._hosts is None:
                public = AllowedHosts("")
                try:
                    check_url(url, public)
                    self._hosts = public
                except LinkNotAllowed:
                    self._hosts = AllowedHosts(self.url)
            return check_url(url, self._hosts)
        except (OSError, UnicodeError) as error:
            raise BucketUnavailable(f"the host {url.host} cannot be found") from error

    def _usable(self, response: httpx.Response, name: str) -> httpx.Response | None:
        if response.status_code in (404, 410):
            return None
        if response.status_code in (401, 403):
            raise BucketUnusable(f"{self} denies access to {name} ({response.status_code})")
        if response.status_code != 200:
            raise BucketUnavailable(f"{self} did not give {name}: it answers {response.status_code}")
        return response


def _blocks(response: httpx.Response, most: int) -> Iterator[bytes]:
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > most:
        raise FileTooLarge(f"it has {int(length[:20]) / 1e6:,.1f} MB, at most {most / 1e6:,.0f} MB are read")
    arrived, until = 0, time.monotonic() + _LONGEST
    for block in response.iter_raw():
        arrived += len(block)
        if arrived > most:
            raise FileTooLarge(f"it has more than the {most / 1e6:,.0f} MB that are read")
        if time.monotonic() > until:
            raise httpx.ReadTimeout(f"it took more than {_LONGEST:.0f} s")
        yield block
