"""One take of one shot, as a Prefect task: the clip from the store, from an order that stands, or newly ordered.

The ledger leads. An order goes out only after this process alone has noted it; whoever comes second waits; what
nobody can know is called unknown and is settled by `storyreel reconcile`, never by ordering again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from prefect import State as PrefectState
from prefect import Task, get_run_logger, task
from prefect.client.schemas.objects import TaskRun
from prefect.concurrency.asyncio import concurrency

from storyreel.tasks.clips import Clip
from storyreel.tasks.collect import Take, collect
from storyreel.tasks.keeping import asked
from storyreel.tasks.ledger.ledger import Purchase, State
from storyreel.tasks.progress import tell
from storyreel.tasks.providers.errors import Ambiguous, ProviderError, TaskForgotten, Terminal, Transient
from storyreel.tasks.providers.provider import Provider, Submission
from storyreel.tasks.studio import Studio

_DELAYS: list[float] = [1, 2, 4, 8, 16, 32, 60]
"""Seconds before each further try of what was surely not accepted."""
_LOOK_AT_LEDGER = 0.5
"""Seconds between two looks at a purchase that another run is at work on."""
_LEASE_SECONDS = 60
"""How long the place of a run that was killed stays taken; Prefect takes no less. It is renewed while a run lives."""
_CALL_OFF_SECONDS = 5
"""How long a cancelled run waits for a service to call a task off."""
_ANSWER_SECONDS = 10
"""How long a run that is stopped waits for the answer to an order that it has sent."""


async def _may_try_again(task: Task[..., Any], run: TaskRun, state: PrefectState[Any]) -> bool:
    """Only what was surely not accepted, or was only a read, is tried again; after as long as the service asked for."""
    error = await state.aresult(raise_on_failure=False)
    if not isinstance(error, Transient):
        return False
    if error.retry_after:
        await asyncio.sleep(error.retry_after)
    return True


@task(
    name="generate",
    persist_result=True,
    retries=len(_DELAYS),
    retry_delay_seconds=_DELAYS,
    retry_jitter_factor=0.5,
    retry_condition_fn=_may_try_again,
)
async def generate(take: Take, studio: Studio, upstream: Clip | None = None) -> Clip:
    """The clip of a take.

    `upstream` is the clip it continues, given so that the run's graph shows the edge.
    Raises a ProviderError: Transient, Terminal (TaskFailed, TaskForgotten), Ambiguous or Overdue; and BudgetExceeded
    when its price would pass a limit.
    """
    while True:
        purchase = studio.ledger.find(take.order.key)
        if purchase is None:
            clip = await _order(take, studio, lambda: studio.ledger.intend(take.order, take.limits))
        else:
            clip = await _go_on(take, purchase, studio)
        if clip:
            return clip


async def _go_on(take: Take, purchase: Purchase, studio: Studio) -> Clip | None:
    """What becomes of a take that has a row. None: the row has moved meanwhile, look at it anew."""
    match purchase.state:
        case State.FINISHED:
            clip = await asked(studio.clips.find, purchase.clip or "")
            if clip:
                get_run_logger().info("%s: made before, its clip comes from the store", take.slate)
            return clip or await _recover(take, purchase, studio)
        case State.FAILED if purchase.changed >= studio.opened:
            raise Terminal(purchase.reason, service=take.order.provider)
        case State.FAILED:
            return await _order_again(take, purchase, studio)
        case State.SUBMITTED if purchase.is_ours() or purchase.is_left():
            return await _follow(take, purchase, studio) if studio.ledger.take_over(purchase) else None
        case State.INTENDED if purchase.is_left():
            return await _settle(take, purchase, studio)
        case State.UNKNOWN if not await _came(take, purchase, studio):
            raise _unknown(take)
        case State.UNKNOWN:
            return None
    tell(take.order.slate, take.order.take, "waiting", detail="another run is making it")
    await asyncio.sleep(_LOOK_AT_LEDGER * random.uniform(0.8, 1.2))
    return None


async def _recover(take: Take, purchase: Purchase, studio: Studio) -> Clip | None:
    """A clip that was made is gone from the store: fetched again if the service still has it, free ones made anew."""
    is_damaged = await asked(studio.clips.holds, purchase.clip or "")
    what = "damaged in" if is_damaged else "gone from"
    get_run_logger().warning("the clip of %s is %s %s", take.slate, what, studio.clips)
    if not studio.provider(take.order.provider).paid:
        return await _order_again(take, purchase, studio)
    return await _follow(take, purchase, studio)


async def _settle(take: Take, purchase: Purchase, studio: Studio) -> Clip | None:
    """An order was noted, and who noted it is gone before there was an answer."""
    if not studio.provider(take.order.provider).paid:
        return await _order_again(take, purchase, studio)
    studio.ledger.unknown(take.order.key, "the run that ordered it was stopped before it had an answer")
    raise _unknown(take)


async def _came(take: Take, purchase: Purchase, studio: Studio) -> bool:
    """Whether the clip of an order that the service has forgotten is on this host, because the bucket was away when it
    came. The order is then gone on with."""
    task = purchase.task or ""
    if not await asyncio.to_thread(studio.clips.undelivered, take.order.key, task):
        return False
    return studio.ledger.attach(purchase, task, "its clip had come before the service forgot it")


async def _order_again(take: Take, purchase: Purchase, studio: Studio) -> Clip | None:
    return await _order(take, studio, lambda: studio.ledger.intend_again(purchase, take.order, take.limits))


async def _order(take: Take, studio: Studio, claim: Callable[[], bool]) -> Clip | None:
    """Order a take, if this process may, and follow it to its clip. None: somebody else was faster.

    The intent is noted last, when there is room at the service, all pictures are there and the clip can be kept:
    between it and the order a kill leaves a question that only a person may be able to answer.
    """
    provider = studio.provider(take.order.provider)
    tell(take.order.slate, take.order.take, "waiting")
    async with _place_at(provider.name, studio):
        await provider.prepare(take.request)
        await asked(studio.clips.make_sure)
        if not claim():
            return None
        tell(take.order.slate, take.order.take, "ordering")
        task_id = await _submit(take, provider, studio)
        return await _until_there(take, task_id, provider, studio)


@asynccontextmanager
async def _place_at(service: str, studio: Studio) -> AsyncIterator[None]:
    """A place at a service: one of this run's, and one of all runs' where Prefect holds them together.

    A take that is paid for goes on when its place cannot be renewed: too many at once cost less than a lost clip.
    """
    limits = [limit_of(service)] if service in studio.limited else []
    async with (
        studio.slot(service),
        concurrency(limits, lease_duration=_LEASE_SECONDS, strict=True, raise_on_lease_renewal_failure=False),
    ):
        yield


def limit_of(service: str) -> str:
    """The name of the limit in Prefect that holds all runs at a service together."""
    return f"storyreel-{service}"


async def _submit(take: Take, provider: Provider, studio: Studio) -> str:
    """Send the order, once; whatever becomes of it is in the ledger before anything else happens."""
    key = take.order.key
    if provider.paid:
        get_run_logger().info("%s: sent to %s", take.slate, _asked_for(take))
    try:
        accepted = await _answered(provider, take)
    except (Transient, Terminal):
        studio.ledger.withdraw(key)
        raise
    except BaseException as open_question:
        if provider.paid:
            reason = open_question.message if isinstance(open_question, ProviderError) else str(open_question)
            studio.ledger.unknown(key, reason or "the run was stopped while the order was under way")
        else:
            studio.ledger.withdraw(key)
        raise
    studio.ledger.submitted(key, accepted.task, accepted.cost)
    tell(take.order.slate, take.order.take, "submitted", detail=accepted.task)
    if provider.paid:
        cost = f" for {accepted.cost.exactly}" if accepted.cost else ""
        get_run_logger().info("%s: bought from %s as %s%s", take.slate, provider.name, accepted.task, cost)
    return accepted.task


async def _answered(provider: Provider, take: Take) -> Submission:
    """What the service says to an order. A run that is stopped meanwhile waits for it: without the answer, only a
    person may be able to say whether the take is paid."""
    sending = asyncio.ensure_future(provider.submit(take.request))
    try:
        return await asyncio.shield(sending)
    except asyncio.CancelledError:
        await asyncio.wait([sending], timeout=_ANSWER_SECONDS)
        if not sending.done():
            sending.cancel()
            raise
        if task := asyncio.current_task():
            # Told again at the next await, when the answer is in the ledger.
            asyncio.get_running_loop().call_soon(task.cancel)
        return sending.result()


async def _follow(take: Take, purchase: Purchase, studio: Studio) -> Clip:
    """Go on with an order that the service has accepted.

    Where the service has forgotten it, a person must say whether it is bought again.
    """
    provider = studio.provider(take.order.provider)
    if provider.paid:
        said = "%s: ordered before from %s as %s; the run goes on with that, nothing is bought"
        get_run_logger().info(said, take.slate, provider.name, purchase.task)
    try:
        async with studio.slot(provider.name):
            return await _until_there(take, purchase.task or "", provider, studio)
    except TaskForgotten as gone:
        studio.ledger.unknown(take.order.key, gone.message)
        raise TaskForgotten(
            f"{take.slate} was ordered, but {gone.message}",
            service=provider.name,
            next=f"storyreel reconcile --key {take.order.key[:12]} --buy-again",
        ) from gone


async def _until_there(take: Take, task_id: str, provider: Provider, studio: Studio) -> Clip:
    """The clip of an accepted order; when the run is cancelled, the order is called off where that can be done."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    try:
        clip = await collect(take, task_id, provider, studio)
        size, seconds = clip.size / 1e6, clock() - begun
        get_run_logger().info("%s: there after %.1f s, %.1f MB%s", take.slate, seconds, size, _charged(take, studio))
        return clip
    except asyncio.CancelledError:
        if not studio.orders_stand:
            await _call_off(take, task_id, provider, studio)
        raise


async def _call_off(take: Take, task_id: str, provider: Provider, studio: Studio) -> None:
    try:
        async with asyncio.timeout(_CALL_OFF_SECONDS):
            called_off = await provider.cancel(task_id)
    except (Transient, Terminal, TimeoutError):
        return
    if called_off:
        studio.ledger.failed(take.order.key, f"called off with the run; {provider.name} does not charge for it")


def _asked_for(take: Take) -> str:
    """`dashscope: wan2.7-t2v, text-to-video, 5 s, 3.00 CNY by the list`."""
    request, price = take.request, take.order.price
    cost = f"{price.exactly} by the list" if price else "at a price that nobody publishes"
    return f"{request.provider}: {request.model}, {request.mode.value}, {float(request.seconds):.4g} s, {cost}"


def _charged(take: Take, studio: Studio) -> str:
    """What the service says that a clip cost, where it does."""
    purchase = studio.ledger.find(take.order.key)
    return f", it cost {purchase.cost.exactly}" if purchase and purchase.cost else ""


def _unknown(take: Take) -> Ambiguous:
    return Ambiguous(
        f"nobody knows whether {take.order.provider} accepted the order of {take.slate}",
        service=take.order.provider,
        next="storyreel reconcile",
    )
