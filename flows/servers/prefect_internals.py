"""Every private or undocumented name of Prefect that flows use, one small piece each (3.9.1).

Each says what it replaces and why the public way does not do. tests/flows/servers/test_prefect_internals.py says what
breaks when a name is gone. One more is in `storyreel.tasks.result_cache`: tags that are set in `compute_key`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal
from uuid import UUID

import psutil
from prefect import State, get_client, get_run_logger
from prefect._internal import control_listener
from prefect._internal.concurrency.services import QueueService
from prefect._internal.concurrency.threads import get_global_loop
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.notifications import SlackWebhook
from prefect.client.schemas.objects import TaskRun
from prefect.concurrency import _leases
from prefect.context import FlowRunContext
from prefect.events.clients import RETRYABLE_EXCEPTIONS, PrefectEventsClient
from prefect.events.worker import EventsWorker, emit_events_to_cloud
from prefect.exceptions import Abort
from prefect.logging.handlers import APILogWorker, PrefectConsoleHandler
from prefect.runner import Runner
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.utilities import engine
from prefect.utilities.engine import emit_task_run_state_change_event
from pydantic import SecretStr
from websockets.exceptions import WebSocketException

from storyreel.flows.output import outlasting

_UNCONFIRMED = 25
"""Events that are sent before the server is asked to confirm them. As many are sent again when a connection breaks, and
as many precede the answer that keeps a connection alive, which is given up after 20 s."""
_NEVER = 1e9
CONFIRM_SECONDS = 20.0
"""Time for the server to confirm the events of a run."""
_RECONNECT_SECONDS = 0.5
"""Pause before another connection."""
_DROP_SECONDS = 5.0
_HAND_OVER_SECONDS = 25.0
_LOOK_SECONDS = 0.05
_CONNECTION_ERRORS: tuple[type[Exception], ...] = (*RETRYABLE_EXCEPTIONS, WebSocketException)

UNLOADABLE = "status code: 1."
"""In the message of a worker's Crashed state for a process that ended by itself before its flow began.

Prefect tells this from a killed process in that text alone."""
STOPPED = "status code: -15."
"""The same for a process that was ended by SIGTERM."""

CANCELLED_TASK = "Execution was cancelled by the runtime environment."
"""In the log of a task whose asyncio task was cancelled, which the engine calls a crash."""
SUSPENDED_RUN = "Finished in state Suspended("
"""Beginning of the line that the engine logs, as an error, for a run that was suspended."""
CLIENT_LOG = "prefect._internal.concurrency"
"""Name of the logger of what sends events and log lines."""


def confirm_events() -> None:
    """Have the server confirm each 25 events of this process from now on.

    Prefect's client asks for confirmation every 30 s, beside the sending: when a connection breaks both reconnect, and
    one ends the other while it sends events again. With twenty films at once on two cores one task run in eight was
    lost so. There is no setting for it. Clients of Prefect Cloud and of Prefect's temporary server are left alone.
    """
    if PREFECT_API_URL.value() and not emit_events_to_cloud():
        options = {"checkpoint_every": _UNCONFIRMED, "checkpoint_interval": _NEVER}
        EventsWorker.set_client_override(PrefectEventsClient, **options)


def outlast_console() -> None:
    """Drop log lines for a console that is closed, instead of failing; Prefect's pages have them.

    A run prints into a pipe to its worker. When that was killed, rich ends the process at the next line.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.console.file = outlasting(handler.console.file)


@contextmanager
def outlast_deployment_slot() -> Iterator[None]:
    """Go on inside although the slot of the deployment's own limit is lost; the ledger lets no two runs buy one take.

    Prefect's engine holds it by a lease, and cancels the run when that cannot be renewed: after a restart of a server
    that keeps leases in memory, or while it does not answer for some seconds. There is no setting for it (3.9.1).
    """
    logger, handle = get_run_logger(), _leases._handle_lease_renewal_failure

    def warn(error: BaseException, lease: UUID, ends_run: bool, *others: Any) -> None:
        if ends_run:
            logger.warning("the server has lost the slot of this run; another run of the film may begin beside it")
        else:
            handle(error, lease, ends_run, *others)

    _leases._handle_lease_renewal_failure = warn  # type: ignore[assignment]
    try:
        yield
    finally:
        _leases._handle_lease_renewal_failure = handle


def pass_for_prefects(handler: Any) -> Any:
    """Make Prefect treat `handler`, the present one of SIGTERM, as its own; returns the one that it treated so before.

    A runner announces what its SIGTERM is for, and a run acknowledges that only while Prefect's own handler is
    installed. Without it `prefect flow-run execute` kills a run at once that is to be handed over, and a run that is
    cancelled learns from the server alone that it is. There is no other way to learn it (3.9.1).
    """
    before, engine._prefect_sigterm_handler = engine._prefect_sigterm_handler, handler
    return before


def announced_end() -> Literal["cancel", "reschedule", "relinquish"] | None:
    """The purpose of its SIGTERM that the runner of this process has announced; None if it has announced none. For the
    last two the runner, or what has begun it, sees to the run's next state."""
    return control_listener.get_intent()


async def wait_for_events(seconds: float = CONFIRM_SECONDS) -> bool:
    """Wait until the server has confirmed all events emitted so far, for so many seconds; False if it has not.

    `EventsWorker.drain_all` closes the connection without asking whether the last events arrived.
    """
    worker = EventsWorker.instance()
    if worker._loop is None:
        return True
    try:
        async with asyncio.timeout(seconds):
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_confirm_all(worker), worker._loop))
    except Exception as error:  # whatever it is, the film is made; the warning names it
        get_run_logger().warning("the page of this run may be incomplete: its last events were not taken: %r", error)
        return False
    return True


