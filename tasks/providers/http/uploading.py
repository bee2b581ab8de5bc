"""Handing a file to a service's own store, at an address that the service gave for it."""

from __future__ import annotations

from typing import Any

import httpx

from storyreel.tasks.providers.errors import Terminal, Transient
from storyreel.tasks.providers.http.trust import trusted

_TIMEOUT = httpx.Timeout(120, connect=15)


async def hand_over(method: str, address: str, *, service: str, what: str, **content: Any) -> None:
    """Send a file, without the service's key. That it is there already is as good.

    Raises Transient, as an upload costs nothing and may be repeated, or Terminal for an address that is none.
    """
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT, verify=trusted()) as store:
            answer = await store.request(method, address, follow_redirects=False, **content)
    except httpx.InvalidURL as error:
        raise Terminal(f"{service} gave no address to upload {what} to", service=service) from error
    except httpx.HTTPError as error:
        # Its own words alone: the address holds a signature.
        words = str(error) or type(error).__name__
        raise Transient(f"{service}'s store did not take {what}: {words}", service=service) from error
    if answer.status_code != 409 and not answer.is_success:
        raise Transient(f"{service}'s store did not take {what}: it answers {answer.status_code}", service=service)
