"""Private names of Prefect: what is done with them works, and what breaks when one is gone.

Events reach a real Prefect server through connections that break.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from types import SimpleNamespace
from typing import cast
from uuid import UUID, uuid4

import httpx
import pytest
from prefect import flow, get_client
from prefect._internal import control_listener
from prefect._internal.attempt_control import Intent
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event
from prefect.events.clients import PrefectEventsClient
from prefect.events.related import related_resources_from_run_context
from prefect.events.worker import EventsWorker
from prefect.flow_engine import run_flow, run_flow_async
from prefect.logging.handlers import APILogWorker, PrefectConsoleHandler
from prefect.runner._control_channel import ControlChannel, ControlSignalStatus
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Pending
from prefect.utilities.engine import emit_task_run_state_change_event

from storyreel.flows.lifecycle import cancellation
from storyreel.flows.lifecycle.cancellation import Stopped, stop_handler, stoppable
from storyreel.flows.servers.prefect_internals import (
    CLIENT_LOG,
    STOPPED,
    UNLOADABLE,
    EndedRun,
    HandoverRunner,
    apprise_block,
    confirm_events,
    drop_unsent,
    name_flow_run,
    outlast_console,
    outlast_deployment_slot,
    wait_for_events,
)  # fmt: skip
from storyreel.tasks.studio import Studio

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
            confirm_events()
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
    await wait_for_events()


async def known(api: str, film: str, expected: int) -> set[str]:
    """The events of a film that the server knows, as soon as they are as many as expected, or after 20 s."""
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


# Names of Prefect that are private or undocumented: what breaks when one is gone


def test_the_events_client_can_be_asked_to_confirm() -> None:
    client = PrefectEventsClient("http://127.0.0.1:4200/api")
    for name in ("_websocket", "_unconfirmed_events", "_force_checkpoint", "_reconnect"):
        assert hasattr(client, name), f"{name}: the last events of a run are no longer confirmed"


async def test_the_events_worker_shows_what_it_has_not_sent(standing_server: str) -> None:
    with temporary_settings({PREFECT_API_URL: standing_server}):
        worker = EventsWorker.instance()
    for name in ("_loop", "_stopped", "_queue"):
        assert hasattr(worker, name), f"{name}: a run no longer waits for its last events"
    assert worker._queue.unfinished_tasks >= 0
    for name in ("set_client_override", "drain_all"):
        assert hasattr(EventsWorker, name), f"{name}: events of a run are lost when a connection breaks"


async def test_what_cannot_be_sent_is_dropped_and_no_exit_waits_for_it() -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        workers = [EventsWorker.instance(PrefectEventsClient), APILogWorker.instance()]
    drop_unsent()
    assert all(worker._stopped for worker in workers), "a command whose server is gone waits for minutes when it exits"


def test_the_client_says_by_this_logger_which_event_it_cannot_send() -> None:
    logger = import_module("prefect._internal.concurrency").logger
    assert logger.name == CLIENT_LOG, "workers' logs have lines of several KB when the server is away"


def test_the_engine_emits_the_states_of_task_runs_as_here() -> None:
    taken = inspect.signature(emit_task_run_state_change_event).parameters
    assert {"task_run", "initial_state", "validated_state"} <= set(taken), "stages of takes are not shown as states"


@pytest.mark.usefixtures("prefect_server")
async def test_events_of_a_run_that_was_named_carry_its_new_tags() -> None:
    @flow
    async def film() -> set[str]:
        await name_flow_run("The Keeper", ["film:The Keeper"])
        async with get_client() as client:
            return {each.id for each in await related_resources_from_run_context(client)}

    assert "prefect.tag.film:The Keeper" in await film(), "automations no longer find the events of a film by its tag"


@pytest.mark.usefixtures("prefect_server")
async def test_the_engine_leaves_the_state_of_a_run_that_was_ended_elsewhere() -> None:
    seen: list[UUID] = []

    @flow
    async def film() -> None:
        seen.append(UUID(flow_run.id))
        async with get_client() as client:
            ended = await client.set_flow_run_state(seen[0], Cancelled(message="by a person"), force=True)
        raise EndedRun("by a person", ended.state)

    with pytest.raises(EndedRun):
        await film()
    async with get_client() as client:
        state = (await client.read_flow_run(seen[0])).state
    assert state and (state.name, state.message) == ("Cancelled", "by a person"), "a cancelled run shows as Crashed"


async def test_a_runner_that_is_stopped_ends_its_runs_by_cancel_all() -> None:
    called = []

    class Watched(HandoverRunner):
        async def cancel_all(self) -> None:
            called.append(self)

    runner = Watched(name="served")
    runner.started = True
    await runner.astop()
    assert called == [runner], "`storyreel serve` cancels its runs when it is stopped, and calls their orders off"


def test_a_worker_tells_a_run_that_cannot_be_loaded_by_its_exit_code() -> None:
    written = inspect.getsource(import_module("prefect.runner._flow_run_executor"))
    assert "exited with status code: {exit_code}." in written, "a run that cannot be loaded is picked up for ever"
    assert UNLOADABLE == "status code: 1."
    assert f"status code: {-signal.SIGTERM}." == STOPPED


def test_a_process_goes_on_whose_log_nobody_reads() -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as console:  # noqa: PTH123
        handler = PrefectConsoleHandler(stream=console)
        logger = logging.getLogger("storyreel.tests.console")
        logger.addHandler(handler)
        with pytest.raises(SystemExit):
            logger.warning("rich ends the process here")
        logging.getLogger().addHandler(handler)
        try:
            outlast_console()
        finally:
            logging.getLogger().removeHandler(handler)
        handler.console.quiet = False
        logger.warning("a run is lost when its worker was killed")
        logger.removeHandler(handler)


@pytest.mark.usefixtures("prefect_server")
async def test_a_run_goes_on_whose_slot_the_server_has_lost(caplog: pytest.LogCaptureFixture) -> None:
    warned = asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "lost the slot of this run" in record.getMessage():
                loop.call_soon_threadsafe(warned.set)

    loop, listener = asyncio.get_running_loop(), Listener()

    @flow
    async def film() -> str:
        with outlast_deployment_slot():
            await asyncio.wait_for(warned.wait(), 60)
        return "whole"

    unknown = Pending()
    unknown.state_details.deployment_concurrency_lease_id = uuid4()
    logging.getLogger("prefect.flow_runs").addHandler(listener)
    try:
        async with get_client() as client:
            run = await client.create_flow_run(film, state=unknown)
            run = await client.read_flow_run(run.id)
        assert await run_flow_async(film, flow_run=run) == "whole", "runs are cancelled after the server was restarted"
    finally:
        logging.getLogger("prefect.flow_runs").removeHandler(listener)


def test_the_block_for_slack_passes_an_address_of_e_mail_on_to_apprise() -> None:
    (sends,) = apprise_block("mailtos://me:word@mail.example.com:465?to=ana@example.com&mode=ssl")._apprise_client
    assert type(sends).__name__ == "NotifyEmail" and sends.targets == [(False, "ana@example.com")]


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("intent", "told", "state"),
    [
        ("cancel", "cancelled; what was finished is kept", "Cancelled"),
        ("reschedule", "another process has it", "Running"),
        ("relinquish", "another process has it", "Running"),
    ],
)
async def test_a_run_is_told_by_its_runner_why_it_ends_and_not_by_the_server_alone(
    intent: Intent, told: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled film that took the silence of a slow server for a handover would leave its orders, and its scenes
    would go on to cost money. One that `prefect flow-run execute` hands over is left to that."""
    monkeypatch.setattr(cancellation, "pause_after", lambda _: 60)
    monkeypatch.setattr(cancellation, "_HANDOVER_SECONDS", 0.2)
    studio = SimpleNamespace(keeps_orders=True)

    async def no_answer(client: PrefectClient, run: UUID) -> FlowRun:
        return await asyncio.Future()

    @flow
    @stoppable
    async def film() -> None:
        stop_handler().use_studio(cast("Studio", studio))
        away.setattr(PrefectClient, "read_flow_run", no_answer)
        assert await channel.signal(run.id, intent) is ControlSignalStatus.ACKNOWLEDGED
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)

    async with get_client() as client:
        deployment = await film.ato_deployment("cancelled by its runner")
        run = await client.create_flow_run_from_deployment(await deployment.aapply())
    async with ControlChannel() as channel:
        port, token = channel.register(run.id)
        monkeypatch.setenv("PREFECT__CONTROL_PORT", str(port))
        monkeypatch.setenv("PREFECT__CONTROL_TOKEN", token)
        try:
            with pytest.raises(Stopped, match=told), pytest.MonkeyPatch.context() as away:
                await run_flow(film, run)
        finally:
            control_listener.reset_for_testing()
    assert studio.keeps_orders is (intent != "cancel")
    async with get_client() as client:
        record = await client.read_flow_run(run.id)
    assert record.state and record.state.name == state
