"""The places of a run at services: slots of the limits that all runs share, each a lease of Prefect's server.

Prefect's own `concurrency` does not do: it waits without a word, gives up a lease when the server is away for some
seconds, lets the take fail when the server is away at its end, and keeps a thread for each (read in 3.9.1, 2026-11-29).
Here a place outlives a server that is restarted: one whose lease is gone gets another.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import httpx
from prefect import get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import ConcurrencyLeaseHolder
from prefect.client.schemas.responses import ConcurrencyLimitWithLeaseResponse
from prefect.runtime import flow_run

from storyreel.flows.production.slots.lost_slots import Claims, release_lost_slots
from storyreel.flows.production.slots.service_limits import read_limit
from storyreel.flows.servers.availability import current_server
from storyreel.flows.servers.choose import is_server_lost
from storyreel.specs.problems.phrases import lasting, shown
from storyreel.tasks.providers.models import limit_name

_LEASE_SECONDS = 60.0
"""Seconds that a place stays taken after its run was killed; Prefect's minimum."""
_RENEW_SECONDS = 20.0
_ANSWER_SECONDS = 10.0
"""Time for the server to answer; its client would try again for a minute."""
_FIRST_TRY_SECONDS, _LAST_TRY_SECONDS = 0.5, 8.0
"""Between two tries for a place that other runs hold; each pause is half as long again as the one before."""
_LOOK_SECONDS = 30.0
"""Between two looks for lost slots while a take waits."""
_SERVER_SECONDS = 60.0
"""Seconds that a take waits for a server that does not answer; after them the leases at that server have expired."""
_DEPLOYED_SERVER_SECONDS = 600.0
"""The same for a deployed run: many of them may wait, and no person sees what the service then refuses."""
_END_SECONDS = 5.0
_RETRY_SECONDS = 1.0
_AT_ONCE = 8
"""Requests under way at a time."""
_GONE = (httpx.codes.GONE, httpx.codes.NOT_FOUND)
_FULL = (httpx.codes.LOCKED, httpx.codes.UNPROCESSABLE_ENTITY)
"""Statuses of the answer for a limit whose slots are all taken, or which is 0."""
_SERVER_ERRORS = (httpx.HTTPError, TimeoutError, ValueError)
"""Errors of a request. ValueError is that of an answer that cannot be read, such as a proxy's page with status 200."""


@dataclass(eq=False, slots=True)
class _Place:
    limit: str
    lease: UUID | None
    """None if the lease is gone, and a new one is asked for."""
    renewed: float
    """In seconds since 1970: a machine that sleeps does not renew, but its leases end."""
    was_released: bool = False
    """Whether the server was asked to release it, and may have done so without an answer."""

    @property
    def may_have_ended(self) -> bool:
        return time.time() - self.renewed >= _LEASE_SECONDS


