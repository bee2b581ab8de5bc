"""A slot that no run holds is found and released; one that a run holds is not, whatever its ledger or its version."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow, get_client, tags
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterTags
from prefect.concurrency.asyncio import concurrency
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run

from storyreel.flows.production.slots import lost_slots, places
from storyreel.flows.production.slots.lost_slots import CLAIM_SECONDS, Claims, claimed, release_lost_slots
from storyreel.flows.production.slots.places import open_places
from tests.flows.production.slots.test_service_limits import most_at_once

NAME = "storyreel-aimlapi"
PATIENCE = 60


@pytest.fixture
async def client(prefect_server: None) -> AsyncIterator[PrefectClient]:
    """A client of a server on which no more than five takes may be at the service."""
    async with get_client() as client:
        with suppress(ObjectNotFound):
            await client.delete_global_concurrency_limit_by_name(NAME)
        await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=NAME, limit=5))
        yield client
        await client.delete_global_concurrency_limit_by_name(NAME)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_slots, "_PAUSE_SECONDS", (0.3, 0.5))


async def taken(client: PrefectClient) -> int:
    return (await client.read_global_concurrency_limit_by_name(NAME)).active_slots


async def lose(client: PrefectClient, slots: int) -> None:
    """Slots are taken whose leases the server does not have."""
    await client.increment_concurrency_slots([NAME], slots, "concurrency")


class Holder:
    """A flow run that holds slots until it is told to end."""

    def __init__(self, hold: Callable[[], Awaitable[None]]) -> None:
        self.holds, self.done = asyncio.Event(), asyncio.Event()
        self.run = ""
        self._hold = hold

    async def begin(self) -> asyncio.Task[None]:
        @flow
        async def hold() -> None:
            self.run = str(flow_run.id)
            await self._hold()

        with tags("storyreel"):
            running = asyncio.create_task(hold())
        holding = asyncio.create_task(self.holds.wait())
        await asyncio.wait([running, holding], return_when=asyncio.FIRST_COMPLETED)
        assert not running.done(), running
        return running

    async def until_done(self) -> None:
        self.holds.set()
        await self.done.wait()


def holder_of_ours(slots: int) -> Holder:
    async def hold() -> None:
        async with open_places(["aimlapi"], is_deployed=False) as shared:
            assert shared
            await asyncio.gather(*shared._looks)  # what this one finds is not meant
            held = [shared.hold("aimlapi") for _ in range(slots)]
            await asyncio.gather(*(each.__aenter__() for each in held))
            assert shared._claimed.get("aimlapi") == slots
            await holder.until_done()
            await asyncio.gather(*(each.__aexit__(None, None, None) for each in held))

    holder = Holder(hold)
    return holder


async def test_what_no_run_holds_is_released_and_what_runs_hold_is_not(client: PrefectClient) -> None:
    holders = [holder_of_ours(1), holder_of_ours(2)]
    running = [await holder.begin() for holder in holders]
    await lose(client, 2)
    found = await release_lost_slots(["aimlapi"])
    assert [(lost.taken, lost.limit) for lost in found] == [(5, 5)] and await taken(client) == 3
    assert "places taken at aimlapi belonged to no run" in str(found[0])
    assert await release_lost_slots(["aimlapi"]) == []
    for holder in holders:
        holder.done.set()
    await asyncio.gather(*running)
    assert await taken(client) == 0


async def test_what_no_run_holds_of_a_model_that_this_host_does_not_know_is_released_too(client: PrefectClient) -> None:
    name = "storyreel-aimlapi:alibaba+wan-4"
    await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=2))
    try:
        await client.increment_concurrency_slots([name], 2, "concurrency")
        assert [(lost.service, lost.released) for lost in await release_lost_slots()] == [("aimlapi:alibaba/wan-4", 2)]
        assert (await client.read_global_concurrency_limit_by_name(name)).active_slots == 0
    finally:
        await client.delete_global_concurrency_limit_by_name(name)


async def test_of_several_that_find_the_same_lost_slots_one_releases_them(client: PrefectClient) -> None:
    running = await (holder := holder_of_ours(2)).begin()
    await lose(client, 3)
    found = await asyncio.gather(*(release_lost_slots(["aimlapi"]) for _ in range(4)))
    assert [lost.released for each in found for lost in each] == [3] and await taken(client) == 2
    holder.done.set()
    await running
    names = [limit.name for limit in await client.read_global_concurrency_limits(limit=50)]
    assert names.count(NAME) == 1 and not any(name.startswith(f"{NAME}-") for name in names)


async def test_slots_that_were_released_while_the_limit_was_paused_are_found(client: PrefectClient) -> None:
    running = await (holder := holder_of_ours(2)).begin()
    await client.update_global_concurrency_limit(NAME, GlobalConcurrencyLimitUpdate(active=False))
    holder.done.set()
    await running
    await client.update_global_concurrency_limit(NAME, GlobalConcurrencyLimitUpdate(active=True))
    assert await taken(client) == 2
    assert [lost.released for lost in await release_lost_slots()] == [2] and await taken(client) == 0


async def test_a_flow_that_holds_a_slot_by_prefects_own_means_keeps_it(client: PrefectClient) -> None:
    async def hold() -> None:
        async with concurrency(NAME, strict=True):
            await holder.until_done()

    holder = Holder(hold)
    running = await holder.begin()
    await lose(client, 1)
    name = EventFilter(event=EventNameFilter(name=["prefect.concurrency-limit.acquired"]))
    async with asyncio.timeout(PATIENCE):
        while holder.run not in (await client.read_events(name, limit=50)).model_dump_json():
            await asyncio.sleep(0.1)
    assert [lost.released for lost in await release_lost_slots(["aimlapi"])] == [1]
    assert await release_lost_slots(["aimlapi"]) == [] and await taken(client) == 1
    holder.done.set()
    await running
    assert await taken(client) == 0


async def test_a_run_whose_lease_the_server_has_lost_gives_its_slot_back(client: PrefectClient) -> None:
    holder = holder_of_ours(2)
    running = await holder.begin()
    await lose_leases(client, holder.run)
    assert await taken(client) == 2
    holder.done.set()
    await running
    assert await taken(client) == 0


async def test_a_run_whose_lease_the_server_has_lost_takes_another(
    client: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_RENEW_SECONDS", 0.3)
    holder = holder_of_ours(2)
    running = await holder.begin()
    before = await lose_leases(client, holder.run)
    async with asyncio.timeout(PATIENCE):
        while len(leases := (await leases_of(client, holder.run)) - before) < 2:
            await asyncio.sleep(0.1)
    assert await taken(client) == len(leases) == 2
    holder.done.set()
    await running
    assert await taken(client) == 0 and not await leases_of(client, holder.run)


async def test_a_slot_is_claimed_before_it_is_taken_and_no_longer_than_it_is_held(
    client: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, held, seen = PrefectClient.increment_concurrency_slots_with_lease, 2, list[tuple[int, int]]()

    async def looking(self: PrefectClient, *given: Any, **named: Any) -> httpx.Response:
        labels = (await self.read_flow_run(UUID(holder.run))).labels
        seen.append((claimed(labels, "aimlapi", time.time()), await taken(client)))
        return await ask(self, *given, **named)

    monkeypatch.setattr(PrefectClient, "increment_concurrency_slots_with_lease", looking)
    await client.update_global_concurrency_limit(NAME, GlobalConcurrencyLimitUpdate(limit=held))

    async def hold() -> None:
        async with open_places(["aimlapi"], is_deployed=False) as shared:
            assert shared
            places = [shared.hold("aimlapi") for _ in range(held + 1)]
            await asyncio.gather(*(each.__aenter__() for each in places[:held]))
            waits = asyncio.create_task(places[held].__aenter__())
            async with asyncio.timeout(PATIENCE):
                while not (shared.wait_reason("aimlapi") and shared._claimed == {"aimlapi": held}):
                    await asyncio.sleep(0.02)
            await places[0].__aexit__(None, None, None)
            await waits
            await holder.until_done()
            await asyncio.gather(*(each.__aexit__(None, None, None) for each in places[1:]))

    holder = Holder(hold)
    running = await holder.begin()
    assert seen[:3] == [(1, 0), (2, 1), (3, 2)] and all(claims > slots for claims, slots in seen), seen
    holder.done.set()
    await running
    assert await taken(client) == 0


async def test_an_answer_that_is_not_the_servers_is_asked_for_again(
    client: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, pages = PrefectClient.increment_concurrency_slots_with_lease, [httpx.Response(200, text="<html>")] * 2

    async def through_a_proxy(self: PrefectClient, *given: Any, **named: Any) -> httpx.Response:
        return pages.pop() if pages else await ask(self, *given, **named)

    monkeypatch.setattr(PrefectClient, "increment_concurrency_slots_with_lease", through_a_proxy)
    running = await (holder := holder_of_ours(1)).begin()
    assert not pages and await taken(client) == 1
    holder.done.set()
    await running
    assert await taken(client) == 0


async def leases_of(client: PrefectClient, run: str) -> set[Path]:
    """The leases that the server keeps for a run."""
    home = Path((await client.request("GET", "/admin/settings")).json()["home"])
    files = list((home / "concurrency_leases").glob("*.json"))
    return {file for file in files if run in file.read_text()}


async def lose_leases(client: PrefectClient, run: str) -> set[Path]:
    """Have the server lose the leases of a run, as one does that has them in memory and is restarted."""
    lost = await leases_of(client, run)
    assert lost
    for file in lost:
        file.unlink()
    return lost


async def test_a_film_that_finds_all_places_lost_says_so_and_goes_on(
    client: PrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lost_slots, "_PAUSE_SECONDS", (2.5, 2.6))
    await lose(client, 5)
    assert await most_at_once(2, tmp_path, monkeypatch) == 2
    assert await taken(client) == 0
    logged = [record.getMessage() for record in caplog.records]
    assert any("take 1: waits for a place at aimlapi, 5 of 5 taken" in line for line in logged)
    assert any("5 of the 5 places taken at aimlapi belonged to no run" in line for line in logged)
    waiting = await _waits(client)
    assert "waits for a place at aimlapi, 5 of 5 taken" in waiting


async def _waits(client: PrefectClient) -> set[str | None]:
    """Messages of the states Waiting of the takes of this test's films."""
    wanted = TaskRunFilter(tags=TaskRunFilterTags(all_=["shot:S0", "service:aimlapi"]))
    runs = await client.read_task_runs(task_run_filter=wanted, limit=50)
    states = [state for run in runs for state in await client.read_task_run_states(run.id)]
    return {state.message for state in states if state.name == "Waiting"}


