"""How long a run waits for a server that does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from storyreel.flows.servers import availability, prefect_settings
from storyreel.flows.servers.availability import Availability, current_server, pause_after, watch_server
from storyreel.flows.servers.choose import report_to_server


class Site:
    """A server of which only it matters what it answers: a status, or nothing at all."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.delay = 0.0
        """Seconds for each answer."""
        self.asked = 0
        """Number of questions."""

    async def __call__(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while await here.readline():
            self.asked += 1
            while (await here.readline()).strip():
                pass
            if self.status is None:
                await asyncio.sleep(60)
            await asyncio.sleep(self.delay)
            back.write(b"HTTP/1.1 %d Word\r\ncontent-length: 0\r\n\r\n" % (self.status or 0))
        back.close()


@pytest.fixture(autouse=True)
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(availability, "_LONGEST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(availability, "_PAUSE_WITHOUT_ANSWER", 0.05)
    monkeypatch.setattr(availability, "_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(availability, "_LAST_ANSWER_SECONDS", 0.1)


@pytest.fixture
def site() -> Iterator[Site]:
    yield Site()


@asynccontextmanager
async def watched(
    site: Site, patience: float, on_wait: Callable[[str], None] | None = None
) -> AsyncIterator[Availability]:
    listening = await asyncio.start_server(site, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
        async with watch_server(patience, on_wait) as server:
            yield server
    listening.close()


async def test_before_anything_is_made_a_server_that_is_slow_is_waited_for_and_this_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "_NOTICED", 0.3)
    site.delay = 1.5
    told: list[str] = []
    async with watched(site, 0.4, told.append) as server:
        assert await server.wait(), "each answer takes longer than the patience"
        assert len(told) == 1 and "accepts connections but has not answered for" in told[0]
        server.limit_patience()
        assert not server.remark, "nothing was to be recorded"
        assert not await server.wait() and server.is_lost


async def test_a_server_that_is_gone_or_too_slow_is_not_waited_for_long_before_anything_is_made(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "SLOW_PATIENCE", 4)
    clock = asyncio.get_running_loop().time
    for site.status, least, most in ((503, 0.4, 3.9), (None, 3.9, 60)):
        begun = clock()
        async with watched(site, 0.4) as server:
            assert not await server.wait()
            assert least < clock() - begun < most
            assert ("accepts connections" in server.silence) is (site.status is None)


async def test_time_in_which_the_loop_stands_still_ends_no_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "_ANSWER_SECONDS", 1)
    async with watched(site, 2) as server:
        server.limit_patience()
        has_ended = False
        async with server.while_answering():
            for _ in range(2):
                await asyncio.sleep(0.1)
                time.sleep(2.5)  # as a blocking request of Prefect's engine
            await asyncio.sleep(0.3)
            has_ended = True
        assert has_ended and not server.is_lost


async def test_what_takes_long_is_waited_for_as_long_as_the_server_answers(site: Site) -> None:
    async with watched(site, 0.5) as server:
        has_ended = False
        async with server.while_answering():
            await asyncio.sleep(1.5)
            has_ended = True
    assert has_ended and not server.is_lost and not server.remark


async def test_a_server_that_answers_other_questions_is_not_asked_whether_it_is_there(site: Site) -> None:
    async with watched(site, 30) as server:
        assert await server.wait()
        asked = site.asked
        for _ in range(50):
            server.note_answer()
            await asyncio.sleep(0.01)
        assert site.asked <= asked + 1
        async with asyncio.timeout(20):
            while site.asked < asked + 3:
                await asyncio.sleep(0.01)


async def test_time_in_which_a_server_is_not_asked_is_no_time_without_an_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "_LONGEST_PAUSE_SECONDS", 0.6)
    monkeypatch.setattr(availability, "_PAUSE_SECONDS", 0.6)
    monkeypatch.setattr(availability, "_NOTICED", 0.5)
    async with watched(site, 30) as server:
        assert await server.wait()
        asked = site.asked
        server.note_answer()
        async with asyncio.timeout(20):
            while site.asked == asked:
                await asyncio.sleep(0.01)
        assert await server.wait()
        assert not server.remark


def test_a_server_that_answers_slowly_is_asked_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pauses = [pause_after(seconds) for seconds in (0, 0.1, 0.2, 0.3, 1, 60)]
    assert pauses == [3, 3, 4, 6, 6, 6]


@pytest.mark.parametrize("status", [None, 502, 503])
async def test_all_waits_together_end_once_the_server_is_lost(site: Site, status: int | None) -> None:
    """It is frozen, behind a proxy, or its database does not answer."""
    async with watched(site, 0.5) as server:
        assert await server.wait()
        server.limit_patience()
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


def test_a_command_waits_for_a_named_server_that_is_slow_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(1)
            self.send_response(200)
            self.end_headers()

    monkeypatch.setattr(availability, "_NOTICED", 0.1)
    monkeypatch.setattr(prefect_settings, "_ANSWER_SECONDS", 0.2)
    told: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Late) as late:
        Thread(target=late.serve_forever, daemon=True).start()
        pages = f"http://127.0.0.1:{late.server_port}"
        with temporary_settings({PREFECT_API_URL: f"{pages}/api"}), report_to_server(None, told.append) as reported:
            assert reported == pages
        late.shutdown()
    assert len(told) == 1 and told[0].startswith(f"waits for the Prefect server at {pages}, which accepts connections")
