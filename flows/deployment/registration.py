"""Serving and deploying a storyboard: the one flow, registered with Prefect under the film's name."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, WorkPool
from prefect.deployments.runner import DeploymentApplyError, RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Schedule
from prefect.types.entrypoint import EntrypointType

from storyreel.flows.errors import RunFailed
from storyreel.flows.lifecycle.automations import HEARTBEAT_SECONDS, TAG
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.render import render_storyboard
from storyreel.flows.scene import shoot_scene
from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import shown
from storyreel.tasks.settings import FFMPEG, HOME, WEBHOOK_URL, service_variable

Overlap = Literal["wait", "skip"]
"""What becomes of a run that is due while another one of the same film is going."""

_STRATEGIES = {"wait": ConcurrencyLimitStrategy.ENQUEUE, "skip": ConcurrencyLimitStrategy.CANCEL_NEW}
_OWN = frozenset({FFMPEG, WEBHOOK_URL})
"""What each machine has its own of."""
_SECRETS = ("KEY", "SECRET", "TOKEN", "PASSWORD")
_IN_A_RUN = {
    # Prefect's settings for the process of a run. Nothing may depend on the working directory.
    "PYTHONSAFEPATH": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
}


class FilmDeployment(Frozen):
    """What a deployment renders, and under which name."""

    title: str
    name: str
    """Of the deployment."""
    version: str
    """The storyboard's: SHA-256 in hex over it and every local file it names."""
    storyboard: str
    """Where a run finds it: an absolute path, or the address of a pack."""
    is_packed: bool
    out: str
    """Where a run puts the film: an absolute folder, or an address."""

    @property
    def full_name(self) -> str:
        """What `prefect deployment run` is told."""
        return f"{render_storyboard.name}/{self.name}"

    @property
    def tags(self) -> list[str]:
        """What the deployment and its runs are found by."""
        return [TAG, f"film:{self.title}", f"version:{self.version[:12]}"]

    @property
    def description(self) -> str:
        """What the deployment's page says of it."""
        kept = "packed, so that a run renders what was deployed" if self.is_packed else "read where it is at each run"
        return (
            f"Renders **{self.title}**, version `{self.version[:12]}`, into `{self.out}`.\n\n"
            f"The storyboard is {kept}: `{self.storyboard}`. A take that the ledger knows is not bought again."
        )


class Pool(Frozen):
    """A work pool."""

    name: str
    is_process: bool
    """Whether its workers run flows as processes beside them, with what is installed there."""


async def deployment(
    reel: FilmDeployment,
    sheet: RunRequest,
    schedules: Sequence[Schedule],
    overlap: Overlap,
    pool: Pool | None = None,
    environment: Mapping[str, str] | None = None,
    spread: Literal["none", "scenes"] = "none",
) -> RunnerDeployment:
    """The deployment of a film: for a pool, or for a runner of this process when none is given.

    `environment` holds what is set for a run in a pool; a runner's have what the runner has.
    """
    wanted = await render_storyboard.ato_deployment(
        reel.name,
        schedules=list(schedules),
        # One run a film at a time: two would only wait for each other's takes.
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=_STRATEGIES[overlap]),
        parameters=_parameters(reel, sheet) | ({} if spread == "none" else {"spread": spread}),
        description=reel.description,
        tags=reel.tags,
        version=reel.version[:12],
        # A runner that ends pauses its deployment.
        paused=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
        work_pool_name=pool.name if pool else None,
        job_variables={"env": {**(environment or {}), **_IN_A_RUN}} if pool else None,
    )
    if pool is None:
        # Said in so many words, else one that was deployed to a pool before stays there.
        wanted.work_pool_name = wanted.work_queue_name = None
    return wanted


async def scenes(reel: FilmDeployment, pool: Pool, environment: Mapping[str, str]) -> RunnerDeployment:
    """The deployment of a film's scenes, which its run finds by its own name and tells everything."""
    return await shoot_scene.ato_deployment(
        reel.name,
        description=f"Scenes of **{reel.title}**, for the runs of the film: nobody needs to start one.",
        tags=reel.tags,
        version=reel.version[:12],
        paused=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
        work_pool_name=pool.name,
        job_variables={"env": {**environment, **_IN_A_RUN}},
    )


async def register(wanted: RunnerDeployment) -> UUID:
    """Put a deployment on the server, or bring the one of the same name up to date. Raises RunFailed."""
    try:
        made = await wanted.aapply()
    except DeploymentApplyError as error:
        raise RunFailed(f"Prefect refused the deployment: {error}", next="storyreel doctor") from error
    await clear_schedules(made, wanted)
    return made


async def clear_schedules(made: UUID, wanted: RunnerDeployment) -> None:
    """Prefect keeps the schedules that a deployment had when it is deployed anew without any."""
    if wanted.schedules:
        return
    async with get_client() as client:
        for old in await client.read_deployment_schedules(made):
            await client.delete_deployment_schedule(made, old.id)


async def pool_of(name: str) -> Pool:
    """A work pool. Raises RunFailed, which names those that there are, when there is none of that name."""
    async with get_client() as client:
        try:
            found = await client.read_work_pool(name)
        except ObjectNotFound as missing:
            others = [pool.name for pool in await _pools(client)]
            there = f"those that there are: {', '.join(others)}" if others else "there is none yet"
            create = shlex.join(["prefect", "work-pool", "create", name, "--type", "process"])
            raise RunFailed(f"there is no work pool {shown(name)!r}", hint=there, next=create) from missing
    return Pool(name=found.name, is_process=found.type == "process")


async def _pools(client: PrefectClient) -> list[WorkPool]:
    return sorted(await client.read_work_pools(limit=20), key=lambda pool: pool.name)


def travelling(
    services: Iterable[str], *, to_process: bool, environment: Mapping[str, str] = os.environ
) -> tuple[dict[str, str], list[str]]:
    """What a worker must know to find the same ledger, clips and services, and the names of what it must be told
    otherwise: whatever holds a key or a password is never stored.

    A home that was named is meant for workers that are processes on the same or a shared disk; a container has its own.
    """
    told, withheld = {}, []
    of_services = {service_variable(name, what) for name in services for what in ("BASE_URL", "AT_ONCE")}
    for name, value in sorted(environment.items()):
        is_ours = name.startswith("STORYREEL_") and name not in _OWN
        if not value or not (is_ours or name in of_services) or (name == HOME and not to_process):
            continue
        if is_secret(name, value):
            withheld.append(name)
        else:
            told[name] = str(Path(value).expanduser().absolute()) if name == HOME else value
    return told, withheld


def is_secret(name: str, value: str) -> bool:
    """Whether a variable holds a key or a password, by its name or in an address."""
    parsed = urlsplit(value)
    has_password = bool(parsed.password) or "password=" in parsed.query.lower()
    return has_password or any(word in name for word in _SECRETS)


def _parameters(reel: FilmDeployment, sheet: RunRequest) -> dict[str, Any]:
    """What a run is told; what was left out stays out, so that the form shows the flow's own defaults."""
    said = {
        "storyboard": reel.storyboard,
        "provider": sheet.provider,
        "vars": sheet.vars or None,
        "select": list(sheet.selection) or None,
        "budget": sheet.budget.exactly if sheet.budget else None,
        "out": reel.out,
    }
    return {name: value for name, value in said.items() if value is not None}
