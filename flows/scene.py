"""The flow `shoot scene`: makes, inspects and conforms the takes of one scene, which the film's run joins."""

from __future__ import annotations

import asyncio

from prefect import flow
from prefect.runtime import flow_run

from storyreel.flows.lifecycle.automations import continuable
from storyreel.flows.lifecycle.cancellation import stop_handler, stoppable
from storyreel.flows.lifecycle.deployed import was_begun_by
from storyreel.flows.lifecycle.final_state import completed, fails_in_words
from storyreel.flows.monitoring.logs import make_logs_legible
from storyreel.flows.monitoring.observe import observe_run
from storyreel.flows.names import film_tags, retagged
from storyreel.flows.packs import version_of
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.agreement import check_agreed, held_to
from storyreel.flows.production.ceiling import ceiling_of_scene_run
from storyreel.flows.production.outcomes import ShotsFailed, once_spoken
from storyreel.flows.production.report import run_links
from storyreel.flows.production.scene_runs import SCENE_FLOW
from storyreel.flows.production.shutdown import orderly_shutdown
from storyreel.flows.production.slots.places import open_places
from storyreel.flows.production.slots.service_limits import active_limits, limits_of_takes
from storyreel.flows.production.takes import begin_takes
from storyreel.flows.review.suspend import approved_ceiling
from storyreel.flows.servers.prefect_internals import name_flow_run
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.budget import Limit
from storyreel.tasks.studio import open_studio
from storyreel.tasks.threads import in_own_thread


@flow(name=SCENE_FLOW)
@stoppable
@fails_in_words
@continuable
async def shoot_scene(
    storyboard: str,
    scene: str,
    of_run: str,
    provider: str | None = None,
    vars: dict[str, str] | None = None,
    select: list[str] | None = None,
    limits: list[Limit] | None = None,
    agreed: list[str] | None = None,
    draft: bool = False,
    deliverables: list[str] | None = None,
) -> None:
    """Make one scene of a film. The film's run starts it with all parameters; do not start it yourself.

    Args:
        storyboard: The YAML file. In a run that a person starts it names no files outside of its folder.
        scene: The scene's number.
        of_run: The film's flow run, whose budget counts the orders of the scene.
        provider: As in the film's run.
        vars: As in the film's run.
        select: The shots to make; the animatic stands in for others.
        limits: The budgets of the film's run; none is above that of the deployment, or the approved one.
        agreed: The takes that may be bought, by the first 12 digits of their keys. Without it, none.
        draft: As in the film's run.
        deliverables: As in the film's run.

    Raises StoryboardError and NotAgreed before anything is made, and ShotsFailed after all else is finished.
    """
    make_logs_legible()
    home = Home.of()
    request = RunRequest(
        storyboard=storyboard,
        provider=provider,
        vars=vars or {},
        selection=tuple(select or ()),
        draft=draft,
        deliverables=tuple(deliverables or ()),
    )
    is_of_film = await was_begun_by(of_run)
    planner = await asyncio.to_thread(Planner.of, request, home, confined=not is_of_film)
    plan = await in_own_thread(planner.plan)
    plan = held_to(plan, agreed or [])
    # The film's run makes the speech, and what hangs on a line that could not be made.
    planned = [take for take in once_spoken(plan) if take.scene == scene]
    scene_plan = plan.model_copy(update={"takes": tuple(planned)})
    # A run that was started by hand is held to the deployment's, whatever was approved for the run that it names.
    ceiling = (await approved_ceiling(of_run) if is_of_film else None) or await ceiling_of_scene_run()
    may_order = (agreed or []) if ceiling.allows_purchases and (is_of_film or not ceiling.counts_film) else []
    check_agreed(scene_plan, may_order)
    version = await asyncio.to_thread(version_of, planner.film)
    services = {take.request.provider for take in planned}
    tags = retagged(flow_run.tags, film_tags(plan.title, version, services, is_draft=draft))
    await name_flow_run(str(flow_run.name), tags)
    limited = await active_limits(limits_of_takes(plan.unmade), is_deployed=True)
    async with (
        open_places(limited, is_deployed=True) as places,
        open_studio(home, plan.services, asked=plan.asked_services, places=places) as studio,
    ):
        stop_handler().use_studio(studio)
        takes = await begin_takes(plan, studio, of_run, ceiling.over(limits or ()), may_order)
        async with (
            orderly_shutdown(plan, takes, studio),
            observe_run(scene_plan, takes, studio, await run_links(home), f"scene {scene}"),
        ):
            if failures := await takes.run_all(planned):
                raise ShotsFailed(failures, len({take.shot for take in planned}))
        return completed(None, await takes.tally())
