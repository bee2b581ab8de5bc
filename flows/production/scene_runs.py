"""Makes the scenes of a film in flow runs of their own, on any worker of the pool; the film's run joins the results.

The ledger keeps this correct. The first run that needs a take orders it, and all others wait for its row. Orders of a
scene name the film's run, so that its budget counts them. A scene that no worker picks up, or whose run crashed, is
made by the film's run.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect import State, get_client, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Cancelling

from storyreel.flows.lifecycle.cancellation import stop_handler
from storyreel.flows.names import DRAFT_TAG, TAG, film_tag, scene_run_name
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.selection import slates_of_selection
from storyreel.specs.errors import StoryreelError
from storyreel.specs.problems.phrases import shown
from storyreel.tasks.settings import Settings

SCENE_FLOW = "shoot scene"
"""Name of the flow that makes one scene."""

_POLL_SECONDS = 2.0
_PAGE = 200
"""Runs in one request; the server's maximum."""
_SERVER_SECONDS = 3600.0
"""Time that a server that does not answer is waited for."""
_CANCEL_SECONDS = 15.0
"""Time for a cancelled film to cancel its scenes, half of what its runner grants it. Prefect's server cancels what is
left of them a while after the film's run is recorded as cancelled."""
_START = timedelta(minutes=5)
"""A run that stays Pending longer after a worker took it is lost."""
_PICKUP = timedelta(seconds=10)
"""Time for an automation to schedule a crashed run again."""


class SceneCancelled(StoryreelError):
    """A person cancelled the run of a scene, so the film is not joined."""


class ServerAway(StoryreelError):
    """The Prefect server does not answer any more, so it is not known how the scenes are."""


async def run_scenes(
    plan: Plan, to_make: Iterable[PlannedTake], finished: Collection[str], parameters: Mapping[str, Any]
) -> bool:
    """Make the unfinished scenes in runs of their own and wait for them; False if there are less than two.

    `to_make` are the plan's takes whose speech is made, and `finished` the identities of finished takes; `parameters`
    are those that scenes and film have in common. Raises SceneCancelled when all runs have ended.
    """
    open_ = {take.identity for take in to_make if not (take.waits_for or take.lacks_sound)}.difference(finished)
    unfinished = [scene for scene, takes in plan.scenes() if scene and any(take.identity in open_ for take in takes)]
    if len(unfinished) < 2:
        return False
    runs = await _create_runs(plan, unfinished, parameters)
    if not runs:
        return False
    try:
        cancelled = await _wait_for_runs(runs)
    except asyncio.CancelledError:
        if stop_handler().is_cancelled:
            await _cancel(runs.values())
        raise
    if cancelled:
        scenes = ", ".join(cancelled)
        raise SceneCancelled(f"the run of scene {scenes} was cancelled, so the film was not joined")
    return True


async def _create_runs(plan: Plan, scenes: Iterable[str], parameters: Mapping[str, Any]) -> dict[str, UUID]:
    """Create the runs of these scenes, or find those that this run created before it was handed over."""
    name = f"{SCENE_FLOW}/{deployment.name}"
    selected = slates_of_selection(plan.takes, parameters.get("deliverables", ()))
    common = {**parameters, "select": selected if plan.stand_ins else None, "of_run": str(flow_run.id)}
    runs: dict[str, UUID] = {}
    for scene in scenes:
        try:
            run = await arun_deployment(
                name,
                parameters={**common, "scene": scene},
                flow_run_name=scene_run_name(plan.title, scene, is_draft=plan.is_draft),
                tags=[TAG, film_tag(plan.title), f"scene:{scene}", *((DRAFT_TAG,) if plan.is_draft else ())],
                idempotency_key=f"{flow_run.id}-{scene}",
                timeout=0,
            )
        except ObjectNotFound:
            get_run_logger().warning(
                "there is no deployment %r, so this run makes all scenes; next: storyreel deploy %s --spread scenes",
                name,
                shlex.quote(str(parameters["storyboard"])),
            )
            return {}
        if run.state is None or not run.state.is_final():
            runs[scene] = run.id
    return runs


