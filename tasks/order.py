"""The clip of a take: from the store, from an order that was accepted before, or from a new order.

The ledger decides. An order is sent only after this process, and no other, has written its intent to the ledger; any
other process waits. An order whose fate cannot be known becomes `unknown`, and is settled by `storyreel reconcile`,
never by ordering again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from storyreel.specs.foreign_text import printable
from storyreel.specs.problems.phrases import lasting
from storyreel.tasks.collect import Take, call_store, collect, note_kept_clips
from storyreel.tasks.ledger.ledger import DuplicateTask, LedgerError, Purchase, State
from storyreel.tasks.patience import Log, Overdue, Patience, TimeIsUp
from storyreel.tasks.progress import Stage, report_stage
from storyreel.tasks.providers.errors import Ambiguous, ProviderError, TaskForgotten, Terminal, Transient
from storyreel.tasks.providers.provider import Provider, Submission
from storyreel.tasks.storage.answers import keep_answer
from storyreel.tasks.storage.clips import Clip
from storyreel.tasks.studio import Studio

Result = TypeVar("Result")

STOPPED = "the run that ordered it was stopped before it had an answer"
"""Reason in the ledger for an order that its run intended and left."""
CALLED_OFF = "called off with the run"
"""Beginning of the reason in the ledger for an order that a service cancelled when the run was cancelled."""
_LEDGER_SECONDS = 0.5
"""Seconds between two reads of a ledger row that another run works on."""
_NOTE_SECONDS = 1.0
"""Seconds between two tries to write an accepted order to a ledger that cannot be used; each waits a minute itself."""
_PLACE_SECONDS = 6 * 3600
"""Seconds to wait for a place that other runs hold. Each of their takes holds one for its own time only, so that a
queue always moves."""
_CALL_OFF_SECONDS = 5
"""Seconds that a cancelled run waits for a service to cancel a task."""
_ANSWER_SECONDS = 10
"""Seconds that a cancelled run waits for the answer to an order that it has sent."""


async def obtain(take: Take, studio: Studio, log: Log, patience: Patience) -> Clip:
    """The clip of a take, ordered if it was not ordered before.

    Raises a ProviderError: Transient, Terminal (TaskFailed, TaskForgotten), Ambiguous or Overdue; and
    BudgetExceeded if the price would exceed a limit. The hint tells the order's state if the error does not.
    """
    order = _TakeOrder(take, studio, log, patience)
    try:
        return await order.clip()
    except (Transient, Overdue) as error:
        error.hint = error.hint or order.standing()
        raise
    except TaskForgotten:
        raise  # which says itself what the order's state is
    except Terminal as error:
        if order.is_open():
            error.hint = "; ".join(filter(None, (error.hint, order.standing())))
        raise


@dataclass(frozen=True, slots=True)
class _TakeOrder:
    """One take on its way from the ledger's row to its clip."""

    take: Take
    studio: Studio
    log: Log
    patience: Patience

    @property
    def provider(self) -> Provider:
        return self.studio.provider(self.take.order.provider)

    async def clip(self) -> Clip:
        ledger = self.studio.ledger
        while True:
            await note_kept_clips(self.take, self.studio, self.patience)
            purchase = ledger.find(self.take.order.key)
            if purchase is None:
                clip = await self._order(lambda: ledger.intend(self.take.order, self.take.limits))
            else:
                clip = await self._resume(purchase)
            if clip:
                return clip

    def standing(self) -> str:
        """The state of the order in words, for a user whose run has waited in vain; empty for a free take."""
        if not self.provider.paid:
            return ""
        purchase = self.studio.ledger.find(self.take.order.key)
        if purchase is None or purchase.state is State.FAILED:
            return "nothing was bought; run the same command again later"
        return f"it is paid as {purchase.task}, and the order stays open; the same command goes on with it"

    def is_open(self) -> bool:
        """Whether a service has accepted the order, and it has no end yet."""
        purchase = self.studio.ledger.find(self.take.order.key)
        return purchase is not None and purchase.state is State.SUBMITTED

    async def _resume(self, purchase: Purchase) -> Clip | None:
        """Continue a take that has a ledger row. Returns None if the row changed: the caller reads it again."""
        match purchase.state:
            case State.FINISHED:
                clip = await self._call_store(self.studio.clips.find, purchase.clip or "")
                if clip:
                    self.log.info("%s: made before, its clip is taken from the store", self.take.slate)
                return clip or await self._recover(purchase)
            case State.FAILED if purchase.changed >= self.studio.opened_at:
                raise Terminal(purchase.reason, service=self.take.order.provider)
            case State.FAILED:
                return await self._order_again(purchase)
            case State.SUBMITTED if purchase.is_ours() or purchase.is_abandoned():
                return await self._follow(purchase) if self.studio.ledger.take_over(purchase) else None
            case State.INTENDED if purchase.is_abandoned():
                return await self._settle(purchase)
            case State.UNKNOWN:
                raise self._unknown(purchase.reason if purchase.task else "")
        await self._wait_for_other_run()
        return None

    async def _wait_for_other_run(self) -> None:
        # A free take ends with the other run's work, or with its lease.
        if self.provider.paid and not self.patience.left:
            raise Overdue(
                f"another run is making {self.take.slate}, and has not finished it in {self.patience}",
                service=self.take.order.provider,
                hint="run the same command again to go on waiting for it",
            )
        self.patience.tell(self.log, "waiting", "another run is making it")
        await asyncio.sleep(_LEDGER_SECONDS * random.uniform(0.8, 1.2))

    async def _recover(self, purchase: Purchase) -> Clip | None:
        """Replace a clip that the store has lost: a paid one is downloaded again, a free one is made again."""
        is_damaged = await self._call_store(self.studio.clips.contains, purchase.clip or "")
        what = "damaged in" if is_damaged else "gone from"
        self.log.warning("the clip of %s is %s %s", self.take.slate, what, self.studio.clips)
        return await self._follow(purchase) if self.provider.paid else await self._order_again(purchase)

    async def _settle(self, purchase: Purchase) -> Clip | None:
        """Handle an order that another process intended and left before it had an answer."""
        if not self.provider.paid:
            return await self._order_again(purchase)
        self.studio.ledger.mark_unknown(self.take.order.key, STOPPED)
        raise self._unknown()

    async def _order_again(self, purchase: Purchase) -> Clip | None:
        return await self._order(lambda: self.studio.ledger.intend_again(purchase, self.take.order, self.take.limits))

    async def _order(self, claim: Callable[[], bool]) -> Clip | None:
        """Order the take and follow it to its clip. Returns None if another process claimed it first.

        The intent is written last, when there is a slot at the service, all files are uploaded and the store can keep
        a clip: if the process is killed between the intent and the answer, only a person may be able to tell whether
        the take was bought. Raises Terminal if the take may not be ordered.
        """
        provider = self.provider
        if not self.take.may_order:
            raise Terminal(
                f"{self.take.slate} has to be ordered, which was not agreed to; nothing was bought",
                service=provider.name,
            )
        async with self._slot(is_new=True):
            await self._prepare()
            await self._call_store(self.studio.clips.ensure_writable)
            self._check_elsewhere()
            if not claim():
                return None
            self._report("ordering")
            task = await self._submit(provider)
            return await self._collect(task, provider)

    def _check_elsewhere(self) -> None:
        """Raise Terminal if the take may come from another service. An order that has failed yields nothing."""
        for other in self.studio.ledger.find_all(self.take.elsewhere).values():
            if other.state is not State.FAILED and other.order.name == self.take.order.name:
                raise Terminal(
                    f"{self.take.slate} was ordered from {other.order.provider} meanwhile, and is not bought twice",
                    service=self.provider.name,
                    hint="run the same command again, which goes on with that order",
                )

    @asynccontextmanager
    async def _slot(self, *, is_new: bool) -> AsyncIterator[None]:
        """Hold a slot of this run at the service and, for a new order, a place that all runs share. The time in the
        queue is not part of the take's own: of each take before it, it is."""
        service, slot = self.take.order.provider, self.studio.slot(self.take.order.provider)
        self._report("waiting", f"all places at {service} are taken by takes of this run" if slot.locked() else "")
        async with AsyncExitStack() as held:
            with self.patience.stopped():
                await held.enter_async_context(slot)
                if is_new:
                    await self._enter_place(held)
            yield

    async def _enter_place(self, held: AsyncExitStack) -> None:
        service, places = self.take.order.provider, self.studio.places
        limit = asyncio.timeout(_PLACE_SECONDS)
        try:
            with self.patience.telling(self.log, lambda: places.wait_reason(service)):
                async with limit:
                    await held.enter_async_context(places.hold(service))
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Overdue(
                f"no place at {service} has become free for {lasting(_PLACE_SECONDS)}; other runs hold them",
                service=service,
                next=f"prefect gcl inspect storyreel-{service}",
            ) from error

    async def _prepare(self) -> None:
        """Upload what the request needs, within the time of the take."""
        try:
            async with self.patience.limit():
                await self.provider.prepare(self.take.request)
        except TimeIsUp as error:
            what = f"{self.provider.name} has not taken the files of {self.take.slate} in {self.patience}"
            raise Overdue(what, service=self.provider.name) from error

    async def _call_store(self, method: Callable[..., Result], *arguments: object) -> Result:
        """Call a method of the clip store, within the time of the take."""
        try:
            async with self.patience.limit():
                return await call_store(method, *arguments)
        except TimeIsUp as error:
            raise Overdue(f"{self.studio.clips} has not answered in {self.patience}") from error

    async def _submit(self, provider: Provider) -> str:
        """Send the order once and write the outcome to the ledger before anything else. Returns the service's task."""
        key, ledger = self.take.order.key, self.studio.ledger
        if provider.paid:
            self.log.info("%s: sent to %s", self.take.slate, self._summary())
        try:
            accepted = await self._answer(provider)
        except (Transient, Terminal):
            ledger.withdraw(key)
            raise
        except BaseException as error:
            if provider.paid:
                if isinstance(error, Ambiguous):
                    self._keep_answer(error)
                reason = error.message if isinstance(error, ProviderError) else str(error)
                ledger.mark_unknown(key, reason or "the run was stopped while the order was under way")
            else:
                ledger.withdraw(key)
            raise
        try:
            await self._note(accepted)
        except DuplicateTask as error:
            raise self._unknown(error.message) from error
        self._warn(accepted.remark)
        self._report("submitted", accepted.task if provider.paid else "")
        if provider.paid:
            cost = f" for {accepted.cost.exactly}" if accepted.cost else ""
            self.log.info("%s: bought from %s as %s%s", self.take.slate, provider.name, accepted.task, cost)
        return accepted.task

    async def _note(self, accepted: Submission) -> None:
        """Write an accepted order to the ledger. While that fails it is tried again: the id of what was paid is lost
        with this process."""
        while True:
            try:
                self.studio.ledger.mark_submitted(self.take.order.key, accepted.task, accepted.cost)
                return
            except LedgerError as error:
                if not (self.provider.paid and self.patience.left):
                    raise
                self.patience.tell(self.log, "submitted", error.message, _NOTE_SECONDS)
            await asyncio.sleep(_NOTE_SECONDS)

    def _keep_answer(self, error: Ambiguous) -> None:
        """Write the answer to an order to a file, and say where it is in the error's message."""
        answer, error.answer = error.answer, b""
        if answer and (path := keep_answer(self.studio.answers_folder, self.take.order.key, answer)):
            error.message += f"; its answer is kept in {printable(str(path))}"
            error.args = (error.message,)

    def _warn(self, remark: str) -> None:
        if remark:
            self.log.warning("%s: %s", self.take.slate, remark)

    async def _answer(self, provider: Provider) -> Submission:
        """The service's answer to the order. On cancellation it is still waited for, up to `_ANSWER_SECONDS`: without
        it, only a person may be able to tell whether the take was bought."""
        sending = asyncio.ensure_future(provider.submit(self.take.request))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait([sending], timeout=_ANSWER_SECONDS)
            if not sending.done():
                sending.cancel()
                raise
            if task := asyncio.current_task():
                # Cancelled again at the next await, when the answer is in the ledger.
                asyncio.get_running_loop().call_soon(task.cancel)
            return sending.result()

    async def _follow(self, purchase: Purchase) -> Clip:
        """Wait for an order that the service accepted before.

        If the service has forgotten it, the order becomes unknown: a person must say whether it is bought again.
        """
        provider, slate = self.provider, self.take.slate
        if provider.paid:
            message = "%s: ordered before from %s as %s; the run goes on with it and buys nothing"
            self.log.info(message, slate, provider.name, purchase.task)
        try:
            async with self._slot(is_new=False):
                return await self._collect(purchase.task or "", provider)
        except TaskForgotten as error:
            self.studio.ledger.mark_unknown(self.take.order.key, error.message)
            raise TaskForgotten(
                f"{slate} was ordered, but {error.message}",
                service=provider.name,
                next=f"storyreel reconcile --key {self.take.order.key[:12]} --buy-again",
            ) from error

    async def _collect(self, task: str, provider: Provider) -> Clip:
        """The clip of an accepted order. On cancellation the order is cancelled at the service, if it can do that."""
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            clip = await collect(self.take, task, provider, self.studio, self.patience, self.log)
        except asyncio.CancelledError:
            if not self.studio.keeps_orders:
                await self._call_off(task, provider)
            raise
        seconds, megabytes = clock() - started, clip.size / 1e6
        self.log.info("%s: finished after %.1f s, %.1f MB%s", self.take.slate, seconds, megabytes, self._cost())
        return clip

    async def _call_off(self, task: str, provider: Provider) -> None:
        try:
            async with asyncio.timeout(_CALL_OFF_SECONDS):
                cancelled = await provider.cancel(task)
        except (Transient, Terminal, TimeoutError):
            return
        if cancelled:
            reason = f"{CALLED_OFF}; {provider.name} does not charge for it"
            self.studio.ledger.mark_failed(self.take.order.key, reason)
            self.log.info("%s take %d: %s", self.take.order.slate, self.take.order.take, reason)

    def _report(self, stage: Stage, detail: str = "") -> None:
        report_stage(self.take.order.slate, self.take.order.take, stage, detail=detail)

    def _summary(self) -> str:
        """`dashscope: wan2.7-t2v, text-to-video, 5 s, 3.00 CNY by the price list`."""
        request, price = self.take.request, self.take.order.price
        cost = f"{price.exactly} by the price list" if price else "at an unpublished price"
        return f"{request.provider}: {request.model}, {request.mode.value}, {float(request.seconds):.4g} s, {cost}"

    def _cost(self) -> str:
        purchase = self.studio.ledger.find(self.take.order.key)
        return f", it cost {purchase.cost.exactly}" if purchase and purchase.cost else ""

    def _unknown(self, reason: str = "") -> Ambiguous:
        """The error for an order that is not known to be accepted, or has an id, but `reason`."""
        service, slate = self.take.order.provider, self.take.slate
        return Ambiguous(
            f"{slate} was ordered, but {reason}"
            if reason
            else f"it is not known whether {service} accepted the order of {slate}",
            service=service,
            next=f"storyreel reconcile --key {self.take.order.key[:12]}" if reason else "storyreel reconcile",
        )
