"""The part of a file that a request asks for, by RFC 9110: `Range`, `If-Range` and `If-None-Match`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
"""One range. Of several ranges the whole file is sent, which a server may do; browsers ask for one."""


class Part(NamedTuple):
    """The answer to a request for a file."""

    status: int
    """200, 206 for a part, 304 if the caller has it, 416 if the file has no such part."""
    start: int = 0
    end: int = 0
    """The first byte that is not sent."""


def requested_part(headers: Mapping[str, str], size: int, tag: str) -> Part:
    """The part of a file of `size` bytes that a request asks for; `tag` is the entity tag of the file, with quotes."""
    if known := headers.get("if-none-match"):
        tags = {each.strip().removeprefix("W/") for each in known.split(",")}
        if tags & {tag, "*"}:
            return Part(304)
    whole = Part(200, 0, size)
    found = _RANGE.fullmatch(headers.get("range", "").strip())
    # Of a file that has changed meanwhile the caller wants all. Its date is not sent, so that none can be right.
    if not found or headers.get("if-range", tag).strip() != tag:
        return whole
    first, last = found.groups()
    if not first and not last:
        return whole
    if first and last and int(last) < int(first):
        return whole
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    return Part(206, start, end) if start < end else Part(416)
