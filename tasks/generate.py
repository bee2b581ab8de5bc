"""One take of one shot, from request to verified clip.

The ledger leads: a take that is there is not made again, one that is ordered is waited for, and an order goes out
only after this process alone has noted it.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

from prefect import State as PrefectState
from prefect import Task, task
from prefect.client.schemas.objects import TaskRun

from specs.frozen import Frozen
from tasks.inspection import verify
from tasks.providers.base import Ambiguous, Provider, Request, Standing, Terminal, Transient
from tasks.store.clips import Clip
from tasks.store.ledger import Order, Purchase, State
from tasks.store.owner import this_process
from tasks.studio import Studio
from tasks.watching import tell

_TRIES = 5
_LOOK_AT_LEDGER = 0.5
"""Seconds between two looks at a purchase that another run is at work on."""


class Take(Frozen):
    """A take to be made: what is ordered, and the request with every picture it needs at hand."""

    order: Order
    request: Request

    @property
    def slate(self) -> str:
        """As it is written on the slate: `1B take 2`."""
        return f"{self.order.slate} take {self.order.take}"


async def _may_try_again(task: Task[..., Any], run: TaskRun, state: PrefectState[Any]) -> bool:
    """Only what was surely not accepted is tried again, after as long as the service asked for."""
    error = await state.aresult(raise_on_failure=False)
    if not isinstance(error, Transient):
        return False
    if error.retry_after:
        await asyncio.sleep(error.retry_after)
    return True


@task(
    name="generate",
    persist_result=True,
    retries=_TRIES - 1,
    retry_delay_seconds=[1, 2, 4, 8],
    retry_jitter_factor=0.5,
    retry_condition_fn=_may_try_again,
)
async def generate(take: Take, studio: Studio, upstream: Clip | None = None) -> Clip:
    """The clip of a take: from the store, from an order that is under way, or newly ordered.

    `upstream` is the clip it continues, named so that the run's graph shows the edge.
    Raises Transient, Terminal or Ambiguous.
    """
    while True:
        purchase = studio.ledger.find(take.order.key)
        if purchase is None:
            if studio.ledger.intend(take.order):
                return await _order(take, studio)
        elif clip := await _go_on(take, purchase, studio):
            return clip


async def _go_on(take: Take, purchase: Purchase, studio: Studio) -> Clip | None:
    """What becomes of a take that has a row. None: the row moved meanwhile, look at it anew."""
    match purchase.state:
        case State.FINISHED:
            clip = studio.clips.find(purchase.clip or "")
            return clip or await _order_again(take, purchase, studio)
        case State.FAILED if purchase.changed >= studio.opened:
            raise Terminal(purchase.reason, service=take.order.provider)
        case State.FAILED:
            return await _order_again(take, purchase, studio)
        case State.SUBMITTED if _is_ours(purchase) or _is_left(purchase):
            return await _collect(take, purchase, studio) if studio.ledger.take_over(purchase) else None
        case State.INTENDED if _is_left(purchase):
            return await _settle(take, purchase, studio)
        case State.INTENDED if _is_ours(purchase):
            return await _order(take, studio)
        case State.UNKNOWN:
            raise _unknown(take)
    tell(take.order.slate, take.order.take, "waiting", detail="another run is making it")
    await asyncio.sleep(_LOOK_AT_LEDGER * random.uniform(0.8, 1.2))
    return None


async def _settle(take: Take, purchase: Purchase, studio: Studio) -> Clip | None:
    """An order was noted, and who noted it is gone."""
    if not studio.provider(take.order.provider).paid:
        return await _order_again(take, purchase, studio)
    studio.ledger.unknown(take.order.key, "the run that ordered it was stopped before it had an answer")
    raise _unknown(take)


async def _order_again(take: Take, purchase: Purchase, studio: Studio) -> Clip | None:
    return await _order(take, studio) if studio.ledger.intend_again(purchase) else None


async def _order(take: Take, studio: Studio) -> Clip:
    """Order a take whose row this process has just written."""
    key, provider = take.order.key, studio.provider(take.order.provider)
    tell(take.order.slate, take.order.take, "waiting")
    try:
        async with studio.slot(provider.name):
            tell(take.order.slate, take.order.take, "ordering")
            accepted = await provider.submit(take.request)
            studio.ledger.submitted(key, accepted.task, accepted.cost)
            return await _await_clip(take, accepted.task, provider, studio)
    except Transient:
        # Only a submit is withdrawn: what is submitted stays, and the next try goes on with it.
        studio.ledger.withdraw(key)
        raise
    except asyncio.CancelledError:
        if not provider.paid:
            studio.ledger.withdraw(key)
        raise


async def _collect(take: Take, purchase: Purchase, studio: Studio) -> Clip:
    """Go on with an order that the service has accepted."""
    provider = studio.provider(take.order.provider)
    async with studio.slot(provider.name):
        return await _await_clip(take, purchase.task or "", provider, studio)


async def _await_clip(take: Take, task_id: str, provider: Provider, studio: Studio) -> Clip:
    standing = await _wait(take, task_id, provider, studio)
    with studio.clips.arriving(take.order.key) as arriving:
        await _fetch(take, standing, arriving, provider)
        clip = await asyncio.to_thread(studio.clips.keep, arriving)
    studio.ledger.finished(take.order.key, clip.digest, standing.cost)
    return clip


async def _wait(take: Take, task_id: str, provider: Provider, studio: Studio) -> Standing:
    """Look at a task until its clip is there."""
    while True:
        try:
            standing = await provider.look(task_id)
        except Terminal as verdict:
            studio.ledger.failed(take.order.key, verdict.message)
            raise
        if standing.state == "finished":
            return standing
        tell(take.order.slate, take.order.take, "generating", detail=standing.detail)
        await asyncio.sleep(provider.poll_floor)


async def _fetch(take: Take, standing: Standing, arriving: Path, provider: Provider) -> None:
    """Bring the clip here and look at whether it is what was ordered."""

    def progress(fraction: float) -> None:
        tell(take.order.slate, take.order.take, "fetching" if provider.paid else "generating", fraction)

    await provider.fetch(take.request, standing, arriving, progress)
    await asyncio.to_thread(verify, arriving, take.request)


def _is_ours(purchase: Purchase) -> bool:
    return purchase.owner == this_process()


def _is_left(purchase: Purchase) -> bool:
    """Whether whoever was at work on it is surely gone."""
    return purchase.owner.is_here() and not purchase.owner.is_alive()


def _unknown(take: Take) -> Ambiguous:
    return Ambiguous(
        f"nobody knows whether {take.order.provider} accepted the order of {take.slate}",
        service=take.order.provider,
        hint="storyreel reconcile",
    )
