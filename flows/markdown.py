"""Text for Prefect's pages, which show Markdown."""

from __future__ import annotations

import re

from storyreel.specs.foreign_text import printable
from storyreel.specs.secrets import hidden

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~&])")
_BEGINNING = re.compile(r"^(\d{1,9})(?=[.)])|^(?=[-+=])")
"""Beginnings that make a line an entry of a list, or a headline of the line above."""


def escape(text: str, longest: int | None = None) -> str:
    """The text on one line with Markdown's special characters escaped, cut to `longest` characters with an ellipsis."""
    one_line = " ".join(printable(hidden(text)).split())
    if longest and len(one_line) > longest:
        one_line = one_line[: longest - 1] + "…"
    return _BEGINNING.sub(r"\1\\", _SPECIAL.sub(r"\\\1", one_line))


def code(text: str) -> str:
    """The text on one line as code, in which nothing is markup."""
    one_line = " ".join(printable(hidden(text)).split())
    fence = "`" * (1 + max(map(len, re.findall("`+", one_line)), default=0))
    # A space beside the fence is not part of the code.
    return f"{fence} {one_line} {fence}" if "`" in one_line else f"{fence}{one_line}{fence}"


def link_address(url: str) -> str:
    """An address for a link, percent-encoded where it would end the link."""
    return re.sub(r"[()<>\\\s]", lambda found: f"%{ord(found[0]):02X}", printable(hidden(url)))
