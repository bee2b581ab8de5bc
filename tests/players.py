"""Players as a browser finds them."""

from __future__ import annotations

import httpx


def is_played(link: str) -> bool:
    """Whether a link plays what it was made for. Another home's player may have the port by now, and refuses it."""
    try:
        return httpx.get(link, timeout=30).status_code == httpx.codes.OK
    except httpx.ConnectError:
        return False
