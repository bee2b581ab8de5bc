"""An order at every hosted service: repeated only if it is certain that nothing was bought, else sent once."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from storyreel.tasks.providers.errors import Ambiguous, Refused, Terminal, Transient
from tests.services.faults import Answer, Call, HangUp, Page, Reset, Silence, Slow, Truncated
from tests.tasks.providers.hosted_services import Service, answering, opened, own_error, request


@pytest.mark.parametrize(("written", "seconds"), [(None, None), ("7", 7.0), ("soon", None), ("inf", None), ("-3", 0.0)])
async def test_429_is_transient_with_the_time_to_wait(
    service: Service, written: str | None, seconds: float | None
) -> None:
    async with opened(service) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(429, retry_after=written))
        with pytest.raises(Transient) as busy:
            await provider.submit(request(service))
        assert busy.value.retry_after == seconds
        assert emulator.accepted == []
        await provider.submit(request(service))
        assert len(emulator.accepted) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("sold", [True, False])
async def test_an_order_that_meets_a_server_error_is_ambiguous(service: Service, status: int, sold: bool) -> None:
    async with opened(service) as (provider, emulator):
        emulator.fault(Call.CREATE, Answer(status, retry_after="1"), accepted=sold)
        with pytest.raises(Ambiguous, match=str(status)) as unknown:
            await provider.submit(request(service))
    assert unknown.value.next == "storyreel reconcile"
    assert len(emulator.requests) == 1
    assert len(emulator.accepted) == sold


@pytest.mark.parametrize(
    "trouble", [Reset(), HangUp(), Page(), Silence(), Slow(), Truncated()], ids=lambda t: type(t).__name__
)
@pytest.mark.parametrize("sold", [True, False])
async def test_an_order_without_a_usable_response_is_ambiguous_and_sent_once(
    service: Service, trouble: Any, sold: bool
) -> None:
    if isinstance(trouble, (Slow, Truncated)) and not sold:
        pytest.skip("a part of the true answer: it was sold")
    # Short only where it must pass: a busy machine may take longer than this to connect, which would be Transient.
    timeout = 1 if isinstance(trouble, (Silence, Slow)) else 10
    async with opened(service, timeout=timeout) as (provider, emulator):
        emulator.fault(Call.CREATE, trouble, accepted=sold)
        if service.adapter.id_header and isinstance(trouble, (Slow, Truncated)):
            # Headers came, and a success among them names the task.
            accepted = await provider.submit(request(service))
            assert accepted.task == emulator.accepted[0].task and "which a header says" in accepted.remark
        else:
            with pytest.raises(Ambiguous):
                await provider.submit(request(service))
    assert len(emulator.requests) == 1
    assert len(emulator.accepted) == sold


@pytest.mark.parametrize("body", ['{"output": "?"}', '{"id": true}', '{"data": []}', "{}", "[]", "null", "7", '"yes"'])
async def test_a_success_that_names_no_task_is_ambiguous(service: Service, body: str) -> None:
    with answering(body) as base_url:
        async with service.provider(base_url) as provider:
            with pytest.raises(Ambiguous):
                await provider.submit(request(service))


async def test_an_order_to_an_unreachable_service_is_transient(service: Service) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        async with service.provider(f"http://127.0.0.1:{taken.getsockname()[1]}") as provider:
            with pytest.raises(Transient, match="cannot be reached"):
                await provider.submit(request(service))


async def test_an_order_never_uses_a_kept_connection(service: Service) -> None:
    """On one that the service is just closing it would be lost unread, as if its response had been lost."""
    task = {"id": "t", "status": "queued", "output": {"task_id": "t"}, "data": {"task_id": "t", "status": "CREATED"}}
    body = json.dumps(task).encode()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await reader.readuntil(b"\r\n\r\n")  # a second request finds the door closing
        writer.transport.abort()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server, service.provider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as provider:
        for _ in range(3):
            assert (await provider.submit(request(service))).task.endswith("t")


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
async def test_a_refusal_is_terminal_with_the_services_message(service: Service, status: int) -> None:
    async with opened(service) as (provider, emulator):
        emulator.fault(Call.CREATE, own_error(service, status, "the moon is too bright"))
        with pytest.raises(Terminal, match="the moon is too bright") as no:
            await provider.submit(request(service))
    assert isinstance(no.value, Refused) == (status in (400, 404, 422))
    assert emulator.accepted == []