class SharedPlaces:
    """The places that one run holds at services, by the names of their limits and of those of models."""

    def __init__(self, client: PrefectClient, limits: Collection[str], *, is_deployed: bool) -> None:
        self._client, self._limits = client, frozenset(limits)
        self._run = UUID(flow_run.id)
        self._server_seconds = _DEPLOYED_SERVER_SECONDS if is_deployed else _SERVER_SECONDS
        self._log = get_run_logger()
        self._claims = Claims()
        self._claimed: dict[str, int] = {}
        self._held: list[_Place] = []
        self._left: list[_Place] = []
        """Places to be released."""
        self._asking: set[asyncio.Task[_Place | None]] = set()
        self._asked: Counter[str] = Counter()
        """Slots that the server is asked for now, by limit."""
        self._claiming = asyncio.Lock()
        self._changed = asyncio.Event()
        self._queues = {name: asyncio.Lock() for name in limits}
        self._freed = {name: asyncio.Event() for name in limits}
        self._asks = {name: asyncio.Lock() for name in limits}
        """Locks by limit: held while this run asks for a slot and claims it, and while it looks for lost ones."""
        self._reasons: dict[str, str] = {}
        self._unanswered: dict[str, float] = {}
        """Monotonic seconds since when the server has not answered, by limit."""
        self._looked: dict[str, float] = {}
        self._looks: set[asyncio.Task[None]] = set()
        self._uncertain: set[str] = set()
        """Limits of which it is not known whether the server still counts a slot of this run."""
        self._requests = asyncio.Semaphore(_AT_ONCE)
        self._has_ended = False

    @asynccontextmanager
    async def hold(self, limit: str) -> AsyncIterator[None]:
        """Hold a place of a limit, and wait for one before. A paid take goes on when its lease is lost: too many
        takes at once cost less than a lost clip."""
        if limit not in self._limits:
            yield
            return
        place = await self._enter(limit)
        try:
            yield
        finally:
            self._leave(place)

    def wait_reason(self, limit: str) -> str:
        """The reason why a take without a place waits; empty until the server has answered or been silent for long."""
        return self._reasons.get(limit, "")

    async def keep(self) -> None:
        """Renew and release the leases of this run, until `end` is called. Never cancel it: a request that is given up
        may have been carried out."""
        renewed, is_last = time.monotonic(), False
        while not is_last:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), max(0.1, renewed + _RENEW_SECONDS - time.monotonic()))
            self._changed.clear()
            is_due = time.monotonic() >= renewed + _RENEW_SECONDS
            if is_due:
                renewed = time.monotonic()
            is_last = self._has_ended
            if not await self._update(is_due=is_due):
                is_last = False
                self._changed.set()
                await asyncio.sleep(_RETRY_SECONDS)

    async def end(self, keeping: asyncio.Task[None], *, in_order: bool) -> None:
        """Release all that is left; and, unless the run ends early, slots that the server has lost."""
        for look in self._looks:
            look.cancel()
        with suppress(*_SERVER_ERRORS):
            async with asyncio.timeout(_END_SECONDS):
                await asyncio.gather(*self._asking, return_exceptions=True)
                self._has_ended = True
                self._changed.set()
                await keeping
        if in_order and self._uncertain:
            with suppress(TimeoutError):
                async with asyncio.timeout(3 * _END_SECONDS):
                    await self._look(self._uncertain)

    def look_for_lost_slots(self, limits: Collection[str]) -> None:
        """Look in the background for slots that no run holds, and release them; each limit at most every 30 s."""
        now = time.monotonic()
        due = {name for name in limits if now - self._looked.get(name, -_LOOK_SECONDS) >= _LOOK_SECONDS}
        if due:
            self._looked.update(dict.fromkeys(due, now))
            look = asyncio.create_task(self._look(due))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)

    async def _look(self, limits: Collection[str]) -> None:
        try:
            await self._release_lost(limits)
        except _SERVER_ERRORS as error:
            if not is_server_lost(error):  # waiting takes report that
                self._log.warning("lost places could not be looked for: %s", shown(error) or type(error).__name__)

    async def _release_lost(self, limits: Collection[str]) -> None:
        async with AsyncExitStack() as stack:
            for limit in sorted(limits):
                await stack.enter_async_context(self._asks[limit])
            await self._write_claims(is_due=False)  # so that they no longer include slots that were refused
            for lost in await release_lost_slots(limits):
                self._log.warning("%s", lost)
                self._freed[lost.service].set()

    async def _enter(self, limit: str) -> _Place:
        """A place, in the order in which the takes of this run have asked for one."""
        pause = _FIRST_TRY_SECONDS
        async with self._queues[limit]:
            while True:
                self._freed[limit].clear()
                if self._asks[limit].locked():  # by a look for lost slots, which takes seconds if it finds any
                    await self._note_taken(limit)
                try:
                    place = await self._ask(limit)
                except _SERVER_ERRORS:
                    since = self._unanswered.setdefault(limit, time.monotonic())
                    if time.monotonic() - since >= self._server_seconds:
                        return self._without_lease(limit)
                    self._reasons[limit] = f"waits for Prefect's server, which gives out the places at {limit}"
                else:
                    self._unanswered.pop(limit, None)
                    if place:
                        return place
                    await self._note_full(limit)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._freed[limit].wait(), pause * random.uniform(0.8, 1.2))
                pause = min(1.5 * pause, _LAST_TRY_SECONDS)

    def _entered(self, limit: str, lease: UUID | None) -> _Place:
        self._reasons.pop(limit, None)
        place = _Place(limit, lease, time.time())
        self._held.append(place)
        self._changed.set()
        return place

    def _without_lease(self, limit: str) -> _Place:
        self._log.warning(
            "Prefect's server has not answered for %s; takes at %s are ordered without its limit meanwhile",
            lasting(self._server_seconds),
            limit,
        )
        self._uncertain.add(limit)
        return self._entered(limit, None)

    def _leave(self, place: _Place) -> None:
        self._held.remove(place)
        self._left.append(place)
        self._changed.set()

    async def _note_full(self, limit: str) -> None:
        await self._note_taken(limit)
        self.look_for_lost_slots([limit])

    async def _note_taken(self, limit: str) -> None:
        """Set the reason to wait, if all its slots are taken."""
        with suppress(*_SERVER_ERRORS):
            async with asyncio.timeout(_ANSWER_SECONDS):
                found = await read_limit(self._client, limit)
            if found and found.active_slots >= found.limit:
                taken = f"{found.active_slots} of {found.limit} taken" if found.limit else "the limit is 0"
                self._reasons[limit] = f"waits for a place at {limit}, {taken}"

    async def _ask(self, limit: str) -> _Place | None:
        """A place; None if all are taken."""
        asking = asyncio.ensure_future(self._claim_and_ask(limit))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(self._give_back)
            raise

    def _give_back(self, asked: asyncio.Task[_Place | None]) -> None:
        """Release what was granted to a take that had been cancelled."""
        if not asked.cancelled() and not asked.exception() and (place := asked.result()):
            self._leave(place)

    async def _claim_and_ask(self, limit: str) -> _Place | None:
        """A place; None if all are taken. The claim is written first: other runs release slots without one."""
        async with self._asks[limit]:
            self._asked[limit] += 1
            try:
                await self._write_claims(is_due=False)
                lease = await self._new_lease(limit)
                return self._entered(limit, lease) if lease else None
            finally:
                self._asked[limit] -= 1
                self._changed.set()

    async def _new_lease(self, limit: str) -> UUID | None:
        holder = ConcurrencyLeaseHolder(type="flow_run", id=self._run)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await self._client.increment_concurrency_slots_with_lease(
                    [limit_name(limit)], 1, "concurrency", _LEASE_SECONDS, holder
                )
        except httpx.HTTPStatusError as error:
            if error.response.status_code in _FULL:
                return None
            raise
        return ConcurrencyLimitWithLeaseResponse.model_validate(answer.json()).lease_id

    async def _update(self, *, is_due: bool) -> bool:
        """Release what was left, renew what is held if that is due, and claim it. Returns whether all of it is done."""
        work = [self._release(place) for place in self._left]
        if is_due:
            work += [self._renew(place) for place in self._held]
        done = await asyncio.gather(*work)
        return await self._claim(is_due=is_due) and all(done)

    async def _renew(self, place: _Place) -> bool:
        """Renew a lease, or take another if it is gone. If the server does not answer, the next round tries again."""
        with suppress(*_SERVER_ERRORS):
            async with self._requests:
                if place.lease and not await self._is_renewed(place):
                    if not place.may_have_ended:
                        await self._decrement(place)
                    place.lease = None
                if place.lease is None and (lease := await self._new_lease(place.limit)):
                    place.lease, place.renewed = lease, time.time()
        return True

    async def _release(self, place: _Place) -> bool:
        with suppress(*_SERVER_ERRORS):
            async with self._requests:
                # The server says nothing when it is to release a lease that it has lost, and counts the slot for good.
                if place.lease and await self._is_renewed(place):
                    place.was_released = True
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        await self._client.release_concurrency_slots_with_lease(place.lease)
                elif place.lease and place.was_released:
                    self._uncertain.add(place.limit)
                elif place.lease and not place.may_have_ended:
                    await self._decrement(place)
            self._left.remove(place)
            self._freed[place.limit].set()
            return True
        return False

    async def _is_renewed(self, place: _Place) -> bool:
        """Whether the server has the lease, which is renewed."""
        assert place.lease
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._client.renew_concurrency_lease(place.lease, _LEASE_SECONDS)
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in _GONE:
                raise
            if place.may_have_ended:
                self._uncertain.add(place.limit)
            return False
        place.renewed = time.time()
        return True

    async def _decrement(self, place: _Place) -> None:
        """Give back the slot of a lease that has not ended and that the server has lost: nothing else ever would."""
        place.lease = None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._client.release_concurrency_slots([limit_name(place.limit)], 1, _LEASE_SECONDS)
        except _SERVER_ERRORS:
            self._uncertain.add(place.limit)
            raise

    async def _claim(self, *, is_due: bool) -> bool:
        try:
            await self._write_claims(is_due=is_due)
        except _SERVER_ERRORS:
            return False
        return True

    async def _write_claims(self, *, is_due: bool) -> None:
        """Have the labels of the flow run claim what is held and asked for, if they do not, or if that is due."""
        async with self._claiming:
            places = Counter(place.limit for place in (*self._held, *self._left)) + self._asked
            held = {**dict.fromkeys(self._claimed, 0), **places}
            if held == self._claimed and not (is_due and any(held.values())):
                return
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._client.update_flow_run_labels(self._run, self._claims.labels(held))
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.NOT_FOUND:  # of a run whose record was deleted
                    raise
            self._claimed = held


@asynccontextmanager
async def open_places(limits: Collection[str], *, is_deployed: bool) -> AsyncIterator[SharedPlaces | None]:
    """The places of the current flow run, of these limits, which are active; None if there are none.

    At its begin, slots that no run holds are looked for in the background; at its end all places are free again.
    """
    if not limits:
        yield None
        return
    async with get_client() as client:
        places = SharedPlaces(client, limits, is_deployed=is_deployed)
        places.look_for_lost_slots(limits)
        keeping = asyncio.create_task(places.keep())
        in_order = True
        try:
            yield places
        except asyncio.CancelledError:
            in_order = False
            raise
        finally:
            async with current_server().while_answering():
                await places.end(keeping, in_order=in_order)
            keeping.cancel()
