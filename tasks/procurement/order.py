"""The clip of a take: from the store, from an order that was accepted before, or from a new order.

The ledger decides. An order is sent only after this process, and no other, has written its intent to the ledger; any
other process waits. An order whose fate cannot be known becomes `unknown`, and is settled by `storyreel reconcile`,
never by ordering again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from storyreel.specs.problems.phrases import lasting
from storyreel.tasks.ledger.budget import Limit
from storyreel.tasks.ledger.ledger import Ledger, Order, OrderedElsewhere, Purchase, State
from storyreel.tasks.procurement.collect import Take, call_store, collect, note_accepted, note_kept_clips
from storyreel.tasks.procurement.patience import Log, Overdue, Patience, TimeIsUp
from storyreel.tasks.procurement.submission import SentOrder, unknown_order
from storyreel.tasks.progress import Stage, report_stage
from storyreel.tasks.providers.errors import TaskForgotten, Terminal, Transient
from storyreel.tasks.providers.models import limit_name
from storyreel.tasks.providers.provider import Provider, TaskStatus
from storyreel.tasks.storage.clips import Clip
from storyreel.tasks.studio import Studio

Result = TypeVar("Result")

STOPPED = "the run that ordered it was stopped before it had an answer"
"""Reason in the ledger for an order that its run intended and left."""
_LEDGER_SECONDS = 0.5
"""Seconds between two reads of a ledger row that another run works on."""
_PLACE_SECONDS = 6 * 3600
"""Seconds to wait for a place that other runs hold. Each of their takes holds one for its own time only, so that a
queue always moves."""

Intent = Callable[[Ledger, Callable[[], bool]], bool]
"""An intent for `Studio.intend`."""


async def obtain(take: Take, studio: Studio, log: Log, patience: Patience) -> Clip:
    """The clip of a take, ordered if it was not ordered before.

    Raises a ProviderError: Transient, Terminal (TaskFailed, TaskForgotten), Ambiguous or Overdue; and
    BudgetExceeded if the price would exceed a limit. The hint tells the order's state if the error does not.
    """
    order = _TakeOrder(take, studio, log, patience)
    try:
        return await order.clip()
    except (Transient, Overdue) as error:
        error.hint = error.hint or await order.standing()
        raise
    except TaskForgotten:
        raise  # Its message says what the order's state is.
    except Terminal as error:
        if await order.is_open():
            error.hint = "; ".join(filter(None, (error.hint, await order.standing())))
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

    async def _opened(self) -> Provider:
        """The service, opened if it is not open. Raises Terminal if its key is missing."""
        await self.studio.open([self.take.order.provider])
        return self.provider

    @property
    def _sent(self) -> SentOrder:
        return SentOrder(self.take, self.studio, self.log, self.patience)

    async def clip(self) -> Clip:
        while True:
            if self.provider.paid:
                await note_accepted(self.take, self.studio)
            await note_kept_clips(self.take, self.studio, self.patience)
            purchase = await self._find()
            if purchase is None:
                clip = await self._order(
                    lambda ledger, is_wanted: ledger.intend(*self._asked_for, is_wanted, self.take.elsewhere)
                )
            else:
                clip = await self._resume(purchase)
            if clip:
                return clip

    @property
    def _asked_for(self) -> tuple[Order, tuple[Limit, ...]]:
        return self.take.order, self.take.limits

    async def _find(self) -> Purchase | None:
        return await self.studio.ask(Ledger.find, self.take.order.key)

    async def standing(self) -> str:
        """The state of the order in words, for a user whose run has waited in vain; empty for a free take, and if the
        ledger cannot be read."""
        if not self.provider.paid:
            return ""
        found = await self.studio.find_briefly([self.take.order.key])
        if found is None:
            return ""
        purchase = found.get(self.take.order.key)
        if purchase is None or purchase.state is State.FAILED:
            return "nothing was bought; run the same command again later"
        return f"it is paid as {purchase.task}, and the order stays open; the same command goes on with it"

    async def is_open(self) -> bool:
        """Whether a service has accepted the order, and it has no end yet."""
        purchase = await self.studio.ask_briefly(Ledger.find, self.take.order.key)
        return purchase is not None and purchase.state is State.SUBMITTED

    async def _resume(self, purchase: Purchase) -> Clip | None:
        """Continue a take that has a ledger row. Returns None if the row changed: the caller reads it again."""
        match purchase.state:
            case State.FINISHED:
                clip = await self._call_store(self.studio.clips.find, purchase.clip or "")
                if clip:
                    self.log.info("%s: made before, its %s is taken from the store", self.take.slate, self.take.product)
                return clip or await self._recover(purchase)
            case State.FAILED if purchase.changed >= self.studio.opened_at:
                raise Terminal(purchase.reason, service=self.take.order.provider)
            case State.FAILED:
                return await self._order_again(purchase)
            case State.SUBMITTED if purchase.is_ours() or purchase.is_abandoned():
                is_ours = await self.studio.note(Ledger.take_over, purchase)
                return await self._follow(purchase) if is_ours else None
            case State.INTENDED if purchase.is_abandoned():
                return await self._settle(purchase)
            case State.UNKNOWN:
                raise unknown_order(self.take, purchase.reason if purchase.task else "")
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
        self.log.warning("the %s of %s is %s %s", self.take.product, self.take.slate, what, self.studio.clips)
        return await self._follow(purchase) if self.provider.paid else await self._order_again(purchase)

    async def _settle(self, purchase: Purchase) -> Clip | None:
        """Handle an order that another process intended and left before it had an answer."""
        if not self.provider.paid:
            return await self._order_again(purchase)
        await self.studio.note(Ledger.mark_unknown, self.take.order.key, STOPPED)
        raise unknown_order(self.take)

    async def _order_again(self, purchase: Purchase) -> Clip | None:
        return await self._order(
            lambda ledger, is_wanted: ledger.intend_again(purchase, *self._asked_for, is_wanted, self.take.elsewhere),
        )

    async def _order(self, intent: Intent) -> Clip | None:
        """Order the take and follow it to its clip. Returns None if another process claimed it first.

        The intent is written last, when there is a slot at the service, all files are uploaded and the store can keep
        a clip: if the process is killed between the intent and the answer, only a person may be able to tell whether
        the take was bought. Raises Terminal if the take may not be ordered.
        """
        if not self.take.may_order:
            raise Terminal(
                f"{self.take.slate} has to be ordered, which was not agreed to; nothing was bought",
                service=self.take.order.provider,
            )
        provider = await self._opened()
        async with self._slot(is_new=True) as leave:
            await self._prepare()
            await self._call_store(self.studio.clips.ensure_writable)
            try:
                is_ours = await self.studio.intend(intent, self.take.order.key)
            except OrderedElsewhere as other:
                raise Terminal(
                    f"{self.take.slate} was ordered from {other.service} meanwhile, and is not bought twice",
                    service=provider.name,
                    hint="run the same command again, which goes on with that order",
                ) from other
            if not is_ours:
                return None
            self._report("ordering")
            accepted = await self._sent.send()
            return await self._collect(accepted.task, provider, leave, accepted.answer)

    @asynccontextmanager
    async def _slot(self, *, is_new: bool) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Hold a slot of this run at the service and, for a new order, a place that all runs share, until the context
        ends or the function that it yields is awaited. The time in the queue is not part of the take's own: of each
        take before it, it is."""
        service, model = self.take.order.provider, self.take.request.model
        slots = self.studio.slots(service, model)
        full = next((limit for limit, slot in slots.items() if slot.locked()), "")
        self._report("waiting", f"all places at {full} are taken by takes of this run" if full else "")
        async with AsyncExitStack() as held:
            with self.patience.stopped():
                # A model's before those of its service, which other models could use while this one waits.
                for limit, slot in slots.items():
                    await held.enter_async_context(slot)
                    if is_new:
                        await self._enter_place(limit, held)
            yield held.aclose

    async def _enter_place(self, limit: str, held: AsyncExitStack) -> None:
        places, time = self.studio.places, asyncio.timeout(_PLACE_SECONDS)
        try:
            with self.patience.telling(self.log, lambda: places.wait_reason(limit)):
                async with time:
                    await held.enter_async_context(places.hold(limit))
        except TimeoutError as error:
            if not time.expired():
                raise
            raise Overdue(
                f"no place at {limit} has become free for {lasting(_PLACE_SECONDS)}; other runs hold them",
                service=self.take.order.provider,
                next=f"prefect gcl inspect {limit_name(limit)}",
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

    async def _follow(self, purchase: Purchase) -> Clip:
        """Wait for an order that the service accepted before.

        If the service has forgotten it, the order becomes unknown: a person must say whether it is bought again.
        """
        provider, slate = await self._opened(), self.take.slate
        if provider.paid:
            message = "%s: ordered before from %s as %s; the run goes on with it and buys nothing"
            self.log.info(message, slate, provider.name, purchase.task)
        try:
            async with self._slot(is_new=False) as leave:
                return await self._collect(purchase.task or "", provider, leave)
        except TaskForgotten as error:
            await self.studio.note(Ledger.mark_unknown, self.take.order.key, error.message)
            raise TaskForgotten(
                f"{slate} was ordered, but {error.message}",
                service=provider.name,
                next=f"storyreel reconcile --key {self.take.order.key[:12]} --buy-again",
            ) from error

    async def _collect(
        self, task: str, provider: Provider, leave: Callable[[], Awaitable[None]], answer: TaskStatus | None = None
    ) -> Clip:
        """The clip of an accepted order, which leaves its slot when its clip is here: the next order need not wait
        until it is examined. On cancellation the order is cancelled at the service, if it can do that. `answer` as for
        `collect`."""
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            clip = await collect(self.take, task, provider, self.studio, self.patience, self.log, leave, answer)
        except asyncio.CancelledError:
            if not self.studio.keeps_orders:
                await self._sent.call_off(task)
            raise
        seconds, megabytes = clock() - started, clip.size / 1e6
        cost = await self._cost()
        self.log.info("%s: finished after %.1f s, %.1f MB%s", self.take.slate, seconds, megabytes, cost)
        return clip

    def _report(self, stage: Stage, detail: str = "") -> None:
        report_stage(self.take.order.slate, self.take.order.take, stage, detail=detail)

    async def _cost(self) -> str:
        """A clause with the cost, for the end of a sentence; empty if it is not known."""
        purchase = await self._find() if self.provider.paid else None
        return f", it cost {purchase.cost.exactly}" if purchase and purchase.cost else ""
