"""The things that all takes of a run share: the ledger, the stores, the open services and their slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from storyreel.tasks.home import Home
from storyreel.tasks.join.pieces import HouseCache, SharedPieces
from storyreel.tasks.ledger.ledger import Ledger, LedgerError, Purchase, State
from storyreel.tasks.polling import PastDurations, next_poll
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.providers import load
from storyreel.tasks.providers.capability import Model
from storyreel.tasks.providers.models import find_model, limits_of
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.settings import Settings
from storyreel.tasks.storage.acceptances import acceptances
from storyreel.tasks.storage.clips import ClipStore
from storyreel.tasks.threads import Lane, ended, in_own_thread

P = ParamSpec("P")
Result = TypeVar("Result")

_RENEW_SECONDS = 15
"""Seconds between two renewals of this run's leases in the ledger."""
_QUESTIONS = 4
"""Questions that the ledger is asked at a time."""
_RECALL_SECONDS = 1.0
"""Seconds that a poll is put off for the ledger's answer on the usual duration of a model's takes."""
_ANSWER_SECONDS = 5.0
"""Seconds to wait for an answer that is only for the message about a run's end."""
_INTENT_SECONDS = 5.0
"""Seconds that a cancelled take waits until its intent is stored or given up."""
_CLOSE_SECONDS = 5.0


class Places(Protocol):
    """The places at services that all runs share, by the names of limits. Without a limit there is any number."""

    def hold(self, limit: str) -> AbstractAsyncContextManager[None]:
        """A context that holds a place, and waits for one before."""

    def wait_reason(self, limit: str) -> str:
        """The reason why a take without a place waits; empty if there is none to report."""


class _AnyNumber:
    """Places of a run whose services have no limits."""

    def hold(self, limit: str) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def wait_reason(self, limit: str) -> str:
        return ""


