"""The functions of the public interface. Paths, texts and keyword arguments come in; models of `storyreel` go out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from storyreel.flows.errors import Interrupted
from storyreel.flows.packs import read_film
from storyreel.flows.planning.checks.budget import BudgetedPlan
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.production.agreement import agreed_keys, check_consent
from storyreel.flows.production.report import Rendering
from storyreel.flows.servers.local import local_server
from storyreel.flows.servers.packed_database import provide_database
from storyreel.specs.money import Money, parse_money
from storyreel.specs.storyboard import Storyboard


def read(storyboard: Path | str, *, vars: Mapping[str, str] | None = None) -> Storyboard:
    """Read a storyboard: a YAML file, or its address (`s3://films/film.yaml`), or that of a pack.

    `vars` replace values of the storyboard's own `vars`. Raises StoryboardError with every problem found, and
    BucketError if an address cannot be used.
    """
    return read_film(storyboard, vars or {})


def plan(
    storyboard: Path | str,
    *,
    provider: str | None = None,
    vars: Mapping[str, str] | None = None,
    select: Sequence[str] | str = (),
    draft: bool = False,
    deliverables: Sequence[str] | str = (),
) -> Plan:
    """Plan what a render would make and buy, from whom and for how much. Makes and buys nothing.

    `provider` makes all shots, whatever the storyboard says. `select` holds the shots to make (`1B`, `1A+`, `scene:2`,
    `state:new`, `changed`); the animatic stands in for the others. Of the result, `bought` are the takes that would be
    bought, `totals` what they cost (one sum a currency), `unpriced` how many of them have no known price. With `draft`
    it is the plan of the storyboard's draft. `other` is the plan of the other of the two. `deliverables` are the names
    of those to make, or `none`; without it, all that cost nothing.

    Raises SettingsError, StoryboardError, BucketError, LedgerError, NothingSelected and UnknownDeliverable.
    """
    return Planner.of(_request(storyboard, provider, vars, select, draft=draft, deliverables=deliverables)).plan()


async def render(
    storyboard: Path | str,
    *,
    provider: str | None = None,
    vars: Mapping[str, str] | None = None,
    select: Sequence[str] | str = (),
    budget: Money | str | None = None,
    buy: bool = False,
    out: Path | str | None = None,
    draft: bool = False,
    deliverables: Sequence[str] | str = (),
) -> Rendering:
    """Render a storyboard into `sequence.mp4` in `out`: a folder or an address, `renders/<title>` if left out.

    `storyboard`, `provider`, `vars`, `select`, `draft` and `deliverables` are as for `plan`; a draft goes to `draft` in
    `out`.
    Nothing is bought unless there is a `budget` (`20 USD`) or `buy` is true; a budget in the storyboard counts. In a
    flow or task of your own this is a subflow. Elsewhere the run reports to the server that Prefect's settings name,
    else to that of `storyreel ui`, else to a temporary one of Prefect's.

    Raises before anything is made: SettingsError, StoryboardError, BucketError, LedgerError, NothingSelected,
    UnknownDeliverable, BudgetExceeded, NotAllowed (without consent), NotAgreed, ProviderError, and ValueError for a
    `budget` that is no amount; and RunFailed if the server does not answer. Raises after all else is finished:
    ShotsFailed, ReviewNeeded, ClipsToBuy, DeliverablesFailed.
    Raises Interrupted if the run is cancelled. What was made and paid for is kept. If the server goes away meanwhile,
    the film is made all the same and returned at most 20 s later; the logger `storyreel` has a warning then, and if the
    server is waited for before anything is made.
    """
    request = _request(storyboard, provider, vars, select, budget, out, draft=draft, deliverables=deliverables)
    agreed = await asyncio.to_thread(_agreed, request, buy)
    pages = await asyncio.to_thread(local_server)
    # More than a second of imports, which a wrong storyboard does not wait for.
    from prefect.context import FlowRunContext, TaskRunContext

    from storyreel.flows.lifecycle.cancellation import Stopped
    from storyreel.flows.lifecycle.outcome import outcome_of
    from storyreel.flows.render import render_storyboard
    from storyreel.flows.servers.availability import watch_server

    def run() -> Awaitable[Rendering]:
        return render_storyboard(
            str(request.storyboard),
            provider=request.provider,
            vars=request.vars or None,
            select=list(request.selection) or None,
            budget=request.budget.exactly if request.budget else None,
            out=str(request.out) if request.out else None,
            agreed=agreed,
            draft=request.draft,
            deliverables=list(request.deliverables) or None,
        )

    if not pages and not _is_server_chosen():
        await asyncio.to_thread(provide_database)
    with _reporting(pages):
        try:
            if FlowRunContext.get() or TaskRunContext.get():
                return await run()
            log = logging.getLogger("storyreel")
            async with watch_server(on_wait=log.warning) as server:
                rendering = await outcome_of(run)
                if server.remark:
                    log.warning("%s; the film itself is complete", server.remark)
                return rendering
        except Stopped as stopped:
            raise Interrupted(str(stopped), next=request.command()) from stopped


def render_sync(
    storyboard: Path | str,
    *,
    provider: str | None = None,
    vars: Mapping[str, str] | None = None,
    select: Sequence[str] | str = (),
    budget: Money | str | None = None,
    buy: bool = False,
    out: Path | str | None = None,
    draft: bool = False,
    deliverables: Sequence[str] | str = (),
) -> Rendering:
    """Call `render` and wait for it. Not for code that runs in an event loop: `await render(…)` there."""
    making = render(
        storyboard, provider=provider, vars=vars, select=select, budget=budget, buy=buy, out=out, draft=draft,
        deliverables=deliverables,
    )  # fmt: skip
    return asyncio.run(making)


def _request(
    storyboard: Path | str,
    provider: str | None,
    vars: Mapping[str, str] | None,
    select: Sequence[str] | str,
    budget: Money | str | None = None,
    out: Path | str | None = None,
    *,
    draft: bool = False,
    deliverables: Sequence[str] | str = (),
) -> RunRequest:
    return RunRequest(
        storyboard=storyboard,
        provider=provider,
        vars=dict(vars or {}),
        selection=(select,) if isinstance(select, str) else tuple(select),
        budget=parse_money(budget) if isinstance(budget, str) else budget,
        out=out,
        draft=draft,
        deliverables=(deliverables,) if isinstance(deliverables, str) else tuple(deliverables),
    )


def _agreed(request: RunRequest, buy: bool) -> list[str]:
    """The keys of the takes that the call may buy. Raises BudgetExceeded and NotAllowed."""
    request.check_recordable()
    budgeted: BudgetedPlan = Planner.of(request).plan_within_budget()
    if budgeted.excess:
        budgeted.excess.next = request.command_within_budget(budgeted.excess.fits)
        raise budgeted.excess
    check_consent(budgeted.plan, budgeted.limits, buy=buy)
    return agreed_keys(budgeted.plan)


@contextmanager
def _reporting(pages: str) -> Iterator[None]:
    """Report to the server at `pages`, or let Prefect decide: if `pages` is empty or the server is chosen already."""
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
        temporary_settings,
    )

    if _is_server_chosen():
        yield
        return
    # A server takes more than Prefect's 20 s where it makes its database on two busy cores.
    server = {PREFECT_API_URL: f"{pages}/api"} if pages else {PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 90}
    with temporary_settings(server):
        yield


def _is_server_chosen() -> bool:
    """Whether Prefect's settings name a server, or a flow that is running reports to one."""
    from prefect.context import FlowRunContext, TaskRunContext
    from prefect.settings import PREFECT_API_URL

    return bool(PREFECT_API_URL.value() or FlowRunContext.get() or TaskRunContext.get())
