"""Global concurrency limits: how many takes of all runs together may be at a service, one limit for each paid one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Literal

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from storyreel.flows.planning.model import Plan
from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen
from storyreel.tasks.providers import load


def limit_name(service: str) -> str:
    """The name in Prefect of the global concurrency limit that all runs at a service share."""
    return f"storyreel-{service}"


class ServiceLimit(Frozen):
    """The limit of one service, and what `ensure_limits` did to it."""

    name: str
    """In Prefect."""
    limit: int
    became: Literal["made", "changed", "kept"]


class LimitMissing(StoryreelError):
    """A deployed run would buy at services that have no global concurrency limit; nothing was bought."""

    def __init__(self, services: tuple[str, ...]) -> None:
        self.services = services
        missing = " and ".join(limit_name(name) for name in services)
        commands = " && ".join(
            f"prefect gcl create {limit_name(name)} --limit {load(name).concurrency_limit()}" for name in services
        )
        super().__init__(
            f"Prefect has no global concurrency limit {missing}, without which a deployed run buys nothing",
            next=f"storyreel deploy, which makes it, or {commands}",
        )


def limited_services(plan: Plan) -> list[str]:
    """Names of the paid services that a plan may order from."""
    candidates = (candidate for take in plan.takes if take.state != "cached" for candidate in take.candidates)
    return sorted(name for name in {candidate.request.provider for candidate in candidates} if load(name).paid)


async def active_limits(services: Iterable[str], *, is_deployed: bool) -> frozenset[str]:
    """Those of the services that have an active limit; one that a person paused is not.

    Raises LimitMissing if a deployed run lacks one, as no person would see it exceed what an account allows.
    """
    names = list(services)
    if not names:
        return frozenset()
    async with get_client() as client:
        limits = dict(zip(names, await asyncio.gather(*(read_limit(client, name) for name in names)), strict=True))
    if is_deployed and (missing := tuple(name for name, limit in limits.items() if limit is None)):
        raise LimitMissing(missing)
    return frozenset(name for name, limit in limits.items() if limit and limit.active)


async def ensure_limits(services: Iterable[str], wanted: Mapping[str, int]) -> list[ServiceLimit]:
    """Create the limits of services that have none, by default as high as the service's adapter says.

    An existing one is changed only if `wanted` names it.
    """
    async with get_client() as client:
        return [await _ensure(client, name, wanted.get(name)) for name in sorted({*services, *wanted})]


async def _ensure(client: PrefectClient, service: str, wanted: int | None) -> ServiceLimit:
    name, limit = limit_name(service), wanted or load(service).concurrency_limit()
    current = await read_limit(client, service)
    if current is None:
        try:
            await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=limit))
            return ServiceLimit(name=name, limit=limit, became="made")
        except ObjectAlreadyExists:  # another process created it meanwhile
            current = await client.read_global_concurrency_limit_by_name(name)
    if wanted is None or wanted == current.limit:
        return ServiceLimit(name=name, limit=current.limit, became="kept")
    await client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(limit=wanted))
    return ServiceLimit(name=name, limit=wanted, became="changed")


async def read_limit(client: PrefectClient, service: str) -> GlobalConcurrencyLimitResponse | None:
    """The limit of a service; None if it has none."""
    try:
        return await client.read_global_concurrency_limit_by_name(limit_name(service))
    except ObjectNotFound:
        return None
