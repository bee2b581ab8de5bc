"""One scene of a film as a run of its own: its takes are made, looked at and conformed; its film's run joins them."""

from __future__ import annotations

import asyncio

from prefect import flow

from storyreel.flows.lifecycle.cancellation import stop_handler, stoppable
from storyreel.flows.monitoring.observe import observed
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.agreement import check_agreed
from storyreel.flows.production.scene_runs import SCENE_FLOW
from storyreel.flows.production.service_limits import limited, to_be_held
from storyreel.flows.production.shutdown import ended_in_order
from storyreel.flows.production.takes import begin
from storyreel.flows.render import ShotsFailed
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.budget import Limit
from storyreel.tasks.studio import open_studio


@flow(name=SCENE_FLOW)
@stoppable
async def shoot_scene(
    storyboard: str,
    scene: str,
    of_run: str,
    provider: str | None = None,
    vars: dict[str, str] | None = None,
    select: list[str] | None = None,
    limits: list[Limit] | None = None,
    agreed: list[str] | None = None,
) -> None:
    """Make one scene of a film for the film's run, which gives all parameters: nobody needs to fill these in.

    Args:
        storyboard: The YAML file.
        scene: The scene's number.
        of_run: The film's flow run, whose budget its orders count in.
        provider: As the film's run has it.
        vars: As the film's run has them.
        select: The shots that are made at all; the animatic stands in for others.
        limits: The budgets that hold for the film's run.
        agreed: The takes that may be bought, by the first 12 letters of their keys.

    Raises StoryboardError and NotAgreed before anything is made, and ShotsFailed after all else is finished.
    """
    home = Home.of()
    request = RunRequest(storyboard=storyboard, provider=provider, vars=vars or {}, selection=tuple(select or ()))
    planner = await asyncio.to_thread(Planner.of, request, home)
    plan = planner.plan()
    takes = [take for take in plan.takes if take.scene == scene]
    of_scene = plan.model_copy(update={"takes": tuple(takes)})
    if agreed is not None:
        check_agreed(of_scene, agreed)
    holding = await limited(to_be_held(plan), is_deployed=True)
    async with open_studio(home, plan.services, limited=holding) as studio:
        stop_handler().use_studio(studio)
        shooting = await begin(plan, studio, of_run, limits or ())
        async with (
            ended_in_order(plan, shooting, studio),
            observed(of_scene, shooting, studio.ledger, f"scene {scene}"),
        ):
            if failures := await shooting.all(takes):
                raise ShotsFailed(failures, len({take.shot for take in takes}))
