"""Global concurrency limits: how many takes of all runs together may be at a service, one limit for each paid one.

A model that allows fewer has another one, which its takes count in as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Literal

from prefect import get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from storyreel.flows.planning.model import PlannedTake
from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen
from storyreel.tasks.providers import load
from storyreel.tasks.providers.models import limit_name, limits_of, most_at_once


class ServiceLimit(Frozen):
    """The limit of one service, or of a model of it, and what `ensure_limits` did to it."""

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
            f"prefect gcl create {limit_name(name)} --limit {most_at_once(name)}" for name in services
        )
        super().__init__(
            f"Prefect has no global concurrency limit {missing}, without which a deployed run buys nothing",
            next=f"storyreel deploy, which makes it, or {commands}",
        )


def limits_of_takes(takes: Iterable[PlannedTake]) -> list[str]:
    """The limits of the paid services, and of their models, that these takes may be ordered from."""
    ordered = {(each.request.provider, each.request.model) for take in takes for each in take.candidates}
    paid = ((load(service), model) for service, model in ordered if load(service).paid)
    return sorted({limit for service, model in paid for limit in limits_of(service, model)})


async def active_limits(limits: Iterable[str], *, is_deployed: bool) -> frozenset[str]:
    """The active limits among these; one that a person paused is not. A model's limit is made if it does not exist.

    Raises LimitMissing if a deployed run lacks that of a service, as no person would see it exceed what an account
    allows.
    """
    names = list(limits)
    if not names:
        return frozenset()
    async with get_client() as client:
        found = dict(zip(names, await asyncio.gather(*(read_limit(client, name) for name in names)), strict=True))
        if is_deployed and (missing := tuple(name for name in names if not _is_of_model(name) and not found[name])):
            raise LimitMissing(missing)
        for name in filter(_is_of_model, names):
            if current := found[name]:
                _compare(name, current)
            else:
                await _ensure(client, name, None)
                found[name] = await read_limit(client, name)
    return frozenset(name for name, limit in found.items() if limit and limit.active)


def _is_of_model(limit: str) -> bool:
    return ":" in limit


def _compare(name: str, current: GlobalConcurrencyLimitResponse) -> None:
    """Warn of a limit that is not what the user's file of models says: that may have changed since it was made."""
    if current.active and current.limit != (most := most_at_once(name)):
        warning = "Prefect's limit %s is %d takes at once in all runs, and the model's own is %d; next: %s"
        command = f"prefect gcl update {current.name} --limit {most}"
        get_run_logger().warning(warning, current.name, current.limit, most, command)


async def ensure_limits(limits: Iterable[str], wanted: Mapping[str, int]) -> list[ServiceLimit]:
    """Create the missing ones of these limits, by default as high as the service, or its model, allows.

    An existing one is changed only if `wanted` names it.
    """
    async with get_client() as client:
        return [await _ensure(client, name, wanted.get(name)) for name in sorted({*limits, *wanted})]


async def _ensure(client: PrefectClient, of: str, wanted: int | None) -> ServiceLimit:
    name, limit = limit_name(of), wanted or most_at_once(of)
    current = await read_limit(client, of)
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


async def read_limit(client: PrefectClient, limit: str) -> GlobalConcurrencyLimitResponse | None:
    """A limit as Prefect has it; None if it has none."""
    try:
        return await client.read_global_concurrency_limit_by_name(limit_name(limit))
    except ObjectNotFound:
        return None