class Studio:
    """The shared objects of one run. A plain class, which Prefect does not search for task results."""

    def __init__(
        self,
        ledger: Ledger,
        clips: ClipStore,
        house: Path,
        providers: Mapping[str, Provider],
        prices: PriceList,
        poll_seconds: float | None = None,
        places: Places | None = None,
        enter: Callable[[Provider], Awaitable[Provider]] | None = None,
    ) -> None:
        """Hold these objects. `enter` opens a provider; if it is None, `providers` are open already."""
        self.ledger = ledger
        """Waits for other programs and for the disk: on the event loop use `ask`, `note` and `intend`."""
        self.clips = clips
        self.house_cache = HouseCache(house, SharedPieces(clips.bucket.inside("house")) if clips.bucket else None)
        self.answers_folder = house.with_name("answers")
        """Folder of the services' answers to orders that could not be used."""
        self.accepted_folder = house.with_name("accepted")
        """Folder of accepted orders that the ledger may not have yet."""
        self.prices = prices
        self.opened_at = ledger.now()
        """By the clock of the ledger, like the times of its rows."""
        self.keeps_orders = False
        """Whether orders stay at the services when the run is stopped, because another process continues them."""
        self.places: Places = places or _AnyNumber()
        """The bound on the takes of all runs together, as `slots` bounds those of this one."""
        self._providers = providers
        self._enter = enter
        self._opened: dict[str, Provider] = {}
        self._opening = asyncio.Lock()
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._poll_seconds = poll_seconds
        self._past_durations: dict[tuple[str, str], asyncio.Future[PastDurations | None]] = {}
        # What waits for a lock must not keep answers of services waiting, nor what only reads.
        self._questions, self._intents, self._changes = Lane(_QUESTIONS), Lane(1), Lane(ledger.writers)
        self._wakeups = Lane(1)
        self.drawing = Lane(1)
        """Draws large pictures, in one thread: each thread's heap keeps what it has needed, 50 MB for a page."""

    def provider(self, name: str) -> Provider:
        """A service, of which takes that are made need no more than what it is. To ask it, `open` it."""
        return self._opened.get(name) or self._providers[name]

    async def open(self, names: Iterable[str]) -> None:
        """Open services that are not open yet. Raises Terminal if the key of one is missing."""
        async with self._opening:
            for name in names:
                if self._enter and name not in self._opened:
                    self._opened[name] = await self._enter(self._providers[name])

    def slots(self, name: str, id: str) -> dict[str, asyncio.Semaphore]:
        """The slots to hold, in this order, while a take of a model is at its service, by the names of the limits: each
        has a slot for each take of this run that may be there at a time."""
        provider = self.provider(name)
        return {
            limit: self._slots.setdefault(limit, asyncio.Semaphore(most))
            for limit, most in limits_of(type(provider), id, provider.known_models).items()
        }

    def _model(self, name: str, id: str) -> Model:
        """A service's model, by its id; one without a pace of its own if it is not known any more."""
        provider = self.provider(name)
        return find_model(type(provider), id, provider.known_models) or Model(modes={})

    async def seconds_to_next_poll(self, provider: Provider, model: str, elapsed: float) -> float:
        """Seconds until the next poll of a task that was ordered `elapsed` seconds ago."""
        if self._poll_seconds is not None:
            return self._poll_seconds
        name = (provider.name, model)
        if name not in self._past_durations:
            self._past_durations[name] = self._questions.start(partial(Ledger.past_durations, self.ledger, *name))
        asked = self._past_durations[name]
        await asyncio.wait({asked}, timeout=_RECALL_SECONDS)
        before = asked.result() if asked.done() and not asked.exception() else None
        pace = self._model(provider.name, model)
        floor = pace.min_poll_seconds or provider.min_poll_seconds
        return next_poll(elapsed, floor, before, pace.advised_poll_seconds or provider.advised_poll_seconds)

    # The ledger, from the event loop

    async def ask(
        self, question: Callable[Concatenate[Ledger, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """The ledger's answer, as in `ask(Ledger.find, key)`. If cancelled, does not wait for it."""
        return await self._questions.start(partial(question, self.ledger, *args, **kwargs))

    async def ask_briefly(
        self, question: Callable[Concatenate[Ledger, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result | None:
        """The ledger's answer as of `ask`; None if it cannot be read, or has not answered in some seconds."""
        with suppress(LedgerError, TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self.ask(question, *args, **kwargs)
        return None

    async def find_briefly(self, keys: Iterable[str]) -> Mapping[str, Purchase] | None:
        """The purchases of these keys, by key, as `ask_briefly`; accepted ones as such that only the disk knows of."""
        wanted = list(keys)
        found = await self.ask_briefly(Ledger.find_all, wanted)
        if found is None:
            return None
        unanswered = [key for key, purchase in found.items() if purchase.task is None]
        for key in unanswered:
            for accepted in await asyncio.to_thread(acceptances, self.accepted_folder, key):
                known = {"state": State.SUBMITTED, "task": accepted.task, "cost": accepted.cost}
                found[key] = found[key].model_copy(update=known)
        return found

    def note(
        self, change: Callable[Concatenate[Ledger, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[Result]:
        """A change of the ledger, as in `await note(Ledger.mark_failed, key, reason)`.

        It is made also if its caller is cancelled, who does not wait for it; `outlast` waits.
        """
        return asyncio.shield(self._changes.start(partial(change, self.ledger, *args, **kwargs)))

    async def intend(self, intent: Callable[[Ledger, Callable[[], bool]], bool], key: str) -> bool:
        """Store an intent to order a take, one after the other. If cancelled, it is not stored, or withdrawn again.

        `intent` calls `Ledger.intend` or `intend_again`, with `is_wanted`. One at a time: that is how a second take of
        this run with the same key is told from the repetition of an intent whose answer was lost.
        """
        is_cancelled = False

        def store() -> bool:
            is_stored = intent(self.ledger, lambda: not is_cancelled)
            if is_stored and is_cancelled:  # while it waited for a lock; its caller may have gone on
                self.ledger.withdraw(key)
                return False
            return is_stored

        storing = self._intents.start(store)
        try:
            return await asyncio.shield(storing)
        except asyncio.CancelledError:
            is_cancelled = True
            if await ended(storing, _INTENT_SECONDS) and not storing.exception() and storing.result():
                await ended(self.note(Ledger.withdraw, key), _INTENT_SECONDS)
            raise

    async def is_woken(self, service: str, task: str) -> bool:
        """Whether a webhook of a service has reported a change of a task since this was last asked."""
        return await self._wakeups.start(partial(self.ledger.take_wakeup, service, task))

    async def close(self) -> None:
        """Close the ledger, as `Ledger.close`, after all changes. Does not wait for one that does not answer."""
        for lane in (self._questions, self._intents, self._wakeups, self.drawing):
            lane.close(lambda: None)
        # After the changes: an answer of a service is noted in the row of this run.
        await ended(self._changes.close(self.ledger.close), _CLOSE_SECONDS)


@asynccontextmanager
async def open_studio(
    home: Home, services: Iterable[str], *, asked: Iterable[str] | None = None, places: Places | None = None
) -> AsyncIterator[Studio]:
    """A studio of these services, whose takes hold `places`. Opens those that are `asked`, all if it is None, and
    another when it has to be asked after all; closes them. A service that is not asked needs no key."""
    providers: dict[str, Provider] = {}

    async with AsyncExitStack() as stack:

        def studio() -> Studio:
            seconds, enter = Settings.read().poll_seconds, stack.enter_async_context
            return Studio(home.ledger(), home.clips(), home.house, providers, PriceList.read(), seconds, places, enter)

        opened = await in_own_thread(studio)
        stack.push_async_callback(opened.close)
        for name in sorted(set(services)):
            adapter = await in_own_thread(load, name)
            providers[name] = adapter()
            providers[name].concurrency_limit()  # of a setting, which may be wrong
        await opened.open(sorted(providers if asked is None else set(asked)))
        renewing = asyncio.create_task(_renew_leases(opened.ledger))
        stack.push_async_callback(_cancel, renewing)
        yield opened


async def _renew_leases(ledger: Ledger) -> None:
    """Keep other processes from taking over the orders of this one."""
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        # Locked for a minute, a server that restarts, no thread to be had: the next may succeed. Without leases another
        # host would take over what is ordered here, or have a person buy it again.
        with suppress(Exception):
            await in_own_thread(ledger.renew_leases)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
