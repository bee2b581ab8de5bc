"""Text for Prefect's pages, which show Markdown."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def escape(text: str, longest: int | None = None) -> str:
    """The text on one line with Markdown's special characters escaped, cut to `longest` characters with an ellipsis."""
    one_line = " ".join(text.split())
    if longest and len(one_line) > longest:
        one_line = one_line[: longest - 1] + "…"
    return _SPECIAL.sub(r"\\\1", one_line)