async def _wait_for_runs(runs: Mapping[str, UUID]) -> list[str]:
    """Wait until all runs have ended; returns the scenes that a person cancelled.

    Cancels those that no worker picked up while none was under way for STORYREEL_PICKUP_SECONDS. Time in which the
    server does not answer does not count: workers do not hear of the runs then.
    """
    patience = Settings.read().pickup_seconds
    waited, logged = 0.0, set[str]()
    while True:
        states = await _read_states(runs.values())
        open_ = {scene: states[run] for scene, run in runs.items() if run in states and not _has_ended(states[run])}
        _log_ends(runs, states, logged)
        if not open_:
            return [scene for scene, run in runs.items() if _was_cancelled(states.get(run))]
        if any(map(_is_under_way, open_.values())):
            waited = 0.0
        elif waited > patience:
            get_run_logger().warning(
                "no worker picked up scene %s in %.0f s, so this run makes it; more workers, or a higher limit of the "
                "pool, would make it beside this one",
                ", ".join(open_),
                patience,
            )
            await _cancel(runs[scene] for scene in open_)
            return [scene for scene, run in runs.items() if scene not in open_ and _was_cancelled(states.get(run))]
        await asyncio.sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS


def _log_ends(runs: Mapping[str, UUID], states: Mapping[UUID, State[Any]], logged: set[str]) -> None:
    for scene, run in runs.items():
        state = states.get(run)
        if state and _has_ended(state) and scene not in logged:
            logged.add(scene)
            get_run_logger().info("scene %s: %s%s", scene, state.name, f", {state.message}" if state.message else "")


async def _read_states(runs: Iterable[UUID]) -> dict[UUID, State[Any]]:
    """The states of runs; a deleted run has none. Repeats a request that fails until the server answers.

    Raises ServerAway if it does not in an hour.
    """
    clock = asyncio.get_running_loop().time
    since: float | None = None
    ids, found = list(runs), dict[UUID, State[Any]]()
    async with get_client() as client:
        for first in range(0, len(ids), _PAGE):
            only = FlowRunFilter(id=FlowRunFilterId(any_=ids[first : first + _PAGE]))
            while True:
                try:
                    page = await client.read_flow_runs(flow_run_filter=only, limit=_PAGE)
                    break
                except httpx.HTTPError as error:
                    why = (
                        f"the Prefect server cannot be asked how the scenes are: {shown(error) or type(error).__name__}"
                    )
                    if since is None:
                        since = clock()
                        get_run_logger().warning("%s; asked again every %.0f s", why, _POLL_SECONDS)
                    if clock() - since > _SERVER_SECONDS:
                        raise ServerAway(why, hint="the scenes go on; run the same command again") from error
                    await asyncio.sleep(_POLL_SECONDS)
            found.update((run.id, run.state) for run in page if run.state)
    return found


def _has_ended(state: State[Any]) -> bool:
    """Whether a run has ended for good. A crashed one may be scheduled again by an automation."""
    if not state.is_final():
        return False
    return not state.is_crashed() or datetime.now(UTC) - state.timestamp > _PICKUP


def _was_cancelled(state: State[Any] | None) -> bool:
    return state is not None and state.is_cancelled()


def _is_under_way(state: State[Any]) -> bool:
    if state.is_pending():
        return datetime.now(UTC) - state.timestamp < _START
    return not state.is_scheduled()


async def _cancel(runs: Iterable[UUID]) -> None:
    """Cancel runs; their workers end those that are under way."""
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(_CANCEL_SECONDS), get_client() as client:
            states = await _read_states(runs)
            await asyncio.gather(*(_cancel_run(client, run, state) for run, state in states.items()))


async def _cancel_run(client: PrefectClient, run: UUID, state: State[Any]) -> None:
    if state.is_scheduled():
        await client.set_flow_run_state(run, Cancelled(message="the film's run continues without it"), force=True)
    elif not state.is_final():
        await client.set_flow_run_state(run, Cancelling())