async def _confirm_all(worker: EventsWorker) -> None:
    while not worker._stopped:
        client = getattr(worker, "_client", None)  # not before the worker has begun
        if worker._queue.unfinished_tasks:
            await asyncio.sleep(_LOOK_SECONDS)
        elif isinstance(client, PrefectEventsClient) and client._unconfirmed_events:
            await _confirm(client)
        else:
            return


async def _confirm(client: PrefectEventsClient) -> None:
    """Ask the server to confirm what was sent; if the connection is lost, connect again, which sends it again."""
    try:
        if client._websocket:
            await client._force_checkpoint()
            return
    except _CONNECTION_ERRORS:
        await asyncio.sleep(_RECONNECT_SECONDS)
    with suppress(*_CONNECTION_ERRORS):
        await client._reconnect()


async def send_unsent() -> None:
    """Send all events and log lines of this process, and close the connections; Prefect does so at the process's exit.

    Waits for as long as the server keeps them waiting; if that is given up, call `drop_unsent`.
    """
    for worker in (EventsWorker, APILogWorker):
        await worker.drain_all(at_exit=False)  # type: ignore[misc]


def drop_unsent() -> None:
    """Drop the events and log lines that are not sent yet, for which the exit of the process would wait.

    Each is tried again and again for some ten seconds, a batch of log lines for a minute. A queue cannot be emptied.
    """
    loop = get_global_loop()._loop
    if loop is None:
        return

    async def end_services() -> None:
        while services := [task for task in asyncio.all_tasks() if _is_service(task)]:
            for task in services:
                task.cancel()
            await asyncio.sleep(_LOOK_SECONDS)

    with suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(end_services(), loop).result(_DROP_SECONDS)


def _is_service(task: asyncio.Task[Any]) -> bool:
    return getattr(task.get_coro(), "__qualname__", "") == f"{QueueService.__mro__[1].__name__}._run"


async def drain_events(seconds: float) -> None:
    """Send all events and close the connection, within so many seconds.

    Prefect does so only when the interpreter exits, after an ephemeral server has ended.
    """
    await EventsWorker.drain_all(timeout=seconds, at_exit=False)  # type: ignore[misc]


def emit_task_run_state(run: TaskRun, before: State[Any], state: State[Any]) -> None:
    """Emit the event by which the engine itself tells the server of a task run's new state.

    `client.set_task_run_state` is a request for each state, which the run would wait for.
    """
    emit_task_run_state_change_event(task_run=run, initial_state=before, validated_state=state)


async def name_flow_run(name: str, tags: Iterable[str]) -> None:
    """Name the current flow run, and give it these tags instead of those it has.

    `client.update_flow_run` changes the server's record alone. Events are related to the run as the context has it.
    """
    new_tags = list(tags)
    async with get_client() as client:
        await client.update_flow_run(UUID(flow_run.id), name=name, tags=new_tags)
    if (context := FlowRunContext.get()) and context.flow_run:
        context.flow_run.name, context.flow_run.tags = name, new_tags


async def register_block_types() -> None:
    """Register the types of Prefect's blocks in the server's database, unless Prefect remembers that it has.

    To be called in the server's process. Prefect does it before it serves, in a function within `create_app` (3.9.1).
    """
    from prefect.server.api.server import _memoize_block_auto_registration
    from prefect.server.database import provide_database_interface
    from prefect.server.models.block_registration import run_block_auto_registration

    @_memoize_block_auto_registration
    async def register() -> None:
        async with await provide_database_interface().session() as session:
            await run_block_auto_registration(session=session)

    await register()


def apprise_block(address: str) -> NotificationBlock:
    """A block that sends notifications to an address of Apprise, as of e-mail: `mailto://…`.

    Prefect registers no block for e-mail by SMTP, nor for Apprise in general. The one for Slack passes an address that
    is not Slack's on to Apprise (a comment in its `block_initialization`, read 2026-11-29, 3.9.1).
    """
    return SlackWebhook(url=SecretStr(address))


def keep_state(state: State[Any] | None) -> None:
    """Have the engine add no state to the current flow run when an error ends it, because this one is recorded."""
    if state and (context := FlowRunContext.get()) and context.flow_run:
        context.flow_run.state = state


class EndedRun(Abort):
    """Ends a flow run whose final state is recorded already; `state` is that state, None if the run goes on elsewhere.

    The engine adds no state after an Abort. To return a state instead would do only for runs that end here.
    """

    def __init__(self, message: str, state: State[Any] | None) -> None:
        self.state = state
        super().__init__(message)


class HandoverRunner(Runner):
    """A runner of served deployments that hands its runs over when it is stopped; Prefect's cancels them.

    The run processes get SIGTERM, on which a run schedules itself again; after 25 s they are cancelled.
    """

    handed_over = 0
    """How many runs were under way when it was stopped."""

    async def cancel_all(self) -> None:
        runs = [process for process in psutil.Process().children() if _is_run(process)]
        self.handed_over += len(runs)
        for process in runs:
            process.terminate()
        for _ in range(int(_HAND_OVER_SECONDS / _LOOK_SECONDS)):
            # The runner started the processes, and waits for their exits itself.
            if not any(map(_is_run, runs)):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        await super().cancel_all()


def _is_run(process: psutil.Process) -> bool:
    try:
        return "prefect.engine" in process.cmdline()
    except psutil.Error:  # it has ended
        return False
