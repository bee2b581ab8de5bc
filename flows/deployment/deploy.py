"""Registers a film for the workers of a pool: packs it, sets its limits and automations, and creates its deployment."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect.schedules import Schedule

from storyreel.flows.deployment import registration
from storyreel.flows.deployment.environment import worker_environment
from storyreel.flows.deployment.form import NO_FORM, form_of, publish_form
from storyreel.flows.deployment.registration import DeploymentRequest, FilmDeployment, Overlap, Spread
from storyreel.flows.deployment.schedules import describe
from storyreel.flows.lifecycle import automations
from storyreel.flows.names import deployment_name
from storyreel.flows.packs import pack, version_of
from storyreel.flows.production.film_folder import FilmSource, film_folder
from storyreel.flows.production.service_limits import ServiceLimit, ensure_limits
from storyreel.flows.servers.choose import lasting_server
from storyreel.flows.terminal import Terminal
from storyreel.specs.frozen import Frozen
from storyreel.specs.reading import read
from storyreel.specs.storyboard import is_remote
from storyreel.tasks.providers import load


class Deployed(Frozen):
    """A registered film. Field names are those of `deploy --json`."""

    deployment: str
    id: str
    version: str
    pool: str
    storyboard: str
    packed: bool
    out: str
    schedules: tuple[str, ...]
    overlap: Overlap
    spread: Spread
    limits: tuple[ServiceLimit, ...]
    paused: tuple[str, ...]
    """Automations that exist and that a user has paused."""
    environment: dict[str, str]
    withheld: tuple[str, ...]
    """Variables that a worker needs and that are stored nowhere."""
    page: str
    replaced: str = ""
    """Another storyboard that was deployed under the name; empty if none was."""

    @property
    def worker(self) -> str:
        """The command that starts a worker."""
        return shlex.join(["prefect", "worker", "start", "--pool", self.pool])

    @property
    def run(self) -> str:
        """The command that runs the deployment at once."""
        return shlex.join(["prefect", "deployment", "run", self.deployment])

    def as_json(self) -> dict[str, Any]:
        """The form that `deploy --json` prints."""
        return {**self.model_dump(mode="json"), "worker": self.worker, "run": self.run}


def deploy(
    request: DeploymentRequest, pool: str, schedules: Sequence[Schedule], bucket: str | None, console: Terminal
) -> Deployed:
    """Register a film for the workers of a pool, packed into `bucket` if one is given.

    Raises StoryboardError, BucketError, FolderTaken, and RunFailed if no Prefect server answers or it has no such pool.
    """
    with console.status("deploying"), lasting_server() as page:
        return asyncio.run(_deploy(request, pool, schedules, bucket, page))


def film_deployment(request: DeploymentRequest, bucket: str | None = None) -> FilmDeployment:
    """The film as it is deployed, packed if there is a bucket. Raises StoryboardError, BucketError and FolderTaken."""
    file = Path(request.run.storyboard).expanduser().absolute()
    packed = pack(file, bucket, request.run.vars) if bucket else None
    return FilmDeployment(
        title=request.plan.title,
        name=request.name or deployment_name(request.plan.title),
        version=packed.version if packed else version_of(read(file, request.run.vars)),
        storyboard=packed.address if packed else str(file),
        is_packed=packed is not None,
        out=_out(request, bucket, FilmSource.of(packed.address if packed else file, request.plan.title, file.name)),
    )


async def _deploy(
    request: DeploymentRequest, pool_name: str, schedules: Sequence[Schedule], bucket: str | None, page: str
) -> Deployed:
    # First of all the pool: without it nothing is packed or created.
    pool = await registration.find_pool(pool_name)
    form = await asyncio.to_thread(form_of, request)
    film = await asyncio.to_thread(film_deployment, request, bucket)
    replaced = await registration.replaced_storyboard(film)
    environment = worker_environment(request.plan.services, in_process_pool=pool.type == "process")
    limits = await ensure_limits(request.paid_services, request.limits)
    status = await automations.ensure_automations(request.lost_after)
    in_pool = registration.in_pool(pool, environment.variables)
    if request.spread == "scenes":  # before the film itself, whose first run looks for it
        scenes = await registration.register(await registration.scenes_deployment(film, in_pool))
        await publish_form(scenes, NO_FORM)
    wanted = await registration.render_deployment(film, request, schedules, in_pool)
    created = await registration.register(wanted)
    await publish_form(created, form)
    return Deployed(
        deployment=film.full_name,
        id=str(created),
        version=film.version,
        pool=pool.name,
        storyboard=film.storyboard,
        packed=film.is_packed,
        out=film.out,
        schedules=tuple(map(describe, schedules)),
        overlap=request.overlap,
        spread=request.spread,
        limits=tuple(limits),
        paused=tuple(one.name for one in status if not one.enabled),
        environment=environment.variables,
        withheld=(*environment.withheld, *(load(name).missing_variable({}) for name in request.paid_services)),
        page=f"{page}/deployments/deployment/{created}",
        replaced=replaced,
    )


def _out(request: DeploymentRequest, bucket: str | None, source: FilmSource) -> str:
    """An absolute folder or an address, so that it does not depend on where a run is executed."""
    within = f"{bucket.rstrip('/')}/films" if bucket else ""
    out = str(film_folder(request.run.out, source, within))
    return out if is_remote(out) else str(Path(out).expanduser().absolute())
