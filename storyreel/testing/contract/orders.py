"""An order: repeated only if it is certain that nothing was bought."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from storyreel.tasks.providers.errors import (
    Ambiguous,
    Refused,
    Terminal,
    Transient,
)
from storyreel.tasks.providers.http.response import parsed
from storyreel.testing.faults import Answer, Call, HangUp, Page, Reset, Silence, Slow, Trouble, Truncated
from storyreel.testing.service import HostedService
from storyreel.testing.wire import Reply

NAMELESS = ('{"output": "?"}', '{"id": true}', '{"data": []}', "{}", "[]", "null", "7", '"yes"', "no", "\xff", "<p>no")
"""Answers that name no task."""


@pytest.mark.asyncio
class Orders:
    """An order is sent once; ambiguous, refused and busy answers are told apart."""

    @pytest.mark.parametrize(
        ("written", "seconds"), [(None, None), ("7", 7.0), ("soon", None), ("inf", None), ("-3", 0.0)]
    )
    async def test_a_busy_service_is_asked_again(
        self, service: HostedService, written: str | None, seconds: float | None
    ) -> None:
        async with service.opened() as (provider, emulator):
            emulator.fault(Call.CREATE, Answer(429, retry_after=written))
            with pytest.raises(Transient) as busy:
                await provider.submit(service.request())
            assert busy.value.retry_after == seconds
            assert len(emulator.requests) == 1 and not emulator.accepted
            await provider.submit(service.request())
            assert len(emulator.accepted) == 1

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
    async def test_a_refusal_is_terminal_with_the_services_message(self, service: HostedService, status: int) -> None:
        async with service.opened() as (provider, emulator):
            emulator.fault(Call.CREATE, service.refusal(status, "the moon is too bright"))
            with pytest.raises(Terminal, match="the moon is too bright") as no:
                await provider.submit(service.request())
        assert isinstance(no.value, Refused) == (status in (400, 404, 422))
        assert len(emulator.requests) == 1 and not emulator.accepted

    @pytest.mark.parametrize("status", [302, 408, 409, 499, 500, 502, 503, 504])
    @pytest.mark.parametrize("sold", [True, False])
    async def test_an_order_that_meets_an_error_is_ambiguous_and_sent_once(
        self, service: HostedService, status: int, sold: bool
    ) -> None:
        async with service.opened() as (provider, emulator):
            emulator.fault(Call.CREATE, service.refusal(status, "out of order"), accepted=sold)
            with pytest.raises(Ambiguous) as unknown:
                await provider.submit(service.request())
        assert unknown.value.next == "storyreel reconcile"
        assert len(emulator.requests) == 1
        assert len(emulator.accepted) == sold

    @pytest.mark.parametrize(
        "trouble",
        [Reset(), HangUp(), Page(), Page(403), Page(500), Silence(), Slow(), Truncated()],
        ids=lambda trouble: f"{type(trouble).__name__}{getattr(trouble, 'status', '')}",
    )
    @pytest.mark.parametrize("sold", [True, False])
    async def test_an_order_without_a_usable_response_is_ambiguous_and_sent_once(
        self, service: HostedService, trouble: Trouble, sold: bool
    ) -> None:
        if trouble.needs_reply and not sold:
            pytest.skip("an answer in part is one to an order that was accepted")
        # Short only where it must pass: a busy machine may take longer than this to connect, which would be Transient.
        timeout = 1 if isinstance(trouble, Silence | Slow) else 10
        async with service.opened(timeout=timeout) as (provider, emulator):
            emulator.fault(Call.CREATE, trouble, accepted=sold)
            if service.adapter.id_header and trouble.needs_reply:
                # Headers came, and a success among them names the task.
                accepted = await provider.submit(service.request())
                assert accepted.task and "which a header says" in accepted.remark
            else:
                with pytest.raises(Ambiguous):
                    await provider.submit(service.request())
        assert len(emulator.requests) == 1
        assert len(emulator.accepted) == sold

    @pytest.mark.parametrize("body", NAMELESS)
    async def test_a_success_that_names_no_task_is_ambiguous_and_kept(self, service: HostedService, body: str) -> None:
        sent = body.encode("latin-1")
        async with service.answering(lambda _: sent) as provider:
            with pytest.raises(Ambiguous) as unknown:
                await provider.submit(service.request())
        # Some answers are kept as they came, others as the JSON that they are.
        assert sent in unknown.value.answer or parsed(sent) == parsed(unknown.value.answer)

    @pytest.mark.parametrize("status", [200, 400, 403, 429])
    async def test_an_answer_that_names_a_task_is_no_refusal(self, service: HostedService, status: int) -> None:
        task, error = (json.loads(service.answers.written(kind, status=status)) for kind in ("accepted", "error"))
        both = json.dumps({**error, **task} if isinstance(error, dict) and isinstance(task, dict) else task).encode()
        async with service.answering(lambda _: Reply(status, both)) as provider:
            if status == 200:
                assert (await provider.submit(service.request())).task
            else:
                with pytest.raises(Ambiguous):
                    await provider.submit(service.request())

    async def test_an_order_to_an_unreachable_service_is_transient(self, service: HostedService) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, but not listening
            async with service.provider(f"http://127.0.0.1:{taken.getsockname()[1]}") as provider:
                with pytest.raises(Transient, match="cannot be reached"):
                    await provider.submit(service.request())

    async def test_an_order_never_uses_a_kept_connection(self, service: HostedService) -> None:
        """On one that the service is just closing it would be lost unread, as if its response had been lost."""
        body = service.answers.written("accepted")

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            await reader.readuntil(b"\r\n\r\n")  # a second request finds the door closing
            writer.transport.abort()

        server = await asyncio.start_server(once, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, service.provider(f"http://127.0.0.1:{port}") as provider:
            for _ in range(3):
                assert (await provider.submit(service.request())).task.endswith("t-1")
