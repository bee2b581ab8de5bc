"""How long a run waits for a server that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from storyreel.flows.servers import availability
from storyreel.flows.servers.availability import Availability, current_server, watch_server


class Site:
    """A server of which only it matters what it answers: a status, or nothing at all."""

    def __init__(self) -> None:
        self.status: int | None = 200

    async def __call__(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while await here.readline():
            while (await here.readline()).strip():
                pass
            if self.status is None:
                await asyncio.sleep(60)
            back.write(b"HTTP/1.1 %d Word\r\ncontent-length: 0\r\n\r\n" % (self.status or 0))
        back.close()


@pytest.fixture(autouse=True)
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(availability, "_PAUSE_WITHOUT_ANSWER", 0.05)
    monkeypatch.setattr(availability, "_ANSWER_SECONDS", 0.2)


@pytest.fixture
def site() -> Iterator[Site]:
    yield Site()


@asynccontextmanager
async def watched(site: Site, patience: float) -> AsyncIterator[Availability]:
    listening = await asyncio.start_server(site, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
        async with watch_server(patience) as server:
            yield server
    listening.close()


async def test_what_takes_long_is_waited_for_as_long_as_the_server_answers(site: Site) -> None:
    async with watched(site, 0.5) as server:
        has_ended = False
        async with server.while_answering():
            await asyncio.sleep(1.5)
            has_ended = True
    assert has_ended and not server.is_lost and not server.remark


@pytest.mark.parametrize("status", [None, 502, 503])
async def test_all_waits_together_end_once_the_server_is_lost(site: Site, status: int | None) -> None:
    """It is frozen, behind a proxy, or its database does not answer."""
    async with watched(site, 0.5) as server:
        assert await server.wait()
        site.status = status
        clock = asyncio.get_running_loop().time
        begun = clock()
        for _ in range(20):
            async with server.while_answering():
                await asyncio.sleep(60)
        assert not await server.wait()
        assert clock() - begun < 10, "each of them waited anew"
        assert server.is_lost and "does not answer" in server.remark


async def test_a_server_that_comes_back_is_waited_for_again_and_its_absence_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "_NOTICED", 0.3)
    async with watched(site, 30) as server:
        assert await server.wait()
        site.status = 503
        waiting = asyncio.create_task(server.wait())
        await asyncio.sleep(0.7)
        assert not waiting.done()
        site.status = 200
        assert await waiting
        assert "did not answer for" in server.remark and "may be incomplete" in server.remark


async def test_an_error_of_what_waits_is_not_taken_for_the_servers(site: Site) -> None:
    async with watched(site, 5) as server:
        with pytest.raises(TimeoutError, match="its own"):
            async with server.while_answering():
                raise TimeoutError("its own")


async def test_a_watch_inside_another_is_the_same_and_without_one_nothing_is_given_up(site: Site) -> None:
    async with watched(site, 5) as server, watch_server(0.0) as inner:
        assert inner is server is current_server()
    async with current_server().while_answering():
        await asyncio.sleep(0.01)
    assert not current_server().is_lost
    async with asyncio.timeout(10):
        assert await current_server().wait()
