"""Registers films for the workers of a pool: packs them, sets their limits and automations, creates deployments."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from prefect.client.schemas.responses import DeploymentResponse

from storyreel.flows.deployment import registration
from storyreel.flows.deployment.changes import Change, changes, describe_ceiling
from storyreel.flows.deployment.environment import WorkerEnvironment, worker_environment
from storyreel.flows.deployment.registration import Registration
from storyreel.flows.deployment.request import DeploymentRequest, FilmDeployment, Overlap, Spread, other_storyboard
from storyreel.flows.deployment.schedules import ScheduleChanges, change_schedules, describe
from storyreel.flows.errors import NotAllowed
from storyreel.flows.lifecycle import automations
from storyreel.flows.packs import PackError, pack, pack_address, version_of
from storyreel.flows.production.film_folder import FilmSource, film_folder
from storyreel.flows.production.slots.lost_slots import LostSlots, release_lost_slots
from storyreel.flows.production.slots.service_limits import ServiceLimit, ensure_limits
from storyreel.flows.servers.prefect_settings import prefect_command
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
    """All schedules that it has now."""
    overlap: Overlap
    spread: Spread
    budget: str
    """The most that its runs may spend."""
    limits: tuple[ServiceLimit, ...]
    released: tuple[LostSlots, ...] = ()
    """Slots of these limits that were taken, and that no run held."""
    paused: tuple[str, ...]
    """Automations that exist and that a user has paused."""
    is_paused: bool
    """Whether the deployment is paused: its schedules begin no runs."""
    paused_schedules: tuple[str, ...]
    environment: dict[str, str]
    withheld: tuple[str, ...]
    """Variables that a worker needs and that are stored nowhere."""
    for_new_takes: tuple[str, ...]
    """The keys among them of services whose takes are all made: needed once a retake or other words ask for more."""
    page: str
    changes: tuple[Change, ...] = ()
    """Differences from before; empty for a new deployment."""
    unnamed_schedules: tuple[str, ...] = ()
    """Schedules that stay although they were not named."""
    replaced: str = ""
    """Another storyboard that was deployed under the name; empty if none was."""
    worker: str
    """The command that starts a worker."""
    run: str
    """The command that runs the deployment at once."""

    def as_json(self) -> dict[str, Any]:
        """The form that `deploy --json` prints."""
        return self.model_dump(mode="json")


class Prepared(NamedTuple):
    """A film that is about to be registered, and what will change."""

    request: DeploymentRequest
    film: FilmDeployment
    environment: WorkerEnvironment
    current: DeploymentResponse | None
    schedules: ScheduleChanges
    registration: Registration
    replaced: str

    @property
    def changes(self) -> tuple[Change, ...]:
        """The differences from the deployment that exists; empty if there is none."""
        return changes(self.current, self.registration, self.schedules) if self.current else ()


async def prepare(requests: Sequence[DeploymentRequest], existing: Mapping[str, DeploymentResponse]) -> list[Prepared]:
    """Check everything that a deployment of these films needs, and find out what it will change. Changes nothing.

    `existing` are those that the server has, by their full names. Raises StoryboardError, BucketError, FolderTaken, and
    RunFailed if a pool does not exist.
    """
    names = {request.options.pool for request in requests}
    types = {name: (await registration.find_pool(name)).type for name in sorted(names)}
    return apart(
        [
            await asyncio.to_thread(prepared, each, existing, is_process_pool=types[each.options.pool] == "process")
            for each in requests
        ]
    )


def prepared(
    request: DeploymentRequest, existing: Mapping[str, DeploymentResponse], *, is_process_pool: bool
) -> Prepared:
    """Prepare one film, for a pool of processes or another one. Raises StoryboardError, BucketError and FolderTaken."""
    options = request.options
    film = film_deployment(request)
    current = existing.get(film.full_name)
    environment = worker_environment(request.services, in_process_pool=is_process_pool)
    return Prepared(
        request=request,
        film=film,
        environment=environment,
        current=current,
        schedules=change_schedules(
            current.schedules if current else (), options.schedules, removes=options.no_schedule
        ),
        registration=registration.render_registration(film, request, environment.variables),
        replaced=other_storyboard(film.storyboard, film.title, current),
    )


async def carry_out(prepared: Prepared, page: str) -> Deployed:
    """Register a film. `page` is the server's pages URL. Raises BucketError, PackError, and RunFailed."""
    request, film = prepared.request, prepared.film
    if film.is_packed:
        await asyncio.to_thread(send_pack, request, film)
    limits = await ensure_limits(request.limits, request.options.limits)
    released = await release_lost_slots(request.limits)
    status = await automations.ensure_automations(request.options.lost_after)
    scenes = registration.scenes_registration(film, request, prepared.environment.variables)
    existing = await registration.read_deployments([scenes.full_name])
    # Before the film itself, whose first run looks for it. One that exists gets the new ceiling in any case.
    if existing or request.spread == "scenes":
        await registration.register(scenes, existing.get(scenes.full_name), ScheduleChanges(()))
    done = await registration.register(prepared.registration, prepared.current, prepared.schedules)
    keys = {name: load(name).missing_variable({}) for name in request.paid_services}
    return Deployed(
        deployment=film.full_name,
        id=str(done.id),
        version=film.version,
        pool=request.options.pool,
        storyboard=film.storyboard,
        packed=film.is_packed,
        out=film.out,
        schedules=prepared.schedules.descriptions,
        overlap=request.overlap,
        spread=request.spread,
        budget=describe_ceiling(request.ceiling),
        limits=tuple(limits),
        released=tuple(released),
        paused=tuple(one.name for one in status if not one.enabled),
        is_paused=done.paused,
        paused_schedules=prepared.schedules.paused,
        environment=prepared.environment.variables,
        withheld=(*prepared.environment.withheld, *keys.values()),
        for_new_takes=tuple(key for name, key in keys.items() if name in request.finished_services),
        page=f"{page}/deployments/deployment/{done.id}",
        changes=prepared.changes,
        unnamed_schedules=tuple(describe(each.schedule) for each in prepared.schedules.unnamed),
        replaced=prepared.replaced,
        worker=shlex.join(["storyreel", "worker", "--pool", request.options.pool]),
        run=prefect_command("deployment", "run", film.full_name),
    )


