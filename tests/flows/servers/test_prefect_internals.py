"""Events reach a real Prefect server through connections that break."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import httpx
import pytest
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

from storyreel.flows.servers.prefect_internals import all_confirmed, confirm_as_sent

_MUCH = 10_000_000


class Road:
    """The way to a server: the first connections for events are cut, each when so many bytes have gone along it."""

    def __init__(self, host: str, port: int, bears: list[int]) -> None:
        self._host, self._port, self._bears = host, port, iter(bears)
        self.cuts = 0

    async def __call__(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        there, on = await asyncio.open_connection(self._host, self._port)
        asked = await here.readuntil(b"\r\n")
        on.write(asked)
        bears = next(self._bears, _MUCH) if b"/events/in" in asked else _MUCH
        ways = [
            asyncio.create_task(self._carry(here, on, bears)),
            asyncio.create_task(self._carry(there, back, _MUCH)),
        ]
        ended, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        self.cuts += any(way.result() for way in ended)
        for writer in (back, on):
            writer.transport.abort()
        await asyncio.gather(*ways)

    @staticmethod
    async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, bears: int) -> bool:
        """Pass on until the source ends, or more has come than is borne: True then, and the last is lost."""
        with suppress(ConnectionError):
            while came := await source.read(1000):
                bears -= len(came)
                if bears < 0:
                    return True
                target.write(came)
                await target.drain()
        return False


@asynccontextmanager
async def breaking(api: str, bears: list[int]) -> AsyncIterator[Road]:
    """Talk to a server along such a road."""
    address = httpx.URL(api)
    road = Road(address.host, address.port or 80, bears)
    async with await asyncio.start_server(road, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        await _begin_anew()
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
            confirm_as_sent()
            yield road
            await _begin_anew()


async def _begin_anew() -> None:
    """Let the next event open a connection, to whatever server is talked to then."""
    await EventsWorker.drain_all(timeout=20, at_exit=False)  # type: ignore[misc]


async def send(film: str, number: int) -> None:
    """Send so many events as fast as they go, as a run does, and wait until they are there."""
    for shot in range(number):
        words = random.randbytes(400).hex()  # that nothing makes shorter
        about = {"prefect.resource.id": f"storyreel.film.{film}.shot.{shot}"}
        assert emit_event("storyreel.shot.seen", resource=about, payload={"words": words})
    await all_confirmed()


async def known(api: str, film: str, expected: int) -> set[str]:
    """Which of a film's events the server knows, as soon as they are as many as expected, or after 20 s."""
    wanted = {"filter": {"resource": {"id_prefix": [f"storyreel.film.{film}."]}}, "limit": 50}
    deadline = asyncio.get_running_loop().time() + 20
    async with httpx.AsyncClient(timeout=30) as client:
        while True:
            page = (await client.post(f"{api}/events/filter", json=wanted)).json()
            found = {event["resource"]["prefect.resource.id"] for event in page["events"]}
            while page["next_page"]:
                page = (await client.get(page["next_page"])).json()
                found |= {event["resource"]["prefect.resource.id"] for event in page["events"]}
            if len(found) >= expected or asyncio.get_running_loop().time() > deadline:
                return found
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("bears", [[2_000, 700, 30_000, 21_000, 9_000, 40_000], [61_000, 61_000]])
async def test_no_event_is_lost_when_connections_break(standing_server: str, bears: list[int]) -> None:
    film = uuid4().hex
    async with breaking(standing_server, bears) as road:
        await send(film, 300)
    assert road.cuts == len(bears)
    assert len(await known(standing_server, film, 300)) == 300


async def test_the_last_events_are_confirmed_before_the_end(standing_server: str) -> None:
    """Some of them are lost with a connection when nothing more is to be sent."""
    film = uuid4().hex
    async with breaking(standing_server, [3_000]) as road:
        await send(film, 10)
    assert road.cuts == 1
    assert len(await known(standing_server, film, 10)) == 10
