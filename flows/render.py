"""The flow: a storyboard becomes a sequence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast
from uuid import UUID

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Cancelled
from pydantic import Field

from storyreel.flows.lifecycle import automations
from storyreel.flows.lifecycle.cancellation import stop_handler, stoppable
from storyreel.flows.lifecycle.deployed import is_deployed
from storyreel.flows.monitoring.observe import log_what_is_ahead, observed
from storyreel.flows.names import default_folder, film_tags, run_name
from storyreel.flows.packs import version_of
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.agreement import agreed_keys, check_agreed, check_consent
from storyreel.flows.production.delivery import Delivery, delivery
from storyreel.flows.production.finish import Finishing
from storyreel.flows.production.outcomes import Failure
from storyreel.flows.production.report import Origin, Rendering
from storyreel.flows.production.scene_runs import shoot_scenes
from storyreel.flows.production.service_limits import limited, to_be_held
from storyreel.flows.production.shutdown import ended_in_order
from storyreel.flows.production.takes import begin
from storyreel.flows.review.model import ReviewNeeded
from storyreel.flows.review.suspend import Approval, unapproved_shots
from storyreel.flows.servers.prefect_internals import name_flow_run
from storyreel.specs.errors import StoryreelError
from storyreel.specs.money import parse_money
from storyreel.tasks import providers
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.budget import BudgetExceeded
from storyreel.tasks.studio import open_studio


class ShotsFailed(StoryreelError):
    """Some shots could not be made; everything else was finished and is kept."""

    def __init__(self, failures: Sequence[Failure], shots: int) -> None:
        self.failures, self.shots = tuple(failures), shots
        failed = len({failure.shot for failure in failures})
        lines = [f"{failed} of {shots} shots could not be made; what was finished is kept"]
        super().__init__("\n".join((*lines, *(f"  {failure}" for failure in failures))))

    @property
    def is_budget(self) -> bool:
        """Whether a budget that others used up meanwhile is all that stood in the way."""
        causes = [failure for failure in self.failures if failure.service or failure.is_budget]
        return bool(causes) and all(failure.is_budget for failure in causes)


class Job(NamedTuple):
    """What a run has to do."""

    planner: Planner
    origin: Origin
    plan: Plan


_Service = Annotated[str, Field(json_schema_extra={"enum": list(providers.names())})]
_Amount = Annotated[str, Field(pattern=r"^[^\d]*\d+(\.\d+)?[^\d]*$", examples=["20 USD", "150 CNY"])]
"""One amount, somehow written; `parse_money` says exactly how."""


def _run_name() -> str:
    """By its file, until the storyboard is read and says what the film is called."""
    return run_name(Path(flow_run.parameters["storyboard"]).stem, datetime.now())


@flow(name="render storyboard", flow_run_name=_run_name)
@stoppable
async def render_storyboard(
    storyboard: Annotated[str, Field(min_length=1, examples=["/films/the-keeper.yaml"])],
    provider: _Service | None = None,
    vars: dict[str, str] | None = None,
    select: list[str] | None = None,
    budget: _Amount | None = None,
    out: str | None = None,
    spread: Literal["none", "scenes"] = "none",
    agreed: list[str] | None = None,
    buy: bool = False,
) -> Rendering:
    """Render a storyboard into a sequence.

    Args:
        storyboard: The YAML file: a path on the machine that renders, an address such as `s3://films/film.yaml`,
            or that of a pack.
        provider: A service that makes all shots, whatever they say. Left out, each shot goes to its own.
        vars: Other words for the storyboard's vars, for example `{"city": "Lyon"}`. Its other words stay as they are.
        select: The shots to make: `1B`, `1A+`, `scene:2`, `state:new`, `changed`. The animatic stands in for others.
            All when left out.
        budget: What this run may cost at most, `20 USD`; the storyboard's own budget when left out.
        out: The folder or address that the sequence goes to; `renders/<title>` when left out.
        spread: `scenes`: each scene is a run of its own, on any worker of the pool. Only deployed runs can do that.
        agreed: For `storyreel render`, which shows a plan before; leave it out. The takes that may be bought, by the
            first 12 letters of their keys.
        buy: For calls from Python, which buy nothing without a budget unless this is true. A deployed run was agreed to
            when it was deployed.

    Raises SettingsError, StoryboardError, BucketError, NothingSelected, BudgetExceeded, NotAllowed, NotAgreed and
    LimitMissing before anything is made, and ShotsFailed and ReviewNeeded after all else is finished. A deployed run is
    suspended with a form in the place of BudgetExceeded and ReviewNeeded, and raises NotApproved when the answer is no.
    A subflow is not suspended, also where its parent is deployed.
    """
    if is_deployed() and flow_run.run_count > 1 and not await automations.may_continue(UUID(flow_run.id)):
        # A state that a flow returns is its own: the run ends as whoever cancelled it wanted.
        return cast("Rendering", Cancelled(message="it was cancelled before its process ended"))
    home = Home.of()
    most = parse_money(budget) if budget else None
    request = RunRequest(
        storyboard=storyboard,
        provider=provider,
        vars=vars or {},
        selection=tuple(select or ()),
        budget=most,
        out=out,
    )
    planner = await asyncio.to_thread(Planner.of, request, home)
    origin = Origin(storyboard=storyboard, version=await asyncio.to_thread(version_of, planner.film))
    approval = await Approval.begin(planner)
    planner = planner.with_limits(approval.limits(planner.limits))
    try:
        plan, limits, excess = planner.plan_within_budget(str(flow_run.id))
        # Before an excess is raised, so that a run that is suspended over it is found by its film.
        services = {take.request.provider for take in plan.takes}
        await name_flow_run(run_name(plan.title, datetime.now()), film_tags(plan.title, origin.version, services))
        if excess:
            raise excess
        if agreed is not None:
            check_agreed(plan, agreed)
        elif not is_deployed():
            check_consent(plan, limits, buy=buy)
        log_what_is_ahead(plan)
        scenes = None
        if spread == "scenes" and is_deployed():
            may_buy = agreed_keys(plan) if agreed is None else agreed
            held = [limit.model_dump(mode="json") for limit in limits]
            scenes = {"storyboard": storyboard, "provider": provider, "vars": vars, "limits": held, "agreed": may_buy}
        with delivery(out or default_folder(plan.title), home) as way_out:
            await asyncio.to_thread(way_out.make_sure)
            return await _shoot(Job(planner, origin, plan), way_out, scenes)
    except ReviewNeeded as needed:
        needed.next = request.model_copy(update={"selection": ()}).command("review")
        await approval.ask_to_review(needed)
        raise
    except (BudgetExceeded, ShotsFailed) as excess:
        if isinstance(excess, BudgetExceeded):
            excess.next = request.command_within_budget(excess.fits)
        else:
            excess.next = request.command()
        if isinstance(excess, BudgetExceeded) or excess.is_budget:
            await approval.ask_for_budget(excess)
        raise


async def _shoot(job: Job, way_out: Delivery, scenes: dict[str, Any] | None) -> Rendering:
    """Carry out a plan; `scenes` is what runs of single scenes are told, where there are to be any."""
    plan, run = job.plan, str(flow_run.id)
    holding = await limited(to_be_held(plan), is_deployed=is_deployed())
    async with open_studio(job.planner.home, plan.services, limited=holding) as studio:
        stop_handler().use_studio(studio)
        shooting = await begin(plan, studio, run, job.planner.limits)
        if scenes and await shoot_scenes(plan, shooting.is_there, scenes):
            plan = job.planner.refreshed(plan)
            shooting = await begin(plan, studio, run, job.planner.limits)
        async with ended_in_order(plan, shooting, studio), observed(plan, shooting, studio.ledger) as observation:
            if failures := await shooting.all():
                raise ShotsFailed(failures, len(plan.cut.events))
            if unapproved := await unapproved_shots(plan, shooting, studio.ledger):
                raise ReviewNeeded(unapproved, len(plan.cut.events))
            finishing = Finishing(job.planner.film, plan, shooting, way_out)
            master = await finishing.join()
            made = await finishing.leave(master, job.origin, studio.ledger, run)
            await asyncio.to_thread(way_out.deliver)
            await observation.finished(made, way_out.folder)
            return made
