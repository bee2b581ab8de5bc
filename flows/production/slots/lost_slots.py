"""Slots of a limit that are taken and that no run holds: how they are found, and released.

Prefect counts the slots of a limit in its database and keeps the lease of each elsewhere. The number stays too high for
good if a lease is gone before its end: the server kept it in memory and was restarted (Prefect's default), Redis lost
its data, the disk was full, the server was killed between the two, or the limit was paused when the lease ended (read
in 3.9.1, 2026-11-29). Prefect's API shows the number alone. So each run writes what it holds into the labels of its
flow run, and what nothing claims is released. The ledger cannot tell: runs with other ledgers hold slots of a limit,
too.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterId,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.events import Event
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from storyreel.flows.names import TAG
from storyreel.flows.production.slots.service_limits import read_limit
from storyreel.specs.frozen import Frozen
from storyreel.tasks import providers
from storyreel.tasks.providers.models import limit_name, limit_of_name

CLAIM_SECONDS = 150
"""Seconds that a claim counts. Longer than a dead run's lease, of 60 s, and the 15 s in which Prefect looks for its
end, or the slot would be given back twice."""
_LOOKS = 4
"""Times that a slot must be found without a holder: one that was taken or released a moment ago is not, but at a busy
service there may be another one each time."""
_PAUSE_SECONDS = (1.0, 2.5)
"""Least and most seconds between two looks; the pause is random."""
_LEFT_BEHIND = timedelta(minutes=1)
"""Age of a mark that a killed process has left, and that is removed."""
_OCCUPIED_SECONDS = 30.0
"""Seconds for which a released slot is reported as taken. Prefect averages them, and cuts them to this."""
_PAGE, _EVENT_PAGE = 200, 50
"""Flow runs and events in one request; the server's maxima."""
_EVENTS_SINCE = timedelta(hours=6)
_EVENTS_WITHOUT_RUN = timedelta(hours=1)
"""Time for which a slot that was taken outside of any run counts as held: no record says whether its work goes on."""
_LABEL = "storyreel.slots."
"""Before the limit's name and the process, in the label that claims slots."""
_ACQUIRED, _RELEASED = "prefect.concurrency-limit.acquired", "prefect.concurrency-limit.released"


class LostSlots(Frozen):
    """Slots of a limit that no run held, and that are released now."""

    service: str
    """The limit's name: that of its service, and of its model if it is of one."""
    limit: int
    taken: int
    """Slots that were taken before the release."""
    released: int

    def __str__(self) -> str:
        return (
            f"{self.released} of the {self.taken} places taken at {self.service} belonged to no run "
            f"(Prefect's server had lost their leases) and are free again"
        )


class Claims:
    """The slots that one process holds for a flow run, as labels of that flow run.

    A process has keys of its own: the one that continues the run after a kill must not write over what was held.
    """

    def __init__(self) -> None:
        self._process = uuid4().hex[:8]

    def labels(self, held: Mapping[str, int]) -> dict[str, Any]:
        """The labels that claim so many slots of each limit."""
        until = time.time() + CLAIM_SECONDS
        return {f"{_LABEL}{limit}.{self._process}": f"{count} until {until:.0f}" for limit, count in held.items()}


def claimed(labels: Mapping[str, object], limit: str, now: float) -> int:
    """The slots of a limit that the labels of a flow run claim; `now` is in seconds since 1970."""
    wanted = f"{_LABEL}{limit}"
    claims = (str(value).split(" until ") for key, value in labels.items() if key.rpartition(".")[0] == wanted)
    return sum(int(count) for count, until in claims if float(until) > now)


async def release_lost_slots(limits: Iterable[str] | None = None) -> list[LostSlots]:
    """Release the slots of these limits that no run holds; without names, of the limits of all paid services.

    Looks several times, for some seconds, if the first look finds any. Raises what Prefect's client raises.
    """
    async with get_client() as client:
        names = await _limits_of_services(client) if limits is None else limits
        found = await asyncio.gather(*(_release(client, name) for name in names))
    return [lost for lost in found if lost]


async def _limits_of_services(client: PrefectClient) -> list[str]:
    """The limits on the server that are of paid services; of their models those that this host may not know, too."""
    paid = {name for name in providers.names() if providers.load(name).paid}
    found: list[str] = []
    offset = 0
    while page := await client.read_global_concurrency_limits(limit=_PAGE, offset=offset):
        found += filter(None, (limit_of_name(one.name) for one in page))
        offset += len(page)
    return [limit for limit in found if limit.partition(":")[0] in paid]


