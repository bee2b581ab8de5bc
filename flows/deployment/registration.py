"""Prefect deployments of the two flows for one film: built, created, and changed only in what was named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions, VersionInfo, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from pydantic import Field

from storyreel.flows.deployment.form import NO_FORM, form_of
from storyreel.flows.deployment.request import STRATEGIES, DeploymentRequest, FilmDeployment, Overlap
from storyreel.flows.deployment.schedules import ScheduleChanges
from storyreel.flows.errors import RunFailed
from storyreel.flows.lifecycle.automations import HEARTBEAT_SECONDS
from storyreel.flows.markdown import escape
from storyreel.flows.names import DRAFT_TAG
from storyreel.flows.planning.selection import terms_of
from storyreel.flows.production.ceiling import STEP, Ceiling
from storyreel.flows.render import render_storyboard
from storyreel.flows.scene import shoot_scene
from storyreel.flows.servers.prefect_settings import prefect_command
from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import shown

RUN_SETTINGS: Mapping[str, str] = {
    # Requests of Prefect's engine are repeated for some eight minutes and not for one: a run whose server is away when
    # it begins would end with a state that nobody picks up.
    "PREFECT_CLIENT_MAX_RETRIES": "8",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
}
"""Prefect's settings for the process of a run."""
NOT_SERVED = "storyreel: not served"
"""Tag of a deployment that `storyreel serve` paused when it ended: serving the film again ends that pause, no other."""
_OUR_TAGS = ("film:", "version:")
_DESCRIPTION = ("Renders **", "Scenes of **")
"""Beginnings of the descriptions that are written here. One that a person has written is kept."""
_MOST_POOLS = 20
"""Work pools that a message lists."""


class Registration(Frozen):
    """A deployment as it is wanted."""

    flow: str
    entrypoint: str
    """The flow's module path."""
    name: str
    version: str
    description: str
    tags: tuple[str, ...]
    parameters: dict[str, Any]
    form: dict[str, Any]
    """JSON Schema of the parameters of a run."""
    ceiling: Ceiling
    pool: str = ""
    """Empty for one that is served by a process."""
    environment: dict[str, str] = Field(default={})
    """Variables of its runs in a pool."""
    overlap: Overlap | None = None
    """Set for one run at a time: a run that is due meanwhile waits or is skipped."""
    resets: bool = False
    """Whether variables that it had before and that are not set any more are removed."""

    @property
    def full_name(self) -> str:
        return f"{self.flow}/{self.name}"


def render_registration(
    film: FilmDeployment, request: DeploymentRequest, environment: Mapping[str, str]
) -> Registration:
    """The deployment of a film. Raises StoryboardError if it cannot be read for its form."""
    return _registration(
        render_storyboard,
        film,
        request,
        environment,
        description=film.description,
        form=form_of(request),
        parameters=_parameters(film, request),
        # One run of a film at a time: two would only wait for each other's takes.
        overlap=request.overlap,
    )


def scenes_registration(
    film: FilmDeployment, request: DeploymentRequest, environment: Mapping[str, str]
) -> Registration:
    """The deployment of a film's scenes; a run of the film finds it by the name that both share."""
    text = f"Scenes of **{escape(film.title)}**. The film's runs start these runs; do not start one by hand."
    return _registration(shoot_scene, film, request, environment, description=text, form=NO_FORM, parameters={})


def _registration(
    flow: Flow[..., Any],
    film: FilmDeployment,
    request: DeploymentRequest,
    environment: Mapping[str, str],
    **more: Any,
) -> Registration:
    return Registration(
        flow=flow.name,
        entrypoint=f"{flow.fn.__module__}.{flow.fn.__name__}",
        name=film.name,
        version=film.version[:12],
        tags=tuple(film.tags),
        ceiling=request.ceiling,
        pool=request.options.pool,
        environment={**environment, **RUN_SETTINGS} if request.options.pool else {},
        resets=request.options.reset,
        **more,
    )


async def read_deployments(names: Iterable[str]) -> dict[str, DeploymentResponse]:
    """The deployments of these full names, by name, without those that do not exist."""
    found = {}
    async with get_client() as client:
        for name in dict.fromkeys(names):
            try:
                found[name] = await client.read_deployment_by_name(name)
            except ObjectNotFound:
                continue
    return found


async def register(
    wanted: Registration, current: DeploymentResponse | None, schedules: ScheduleChanges
) -> DeploymentResponse:
    """Create a deployment, or change the `current` one; returns it as it then is.

    A pause stays, unless it is that of a film that was served. So do tags, variables and pull steps of others, and the
    limit of runs. Raises RunFailed if Prefect refuses it.
    """
    async with get_client() as client:
        try:
            if current is None:
                return await client.read_deployment(await _create(client, wanted, schedules.added))
            await client.update_deployment(current.id, DeploymentUpdate(**_changed(wanted, current)))
            for old in schedules.removed:
                await client.delete_deployment_schedule(current.id, old.id)
            if schedules.added:
                await client.create_deployment_schedules(current.id, list(schedules.added))
            return await client.read_deployment(current.id)
        except httpx.HTTPStatusError as error:
            detail = _detail(error.response)
            raise RunFailed(f"Prefect refused the deployment: {detail}", next="storyreel doctor") from error


