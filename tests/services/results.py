"""The host of the finished clips: signed links that expire, byte ranges, and OSS's refusals."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from storyreel.testing.wire import HttpRequest, Reply


@dataclass
class Link:
    """An address from which a clip can be downloaded for a while."""

    content: Callable[[], bytes]
    expires: float | None
    """Seconds since 1970."""
    gets: int | None
    """How many more times; None without limit."""
    kind: str = "video/mp4"
    """Media type."""


@dataclass
class ResultHost:
    """An object store, as far as a client that downloads clips can see it."""

    now: Callable[[], float]
    refuses_authorization: bool
    """OSS answers 403 SignatureDoesNotMatch to a signed link with an Authorization header."""

    def __post_init__(self) -> None:
        self.links: dict[str, Link] = {}

    def publish(self, target: str, link: Link) -> None:
        """Make a clip available under a path with its query."""
        self.links[target] = link

    def answer(self, request: HttpRequest) -> Reply:
        """The clip, a part of it, or a refusal."""
        if request.method not in ("GET", "HEAD"):
            return _refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        link = self.links.get(request.target)
        if link is None:
            return _refused(404, "NoSuchKey", "The specified key does not exist.")
        if self.refuses_authorization and "authorization" in request.headers:
            return _refused(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the "
                "signature you provided. Check your key and signing method.",
            )
        if (link.expires is not None and self.now() > link.expires) or link.gets == 0:
            return _refused(403, "AccessDenied", "Request has expired.")
        if link.gets is not None and request.method == "GET":
            link.gets -= 1
        return _content(link.content(), request, link.kind)


def _content(content: bytes, request: HttpRequest, kind: str) -> Reply:
    etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest().upper()}"'
    headers = (("content-type", kind), ("etag", etag), ("accept-ranges", "bytes"))
    if request.headers.get("if-none-match") == etag:
        return Reply(304, b"", headers)
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    same = request.headers.get("if-range", etag) == etag
    if not wanted or not same or wanted.group() == "bytes=-":
        return Reply(200, content, headers)
    first, last = _span(wanted[1], wanted[2], len(content))
    if first >= len(content) or first > last:
        return Reply(416, b"", (*headers, ("content-range", f"bytes */{len(content)}")))
    span = ("content-range", f"bytes {first}-{last}/{len(content)}")
    return Reply(206, content[first : last + 1], (*headers, span))


def _span(first: str, last: str, length: int) -> tuple[int, int]:
    """Both ends of a byte range, the last one included (RFC 9110, 14.1.2)."""
    if not first:
        return max(0, length - int(last)), length - 1
    return int(first), min(int(last) if last else length - 1, length - 1)


def _refused(status: int, code: str, message: str) -> Reply:
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>{code}</Code>\n'
        f"  <Message>{message}</Message>\n</Error>\n"
    )
    return Reply(status, body.encode(), (("content-type", "application/xml"),))
