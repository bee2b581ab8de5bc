"""A service's response: status, headers, and a body that may be JSON or anything else.

Here the text of services enters. Every text in a body can be stored and printed afterwards: what cannot be is escaped,
reversibly, so that `url_part` writes an id exactly as the service did. What is no sensible amount is None.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from storyreel.specs.foreign_text import exact, kept, printable
from storyreel.specs.problems.phrases import shown
from storyreel.specs.secrets import hidden

MAX_BYTES = 8 << 20
"""Largest body that is read; a true one has a few kilobytes."""

_MAX_MESSAGE = 400
"""Characters."""
_MAX_ID = 1000
"""Bytes of an id in UTF-8. The ledger's indexes take no more, and ids of services have about 40."""
_MAX_DIGITS = 18
"""Digits of a whole number that stays one; of more it becomes a text, as only ids have so many."""
_MAX_AMOUNT = 1_000_000
"""A price of a clip or a length in seconds beyond it is a mistake of the service."""
_PAGE = r"(?i)<(?:!doctype|html|head|body|title|center|div|h[1-6]|p|br)\b"
_TITLE = r"(?is)<(title|h1)\b[^>]*>(.*?)</\1"
_MAX_BEGINNING = 2000
"""Characters that are looked at where a page may stand for a message: enough for its title."""
_TAG = r"<[^<>]*>"
_MESSAGES = (("message",), ("error", "message"), ("problem", "message"), ("error",), ("detail",))
_DETAILS = (("details",), ("invalid_params",), ("problem", "invalid_params"), ("detail",))


class Response:
    """The response to one request. `body` is its JSON, None if it is not JSON."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, decompressed(content)
        self.body: Any = parsed(self.content)

    @property
    def is_ok(self) -> bool:
        """Whether the status is 2xx and the body is a JSON object."""
        return 200 <= self.status < 300 and isinstance(self.body, dict)

    @property
    def retry_after(self) -> float | None:
        """Seconds that the service asks to wait, or None."""
        return retry_after(self.headers)

    def message(self) -> str:
        """The service's message with its details, shortened and without HTML; the body's beginning if there is none."""
        found = (value_at(self.body, *path) for path in _MESSAGES)
        message = next((text.strip() for text in found if isinstance(text, str) and text.strip()), "")
        text = "; ".join(filter(None, (message, *dict.fromkeys(self._details()))))
        text = text or printable(self.content[:_MAX_BEGINNING].decode(errors="replace")).strip() or "no reason given"
        return shortened(hidden(printable(titled(text)) if is_page(text) else text))

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


def parsed(content: bytes) -> Any:
    """The JSON of a body, None if it is not JSON. All its texts can be stored and printed; see this module's page.

    Bytes that are no UTF-8 and control characters in texts are accepted: there may be the id of a paid task beside.
    """
    try:
        text = content.decode(json.detect_encoding(content), "surrogatepass")
    except UnicodeDecodeError:
        text = content.decode(errors="surrogateescape")
    try:
        return _kept(_DECODER.decode(text.removeprefix("\ufeff")))
    except (ValueError, RecursionError):
        return None


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


_DECODER = json.JSONDecoder(strict=False, parse_int=_whole_number, parse_constant=str)


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return kept(value)
    if isinstance(value, list):
        return [_kept(each) for each in value]
    return {kept(name): _kept(each) for name, each in value.items()} if isinstance(value, dict) else value


def is_page(text: str) -> bool:
    """Whether a text is HTML: what a gateway or a firewall writes, and no service in the place of its own words."""
    return bool(re.search(_PAGE, text[:_MAX_BEGINNING]))


def titled(page: str) -> str:
    """An HTML page by its title: `a web page, “403 Forbidden”`."""
    # Imported late: its 2,000 names of letters are needed for nothing else.
    import html

    found = re.search(_TITLE, page[:_MAX_BEGINNING])
    title = " ".join(html.unescape(re.sub(_TAG, " ", found[2])).split()) if found else ""
    return f"a web page, “{title}”" if title else "a web page"


def shortened(text: str) -> str:
    """The text on one line, so that no part of it passes for a line of ours; its beginning, if it is long."""
    text = " ".join(text.split())
    return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE].rstrip() + "…"


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


def id_at(body: Any, *path: str | int) -> str:
    """The id at a path in JSON, a text or a whole number; empty if there is none, or if it is too long to be one."""
    value = value_at(body, *path)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() and len(value.encode()) <= _MAX_ID else ""


def link_id(link: str) -> str:
    """An id for a product that came without one, made of its link."""
    return f"link-{hashlib.sha256(link.encode(errors='surrogatepass')).hexdigest()[:16]}"


def amount_at(body: Any, *path: str | int) -> Decimal | None:
    """The amount of money or of seconds at a path in JSON; None if there is none that makes sense."""
    value = value_at(body, *path)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _MAX_AMOUNT:
        return None
    return Decimal(str(value))


def odd_amount(body: Any, *path: str | int) -> str:
    """The warning for an amount that makes no sense, as NaN, a negative one or 10^60; empty if there is none or a sound
    one."""
    value = value_at(body, *path)
    if value is None or amount_at(body, *path) is not None:
        return ""
    return f"the service names {shown(value, 40)} as its {path[-1]}, which makes no sense and counts as unknown"


def url_part(id: str) -> str:
    """An id as a part of an address, exactly as the service wrote it."""
    written = exact(id)
    try:
        return quote(written.encode(errors="surrogateescape"), safe="")
    except UnicodeEncodeError:
        return quote(written.encode(errors="surrogatepass"), safe="")


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