async def pause_unserved(deployment: UUID) -> None:
    """Pause a deployment that is not served any more, and mark it so, unless it is paused already."""
    async with get_client() as client:
        current = await client.read_deployment(deployment)
        if not current.paused:
            tags = [*current.tags, NOT_SERVED]
            await client.update_deployment(deployment, DeploymentUpdate(paused=True, tags=tags))


def ends_pause(current: DeploymentResponse) -> bool:
    """Whether a pause ends when the film is served or deployed again: it was not served, and no person paused it."""
    # Earlier versions paused without a mark; they stored no ceiling either.
    before = current.work_pool_name is None and not _holds_ceiling(current)
    return current.paused and (NOT_SERVED in current.tags or before)


async def find_pool(name: str) -> WorkPool:
    """A work pool by name. Raises RunFailed, which lists the pools that exist, if there is none of that name."""
    async with get_client() as client:
        try:
            return await client.read_work_pool(name)
        except ObjectNotFound as missing:
            existing = sorted(pool.name for pool in await client.read_work_pools(limit=_MOST_POOLS))
            hint = f"these exist: {', '.join(existing)}" if existing else "none exists yet"
            create = prefect_command("work-pool", "create", name, "--type", "process")
            raise RunFailed(f"there is no work pool {shown(name)!r}", hint=hint, next=create) from missing


def environment_of(current: DeploymentResponse | None) -> dict[str, str]:
    """The variables that the runs of a deployment get."""
    return dict(current.job_variables.get("env") or {}) if current else {}


def new_environment(wanted: Registration, current: DeploymentResponse) -> dict[str, str]:
    """The variables that its runs will get: those that are set now, and others that it had before."""
    return wanted.environment if wanted.resets else {**environment_of(current), **wanted.environment}


async def _create(client: PrefectClient, wanted: Registration, schedules: Iterable[DeploymentScheduleCreate]) -> UUID:
    strategy = _strategy(wanted.overlap)
    pool: dict[str, Any] = {}
    if wanted.pool:
        pool = {"work_pool_name": wanted.pool, "job_variables": {"env": wanted.environment}}
    return await client.create_deployment(
        flow_id=await client.create_flow_from_name(wanted.flow),
        name=wanted.name,
        paused=False,
        schedules=list(schedules),
        concurrency_limit=1 if strategy else None,
        concurrency_options=strategy,
        enforce_parameter_schema=True,
        **pool,
        **_always(wanted, None),
    )


def _changed(wanted: Registration, current: DeploymentResponse) -> dict[str, Any]:
    changed = _always(wanted, current)
    if wanted.pool:
        changed["job_variables"] = {**current.job_variables, "env": new_environment(wanted, current)}
    if wanted.pool != (current.work_pool_name or ""):  # the same pool named again would take it out of its queue
        changed["work_pool_name"] = wanted.pool or None
    strategy = _strategy(wanted.overlap)
    if strategy and (current.concurrency_options is None or current.global_concurrency_limit is None):
        changed["concurrency_limit"] = 1
    if strategy and current.concurrency_options != strategy:
        grace = current.concurrency_options and current.concurrency_options.grace_period_seconds
        changed["concurrency_options"] = strategy.model_copy(update={"grace_period_seconds": grace})
    if ends_pause(current):
        changed["paused"] = False
    return changed


def _always(wanted: Registration, current: DeploymentResponse | None) -> dict[str, Any]:
    """The fields that each deployment sets, with additions of others to the `current` one."""
    ours = (NOT_SERVED, DRAFT_TAG)
    tags = [tag for tag in current.tags if tag not in ours and not tag.startswith(_OUR_TAGS)] if current else []
    steps = [step for step in (current.pull_steps if current else None) or [] if STEP not in step]
    is_ours = current is None or not current.description or current.description.startswith(_DESCRIPTION)
    return {
        "version": wanted.version,
        "version_info": VersionInfo(type="prefect:simple", version=wanted.version),
        "entrypoint": wanted.entrypoint,
        "path": ".",
        "description": wanted.description if is_ours else current and current.description,
        "tags": [*dict.fromkeys((*wanted.tags, *tags))],
        "parameters": wanted.parameters,
        "parameter_openapi_schema": wanted.form,
        "pull_steps": [*steps, wanted.ceiling.step],
    }


def _strategy(overlap: Overlap | None) -> ConcurrencyOptions | None:
    named = next((name for name, ours in STRATEGIES.items() if ours == overlap), None)
    return ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(named)) if named else None


def _holds_ceiling(current: DeploymentResponse) -> bool:
    return any(STEP in step for step in current.pull_steps or ())


def _detail(response: httpx.Response) -> str:
    try:
        return shown(str(response.json()["detail"]), 300)
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"


def _parameters(film: FilmDeployment, request: DeploymentRequest) -> dict[str, Any]:
    """The parameters that were given. Others are left out, so that the form shows the flow's defaults."""
    run, options = request.run, request.options
    budget = options.budget.exactly if options.budget else None if options.no_budget else request.kept.get("budget")
    ours = {
        "storyboard": film.storyboard,
        "provider": run.provider,
        "vars": run.vars or None,
        "select": terms_of(run.selection) or None,
        "budget": budget,
        "out": film.out,
        "spread": None if request.spread == "none" else request.spread,
        "draft": run.draft or None,
        "deliverables": list(run.deliverables) or None,
    }
    others = {name: value for name, value in request.kept.items() if name not in ours}
    return others | {name: value for name, value in ours.items() if value is not None}
