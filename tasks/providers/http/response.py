"""A service's response: status, headers, and a body that may be JSON or anything else."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

MAX_BYTES = 8 << 20
"""Largest body that is read; a true one has a few kilobytes."""

_MAX_MESSAGE = 600
"""Characters."""
_MESSAGES = (("message",), ("error", "message"), ("problem", "message"), ("error",), ("detail",))
_DETAILS = (("details",), ("invalid_params",), ("problem", "invalid_params"), ("detail",))


class Response:
    """The response to one request. `body` is its JSON, None if it is not JSON."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, decompressed(content)
        try:
            self.body: Any = json.loads(self.content)
        except (ValueError, RecursionError):
            self.body = None

    @property
    def is_ok(self) -> bool:
        """Whether the status is 2xx and the body is a JSON object."""
        return 200 <= self.status < 300 and isinstance(self.body, dict)

    @property
    def retry_after(self) -> float | None:
        """Seconds that the service asks to wait, or None."""
        return retry_after(self.headers)

    def message(self) -> str:
        """The service's message with its details, shortened; the beginning of the body if there is none."""
        found = (value_at(self.body, *path) for path in _MESSAGES)
        message = next((text.strip() for text in found if isinstance(text, str) and text.strip()), "")
        text = "; ".join(filter(None, (message, *dict.fromkeys(self._details()))))
        text = text or self.content[:200].decode(errors="replace").strip() or "no reason given"
        return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "…"

    def _details(self) -> Iterator[str]:
        """`field: reason` for each invalid field, from a map or a list of `{path|name|loc, message|reason|msg}`."""
        for path in _DETAILS:
            details = value_at(self.body, *path)
            if isinstance(details, dict):
                yield from (f"{field}: {why}" for field, why in details.items() if isinstance(why, str))
            for entry in details if isinstance(details, list) else ():
                field = value_at(entry, "path") or value_at(entry, "name") or value_at(entry, "loc")
                why = value_at(entry, "message") or value_at(entry, "reason") or value_at(entry, "msg")
                name = ".".join(map(str, field)) if isinstance(field, list) else field
                yield f"{name}: {why}" if name and why else str(why or "")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a Retry-After in seconds or as a date; None if there is none that can be read."""
    header = headers.get("retry-after", "")
    try:
        seconds = float(header)
    except ValueError:
        seconds = _seconds_until(header)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def value_at(body: Any, *path: str | int) -> Any:
    """The value at a path of keys and indices in JSON; None if the path does not exist."""
    for step in path:
        if isinstance(step, int):
            body = body[step] if isinstance(body, list) and step < len(body) else None
        else:
            body = body.get(step) if isinstance(body, dict) else None
    return body


def text_at(body: Any, *path: str | int) -> str:
    """The text at a path in JSON, stripped; empty if there is none."""
    value = value_at(body, *path)
    return value.strip() if isinstance(value, str) else ""


def decompressed(content: bytes) -> bytes:
    """A body, unzipped if it begins like gzip. Headers are not trusted: APIYI's gateway labels plain bodies gzip."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(content, MAX_BYTES)
    except zlib.error:
        return content


def _seconds_until(date: str) -> float:
    """Seconds until an HTTP date; NaN if it is none."""
    try:
        when = parsedate_to_datetime(date)
        return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return math.nan
