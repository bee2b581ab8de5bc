"""HTTP with a service: which answers mean that nothing was accepted, and which leave that open.

A paid POST is sent once. Only a failure before the request could reach the service, or a plain refusal, says that
nothing was bought; everything else is Ambiguous. GETs may be repeated at will. A key never leaves the service's own
host, as redirects are not followed, and stands in no message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx

from storyreel.tasks.providers.errors import Ambiguous, ProviderError, Refused, Terminal, Transient
from storyreel.tasks.providers.http.response import LARGEST, Answer
from storyreel.tasks.providers.http.trust import trusted
from storyreel.tasks.providers.refusals import verdict

Kind = TypeVar("Kind", bound=ProviderError)

Judge = Callable[[Answer], ProviderError | None]
"""A service's own reading of an answer, where it differs from what the status says; None where it does not."""

_CONNECT_SECONDS = 15
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
"""Failures of the connect phase: not a byte of the request has reached the service."""
_REFUSED = frozenset({400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 413, 414, 415, 422, 451})
"""A client's error: the request was read and turned down."""


class Missing(Terminal):
    """There is nothing under this address."""


class Wire:
    """A connection to one service, with its key. Closed by `close`. `timeout` is in seconds, for each silence."""

    def __init__(
        self, service: str, base: str, headers: Mapping[str, str], judge: Judge, *, secret: str, timeout: float
    ) -> None:
        self.service, self.base = service, base.rstrip("/")
        self._judge, self._secret = judge, secret
        headers = _with_ours(headers)
        patience = httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS))
        self._client = httpx.AsyncClient(headers=headers, timeout=patience, verify=trusted())
        # An order has a connection of its own. On one that was kept, and that the service is just closing, it would
        # be lost unread, and nobody could tell that from an order that was accepted.
        never_kept = httpx.Limits(max_keepalive_connections=0)
        self._till = httpx.AsyncClient(headers=headers, timeout=patience, verify=trusted(), limits=never_kept)

    async def close(self) -> None:
        await self._till.aclose()
        await self._client.aclose()

    async def buy(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Any:
        """POST what costs money, once; gives the JSON of an accepting answer.

        Raises Transient when surely nothing was accepted, Terminal when it was refused, else Ambiguous.
        """
        try:
            answer = await self._send(self._till, "POST", path, json=body, headers=headers)
        except _NEVER_SENT as error:
            raise self._as(Transient, f"cannot be reached: {_words(error)}") from error
        except (httpx.HTTPError, _TooLarge) as error:
            raise self._ambiguous(f"gave no usable answer: {_words(error)}") from error
        self._refuse(answer)
        if not answer.is_accepting:
            raise self._ambiguous(f"answered {answer.status}: {answer.said()}")
        return answer.body

    async def read(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """GET; gives the JSON. Raises Transient where asking again may help, Missing for 404, else Terminal."""
        return await self._harmless("GET", path, params=query)

    async def send(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST what costs nothing and may be repeated: an upload's address, a cancel. Raises as `read` does."""
        return await self._harmless("POST", path, json=body)

    async def _harmless(self, method: str, path: str, **rest: Any) -> Any:
        try:
            answer = await self._send(self._client, method, path, **rest)
        except (httpx.HTTPError, _TooLarge) as error:
            raise self._as(Transient, f"cannot be reached: {_words(error)}") from error
        if answer.status in (404, 410):
            raise self._as(Missing, f"has nothing there: {answer.said()}")
        self._refuse(answer)
        if not answer.is_accepting:
            trouble = self._as(Transient, f"answered {answer.status}: {answer.said()}")
            trouble.retry_after = answer.retry_after
            raise trouble
        return answer.body

    async def _send(self, client: httpx.AsyncClient, method: str, path: str, **rest: Any) -> Answer:
        async with client.stream(method, self.base + path, follow_redirects=False, **rest) as response:
            content = bytearray()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > LARGEST:
                    raise _TooLarge(f"an answer of more than {LARGEST} bytes")
            return Answer(response.status_code, response.headers, bytes(content))

    def _refuse(self, answer: Answer) -> None:
        """Raise what an answer says by which nothing was, or is, accepted."""
        if own := self._judge(answer):
            raise self._hushed(own)
        if answer.status == 429:
            busy = self._as(Transient, f"is busy: {answer.said()}")
            busy.retry_after = answer.retry_after
            raise busy
        if 300 <= answer.status < 400:
            raise self._as(Terminal, f"sends us on to {_host(answer)}, where the key must not go", "storyreel doctor")
        if answer.status == 401:
            raise self._as(Terminal, f"does not take the key: {answer.said()}", "storyreel doctor")
        if answer.status in (402, 403):
            raise self._as(Terminal, f"does not let us in ({answer.status}): {answer.said()}", "storyreel doctor")
        if answer.status in _REFUSED:
            what = f"refused it ({answer.status})"
            raise self._hushed(verdict(Refused, what, service=self.service, code="", reason=answer.said()))

    def _ambiguous(self, what: str) -> Ambiguous:
        return self._as(Ambiguous, f"{what}; whether the take was accepted is not known", "storyreel reconcile")

    def _as(self, kind: type[Kind], what: str, next: str = "") -> Kind:
        return self._hushed(kind(f"{self.service} {what}", service=self.service, next=next))

    def _hushed(self, error: Kind) -> Kind:
        """An error without the key in it, should the service have repeated it to us."""
        error.message = error.message.replace(self._secret, "…")
        error.args = (error.message,)
        return error


def order_headers(url: str, headers: Mapping[str, str], further: Mapping[str, str]) -> dict[str, str]:
    """All headers that `Wire.buy` sends with an order, but its length: a service's own, ours and the client's.

    Nothing is sent. `headers` are those of every call, `further` those of this one.
    """
    ours = httpx.Headers(_with_ours(headers), encoding="utf-8")
    with httpx.Client(headers=ours, transport=httpx.BaseTransport()) as client:
        order = client.build_request("POST", url, json={}, headers=further)
    sent = ((name.decode(), value.decode()) for name, value in order.headers.raw)
    return {name: value for name, value in sent if name.lower() != "content-length"}


def _with_ours(headers: Mapping[str, str]) -> dict[str, str]:
    # An answer has a few kilobytes: nothing is gained by packing it, and not every label is true.
    return {"Accept-Encoding": "identity", **headers}


class _TooLarge(Exception):
    """An answer larger than any that makes sense."""


def _host(answer: Answer) -> str:
    try:
        return httpx.URL(answer.headers.get("location", "")).host or "another place"
    except httpx.InvalidURL:
        return "another place"


def _words(error: Exception) -> str:
    """An exception in words; many of httpx's have no text of their own."""
    return str(error) or type(error).__name__
