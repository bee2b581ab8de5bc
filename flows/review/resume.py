"""Suspended runs of a film on a Prefect server, and that they go on when what they wait for has been said."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from storyreel.flows.names import film_tag
from storyreel.flows.review.suspend import rounds_of
from storyreel.flows.servers.local import local_server
from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Word


class ResumedRun(Frozen):
    """A run that somebody was to answer."""

    run: UUID
    name: str
    outcome: str
    """What became of it, in words."""
    goes_on: bool


async def resume_runs(title: str, home: Home) -> list[ResumedRun]:
    """Have those suspended runs of a film go on for which nothing waits any more, or a retake is wanted.

    None where no server can be asked.
    """
    api = PREFECT_API_URL.value() or ((local := local_server()) and f"{local}/api")
    if not api or not _answers(api):
        return []
    with temporary_settings({PREFECT_API_URL: api}):
        async with get_client() as client:
            return [await _look_at(client, run, home) for run in await _runs(client, title)]


async def _runs(client: PrefectClient, title: str) -> Sequence[FlowRun]:
    of_the_film = FlowRunFilterTags(any_=[film_tag(title)])
    suspended = FlowRunFilterState(name=FlowRunFilterStateName(any_=["Suspended"]))
    return await client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=of_the_film, state=suspended))


async def _look_at(client: PrefectClient, run: FlowRun, home: Home) -> ResumedRun:
    rounds = await rounds_of(client, run.id)
    asked = rounds[-1].asked if rounds else None
    if asked is None or asked.money:
        what = f"it asks for {asked.money.exactly}" if asked and asked.money else "it was suspended by hand"
        return _told(run, f"still suspended, as {what}: Resume on its page")
    keys = {slate: [take.key for take in shot.takes] for slate, shot in asked.shots.items()}
    with closing(home.ledger()) as ledger:
        verdicts = ledger.verdicts(key for some in keys.values() for key in some)
    words = [{verdicts[key].word if key in verdicts else None for key in some} for some in keys.values()]
    waits = [said for said in words if Word.APPROVED not in said]
    if waits and not any(said == {Word.RETAKE} for said in waits):
        return _told(run, f"still suspended: {len(waits)} of its {len(words)} shots wait")
    result = await client.resume_flow_run(run.id, run_input={})
    if result.status.value == "ACCEPT":
        return _told(run, "resumed", goes_on=True)
    return _told(run, f"could not be resumed: {getattr(result.details, 'reason', result.status.value)}")


def _told(run: FlowRun, outcome: str, goes_on: bool = False) -> ResumedRun:
    return ResumedRun(run=run.id, name=run.name, outcome=outcome, goes_on=goes_on)


def _answers(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
