"""What a service answered: status, headers, and a body that may be JSON and may be anything else."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

LARGEST = 8 << 20
"""Bytes; an answer of a service is a few kilobytes."""

_LONGEST_SAID = 600
_MESSAGES = (("message",), ("error", "message"), ("problem", "message"), ("error",), ("detail",))
_DETAILS = (("details",), ("invalid_params",), ("problem", "invalid_params"), ("detail",))


class Answer:
    """An answer to one call. `body` is its JSON, None where it is none."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, unpacked(content)
        try:
            self.body: Any = json.loads(self.content)
        except (ValueError, RecursionError):
            self.body = None

    @property
    def is_accepting(self) -> bool:
        """Whether it says yes, in JSON."""
        return 200 <= self.status < 300 and isinstance(self.body, dict)

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, from a Retry-After in seconds or as a date; None where there is none."""
        written = self.headers.get("retry-after", "")
        try:
            seconds = float(written)
        except ValueError:
            seconds = _seconds_until(written)
        return max(0.0, seconds) if math.isfinite(seconds) else None

    def said(self) -> str:
        """What the service says, shortened: its message and details where it has some, else how the body begins."""
        found = (told(self.body, *path) for path in _MESSAGES)
        message = next((text.strip() for text in found if isinstance(text, str) and text.strip()), "")
        words = "; ".join(filter(None, (message, *dict.fromkeys(self._details()))))
        words = words or self.content[:200].decode(errors="replace").strip() or "no reason given"
        return words if len(words) <= _LONGEST_SAID else words[:_LONGEST_SAID] + "…"

    def _details(self) -> Iterator[str]:
        """Which field is wrong and why: a map, or a list of `{path | name | loc, message | reason | msg}`."""
        for path in _DETAILS:
            details = told(self.body, *path)
            if isinstance(details, dict):
                yield from (f"{field}: {why}" for field, why in details.items() if isinstance(why, str))
            for entry in details if isinstance(details, list) else ():
                field = told(entry, "path") or told(entry, "name") or told(entry, "loc")
                why = told(entry, "message") or told(entry, "reason") or told(entry, "msg")
                name = ".".join(map(str, field)) if isinstance(field, list) else field
                yield f"{name}: {why}" if name and why else str(why or "")


def told(body: Any, *path: str | int) -> Any:
    """The value at a path in JSON; None where it is not there, whatever is there instead."""
    for step in path:
        if isinstance(step, int):
            body = body[step] if isinstance(body, list) and step < len(body) else None
        else:
            body = body.get(step) if isinstance(body, dict) else None
    return body


def text(body: Any, *path: str | int) -> str:
    """The text at a path in JSON; empty where there is none."""
    value = told(body, *path)
    return value.strip() if isinstance(value, str) else ""


def unpacked(content: bytes) -> bytes:
    """A body itself. What it is labelled as is not believed: APIYI's gateway calls plain bodies gzip."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(content, LARGEST)
    except zlib.error:
        return content


def _seconds_until(written: str) -> float:
    try:
        when = parsedate_to_datetime(written)
    except (ValueError, TypeError):
        return math.nan
    return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