async def _release(client: PrefectClient, which: str) -> LostSlots | None:
    lost, _ = await _unclaimed(client, which)
    for _ in range(_LOOKS - 1):
        if not lost:
            return None
        await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))
        lost = min(lost, (await _unclaimed(client, which))[0])
    async with _alone(client, which) as is_alone:
        again, limit = await _unclaimed(client, which) if is_alone else (0, None)
        if not limit or not (lost := min(lost, again)):
            return None
        await client.release_concurrency_slots([limit.name], lost, _OCCUPIED_SECONDS * lost)
        return LostSlots(service=which, limit=limit.limit, taken=limit.active_slots, released=lost)


@asynccontextmanager
async def _alone(client: PrefectClient, which: str) -> AsyncIterator[bool]:
    """Whether no other process is releasing slots of a limit: both would release the same. A limit marks it that has
    no use but its name, of which Prefect has one at a time."""
    name = f"{limit_name(which)}-lost-slots"
    try:
        await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
    except ObjectAlreadyExists:
        with suppress(ObjectNotFound):
            other = await client.read_global_concurrency_limit_by_name(name)
            if other.created and datetime.now(UTC) - other.created > _LEFT_BEHIND:
                await client.delete_global_concurrency_limit_by_name(name)
        yield False
        return
    try:
        yield True
    finally:
        with suppress(ObjectNotFound):
            await client.delete_global_concurrency_limit_by_name(name)


async def _unclaimed(client: PrefectClient, which: str) -> tuple[int, GlobalConcurrencyLimitResponse | None]:
    """The number of a limit's taken slots that no known run holds, and the limit; 0 if it is missing or paused."""
    limit = await read_limit(client, which)
    if not limit or not limit.active or not limit.active_slots:
        return 0, limit
    now = datetime.now(UTC)
    runs = await _recent_runs(client, now)
    claims = {run.id: claimed(run.labels, which, now.timestamp()) for run in runs if _claims_any(run)}
    unclaimed = limit.active_slots - sum(claims.values())
    if unclaimed > 0:
        unclaimed -= await _held_by_others(client, limit, claims, now)
    return max(0, unclaimed), limit


def _claims_any(run: FlowRun) -> bool:
    return any(key.startswith(_LABEL) for key in run.labels)


async def _recent_runs(client: PrefectClient, now: datetime) -> list[FlowRun]:
    """The flow runs that have begun and not ended, and those that have ended while a claim of theirs may count."""
    begun = {
        "tags": FlowRunFilterTags(any_=[TAG]),
        "start_time": FlowRunFilterStartTime(is_null_=False),
    }
    under_way = FlowRunFilter(**begun, end_time=FlowRunFilterEndTime(is_null_=True))
    ended = FlowRunFilter(**begun, end_time=FlowRunFilterEndTime(after_=now - timedelta(seconds=CLAIM_SECONDS)))
    runs: dict[UUID, FlowRun] = {}
    for which in (under_way, ended):
        offset = 0
        while page := await client.read_flow_runs(flow_run_filter=which, limit=_PAGE, offset=offset):
            runs.update((run.id, run) for run in page)
            offset += len(page)
    return list(runs.values())


async def _held_by_others(
    client: PrefectClient, limit: GlobalConcurrencyLimitResponse, claiming: Collection[UUID], now: datetime
) -> int:
    """Slots that other flows, or versions of Storyreel that write no claims, hold by Prefect's own `concurrency`, which
    tells with an event of each slot that it takes, and of each that it releases."""
    events = EventFilter(
        event=EventNameFilter(name=[_ACQUIRED, _RELEASED]),
        resource=EventResourceFilter(id=[f"prefect.concurrency-limit.{limit.id}"]),
        occurred=EventOccurredFilter(since=now - _EVENTS_SINCE, until=now),
    )
    page = await client.read_events(events, limit=_EVENT_PAGE)
    found = list(page.events)
    while page.next_page and len(found) < page.total:
        page = await client.read_events_page(str(page.next_page))
        found += page.events
    released = {event.follows for event in found if event.event == _RELEASED}
    taken = [event for event in found if event.event == _ACQUIRED and event.id not in released]
    begun = {event.id: _run_of(event) for event in taken}
    alive = await _running(client, {run for run in begun.values() if run} - set(claiming))
    recent = now - _EVENTS_WITHOUT_RUN
    return sum(
        int(event.resource.get("slots-acquired") or 1)
        for event in taken
        if begun[event.id] in alive or (begun[event.id] is None and event.occurred > recent)
    )


def _run_of(event: Event) -> UUID | None:
    for related in event.resource_in_role.values():
        if related.id.startswith("prefect.flow-run."):
            return UUID(related.id.rpartition(".")[2])
    return None


async def _running(client: PrefectClient, runs: Collection[UUID]) -> set[UUID]:
    """The ids of the flow runs among these that are under way by Prefect's record."""
    if not runs:
        return set()
    states = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING])
    which = FlowRunFilter(id=FlowRunFilterId(any_=list(runs)), state=FlowRunFilterState(type=states))
    return {run.id for run in await client.read_flow_runs(flow_run_filter=which, limit=_PAGE)}
