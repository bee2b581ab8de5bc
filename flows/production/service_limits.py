"""How many takes of all runs together may be at a service: Prefect's global concurrency limits, one a paid service."""

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
from storyreel.tasks.generate import limit_name
from storyreel.tasks.providers import load

Became = Literal["made", "changed", "kept"]


class Held(Frozen):
    """A limit as it stands."""

    service: str
    most: int
    became: Became
    """What was done to have it so."""

    @property
    def name(self) -> str:
        """What Prefect calls it."""
        return limit_name(self.service)


class LimitMissing(StoryreelError):
    """A deployed run would buy without a limit that holds all runs together: nothing was bought."""

    def __init__(self, services: tuple[str, ...]) -> None:
        self.services = services
        missing = " and ".join(limit_name(name) for name in services)
        limits = ((limit_name(name), load(name).concurrency_limit()) for name in services)
        makes = " && ".join(f"prefect gcl create {name} --limit {most}" for name, most in limits)
        super().__init__(
            f"there is no limit {missing} in Prefect, and a deployed run buys only where one holds all runs together; "
            "nothing was bought",
            next=f"storyreel deploy, which makes it, or {makes}",
        )


def to_be_held(plan: Plan) -> list[str]:
    """The services that a plan may order from and that are paid, by name."""
    names = {way.request.provider for take in plan.takes if take.state != "cached" for way in take.candidates}
    return sorted(name for name in names if load(name).paid)


async def limited(services: Iterable[str], *, is_deployed: bool) -> frozenset[str]:
    """Those of some services at which Prefect holds all runs together; a limit that somebody paused does not.

    Raises LimitMissing when a deployed run lacks one: nobody sits beside it who would see it buy too much.
    """
    wanted = list(services)
    if not wanted:
        return frozenset()
    async with get_client() as client:
        found = dict(zip(wanted, await asyncio.gather(*(_read(client, name) for name in wanted)), strict=True))
    if is_deployed and (missing := tuple(name for name, limit in found.items() if limit is None)):
        raise LimitMissing(missing)
    return frozenset(name for name, limit in found.items() if limit and limit.active)


async def hold(services: Iterable[str], said: Mapping[str, int]) -> list[Held]:
    """Make the limits of some services: `said`, else as many as the adapter says. One that exists is changed only to
    what is said."""
    async with get_client() as client:
        return [await _held(client, name, said.get(name)) for name in sorted({*services, *said})]


async def _held(client: PrefectClient, service: str, said: int | None) -> Held:
    name, most = limit_name(service), said or load(service).concurrency_limit()
    there = await _read(client, service)
    if there is None:
        try:
            await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=most))
            return Held(service=service, most=most, became="made")
        except ObjectAlreadyExists:  # somebody else deploys at the same moment
            there = await client.read_global_concurrency_limit_by_name(name)
    if said is None or said == there.limit:
        return Held(service=service, most=there.limit, became="kept")
    await client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(limit=said))
    return Held(service=service, most=said, became="changed")


async def _read(client: PrefectClient, service: str) -> GlobalConcurrencyLimitResponse | None:
    try:
        return await client.read_global_concurrency_limit_by_name(limit_name(service))
    except ObjectNotFound:
        return None
