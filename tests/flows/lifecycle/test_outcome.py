"""A run's outcome is told although its server cannot record it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import httpx
import pytest
from prefect import flow, get_client
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed

from storyreel.flows.errors import RunFailed
from storyreel.flows.lifecycle.cancellation import stoppable
from storyreel.flows.lifecycle.late_record import record_late_ends
from storyreel.flows.lifecycle.outcome import outcome_of
from storyreel.flows.servers import availability
from storyreel.flows.servers.availability import watch_server
from storyreel.specs.errors import StoryreelError
from storyreel.tasks.home import Home


@pytest.fixture(autouse=True)
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(availability, "_PAUSE_WITHOUT_ANSWER", 0.2)


_PATIENCE = 5
"""Seconds; a flow begins in less."""


class Way:
    """The way to a server, in threads: Prefect's engine blocks the loop here and there."""

    def __init__(self, api: str) -> None:
        there = httpx.URL(api)
        self._there = (there.host, there.port or 80)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.api = f"http://127.0.0.1:{self._listening.getsockname()[1]}/api"
        self._is_open = threading.Event()
        self._is_open.set()
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Carry nothing any more."""
        self._is_open.clear()

    def go_on(self) -> None:
        """Carry again, what has come meanwhile first."""
        self._is_open.set()

    def cut(self) -> None:
        """End all connections, and take no other one."""
        for end in (self._listening, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._is_open.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection(self._there)
                self._ends += [here, there]
                for source, target in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while came := source.recv(10_000):
                self._is_open.wait()
                target.sendall(came)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def way_to(api: str) -> Iterator[Way]:
    way = Way(api)
    with temporary_settings({PREFECT_API_URL: way.api}):
        yield way
    way.cut()


@pytest.mark.usefixtures("prefect_server")
async def test_a_result_that_is_recorded_is_given_as_the_flow_gives_it() -> None:
    @flow
    @stoppable
    async def film() -> str:
        return "sequence.mp4"

    async with watch_server() as server:
        assert await outcome_of(film) == "sequence.mp4"
        assert not server.remark


@pytest.mark.parametrize("how", ["freeze", "cut"])
async def test_a_result_is_given_although_its_server_is_gone(standing_server: str, how: str) -> None:
    with way_to(standing_server) as way:

        @flow
        @stoppable
        async def film() -> str:
            getattr(way, how)()
            return Completed(data="sequence.mp4", message="3 takes")  # type: ignore[return-value]

        async with watch_server(_PATIENCE) as server:
            assert await outcome_of(film) == "sequence.mp4"
            assert "is incomplete" in server.remark
        through = way.api
    assert not APILogWorker._instances, "the process would wait for its log lines when it exits"
    (kept,) = (Home.of().root / "unrecorded-runs").glob("*.json")
    assert await record_late_ends(Home.of()) == 0 and kept.exists(), "it is another server that is in use"
    # The same server, by the address that it has.
    kept.write_text(kept.read_text().replace(through, standing_server))
    with temporary_settings({PREFECT_API_URL: standing_server}):
        assert [await record_late_ends(Home.of()) for _ in range(2)] == [1, 0]
        async with get_client() as client:
            run = await client.read_flow_run(UUID(kept.stem))
    assert run.state and run.state.is_completed() and run.state.message == "3 takes" and not kept.exists()


async def test_an_error_is_given_although_its_server_is_gone(standing_server: str) -> None:
    with way_to(standing_server) as way:

        @flow
        @stoppable
        async def film() -> None:
            way.cut()
            raise StoryreelError("a shot could not be made")

        async with watch_server(_PATIENCE):
            with pytest.raises(StoryreelError, match="a shot could not be made"):
                await outcome_of(film)


@pytest.mark.parametrize("is_for_good", [False, True])
async def test_a_run_whose_server_is_slow_begins_late_or_makes_nothing_and_says_why(
    standing_server: str, is_for_good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(availability, "_NOTICED", 1)
    monkeypatch.setattr(availability, "SLOW_PATIENCE", 3 if is_for_good else 60)
    made: list[str] = []
    told: list[str] = []
    with way_to(standing_server) as way:

        @flow
        @stoppable
        async def film() -> None:
            made.append("a clip")

        way.freeze()
        async with watch_server(1, told.append) as server:
            if is_for_good:
                with pytest.raises(RunFailed, match=r"accepts connections but has .*; nothing was made"):
                    await outcome_of(film)
            else:
                threading.Timer(4, way.go_on).start()
                await outcome_of(film)
                assert not server.remark
    assert made == ([] if is_for_good else ["a clip"])
    assert len(told) == 1 and "waits for the Prefect server at http://127.0.0.1:" in told[0]
