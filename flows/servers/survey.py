"""A survey of a Prefect server: its version, deployments, pools, automations and limits. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from storyreel.flows.names import TAG
from storyreel.specs.frozen import Frozen

Item = TypeVar("Item")

_PAGE = 200
"""Items in one request; the server's maximum."""
_PREFIXES = ("storyreel", "film:")
"""Beginnings of the names of our automations; the second is that of the examples in deployments/automation.yaml."""


class DeployedFilm(Frozen):
    """A deployment of Storyreel."""

    id: UUID
    name: str
    full_name: str
    """As `prefect` commands take it: `render storyboard/the-keeper`."""
    pool: str
    """The work pool; empty if a process of `storyreel serve` runs it."""
    is_paused: bool
    is_waited_for: bool
    """Whether a worker, or a process of `serve`, asks for its runs."""
    schedules: int
    paused_schedules: tuple[UUID, ...]


class Pool(Frozen):
    """A work pool that runs films."""

    name: str
    is_paused: bool
    has_worker: bool
    takes_no_runs: bool
    """Whether its limit is 0."""
    films: tuple[str, ...]


class Automation(Frozen):
    """An automation of Storyreel that does nothing now."""

    id: UUID
    name: str


class SlotLimit(Frozen):
    """The global concurrency limit of a service, or of a model of it."""

    name: str
    limit: int
    taken: int
    is_active: bool


class Survey(Frozen):
    """All deployments, runs, limits and automations of Storyreel on a server."""

    version: str
    """The version of Prefect, as the server says."""
    films: tuple[DeployedFilm, ...]
    pools: tuple[Pool, ...]
    paused_automations: tuple[Automation, ...]
    limits: tuple[SlotLimit, ...]


@contextmanager
def speaking_to(api: str) -> Iterator[None]:
    """Have Prefect's clients speak to the server at an API address inside."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: api}):
        yield


async def survey(api: str, seconds: float) -> Survey:
    """Read what the server at an API address has. Raises TimeoutError after so many seconds, and what the client
    raises."""
    from prefect import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
    from prefect.client.schemas.objects import DeploymentStatus, WorkPoolStatus

    with speaking_to(api):
        async with asyncio.timeout(seconds), get_client() as client:
            ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
            deployments = await _all(
                lambda offset: client.read_deployments(deployment_filter=ours, limit=_PAGE, offset=offset)
            )
            flows = {flow: (await client.read_flow(flow)).name for flow in {one.flow_id for one in deployments}}
            films = [
                DeployedFilm(
                    id=one.id,
                    name=one.name,
                    full_name=f"{flows[one.flow_id]}/{one.name}",
                    pool=one.work_pool_name or "",
                    is_paused=one.paused,
                    is_waited_for=one.status is DeploymentStatus.READY,
                    schedules=len(one.schedules),
                    paused_schedules=tuple(schedule.id for schedule in one.schedules if not schedule.active),
                )
                for one in deployments
            ]
            pools = [
                Pool(
                    name=one.name,
                    is_paused=one.is_paused,
                    has_worker=one.is_push_pool or one.is_managed_pool or one.status is WorkPoolStatus.READY,
                    takes_no_runs=one.concurrency_limit == 0,
                    films=tuple(dict.fromkeys(film.name for film in films if film.pool == one.name)),
                )
                for one in await _all(lambda offset: client.read_work_pools(limit=_PAGE, offset=offset))
            ]
            automations = await _all(lambda offset: client.read_automations(limit=_PAGE, offset=offset))
            limits = await _all(lambda offset: client.read_global_concurrency_limits(limit=_PAGE, offset=offset))
            return Survey(
                version=await client.api_version(),
                films=tuple(films),
                pools=tuple(pool for pool in pools if pool.films),
                paused_automations=tuple(
                    Automation(id=one.id, name=one.name)
                    for one in automations
                    if not one.enabled and one.name.startswith(_PREFIXES)
                ),
                limits=tuple(
                    SlotLimit(name=one.name, limit=one.limit, taken=one.active_slots, is_active=one.active)
                    for one in limits
                    if one.name.startswith(f"{TAG}-")
                ),
            )


async def _all(read: Callable[[int], Awaitable[list[Item]]]) -> list[Item]:
    """All items of requests that give a page each, by its offset."""
    found: list[Item] = []
    while page := await read(len(found)):
        found += page
        if len(page) < _PAGE:
            break
    return found