async def test_a_limit_of_zero_is_waited_for_like_one_whose_places_are_taken(
    client: PrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await client.update_global_concurrency_limit(NAME, GlobalConcurrencyLimitUpdate(limit=0))

    async def raise_it() -> None:
        async with asyncio.timeout(PATIENCE):
            while "waits for a place at aimlapi, the limit is 0" not in caplog.text:
                await asyncio.sleep(0.1)
        await client.update_global_concurrency_limit(NAME, GlobalConcurrencyLimitUpdate(limit=1))

    raising = asyncio.create_task(raise_it())
    assert await most_at_once(1, tmp_path, monkeypatch) == 1
    await raising


def test_a_claim_ends_by_itself_and_each_process_of_a_run_has_its_own() -> None:
    killed, anew = Claims(), Claims()
    labels = {**killed.labels({"aimlapi": 3, "freepik": 1}), **anew.labels({"aimlapi": 1}), "prefect.flow.id": "x"}
    now = time.time()
    assert claimed(labels, "aimlapi", now) == 4 and claimed(labels, "freepik", now) == 1
    assert claimed({**labels, **killed.labels({"aimlapi": 0})}, "aimlapi", now) == 1
    assert claimed(labels, "aimlapi", now + CLAIM_SECONDS + 2) == 0


def test_a_claim_of_a_model_is_none_of_its_service_and_none_of_a_model_whose_name_begins_alike() -> None:
    labels, now = Claims().labels({"aimlapi:wan3": 1, "aimlapi:wan3.0-video": 2, "aimlapi": 4}), time.time()
    assert [claimed(labels, limit, now) for limit in ("aimlapi", "aimlapi:wan3", "aimlapi:wan3.0-video")] == [4, 1, 2]
