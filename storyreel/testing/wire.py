"""HTTP as a service sees it: requests, replies, and a socket that can really fail."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SOCKET = "storyreel.socket"
_SLOW_SECONDS = 0.1
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0: closing sends RST instead of FIN."""


class Ending(Enum):
    """The end of a connection after a reply."""

    WHOLE = "whole"
    CLOSED = "closed"
    """The connection is closed in order (FIN) after what was sent."""
    RESET = "reset"
    """The connection is reset (RST) after what was sent."""
    SILENT = "silent"
    """The connection stays open, and nothing more is sent until the client closes it."""
    SLOW = "slow"
    """The body comes byte by byte, with a pause after each, for as long as the client waits or `slow_bytes` says."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it was received."""

    method: str
    path: str
    """Percent-decoded."""
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    at: float
    """Seconds since 1970, by the emulator's clock."""
    target: str
    """Path and query as they were written."""

    def query_value(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)

    def json(self) -> Any:
        """The body as JSON. Raises ValueError if it is not JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. A Content-Length among the headers is sent as it is, true or not."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    ending: Ending = Ending.WHOLE
    sends_bytes: bool = True
    """Whether any byte is sent before the ending."""
    slow_bytes: int | None = None
    """Number of bytes of a slow body that come one by one, before the others; None: all."""

    def header(self, name: str) -> str | None:
        """The value of a header, by its name in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def with_header(self, name: str, value: str) -> Reply:
        """The same with one header set, in place of any of its name."""
        others = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return replace(self, headers=(*others, (name, value)))

    @property
    def is_orderly(self) -> bool:
        """Whether an orderly HTTP server could send it."""
        declared = self.header("content-length")
        return self.sends_bytes and self.ending is Ending.WHOLE and declared in (None, str(len(self.body)))


def json_reply(value: object, status: int = 200, *headers: tuple[str, str]) -> Reply:
    """A reply in JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, body, (("content-type", "application/json; charset=utf-8"), *headers))


def app(answer: Callable[[HttpRequest], Awaitable[Reply]], now: Callable[[], float]) -> App:
    """An ASGI application around a function from a request to a reply."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        request = HttpRequest(
            method=scope["method"],
            path=scope["path"],
            query=tuple(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
            at=now(),
            target=scope["raw_path"].decode() + (f"?{scope['query_string'].decode()}" if scope["query_string"] else ""),
        )
        await _send(await answer(request), request, scope["extensions"][_SOCKET], receive, send)

    return application


async def _send(reply: Reply, request: HttpRequest, transport: asyncio.Transport, receive: Receive, send: Send) -> None:
    if not reply.is_orderly:
        await _break_off(reply, request, transport, receive)
        return
    length = ("content-length", str(len(reply.body)))
    headers = reply.headers if reply.header("content-length") or reply.status == 204 else (*reply.headers, length)
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": reply.body if request.method != "HEAD" else b""})


async def _break_off(reply: Reply, request: HttpRequest, transport: asyncio.Transport, receive: Receive) -> None:
    """Write a reply that no orderly server sends directly to the socket."""
    try:
        if reply.ending is Ending.SLOW:
            transport.write(_head(reply))
            slow = len(reply.body) if reply.slow_bytes is None else reply.slow_bytes
            for byte in reply.body[:slow]:
                transport.write(bytes([byte]))
                await asyncio.sleep(_SLOW_SECONDS)
                if transport.is_closing():
                    break
            else:
                transport.write(reply.body[slow:])
        elif reply.sends_bytes:
            transport.write(_head(reply) + (reply.body if request.method != "HEAD" else b""))
        if reply.ending is Ending.SILENT:
            await _gone(receive)
        elif reply.ending is Ending.RESET:
            if reply.sends_bytes:
                # A reset overtakes what is still on its way; the client shall have read it.
                await asyncio.sleep(0.05)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        else:
            transport.close()
            await _gone(receive)
    finally:
        transport.abort()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _head(reply: Reply) -> bytes:
    headers = (
        reply.headers if reply.header("content-length") else (*reply.headers, ("content-length", str(len(reply.body))))
    )
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1")


class _Protocol(H11Protocol):
    """Uvicorn's HTTP/1.1 that passes the connection's transport to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner = self.app

        async def with_socket(scope: Any, receive: Any, send: Any) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), _SOCKET: transport}
            await inner(scope, receive, send)

        self.app = with_socket


def listening_socket(port: int = 0) -> socket.socket:
    """A socket that listens on this machine alone; connections wait until it is served."""
    # Named TCP, for asyncio sends small packets at once on such sockets alone; else each reply waits for an ACK.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(128)
    return listening


@contextmanager
def serving(*origins: tuple[App, socket.socket], background: Callable[[], Awaitable[object]]) -> Iterator[None]:
    """Serve each application on its socket, in a thread with a loop of its own, while the context lasts.

    `background` runs in the same loop until the end; what it raises is raised at the end of the context.
    """
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    mistakes: list[BaseException] = []

    async def serve() -> None:
        state = ServerState()
        servers = [
            await loop.create_server(_protocol(application, state), sock=listening)
            for application, listening in origins
        ]
        work = asyncio.ensure_future(background())
        await stop.wait()
        for server in servers:
            server.close()
        for connection in list(state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        work.cancel()
        ended = await asyncio.gather(work, *state.tasks, return_exceptions=True)
        mistakes.extend(one for one in ended if isinstance(one, Exception))

    thread = threading.Thread(target=lambda: _run(loop, serve()), name="emulator", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
    if mistakes:
        raise mistakes[0]


def _run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work)


def _protocol(application: App, state: ServerState) -> Callable[[], _Protocol]:
    # A keep-alive longer than any test: no connection that a client holds is dropped by surprise.
    config = uvicorn.Config(
        application,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=600,
    )
    return lambda: _Protocol(config=config, server_state=state, app_state={})
