"""Sending an order to a service once, and storing what it answers before anything else.

The answer is stored also if the run is cancelled meanwhile, and before the ledger has it, on the disk of this host: a
ledger may be locked by another program, and a process be killed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from storyreel.specs.foreign_text import printable
from storyreel.tasks.ledger.ledger import DuplicateTask, Ledger, LedgerError
from storyreel.tasks.procurement.collect import Take, is_answered_at_once
from storyreel.tasks.procurement.patience import Log, Patience
from storyreel.tasks.progress import report_stage
from storyreel.tasks.providers.errors import Ambiguous, ProviderError, Terminal, Transient
from storyreel.tasks.providers.provider import Provider, Submission
from storyreel.tasks.storage.acceptances import Acceptance, discard_acceptance, keep_acceptance, share_acceptance
from storyreel.tasks.storage.answers import keep_answer
from storyreel.tasks.studio import Studio
from storyreel.tasks.threads import ended, in_own_thread, outlast

CALLED_OFF = "called off with the run"
"""Beginning of the reason in the ledger for an order that a service cancelled when the run was cancelled."""
_NOTE_SECONDS = 1.0
"""Seconds between two tries to write an accepted order to a ledger that cannot be used; each waits a minute itself."""
_CALL_OFF_SECONDS = 5
"""Seconds that a cancelled run waits for a service to cancel a task."""
_ANSWER_SECONDS = 10
"""Seconds that a cancelled run waits for the answer to an order that it has sent."""
_LAST_NOTE_SECONDS = 5
"""Seconds that a cancelled run waits for a ledger that is to be told of an order."""


@dataclass(frozen=True, slots=True)
class SentOrder:
    """The order of a take whose intent is in the ledger."""

    take: Take
    studio: Studio
    log: Log
    patience: Patience

    @property
    def provider(self) -> Provider:
        return self.studio.provider(self.take.order.provider)

    async def send(self) -> Submission:
        """Send the order; returns the service's answer when its task is in the ledger.

        On cancellation the answer is still waited for, up to `_ANSWER_SECONDS`, and stored: without it only a person
        may be able to tell whether the take was bought. Then the order is called off, if the service can do that.
        """
        provider, order = self.provider, self.take.order
        if provider.paid:
            self.log.info("%s: sent to %s", self.take.slate, self._summary())
        # Tasks of their own, which are not cancelled with this one.
        answer = asyncio.ensure_future(provider.submit(self.take.request))
        storing = asyncio.ensure_future(self._store(answer))
        try:
            accepted = await asyncio.shield(storing)
        except asyncio.CancelledError:
            await self._settle(answer, storing)
            raise
        if accepted.remark:
            self.log.warning("%s: %s", self.take.slate, accepted.remark)
        report_stage(order.slate, order.take, "submitted", detail=accepted.task if provider.paid else "")
        if provider.paid:
            cost = f" for {accepted.cost.exactly}" if accepted.cost else ""
            self.log.info("%s: bought from %s as %s%s", self.take.slate, provider.name, accepted.task, cost)
        return accepted

    async def call_off(self, task: str) -> None:
        """Cancel an accepted order at the service, if it can do that, and note it in the ledger."""
        provider, order = self.provider, self.take.order
        if is_answered_at_once(self.take, provider):
            return
        try:
            async with asyncio.timeout(_CALL_OFF_SECONDS):
                cancelled = await provider.cancel(task)
        except (Transient, Terminal, TimeoutError):
            return
        if cancelled:
            reason = f"{CALLED_OFF}; {provider.name} does not charge for it"
            noting = self.studio.note(Ledger.mark_failed, order.key, reason, is_refunded=True)
            await ended(noting, _LAST_NOTE_SECONDS)
            self.log.info("%s take %d: %s", order.slate, order.take, reason)

    async def _settle(self, answer: asyncio.Future[Submission], storing: asyncio.Future[Submission]) -> None:
        """Wait, for a run that is cancelled, until the answer is stored, and call the order off."""
        if not await ended(answer, _ANSWER_SECONDS):
            answer.cancel()
        if not await ended(storing, _LAST_NOTE_SECONDS):
            storing.cancel()
            await ended(storing)
        lost = None if storing.cancelled() else storing.exception()
        if isinstance(lost, LedgerError):
            self.log.warning("%s: %s; next: %s", self.take.slate, lost.message, lost.next)
        # The id of another order's task leads to that.
        is_accepted = not answer.cancelled() and not answer.exception() and not isinstance(lost, Ambiguous)
        if is_accepted and not self.studio.keeps_orders:
            await self.call_off(answer.result().task)

    async def _store(self, answer: asyncio.Future[Submission]) -> Submission:
        """The service's answer to the order, when the ledger has it. Raises the error that it answered with."""
        key = self.take.order.key
        try:
            accepted = await answer
        except (Transient, Terminal):
            await self.studio.note(Ledger.withdraw, key)
            raise
        except BaseException as error:
            if self.provider.paid:
                if isinstance(error, Ambiguous):
                    await self._keep_answer(error)
                reason = error.message if isinstance(error, ProviderError) else str(error)
                reason = reason or "the run was stopped while the order was under way"
                await self.studio.note(Ledger.mark_unknown, key, reason)
            else:
                await self.studio.note(Ledger.withdraw, key)
            raise
        try:
            await self._note_accepted(accepted)
        except DuplicateTask as error:
            raise unknown_order(self.take, error.message) from error
        return accepted

    async def _note_accepted(self, accepted: Submission) -> None:
        """Write an accepted order to the ledger. While that fails it is tried again."""
        key, folder = self.take.order.key, self.studio.accepted_folder
        answer = accepted.answer.model_dump_json() if accepted.answer else ""
        acceptance = Acceptance(key=key, task=accepted.task, cost=accepted.cost, at=datetime.now(UTC), answer=answer)
        is_kept = False
        if self.provider.paid:
            with suppress(RuntimeError):  # The system starts no more threads; that of the ledger runs.
                is_kept = await outlast(in_own_thread(keep_acceptance, folder, acceptance))
        while True:
            noting = self.studio.note(Ledger.mark_submitted, key, accepted.task, accepted.cost)
            try:
                await (noting if is_kept else outlast(noting))
                break
            except asyncio.CancelledError:
                if is_kept:
                    message = "%s: bought as %s, which the ledger may not have yet; the same command notes it there"
                    self.log.warning(message, self.take.slate, accepted.task)
                raise
            except LedgerError as error:
                if not (self.provider.paid and self.patience.left):
                    raise
                self.patience.tell(self.log, "submitted", error.message, _NOTE_SECONDS)
            await asyncio.sleep(_NOTE_SECONDS)
        if is_kept:
            await in_own_thread(discard_acceptance, folder, acceptance)
        if answer and (bucket := self.studio.clips.bucket):
            await outlast(in_own_thread(share_acceptance, bucket, acceptance))

    async def _keep_answer(self, error: Ambiguous) -> None:
        """Write the answer to an order to a file, and say where it is in the error's message."""
        answer, error.answer = error.answer, b""
        if not answer:
            return
        path = await outlast(in_own_thread(keep_answer, self.studio.answers_folder, self.take.order.key, answer))
        if path:
            error.message += f"; its answer is kept in {printable(str(path))}"
            error.args = (error.message,)

    def _summary(self) -> str:
        """`dashscope: wan2.7-t2v, text-to-video, 5 s, 3.00 CNY by the price list`."""
        request, price = self.take.request, self.take.order.price
        cost = f"{price.exactly} by the price list" if price else "at an unpublished price"
        length = f", {float(request.seconds):.4g} s" if request.seconds else ""
        return f"{request.provider}: {request.model}, {request.mode.value}{length}, {cost}"


def unknown_order(take: Take, reason: str = "") -> Ambiguous:
    """The error for an order that is not known to be accepted, or has an id, but `reason`."""
    service, slate = take.order.provider, take.slate
    return Ambiguous(
        f"{slate} was ordered, but {reason}"
        if reason
        else f"it is not known whether {service} accepted the order of {slate}",
        service=service,
        next=f"storyreel reconcile --key {take.order.key[:12]}" if reason else "storyreel reconcile",
    )