def apart(films: list[Prepared]) -> list[Prepared]:
    """Return the deployments. Raises NotAllowed if two of them would put different films into one folder.

    One storyboard with other variables is another film, which would replace the first at each run.
    """
    taken: dict[str, Prepared] = {}
    for each in films:
        other = taken.setdefault(each.film.out, each)
        runs = [one.request.run for one in (other, each)]
        places = {FilmSource.of(run.storyboard, "").place for run in runs}
        if len(places) > 1 or runs[0].vars != runs[1].vars:
            two = f"{other.film.full_name} and {each.film.full_name}"
            raise NotAllowed(f"{two} would both put their films into {each.film.out}", hint="give each its own `out`")
    return films


def film_deployment(request: DeploymentRequest) -> FilmDeployment:
    """The film as it is deployed; with a bucket as a pack, which `send_pack` stores.

    Raises StoryboardError, BucketError and FolderTaken.
    """
    bucket = request.options.bucket
    file = Path(request.run.storyboard).expanduser().absolute()
    version = version_of(read(file, request.run.vars))
    storyboard = pack_address(bucket, version) if bucket else str(file)
    return FilmDeployment(
        title=request.plan.title,
        name=request.name,
        version=version,
        storyboard=storyboard,
        is_packed=bool(bucket),
        is_draft=request.run.draft,
        out=_out(request, bucket, FilmSource.of(storyboard, request.plan.title, file.name)),
    )


def send_pack(request: DeploymentRequest, film: FilmDeployment) -> None:
    """Store a film in its bucket. Raises BucketError, and PackError if it is not the film any more that was read."""
    file = Path(request.run.storyboard).expanduser().absolute()
    assert request.options.bucket
    if pack(file, request.options.bucket, request.run.vars).version != film.version:
        raise PackError.in_file(file, "it changed while it was deployed", "deploy it again")


def _out(request: DeploymentRequest, bucket: str | None, source: FilmSource) -> str:
    """The place of the finished film: an absolute folder or an address, the same wherever a run is executed."""
    within = f"{bucket.rstrip('/')}/films" if bucket else ""
    out = str(film_folder(request.run.out, source, within))
    return out if is_remote(out) else str(Path(out).expanduser().absolute())
