"""From an accepted order to a clip in the store: look at the task, fetch the clip, make sure it is whole.

Nothing here costs money, so everything may be tried again; what is paid is never given up because a download failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.bucket import BucketUnavailable, BucketUnusable
from storyreel.tasks.clips import Clip, Receipt
from storyreel.tasks.inspection.integrity import check_integrity
from storyreel.tasks.ledger.budget import Limit
from storyreel.tasks.ledger.ledger import Order
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import probe
from storyreel.tasks.progress import report_stage
from storyreel.tasks.providers.errors import ProviderError, TaskFailed, Terminal, Transient
from storyreel.tasks.providers.http.download import LinkExpired
from storyreel.tasks.providers.provider import Provider, TaskStatus
from storyreel.tasks.providers.request import Request
from storyreel.tasks.studio import Studio

Result = TypeVar("Result")

_FRESH_LINKS = 3
"""Times that a task is asked for another link after one has expired."""
_WAKE_SECONDS = 1.0
"""Between two questions whether the service has called."""


class Take(Frozen):
    """A take to be made: what is ordered, and the request with every picture it needs at hand."""

    order: Order
    request: Request
    timeout: float = 1200
    """Seconds that a run waits for it; then the order stands, and the next run goes on waiting."""
    limits: tuple[Limit, ...] = ()
    """Budgets that its price must stay within."""

    @property
    def slate(self) -> str:
        """As it is written on the slate: `1B take 2`."""
        return f"{self.order.slate} take {self.order.take}"


class Overdue(ProviderError):
    """The clip was not there in time. The order stands; the next run goes on with it."""


async def collect(take: Take, task: str, provider: Provider, studio: Studio) -> Clip:
    """Wait for a task's clip and bring it into the store; only then does the ledger call it finished.

    Raises TaskFailed, after noting it in the ledger, when the service has failed for good; Overdue when the time is
    over; Transient or Terminal when the clip cannot be had now: the order stands and is gone on with later.
    """
    if come := await asyncio.to_thread(studio.clips.undelivered, take.order.key, task):
        clip, receipt = come
        await _kept(take, studio.clips.deliver, clip, receipt)
        studio.ledger.mark_finished(take.order.key, clip.digest, receipt.cost)
        return clip
    links = 0
    while True:
        status = await _wait(take, task, provider, studio)
        with studio.clips.arriving(take.order.key) as arriving:
            try:
                await _fetch(take, status, arriving, provider)
            except LinkExpired:
                links += 1
                if links > _FRESH_LINKS:
                    raise
                continue
            cost = status.cost or _billed(take, status, studio)
            receipt = Receipt(key=take.order.key, task=task, cost=cost)
            clip = await _kept(take, studio.clips.keep, arriving, receipt)
        studio.ledger.mark_finished(take.order.key, clip.digest, cost)
        return clip


async def _kept(take: Take, keep: Callable[..., Result], *arguments: object) -> Result:
    """Have the store keep a clip. While its bucket is away the clip stays on this host, and the order stands."""
    what, hint = f"{take.slate} has come and is kept on this host, but ", "the same command brings it there"
    return await call_store(keep, *arguments, what=what, hint=hint)


async def call_store(work: Callable[..., Result], *arguments: object, what: str = "", hint: str = "") -> Result:
    """Call a method of the clip store in a thread. On failure `what` begins the message, and `hint` says what helps.

    Raises Transient if the bucket cannot be reached, Terminal if the bucket or its settings must be changed first.
    """
    try:
        return await asyncio.to_thread(work, *arguments)
    except BucketUnavailable as error:
        raise Transient(what + error.message, hint=hint or error.hint) from error
    except BucketUnusable as error:
        raise Terminal(what + error.message, hint=error.hint or hint) from error


def _billed(take: Take, status: TaskStatus, studio: Studio) -> Money | None:
    """What the seconds cost that the service says it billed, where it tells those and no amount."""
    if status.billed_seconds is None:
        return None
    return studio.prices.billed(take.request, status.billed_seconds)


async def _wait(take: Take, task: str, provider: Provider, studio: Studio) -> TaskStatus:
    """Look at a task until its clip is there; a look that fails is repeated."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    odd_words: set[str] = set()
    stage: Literal["queued", "generating"] = "generating"
    while True:
        pause = studio.pause(provider, take.order.model, clock() - begun)
        try:
            status = await provider.poll(task)
        except TaskFailed as verdict:
            studio.ledger.mark_failed(take.order.key, verdict.message)
            raise
        except Transient as trouble:
            pause = max(pause, trouble.retry_after or 0)
            report_stage(take.order.slate, take.order.take, stage, detail=trouble.message)
        else:
            if status.state == "finished":
                return status
            if not status.is_known:
                odd_words.add(status.detail)
            detail = f"{provider.name} says {status.detail!r}" if odd_words else status.detail
            stage = "queued" if status.is_queued else "generating"
            report_stage(take.order.slate, take.order.take, stage, detail=detail)
        if clock() - begun + pause > take.timeout:
            raise Overdue(
                f"{take.slate} was not finished in {take.timeout:.0f} s; it is paid, and {provider.name} still has it",
                service=provider.name,
                hint="the same command goes on waiting for it",
            )
        await _sleep_until_called(pause, task, provider, studio)


async def _sleep_until_called(pause: float, task: str, provider: Provider, studio: Studio) -> None:
    """Sleep, or wake early because the service has called to say that something changed."""
    while pause > _WAKE_SECONDS and provider.sends_webhooks:
        await asyncio.sleep(_WAKE_SECONDS)
        pause -= _WAKE_SECONDS
        if await asyncio.to_thread(studio.ledger.take_wakeup, provider.name, task):
            return
    await asyncio.sleep(pause)


async def _fetch(take: Take, status: TaskStatus, arriving: Path, provider: Provider) -> None:
    """Bring the clip here and make sure that it is whole. What it shows is looked at later: it is paid and kept."""

    def progress(fraction: float) -> None:
        report_stage(take.order.slate, take.order.take, "fetching" if provider.paid else "generating", fraction)

    await provider.fetch(take.request, status, arriving, progress)
    try:
        if provider.paid:
            await check_integrity(arriving, f"the clip from {provider.name}")
        else:  # our own encoder wrote it, and its exit told of every error; no wire lies between that could damage it
            await asyncio.to_thread(probe, arriving)
    except MediaError as damage:
        what = f"{take.slate} did not come whole: {damage.message}"
        raise Transient(what, service=provider.name, hint="the same command fetches it again") from damage
