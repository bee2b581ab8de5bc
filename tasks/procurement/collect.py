"""From an accepted order to a clip in the store: poll the task, download the clip, examine it, store it.

Nothing here costs money, so everything may be tried again. A failed download never gives up a paid clip.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import lasting
from storyreel.specs.storyboard import Mode
from storyreel.tasks.inspection.examine import Examined, NotMeasured, examine, examine_damaged
from storyreel.tasks.inspection.picture import examine_damaged_picture, examine_picture
from storyreel.tasks.inspection.speech import check_speech, spoken_seconds
from storyreel.tasks.ledger.budget import Limit
from storyreel.tasks.ledger.ledger import Ledger, LedgerError, Order, State
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import probe
from storyreel.tasks.polling import LONGEST_PAUSE, SHORTEST_PAUSE
from storyreel.tasks.procurement.patience import Log, Overdue, Patience, TimeIsUp
from storyreel.tasks.progress import report_stage
from storyreel.tasks.providers.errors import Denied, TaskFailed, TaskForgotten, Terminal, Transient
from storyreel.tasks.providers.http.download import LinkExpired
from storyreel.tasks.providers.models import answers_at_once
from storyreel.tasks.providers.provider import Provider, TaskStatus
from storyreel.tasks.providers.request import Request
from storyreel.tasks.storage.acceptances import acceptances, discard_acceptance, discard_shared, shared_acceptance
from storyreel.tasks.storage.bucket import BucketUnavailable, BucketUnusable
from storyreel.tasks.storage.clips import Clip, Receipt
from storyreel.tasks.studio import Studio
from storyreel.tasks.threads import in_threads

Result = TypeVar("Result")

_FRESH_LINKS = 3
"""Number of times a task is polled again for a new link after one has expired."""
_DELIVERY_SECONDS = 600
"""Seconds that a bucket may take for a clip that is here, even if the time of the take is up."""
_SAME_BYTES_SECONDS = 30
"""Seconds until a damaged clip counts as final that the service sends unchanged; its upload may be unfinished."""
_TURNED_DOWN = 5
"""Times in a row that a service must deny access, or not know the task, before a run believes it and stops waiting."""
_ANSWER_LIVES = timedelta(days=1)
"""Time for which a link is taken to be valid that a service has sent once and without an end."""
_WAKE_SECONDS = 1.0
"""Seconds between two reads of the ledger for a webhook of the service."""


class Take(Frozen):
    """A take to be made: the order for the ledger, and the request with all its pictures as files."""

    order: Order
    request: Request
    timeout: float = 1200
    """Seconds that a run waits for the take, as of `Patience`. Then an order stays open, and the next run goes on."""
    limits: tuple[Limit, ...] = ()
    """Budgets that its price must not exceed."""
    may_order: bool = True
    """Whether it may be ordered. If not, only an earlier order of it may be continued."""
    elsewhere: tuple[str, ...] = ()
    """Its keys at other services. It is not ordered while one of them has it, as another run may have ordered it there
    since the film was planned."""

    @property
    def product(self) -> str:
        """The product, in a word."""
        return self.request.mode.product

    @property
    def slate(self) -> str:
        """As on the slate: `1B take 2`."""
        return f"{self.order.slate} take {self.order.take}"


async def _nothing() -> None:
    """Do nothing."""


async def collect(
    take: Take,
    task: str,
    provider: Provider,
    studio: Studio,
    patience: Patience,
    log: Log,
    on_download: Callable[[], Awaitable[None]] = _nothing,
    answer: TaskStatus | None = None,
) -> Clip:
    """Wait for the clip of a task and store it; only then the order is marked as finished in the ledger.

    `on_download` is awaited when the clip is here and before it is examined: the task is at the service no more.
    `answer` is the product of an order that was answered with it just now; of an earlier one it is read from the disk.
    Raises TaskFailed if the service has failed for good, which is marked in the ledger; Overdue when the time is up;
    Transient or Terminal if the clip cannot be had now. In the last three cases the order stays open.
    """
    expired = 0
    if answer is None and is_answered_at_once(take, provider):
        answer = await _kept_answer(take, task, provider, studio)
    while True:
        status = answer or await _wait(take, task, provider, studio, patience, log)
        if status.remark:
            log.warning("%s: %s", take.slate, status.remark)
        async with in_threads(studio.clips.arriving(take.order.key, may_continue=True)) as arriving:
            try:
                await _download(take, status, arriving, provider, patience)
            except LinkExpired as error:
                expired += 1
                if answer and _has_ended(answer):
                    raise _lost_answer(take, provider, "its link has ended") from error
                if answer or expired > _FRESH_LINKS:
                    raise
                continue
            await on_download()
            examined = await _examine(take, arriving, provider, studio)
            cost = status.cost
            if cost is None and status.billed is not None:
                cost = studio.prices.billed(take.request, status.billed)
            receipt = Receipt(key=take.order.key, task=task, cost=cost)
            clip = await _store(take, studio.clips.keep, arriving, receipt, patience=patience)
        await _note(take, receipt, clip, studio)
        if examined:
            await asyncio.to_thread(examined.keep, clip.digest, studio.clips)
        await asyncio.to_thread(studio.clips.forget_damaged, take.order.key)
        return clip


def is_answered_at_once(take: Take, provider: Provider) -> bool:
    """Whether the answer to the order of a take is the product itself, which cannot be asked for again."""
    return answers_at_once(type(provider), take.request.model, take.request.mode, provider.known_models)


async def _kept_answer(take: Take, task: str, provider: Provider, studio: Studio) -> TaskStatus:
    """The product with which an earlier order was answered, from the disk or the bucket. Raises Terminal if it is in
    neither, TaskForgotten if its link has ended, and what `call_store` raises."""
    key = take.order.key
    here = await asyncio.to_thread(acceptances, studio.accepted_folder, key)
    kept = next((one for one in here if one.task == task and one.answer), None)
    if kept is None and (bucket := studio.clips.bucket):
        kept = await call_store(shared_acceptance, bucket, key, task)
    if kept and kept.answer:
        answer = TaskStatus.model_validate_json(kept.answer)
        if answer.expires is None:
            answer = answer.model_copy(update={"expires": kept.at + _ANSWER_LIVES})
        if _has_ended(answer):
            raise _lost_answer(take, provider, "its link has ended")
        return answer
    raise Terminal(
        f"{take.slate} was bought as {task}, and there is no link to it on this host: {provider.name} tells it once",
        service=provider.name,
        hint="if another host ordered it, run the same command there within a day; else buy it again",
        next=f"storyreel reconcile --key {key[:12]} --buy-again",
    )


def _has_ended(answer: TaskStatus) -> bool:
    end = answer.expires
    # A service from a third-party package may leave out the zone.
    return end is not None and (end if end.tzinfo else end.replace(tzinfo=UTC)) <= datetime.now(UTC)


def _lost_answer(take: Take, provider: Provider, why: str) -> TaskForgotten:
    what = f"{provider.name} tells the link to {take.product} once, and {why}"
    return TaskForgotten(what, service=provider.name, next=f"storyreel reconcile --key {take.order.key[:12]}")


def _discard_answers(studio: Studio, key: str, task: str) -> None:
    for kept in acceptances(studio.accepted_folder, key):
        if kept.task == task:
            discard_acceptance(studio.accepted_folder, kept, with_answer=True)
    if studio.clips.bucket:
        discard_shared(studio.clips.bucket, key, task)


async def note_accepted(take: Take, studio: Studio) -> None:
    """Note in the ledger an order of a take that a service has accepted and that only the disk of this host records.

    So it is after a run was killed, or stopped, while the ledger was locked. Call before a take is ordered or awaited.
    """
    for acceptance in await asyncio.to_thread(acceptances, studio.accepted_folder, take.order.key):
        if await studio.note(Ledger.note_accepted, take.order, acceptance.task, acceptance.cost):
            purchase = await studio.ask(Ledger.find, take.order.key) if acceptance.answer else None
            is_open = purchase is not None and purchase.state in (State.SUBMITTED, State.UNKNOWN)
            # What was stored, or given up, must not be taken for the answer to a later order.
            is_over = not (purchase and is_open and purchase.task == acceptance.task)
            await asyncio.to_thread(discard_acceptance, studio.accepted_folder, acceptance, with_answer=is_over)


async def note_kept_clips(take: Take, studio: Studio, patience: Patience) -> None:
    """Mark a take as finished whose clip was stored here, but not noted in the ledger.

    So it is after a run was killed between the two, or could not write to the ledger or the bucket. Call before a take
    is ordered or awaited: its row may be in any state. Raises Transient or Terminal if the bucket cannot be used.
    """
    receipts = await asyncio.to_thread(studio.clips.receipts, take.order.key)
    purchase = await studio.ask(Ledger.find, take.order.key) if receipts else None
    is_under_way = purchase is not None and purchase.state in (State.INTENDED, State.SUBMITTED)
    if purchase and is_under_way and not (purchase.is_ours() or purchase.is_abandoned()):
        return  # The run that has the row is storing the clip now, or will.
    for receipt in receipts:
        if clip := await call_store(studio.clips.kept, receipt):
            await _store(take, studio.clips.deliver, clip, patience=patience)
            await _note(take, receipt, clip, studio)
        elif not is_under_way:
            await asyncio.to_thread(studio.clips.discard, receipt)


async def _note(take: Take, receipt: Receipt, clip: Clip, studio: Studio) -> None:
    """Mark the order of a receipt as finished. The receipt stays if another run has the row: that will mark it."""
    key = take.order.key
    try:
        if await studio.note(Ledger.mark_finished, key, clip.digest, receipt.cost, task=receipt.task, order=take.order):
            await asyncio.to_thread(studio.clips.discard, receipt)
            if is_answered_at_once(take, studio.provider(take.order.provider)):
                await asyncio.to_thread(_discard_answers, studio, key, receipt.task)
    except LedgerError as error:
        what = f"the {take.product} of {take.slate} is in the store"
        raise LedgerError(
            f"{what}, but could not be noted in the ledger: {error.message}",
            hint="; ".join(filter(None, (error.hint, "the same command notes it later, and buys nothing again"))),
            next=error.next,
        ) from error


async def _store(take: Take, method: Callable[..., Result], *arguments: object, patience: Patience) -> Result:
    """Store a clip. While the bucket cannot be reached the clip is kept on this host, and the order stays open."""
    what = f"{take.slate} was downloaded and is kept on this host, but "
    hint = "run the same command again to copy it there"
    try:
        async with asyncio.timeout(max(patience.left, _DELIVERY_SECONDS)):
            return await call_store(method, *arguments, what=what, hint=hint)
    except TimeoutError as error:
        raise Overdue(f"{what}the bucket has not taken it in {lasting(_DELIVERY_SECONDS)}", hint=hint) from error


async def call_store(method: Callable[..., Result], *arguments: object, what: str = "", hint: str = "") -> Result:
    """Call a method of the clip store in a thread. On failure `what` begins the message, and `hint` says what helps.

    Raises Transient if the bucket cannot be reached, Terminal if the bucket or its settings must be changed first.
    """
    try:
        return await asyncio.to_thread(method, *arguments)
    except BucketUnavailable as error:
        raise Transient(what + error.message, hint=hint or error.hint, next=error.next) from error
    except BucketUnusable as error:
        raise Terminal(what + error.message, hint=error.hint or hint, next=error.next) from error


async def _wait(take: Take, task: str, provider: Provider, studio: Studio, patience: Patience, log: Log) -> TaskStatus:
    """Poll a task until its clip is finished. A poll that fails is repeated, and so is one that is turned down."""
    clock = asyncio.get_running_loop().time
    started = clock()
    has_unknown_words = False
    turned_down = 0
    stage: Literal["queued", "generating"] = "generating"
    said = ""
    while patience.left:
        pause = await studio.seconds_to_next_poll(provider, take.order.model, clock() - started)
        try:
            async with patience.limit():
                status = await provider.poll(task)
        except TimeIsUp:
            break
        except TaskFailed as error:
            prices, request = studio.prices, take.request
            owed, is_refunded = prices.may_bill_failure(request), prices.refunds_failure(request)
            await studio.note(Ledger.mark_failed, take.order.key, error.message, owed=owed, is_refunded=is_refunded)
            raise
        except (Denied, TaskForgotten) as error:
            turned_down += 1
            if turned_down >= _TURNED_DOWN:
                raise
            said = error.message
            pause = _before_end(pause, patience)
            patience.tell(log, stage, error.message, pause)
        except Transient as error:
            turned_down = 0
            said = error.message
            # To look costs nothing, and what a service asks for in trouble may be absurd.
            pause = _before_end(max(pause, min(error.retry_after or 0, LONGEST_PAUSE)), patience)
            patience.tell(log, stage, error.message, pause)
        else:
            if status.state == "finished":
                return status
            said = status.detail
            turned_down = 0
            has_unknown_words = has_unknown_words or not status.is_known
            detail = f"{provider.name} says {status.detail!r}" if has_unknown_words else status.detail
            stage = "queued" if status.is_queued else "generating"
            report_stage(take.order.slate, take.order.take, stage, detail=detail)
            pause = _before_end(pause, patience)
        await _sleep(pause, task, provider, studio)
    last = f"; its last word: {said}" if said else ""
    raise Overdue(f"{take.slate} was not finished in {patience}{last}", service=provider.name)


def _before_end(pause: float, patience: Patience) -> float:
    """The pause, shortened so that there is a look, and time to download, before the time is up."""
    return min(pause, max(SHORTEST_PAUSE, patience.left / 2), patience.left)


async def _sleep(pause: float, task: str, provider: Provider, studio: Studio) -> None:
    """Sleep until the next poll, or until a webhook of the service says that the task has changed."""
    clock = asyncio.get_running_loop().time
    end = clock() + pause
    while provider.sends_webhooks and end - clock() > _WAKE_SECONDS:
        await asyncio.sleep(_WAKE_SECONDS)
        with suppress(LedgerError, TimeoutError):  # The next poll does not depend on it.
            async with asyncio.timeout_at(end):
                if await studio.is_woken(provider.name, task):
                    return
    await asyncio.sleep(end - clock())


async def _download(take: Take, status: TaskStatus, arriving: Path, provider: Provider, patience: Patience) -> None:
    """Download the clip, or draw it, into a file."""

    def progress(fraction: float) -> None:
        report_stage(take.order.slate, take.order.take, "fetching" if provider.paid else "generating", fraction)

    try:
        # What is drawn on this machine is work, not a wait.
        async with patience.limit() if provider.paid else nullcontext():
            await provider.fetch(take.request, status, arriving, progress)
    except TimeIsUp as error:
        what = f"the {take.product} of {take.slate} was not downloaded within {patience}"
        raise Overdue(what, service=provider.name) from error


async def _examine(take: Take, arriving: Path, provider: Provider, studio: Studio) -> Examined | None:
    """Examine a downloaded clip, unless it was made here. What it shows is no matter: it is paid and kept. A still and
    speech are only decoded: what is in them is found as fast again.

    A damaged one is downloaded again. If the service goes on sending the same bytes, they are what was bought: they are
    used as far as they can be decoded.
    """
    name = f"the {take.product} from {provider.name}"
    try:
        if take.request.mode is Mode.STILL:
            await asyncio.to_thread(examine_picture, arriving, name)
            return None
        if take.request.mode is Mode.SPEECH:
            await asyncio.to_thread(check_speech, arriving, name)
            return None
        if provider.paid:
            return await examine(arriving, name)
        # Encoded on this machine: ffmpeg has reported every error, and no download could damage it.
        await asyncio.to_thread(probe, arriving)
        return None
    except NotMeasured:
        return None  # It is intact, and is examined when its findings are asked for.
    except MediaError as error:
        aside = await asyncio.to_thread(studio.clips.set_aside, arriving, take.order.key)
        is_final = aside.seconds >= _SAME_BYTES_SECONDS
        if is_final:
            with suppress(MediaError):
                if take.product == "clip":
                    return await examine_damaged(arriving)
                decodes = examine_damaged_picture if take.product == "picture" else spoken_seconds
                await asyncio.to_thread(decodes, arriving)
                return None
        what = f"{take.slate} arrived damaged: {error.message}; it is kept as {aside.path}"
        hint = "run the same command again to download it again"
        if is_final:
            hint = "the same bytes have come again and again; look at the file, or ask for another take of the shot"
        raise Transient(what, service=provider.name, hint=hint) from error
