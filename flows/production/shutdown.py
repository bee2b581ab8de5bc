"""The end of a run, however it ends: takes under way are cancelled, orders left at services are listed, and all events
are delivered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

from prefect.runtime import flow_run

from storyreel.flows.lifecycle.cancellation import STOPPED_SECONDS, stop_handler
from storyreel.flows.lifecycle.deployed import is_deployed
from storyreel.flows.planning.model import Plan
from storyreel.flows.production.takes import TakeRuns
from storyreel.flows.servers.availability import current_server
from storyreel.flows.servers.choose import wait_for_task_runs
from storyreel.flows.servers.prefect_internals import CONFIRM_SECONDS, confirm_events, wait_for_events
from storyreel.specs.errors import StoryreelError
from storyreel.tasks.ledger.ledger import Purchase, State
from storyreel.tasks.procurement.submission import CALLED_OFF
from storyreel.tasks.studio import Studio

_UNLISTED = "the ledger does not answer, so what is left at services is not listed; next: storyreel ledger"


@asynccontextmanager
async def orderly_shutdown(plan: Plan, takes: TakeRuns, studio: Studio) -> AsyncIterator[None]:
    """At the end of the block, cancel takes that are under way and wait until the server has all events of the run.

    When the run is stopped, the orders left at services are given to its stop handler. Errors get a note of how far it
    came.
    """
    confirm_events()
    seconds = CONFIRM_SECONDS
    try:
        yield
    except asyncio.CancelledError:
        if is_deployed():
            seconds = STOPPED_SECONDS
        await takes.cancel_unfinished()
        orders = await paid_orders(plan, studio)
        if orders is None:
            stop_handler().left = (_UNLISTED,)
        else:
            stop_handler().left = orders_left(orders, studio)
        stop_handler().summary = (await takes.tally(), *orders_called_off(orders or (), studio))
        raise
    except StoryreelError as error:
        error.add_note(await takes.tally())
        raise
    finally:
        await takes.cancel_unfinished()
        server = current_server()
        async with server.while_answering():
            server.is_record_complete = await wait_for_events(seconds)
            await wait_for_task_runs(UUID(flow_run.id), takes.task_runs)


def orders_left(orders: Iterable[Purchase], studio: Studio) -> tuple[str, ...]:
    """One line for each of these orders that is this run's and runs on at its service or is unknown.

    Call when nothing of the run is under way, and before the ledger releases its orders.
    """
    return tuple(line for order in orders if order.is_ours() and (line := _line(order, studio)))


def orders_called_off(orders: Iterable[Purchase], studio: Studio) -> tuple[str, ...]:
    """One line for each of these orders that a service cancelled for this run."""
    return tuple(
        f"{order.order.slate} take {order.order.take}: {order.reason}"
        for order in orders
        if order.state is State.FAILED and order.changed >= studio.opened_at and order.reason.startswith(CALLED_OFF)
    )


async def paid_orders(plan: Plan, studio: Studio) -> list[Purchase] | None:
    """The paid orders of a plan's takes in the order of the film; None if the ledger does not answer."""
    keys = [candidate.key for take in plan.takes for candidate in take.candidates]
    purchases = await studio.find_briefly(keys)
    if purchases is None:
        return None
    orders = [purchases[key] for key in dict.fromkeys(keys) if key in purchases]
    return [order for order in orders if studio.provider(order.order.provider).paid]


def _line(purchase: Purchase, studio: Studio) -> str:
    """The line for an order; empty if it is finished, or if another run left it unknown."""
    order = purchase.order
    take = f"left at {order.provider}: {order.slate} take {order.take}"
    if purchase.state is State.SUBMITTED:
        return f"{take}, task {purchase.task}, {_price(purchase)}; the next run continues it"
    if purchase.state is State.UNKNOWN and purchase.changed >= studio.opened_at:
        return f"{take}, and it is unknown whether it was accepted; next: storyreel reconcile"
    return ""


def _price(purchase: Purchase) -> str:
    if purchase.cost:
        return str(purchase.cost)
    return f"about {purchase.order.price}" if purchase.order.price else "at an unknown price"
