"""Requests to a service, and what each response proves about an order.

An order is sent once. Only a failure before the request could reach the service, or an answer that the service's table
lists, proves that nothing was bought; everything else is Ambiguous. All other requests may be repeated. The key is sent
to the service's own host alone, as redirects are not followed, and is removed from every message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import httpx

from storyreel.specs.foreign_text import kept
from storyreel.specs.secrets import hidden
from storyreel.tasks.providers.errors import Ambiguous, ProviderError, Terminal, Transient
from storyreel.tasks.providers.http.allowed_hosts import ssl_context
from storyreel.tasks.providers.http.response import MAX_BYTES, Response, id_at, url_part
from storyreel.tasks.settings import service_variable

Error = TypeVar("Error", bound=ProviderError)

_CONNECT_SECONDS = 15
_PHASES = 3
"""A request ends after so many times the timeout, however slowly bytes arrive: to connect, to send, to receive."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
"""Failures before a connection exists: the service has received no byte of the request."""


class ErrorReader(Protocol):
    """Reads the answers of one service."""

    def __call__(self, response: Response, *, is_order: bool) -> ProviderError | None:
        """The error that a response to an order, or to another request, proves; None if it proves none."""


class Client:
    """HTTP client of one service. `timeout` is in seconds, to connect and for each wait for further bytes; `secret` is
    the key, which is removed from messages."""

    def __init__(
        self, service: str, base: str, headers: Mapping[str, str], error_in: ErrorReader, *, secret: str, timeout: float
    ) -> None:
        self.service, self.base = service, base.rstrip("/")
        self._error_in, self._secret = error_in, secret
        headers = _all_headers(headers)
        self._timeout, self._most = timeout, timeout * _PHASES
        self._limit = limit = httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS))
        self._http = httpx.AsyncClient(headers=headers, timeout=limit, verify=ssl_context())
        # Each order opens a new connection. On a kept one that the service is just closing, an order would be lost
        # unread, which cannot be told from one that was accepted.
        never_kept = httpx.Limits(max_keepalive_connections=0)
        self._order_http = httpx.AsyncClient(headers=headers, timeout=limit, verify=ssl_context(), limits=never_kept)

    async def close(self) -> None:
        await self._order_http.aclose()
        await self._http.aclose()

    async def post_once(
        self,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        *,
        id_header: str = "",
        patience: int = 1,
    ) -> Any:
        """POST an order, once, and return the JSON of the response that accepts it. `id_header` names the task too;
        `patience` is how many times as long as usual the response may take.

        Raises Transient if it is certain that nothing was accepted, Terminal if it was refused, else Ambiguous.
        """
        begun: list[httpx.Response] = []
        try:
            response = await self._send(
                self._order_http, "POST", path, begun.append, patience, json=body, headers=headers
            )
        except _NEVER_SENT as error:
            raise self._error(Transient, f"cannot be reached: {_text(error)}") from error
        except (httpx.HTTPError, _TooLarge) as error:
            lost = self._ambiguous(f"gave no usable response: {_text(error)}")
            lost.task = _id_in(begun, id_header)
            raise lost from error
        if proven := self._error_in(response, is_order=True):
            raise self.redacted(proven)
        if not response.is_ok:
            unread = self._ambiguous(self._answered(response))
            unread.hint, unread.task = self._advice(response), _id_in(begun, id_header)
            unread.answer = f"HTTP {response.status}\n\n".encode() + self._hidden_bytes(response.content)
            raise unread
        return response.body

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """GET and return the JSON. Raises what the service's table says of an error, else Transient."""
        # Not left to httpx: an id must be asked for exactly as the service wrote it.
        asked = "&".join(f"{url_part(name)}={url_part(str(value))}" for name, value in (query or {}).items())
        return await self._repeatable("GET", f"{path}?{asked}" if asked else path)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST what costs nothing and may be repeated, such as a cancel, and return the JSON. Raises as `get` does."""
        return await self._repeatable("POST", path, json=body)

    async def _repeatable(self, method: str, path: str, **rest: Any) -> Any:
        try:
            response = await self._send(self._http, method, path, **rest)
        except (httpx.HTTPError, _TooLarge) as error:
            raise self._error(Transient, f"cannot be reached: {_text(error)}") from error
        if proven := self._error_in(response, is_order=False):
            raise self.redacted(proven)
        if 300 <= response.status < 400:
            elsewhere = self._error(Terminal, self._answered(response), next="storyreel doctor")
            elsewhere.hint = self._advice(response)
            raise elsewhere
        if not response.is_ok:
            busy = self._error(Transient, self._answered(response))
            busy.retry_after = response.retry_after
            raise busy
        return response.body

    async def _send(
        self,
        http: httpx.AsyncClient,
        method: str,
        path: str,
        has_begun: Callable[[httpx.Response], None] = lambda response: None,
        patience: int = 1,
        **rest: Any,
    ) -> Response:
        """The whole response. `has_begun` is called with its status and headers, before the body comes."""
        most, limit = self._most * patience, self._limit
        if patience > 1:
            limit = httpx.Timeout(self._timeout * patience, connect=limit.connect)
        try:
            async with (
                asyncio.timeout(most),
                http.stream(method, self.base + path, follow_redirects=False, timeout=limit, **rest) as response,
            ):
                has_begun(response)
                content = bytearray()
                async for chunk in response.aiter_raw():
                    content += chunk
                    if len(content) > MAX_BYTES:
                        raise _TooLarge(f"a response of more than {MAX_BYTES} bytes")
                return Response(response.status_code, response.headers, bytes(content))
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no whole response in {most:.0f} s") from error

    def _answered(self, response: Response) -> str:
        if 300 <= response.status < 400:
            return f"redirects to {_host(response)} ({response.status}), and the key must not be sent there"
        return f"answered {response.status}: {response.message()}"

    def _advice(self, response: Response) -> str:
        is_redirect = 300 <= response.status < 400
        return f"look at {service_variable(self.service, 'BASE_URL')}" if is_redirect else ""

    def _ambiguous(self, what: str) -> Ambiguous:
        return self._error(Ambiguous, f"{what}; whether the take was accepted is not known", next="storyreel reconcile")

    def _error(self, kind: type[Error], what: str, next: str = "") -> Error:
        return self.redacted(kind(f"{self.service} {what}", service=self.service, next=next))

    def redacted(self, error: Error) -> Error:
        """The error without the key in it, which a service may repeat in its message."""
        error.message, error.hint = self.hidden(error.message), self.hidden(error.hint)
        error.args = (error.message,)
        return error

    def hidden(self, text: str) -> str:
        """The text without the key, which is not an environment variable's in every program that uses this one."""
        return hidden(text, (self._secret,))

    def _hidden_bytes(self, content: bytes) -> bytes:
        return self.hidden(content.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def order_headers(url: str, headers: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """All headers that `Client.post_once` sends, except the length: `headers` of every request, `more` of this one."""
    common = httpx.Headers(_all_headers(headers), encoding="utf-8")
    with httpx.Client(headers=common, transport=httpx.BaseTransport()) as http:
        order = http.build_request("POST", url, json={}, headers=more)
    sent = ((name.decode(), value.decode()) for name, value in order.headers.raw)
    return {name: value for name, value in sent if name.lower() != "content-length"}


def _id_in(begun: Sequence[httpx.Response], header: str) -> str:
    """The id in a header of the response that has begun, if its status is a success; else empty."""
    successes = [response.headers.get(header, "") for response in begun if header and response.is_success]
    return id_at([kept(id.strip()) for id in successes], 0)


def _all_headers(headers: Mapping[str, str]) -> dict[str, str]:
    # A response has a few kilobytes, so compression gains nothing, and some services label bodies wrongly.
    return {"Accept-Encoding": "identity", **headers}


class _TooLarge(Exception):
    """The body of a response is larger than any that makes sense."""


def _host(response: Response) -> str:
    try:
        return httpx.URL(response.headers.get("location", "")).host or "another address"
    except httpx.InvalidURL:
        return "another address"


def _text(error: Exception) -> str:
    """The text of an exception, or its type's name: many exceptions of httpx have no text."""
    return str(error) or type(error).__name__
