"""Signed webhooks as Freepik sends them, and the ways in which they can go wrong."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.services.references import is_local_url

_PAUSE = 0.01
"""Seconds between two checks of the outbox, and between two tries."""


@dataclass(frozen=True)
class Post:
    """The way in which a webhook is sent."""

    copies: int = 1
    """How many times the message is sent, with the same id."""
    age: float = 0
    """How many seconds its timestamp is in the past."""
    forged: bool = False
    """Signed with another secret."""
    more_signatures: tuple[str, ...] = ()
    """Signatures in the header before the right one, as after a change of secrets."""
    overtaken: bool = False
    """It is sent after the one that follows it."""


@dataclass(frozen=True)
class Delivery:
    """A webhook that was sent."""

    id: str
    body: dict[str, object]
    status: int | None
    """The receiver's status; None if there was no answer or the address is not on this machine."""


def signature(secret: str, id: str, timestamp: str, body: bytes, *, secret_is_base64: bool) -> str:
    """`v1,<base64>` over id, timestamp and raw body.

    The documentation's Python, JS and Java samples take the secret as text, its PHP sample decodes it from base64.
    """
    key = base64.b64decode(secret) if secret_is_base64 else secret.encode()
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + binascii.b2a_base64(digest, newline=False).decode()


@dataclass
class Outbox:
    """Webhooks to be sent, in order, each tried a number of times."""

    now: Callable[[], float]
    secret: str
    secret_is_base64: bool
    tries: int
    delivered: list[Delivery] = field(default_factory=list)
    posts: deque[Post] = field(default_factory=deque)
    """How the next ones are sent; later ones are sent as usual."""
    _waiting: deque[tuple[str, dict[str, object], Post]] = field(default_factory=deque)

    def put(self, url: str, body: dict[str, object]) -> None:
        """Add a webhook to be sent."""
        self._waiting.append((url, body, self.posts.popleft() if self.posts else Post()))

    async def run(self) -> None:
        """Send webhooks until cancelled."""
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while True:
                while self._waiting and not self._is_held_back():
                    await self._send(client, *self._next())
                await asyncio.sleep(_PAUSE)

    def _is_held_back(self) -> bool:
        return self._waiting[0][2].overtaken and len(self._waiting) < 2

    def _next(self) -> tuple[str, dict[str, object], Post]:
        if self._waiting[0][2].overtaken:
            self._waiting[0], self._waiting[1] = self._waiting[1], self._waiting[0]
            url, body, post = self._waiting[1]
            self._waiting[1] = (url, body, Post(post.copies, post.age, post.forged, post.more_signatures))
        return self._waiting.popleft()

    async def _send(self, client: httpx.AsyncClient, url: str, body: dict[str, object], post: Post) -> None:
        id, timestamp = f"msg_{secrets.token_hex(12)}", str(int(self.now() - post.age))
        raw = json.dumps(body).encode()
        secret = secrets.token_urlsafe(32) if post.forged else self.secret
        signed = signature(secret, id, timestamp, raw, secret_is_base64=self.secret_is_base64 and not post.forged)
        headers = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join([*post.more_signatures, signed]),
        }
        for _ in range(post.copies):
            self.delivered.append(Delivery(id, body, await self._posted(client, url, raw, headers)))

    async def _posted(self, client: httpx.AsyncClient, url: str, raw: bytes, headers: dict[str, str]) -> int | None:
        status = None
        for _ in range(self.tries if is_local_url(url) else 0):
            try:
                status = (await client.post(url, content=raw, headers=headers)).status_code
            except httpx.HTTPError:
                status = None
            if status is not None and status < 300:
                break
            await asyncio.sleep(_PAUSE)
        return status
