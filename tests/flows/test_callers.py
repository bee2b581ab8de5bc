"""A server that anybody may call: who does not send a whole request in time is disconnected, and shuts nobody out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from storyreel.flows import callers
from storyreel.flows.callers import CallerProtocol
from storyreel.flows.errors import RunFailed

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
WHOLE = HEAD + b"body"
UNFINISHED = {
    "nothing": b"",
    "half a line": b"POST / HT",
    "half a head": HEAD[:-2],
    "a head alone": HEAD,
    "half a body": HEAD + b"bo",
    "half a chunk": HEAD.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked") + b"400\r\nbo",
    "half of the second": WHOLE + HEAD[:20],
    "the second without a body": WHOLE + HEAD,
}
ANSWER_SECONDS = 1.0


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """The port of a server whose answers take longer than a caller may take."""

    async def answer(request: Request) -> Response:
        await request.body()
        await asyncio.sleep(ANSWER_SECONDS)
        return PlainTextResponse("heard")

    app = Starlette(routes=[Route("/", answer, methods=["POST"])])
    server = uvicorn.Server(
        uvicorn.Config(app, http=CallerProtocol, port=0, log_config=None, lifespan="off", timeout_keep_alive=60)
    )
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def said(reader: asyncio.StreamReader) -> bytes:
    """The bytes that the server sends until it closes the connection."""
    received = b""
    with suppress(ConnectionError):
        while piece := await reader.read(4096):
            received += piece
    return received


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
async def test_a_request_that_is_not_sent_in_time_ends(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "REQUEST_SECONDS", 0.3)
    async with served() as port, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        assert (b"heard" in await said(reader)) == sent.startswith(WHOLE), "what came whole is answered"
        writer.close()


async def test_bytes_that_come_one_by_one_give_no_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "REQUEST_SECONDS", 0.3)
    async with served() as port, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        ended = asyncio.create_task(said(reader))
        writer.write(HEAD[:-2] + b"X: ")
        while not ended.done():
            with suppress(ConnectionError):
                writer.write(b"x")
                await writer.drain()
            await asyncio.sleep(0.05)
        assert ended.result() == b""
        writer.close()


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
async def test_unfinished_requests_shut_nobody_out(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "MAX_UNFINISHED", 5)
    async with served() as port, asyncio.timeout(60):
        others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in others:
            writer.write(sent)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        assert b"heard" in await said(reader)
        for _, one in [*others, (reader, writer)]:
            one.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "nobody.invalid"])
def test_a_host_of_another_machine_is_not_answered_with_another_port(host: str) -> None:
    with pytest.raises(RunFailed, match=f"cannot listen on {host}:0: [a-z -]+; --host is an address") as failed:
        callers.listen(host, 0, next="storyreel player --port 0")
    assert not failed.value.next
