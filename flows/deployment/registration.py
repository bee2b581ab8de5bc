"""Prefect deployments of the two flows for one film: built, registered and updated."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, WorkPool
from prefect.deployments.runner import DeploymentApplyError, RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Schedule
from prefect.types.entrypoint import EntrypointType
from pydantic import Field

from storyreel.flows.errors import RunFailed
from storyreel.flows.lifecycle.automations import HEARTBEAT_SECONDS
from storyreel.flows.markdown import code, escape
from storyreel.flows.names import film_tags
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.selection import terms_of
from storyreel.flows.production.film_folder import FilmSource
from storyreel.flows.render import render_storyboard
from storyreel.flows.scene import shoot_scene
from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import shown
from storyreel.specs.storyboard import is_remote
from storyreel.tasks.providers import load

Overlap = Literal["wait", "skip"]
"""A run that is due while another run of the same film is under way waits or is skipped."""
Spread = Literal["none", "scenes"]
"""`scenes`: each scene is a run of its own, on any worker."""

_STRATEGIES = {"wait": ConcurrencyLimitStrategy.ENQUEUE, "skip": ConcurrencyLimitStrategy.CANCEL_NEW}
_RUN_SETTINGS = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}
"""Prefect's settings for the process of a run."""
_NO_POOL: Mapping[str, Any] = MappingProxyType({})
_MOST_POOLS = 20
"""Work pools that a message lists."""


class DeploymentRequest(Frozen):
    """A film to deploy or to serve, as the command line asks for it."""

    run: RunRequest
    plan: Plan
    name: str | None = None
    """Of the deployment; made from the title if None."""
    limits: dict[str, int] = Field(default={})
    """Takes at once by service; services that are not named keep their limit."""
    overlap: Overlap = "wait"
    lost_after: int | None = None
    """Seconds without a heartbeat after which a run counts as lost; unchanged if None."""
    spread: Spread = "none"

    @property
    def paid_services(self) -> list[str]:
        """The paid services that a run may order from, by name."""
        return [name for name in self.plan.services if load(name).paid]


class FilmDeployment(Frozen):
    """A film as it is deployed."""

    title: str
    name: str
    """Of the deployment."""
    version: str
    """SHA-256, in hex, over the storyboard and every local file it names."""
    storyboard: str
    """An absolute path, or the address of a pack."""
    is_packed: bool
    out: str
    """Where a run puts the film: an absolute folder, or an address."""

    @property
    def full_name(self) -> str:
        """The name that `prefect deployment run` takes."""
        return f"{render_storyboard.name}/{self.name}"

    @property
    def tags(self) -> list[str]:
        """Tags of the deployment and of its runs."""
        return film_tags(self.title, self.version)

    @property
    def description(self) -> str:
        """Markdown for the deployment's page."""
        kept = "packed, so that a run renders what was deployed" if self.is_packed else "read from its file at each run"
        return (
            f"Renders **{escape(self.title)}**, version `{self.version[:12]}`, into {code(self.out)}.\n\n"
            f"The storyboard is {kept}: {code(self.storyboard)}. A take that is in the ledger is not bought again."
        )


async def render_deployment(
    film: FilmDeployment, request: DeploymentRequest, schedules: Sequence[Schedule], pool: Mapping[str, Any] = _NO_POOL
) -> RunnerDeployment:
    """The deployment of a film, in a pool as of `in_pool` or for a runner in this process."""
    return await render_storyboard.ato_deployment(
        film.name,
        schedules=list(schedules),
        # One run of a film at a time: two would only wait for each other's takes.
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=_STRATEGIES[request.overlap]),
        parameters=_parameters(film, request),
        description=film.description,
        tags=film.tags,
        version=film.version[:12],
        # Set explicitly: a runner that ends pauses its deployment.
        paused=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
        **pool,
    )


async def scenes_deployment(film: FilmDeployment, pool: Mapping[str, Any]) -> RunnerDeployment:
    """The deployment of a film's scenes; a run of the film finds it by the name that both share."""
    return await shoot_scene.ato_deployment(
        film.name,
        description=f"Scenes of **{escape(film.title)}**. The film's runs start these runs; do not start one by hand.",
        tags=film.tags,
        version=film.version[:12],
        paused=False,
        entrypoint_type=EntrypointType.MODULE_PATH,
        **pool,
    )


def in_pool(pool: WorkPool, environment: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of a deployment in a pool, whose runs get `environment`."""
    return {"work_pool_name": pool.name, "job_variables": {"env": {**environment, **_RUN_SETTINGS}}}


async def replaced_storyboard(film: FilmDeployment) -> str:
    """The other storyboard that is deployed under the film's name, and is replaced; empty if there is none.

    Storyboards in packs are not compared: nothing in their addresses stays from one version to the next.
    """
    async with get_client() as client:
        try:
            existing = await client.read_deployment_by_name(film.full_name)
        except ObjectNotFound:
            return ""
    given = str(existing.parameters.get("storyboard", film.storyboard))
    if is_remote(given) or is_remote(film.storyboard):
        return ""
    is_same = FilmSource.of(film.storyboard, film.title).is_same_as(FilmSource.of(given, ""))
    return "" if is_same else given


async def register(wanted: RunnerDeployment) -> UUID:
    """Create or update a deployment on the server, and return its id. Raises RunFailed if Prefect refuses it."""
    try:
        created = await wanted.aapply()
    except DeploymentApplyError as error:
        raise RunFailed(f"Prefect refused the deployment: {error}", next="storyreel doctor") from error
    await remove_old_schedules(created, wanted)
    return created


async def remove_old_schedules(created: UUID, wanted: RunnerDeployment) -> None:
    """Delete the schedules of an earlier deployment, which Prefect keeps if the new one has none."""
    if wanted.schedules:
        return
    async with get_client() as client:
        for old in await client.read_deployment_schedules(created):
            await client.delete_deployment_schedule(created, old.id)


async def find_pool(name: str) -> WorkPool:
    """A work pool by name. Raises RunFailed, which lists the pools that exist, if there is none of that name."""
    async with get_client() as client:
        try:
            return await client.read_work_pool(name)
        except ObjectNotFound as missing:
            existing = sorted(pool.name for pool in await client.read_work_pools(limit=_MOST_POOLS))
            hint = f"these exist: {', '.join(existing)}" if existing else "none exists yet"
            create = shlex.join(["prefect", "work-pool", "create", name, "--type", "process"])
            raise RunFailed(f"there is no work pool {shown(name)!r}", hint=hint, next=create) from missing


def _parameters(film: FilmDeployment, request: DeploymentRequest) -> dict[str, Any]:
    """The parameters that were given. Others are left out, so that the form shows the flow's defaults."""
    run = request.run
    given = {
        "storyboard": film.storyboard,
        "provider": run.provider,
        "vars": run.vars or None,
        "select": terms_of(run.selection) or None,
        "budget": run.budget.exactly if run.budget else None,
        "out": film.out,
        "spread": None if request.spread == "none" else request.spread,
    }
    return {name: value for name, value in given.items() if value is not None}
