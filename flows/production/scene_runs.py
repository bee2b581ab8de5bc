"""A film's scenes as runs of their own, on whatever workers there are; the film's own run joins what they made.

The ledger keeps it right, so that nothing here has to: who asks for a take first orders it, everybody else waits for
its row, and a budget of the run counts what its scenes order, as their orders name the film's run. A scene that no run
makes in the end, because nobody picked it up or its run crashed, is made by the film's own run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect import State, get_client, get_run_logger
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Cancelling

from storyreel.flows.lifecycle.cancellation import stop_handler
from storyreel.flows.names import TAG, film_tag
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.tasks.settings import Settings

SCENE_FLOW = "shoot scene"
"""The flow that makes one scene."""

_LOOK_SECONDS = 2.0
_PAGE = 200
"""Runs in one question: as many as the server gives at once."""
_CALL_OFF_SECONDS = 5.0
"""How long a film's run that is cancelled takes to cancel its scenes."""
_START = timedelta(minutes=5)
"""What a worker may take from picking a run up until it runs; then it is taken for lost."""
_PICKED_UP_AGAIN = timedelta(seconds=10)
"""What an automation may take to schedule a crashed run again."""


class SceneCancelled(Exception):
    """Somebody cancelled the run of a scene: the film is not joined without it, and nobody else makes it."""


async def shoot_scenes(plan: Plan, is_there: Callable[[PlannedTake], bool], call: Mapping[str, Any]) -> bool:
    """Have the scenes that are not there made by runs of their own, and wait for these; False when none were begun.

    `call` holds the parameters that they have in common with the film's run. Raises SceneCancelled when all are over.
    """
    missing = [scene for scene, takes in plan.scenes() if scene and not all(map(is_there, takes))]
    if len(missing) < 2:
        return False
    runs = await _begin(plan, missing, call)
    if not runs:
        return False
    try:
        cancelled = await _over(runs)
    except asyncio.CancelledError:
        if stop_handler().is_cancelled:
            await _call_off(runs.values())
        raise
    if cancelled:
        scenes = ", ".join(cancelled)
        raise SceneCancelled(f"somebody cancelled the run of scene {scenes}, so the film was not joined")
    return True


async def _begin(plan: Plan, scenes: Iterable[str], call: Mapping[str, Any]) -> dict[str, UUID]:
    """The runs of these scenes, new ones or those that this run has begun before it was handed over."""
    name = f"{SCENE_FLOW}/{deployment.name}"
    selected = dict.fromkeys(take.shot for take in plan.takes if not take.is_stand_in)
    common = {**call, "select": list(selected) if plan.stand_ins else None, "of_run": str(flow_run.id)}
    runs: dict[str, UUID] = {}
    for scene in scenes:
        try:
            run = await arun_deployment(
                name,
                parameters={**common, "scene": scene},
                flow_run_name=f"{plan.title} scene {scene}",
                tags=[TAG, film_tag(plan.title), f"scene:{scene}"],
                idempotency_key=f"{flow_run.id}-{scene}",
                timeout=0,
            )
        except ObjectNotFound:
            get_run_logger().warning(
                "there is no deployment %r, so this run makes all scenes; next: storyreel deploy %s --spread scenes",
                name,
                call["storyboard"],
            )
            return {}
        if run.state is None or not run.state.is_final():
            runs[scene] = run.id
    return runs


async def _over(runs: Mapping[str, UUID]) -> list[str]:
    """Wait until all runs are over, and take back those that nobody picks up; gives scenes that somebody cancelled."""
    clock = asyncio.get_running_loop().time
    patience = Settings.read().pickup_seconds
    moved, told = clock(), set[str]()
    while True:
        states = await _states(runs.values())
        open_ = {scene: states[run] for scene, run in runs.items() if run in states and not _is_over(states[run])}
        _tell(runs, states, told)
        if not open_:
            return [scene for scene, run in runs.items() if _was_cancelled(states.get(run))]
        if any(map(_is_under_way, open_.values())):
            moved = clock()
        elif clock() - moved > patience:
            get_run_logger().warning(
                "nobody picked up scene %s in %.0f s, so this run makes it; more workers, or a higher limit of the "
                "pool, would make it beside this one",
                ", ".join(open_),
                patience,
            )
            await _call_off(runs[scene] for scene in open_)
            return [scene for scene, run in runs.items() if scene not in open_ and _was_cancelled(states.get(run))]
        await asyncio.sleep(_LOOK_SECONDS)


def _tell(runs: Mapping[str, UUID], states: Mapping[UUID, State[Any]], told: set[str]) -> None:
    """Log the end of each run, once."""
    for scene, run in runs.items():
        state = states.get(run)
        if state and _is_over(state) and scene not in told:
            told.add(scene)
            get_run_logger().info("scene %s: %s%s", scene, state.name, f", {state.message}" if state.message else "")


async def _states(runs: Iterable[UUID]) -> dict[UUID, State[Any]]:
    """As the server knows them, once it answers; one that was deleted is not among them."""
    wanted, found = list(runs), dict[UUID, State[Any]]()
    async with get_client() as client:
        for at in range(0, len(wanted), _PAGE):
            only = FlowRunFilter(id=FlowRunFilterId(any_=wanted[at : at + _PAGE]))
            while True:
                try:
                    page = await client.read_flow_runs(flow_run_filter=only, limit=_PAGE)
                    break
                except httpx.HTTPError:
                    await asyncio.sleep(_LOOK_SECONDS)
            found.update((run.id, run.state) for run in page if run.state)
    return found


def _is_over(state: State[Any]) -> bool:
    """Whether nothing more comes of a run. A crashed one may be picked up again, by an automation, in a moment."""
    if not state.is_final():
        return False
    return not state.is_crashed() or datetime.now(UTC) - state.timestamp > _PICKED_UP_AGAIN


def _was_cancelled(state: State[Any] | None) -> bool:
    return state is not None and state.is_cancelled()


def _is_under_way(state: State[Any]) -> bool:
    """Whether somebody is at work on a run."""
    if state.is_pending():
        return datetime.now(UTC) - state.timestamp < _START
    return not state.is_scheduled()


async def _call_off(runs: Iterable[UUID]) -> None:
    """Cancel runs; what runs is ended by its worker."""
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(_CALL_OFF_SECONDS), get_client() as client:
            for run, state in (await _states(runs)).items():
                if state.is_scheduled():
                    await client.set_flow_run_state(
                        run, Cancelled(message="its film's run goes on without it"), force=True
                    )
                elif not state.is_final():
                    await client.set_flow_run_state(run, Cancelling())
