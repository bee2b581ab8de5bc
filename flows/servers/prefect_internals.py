"""The events of a run on their way to Prefect's server: none is lost, however the connection fares.

Task runs are known to the server by events alone. Prefect's client of events (3.8.8 to 3.9.1) asks every 30 s whether
what it sent has arrived, beside the sending. When a connection breaks, both connect anew, and the one ends the other in
the middle of what it was sending again; and at the end it goes without asking. Twenty films at once on two cores, whose
server answered too late to keep its connections, lost one task run in eight so. Asked between two events alone, and
once more at the end, it loses none.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from prefect import get_run_logger
from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker, emit_events_to_cloud

_UNCONFIRMED = 25
"""Events sent at most before the server is asked whether it has them: as many as are sent again when a connection
breaks, and as stand before the answer that keeps a connection alive, which is given up after 20 s without."""
_NEVER = 1e9
_PATIENCE = 20.0
"""Seconds for which a server is asked at the end."""
_PAUSE = 0.5
"""Before it is connected to again then."""
_LOOK = 0.02


def confirm_as_sent() -> None:
    """Let all events of this process be confirmed from now on. Prefect Cloud has a client of its own, and keeps it."""
    if not emit_events_to_cloud():
        EventsWorker.set_client_override(PrefectEventsClient, checkpoint_every=_UNCONFIRMED, checkpoint_interval=_NEVER)


async def all_confirmed() -> None:
    """Wait until the server has all that was sent so far, or has not taken it for too long; it never stops a run."""
    worker = EventsWorker.instance()
    if worker._loop is None:
        return
    try:
        async with asyncio.timeout(_PATIENCE):
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_confirm(worker), worker._loop))
    except TimeoutError:
        get_run_logger().warning("Prefect's server did not take all that this run tells; its page may lack something")


async def _confirm(worker: EventsWorker) -> None:
    """Send again what the server does not have, until it has all; in the loop in which events are sent."""
    while not worker._stopped:
        client = getattr(worker, "_client", None)
        if worker._queue.unfinished_tasks:
            await asyncio.sleep(_LOOK)
        elif isinstance(client, PrefectEventsClient) and client._unconfirmed_events:
            await _ask(client)
        else:
            return


async def _ask(client: PrefectEventsClient) -> None:
    """Ask the server whether it has all; if the connection is lost meanwhile, send again what it may not have."""
    # Whatever a server or a proxy says that is too busy: it is asked again.
    with suppress(Exception):
        await client._force_checkpoint()
        return
    await asyncio.sleep(_PAUSE)
    with suppress(Exception):
        await client._reconnect()
