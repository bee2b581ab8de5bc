"""The suspended runs of a film on a Prefect server, and the commands that show what they ask about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import filters
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from storyreel.flows.names import film_tag
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.review.suspend import rounds_of
from storyreel.flows.servers.local import local_server
from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Storyboard


class RunElsewhere(Frozen):
    """A suspended run that asks about takes of the same film with other variables, or of another service."""

    run: UUID
    name: str
    shots: tuple[str, ...]
    """The slates that it asks about."""
    command: str
    """The command that shows them."""


@asynccontextmanager
async def reachable_client() -> AsyncIterator[PrefectClient | None]:
    """A client of the server that is set, else of that of `storyreel ui`; None if none can be reached."""
    api = PREFECT_API_URL.value() or ((local := local_server()) and f"{local}/api")
    if not api or not _is_reachable(api):
        yield None
        return
    with temporary_settings({PREFECT_API_URL: api}):
        async with get_client() as client:
            yield client


async def suspended_runs(client: PrefectClient, title: str) -> Sequence[FlowRun]:
    """All suspended runs of a film."""
    has_tag = filters.FlowRunFilterTags(all_=[film_tag(title)])
    is_suspended = filters.FlowRunFilterState(name=filters.FlowRunFilterStateName(any_=["Suspended"]))
    return await client.read_flow_runs(flow_run_filter=filters.FlowRunFilter(tags=has_tag, state=is_suspended))


async def runs_elsewhere(request: RunRequest, film: Storyboard) -> list[RunElsewhere]:
    """The suspended runs of a film that ask about other takes than those of a request; `film` is what that reads.

    Returns an empty list if no server can be reached.
    """
    found = []
    try:
        async with reachable_client() as client:
            for run in await suspended_runs(client, film.title) if client else ():
                asks = request.model_copy(update=_asked(run))
                rounds = [] if client is None or _is_same(asks, request, film) else await rounds_of(client, run.id)
                shots = rounds[-1].question.shots.values() if rounds else ()
                if shots:
                    slates = tuple(shot.slate for shot in shots)
                    found.append(RunElsewhere(run=run.id, name=run.name, shots=slates, command=asks.command("review")))
    except httpx.HTTPError:
        return []
    return found


def _asked(run: FlowRun) -> dict[str, object]:
    given = run.parameters or {}
    return {"provider": given.get("provider"), "vars": given.get("vars") or {}, "draft": bool(given.get("draft"))}


def _is_same(asks: RunRequest, request: RunRequest, film: Storyboard) -> bool:
    """Whether a run makes what a request makes: variables that neither sets are those of the file."""
    has_same_words = {**film.vars, **asks.vars} == film.vars and request.vars.keys() <= asks.vars.keys()
    return has_same_words and (asks.provider, asks.draft) == (request.provider, request.draft)


def _is_reachable(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
