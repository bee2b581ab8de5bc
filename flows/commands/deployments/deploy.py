"""The commands that render films on a schedule or on request: `deploy`, by workers, and `serve`, on this machine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from storyreel.flows.commands import options
from storyreel.flows.commands.deployments import options as chosen
from storyreel.flows.commands.deployments.deployed import print_changes, print_deployed
from storyreel.flows.errors import NotAllowed, RunFailed
from storyreel.flows.terminal import Terminal
from storyreel.specs.errors import StoryreelError
from storyreel.specs.problems.phrases import counted
from storyreel.tasks.settings import CLIPS_URL

if TYPE_CHECKING:
    from prefect.client.schemas.responses import DeploymentResponse

    from storyreel.flows.deployment.deploy import Deployed
    from storyreel.flows.deployment.request import DeploymentRequest, FilmOptions
    from storyreel.flows.planning.checks.budget import BudgetedPlan
    from storyreel.tasks.ledger.budget import BudgetExceeded


def deploy(
    storyboards: chosen.Files = None,
    is_all: chosen.All = False,
    pool: Annotated[
        str, typer.Option("--pool", metavar="NAME", help="The work pool whose workers render the film; required.")
    ] = "",
    crons: chosen.Crons = None,
    intervals: chosen.Intervals = None,
    rrules: chosen.RRules = None,
    timezone: chosen.Timezone = None,
    no_schedule: chosen.NoSchedule = False,
    provider: options.Provider = None,
    sets: options.Set = None,
    select: options.Select = None,
    budget: chosen.Ceiling = None,
    out: options.Out = None,
    draft: options.Draft = False,
    deliverables: options.Deliverables = None,
    name: chosen.Name = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            "--bucket",
            metavar="URL",
            envvar=CLIPS_URL,
            help="Pack the storyboard and its files into this bucket, for workers that do not share a disk.",
        ),
    ] = None,
    limits: chosen.Limits = None,
    overlap: chosen.Overlap = None,
    spread: Annotated[
        Literal["none", "scenes"] | None,
        typer.Option(
            "--spread", help="`scenes`: each scene is a run of its own, on any worker of the pool; at first: none."
        ),
    ] = None,
    lost_after: chosen.LostAfter = None,
    reset: chosen.Reset = False,
    yes: chosen.Yes = False,
    prints: Annotated[
        bool, typer.Option("--print", help="Print a `prefect.yaml` for `prefect deploy`, and register nothing.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Let the workers of a Prefect work pool render films: on a schedule, or whenever a run is started.

    A film that is deployed already changes in what is named here, and in nothing else; the difference is shown first.
    """
    from storyreel.flows.servers.choose import set_prefect_defaults

    set_prefect_defaults()
    films = chosen.film_options(
        storyboards, is_all, crons, intervals, rrules, timezone, no_schedule=no_schedule, provider=provider, sets=sets,
        select=select, budget=budget, out=out, draft=draft, deliverables=deliverables, name=name, bucket=bucket,
        limits=limits, overlap=overlap, spread=spread, lost_after=lost_after, reset=reset, pool=pool,
    )  # fmt: skip
    if any(not film.pool for film in films):
        raise typer.BadParameter("--pool is missing: the work pool whose workers render the film")
    if prints:
        _print(films, yes)
        return
    deployed = _deploy(films, yes, Terminal(stderr=True))
    if as_json and len(deployed) == 1:
        options.print_json(deployed[0].as_json())
    else:
        options.print_result(deployed, as_json, print_deployed)


def serve(
    storyboards: chosen.Files = None,
    is_all: chosen.All = False,
    crons: chosen.Crons = None,
    intervals: chosen.Intervals = None,
    rrules: chosen.RRules = None,
    timezone: chosen.Timezone = None,
    no_schedule: chosen.NoSchedule = False,
    provider: options.Provider = None,
    sets: options.Set = None,
    select: options.Select = None,
    budget: chosen.Ceiling = None,
    out: options.Out = None,
    draft: options.Draft = False,
    deliverables: options.Deliverables = None,
    name: chosen.Name = None,
    limits: chosen.Limits = None,
    overlap: chosen.Overlap = None,
    lost_after: chosen.LostAfter = None,
    reset: chosen.Reset = False,
    yes: chosen.Yes = False,
) -> None:
    """Render films on this machine, on a schedule or on request, for as long as the command runs. Prints the log of its
    runs.
    """
    from storyreel.flows.servers.choose import set_prefect_defaults

    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "INFO")
    set_prefect_defaults()
    named = chosen.film_options(
        storyboards, is_all, crons, intervals, rrules, timezone, no_schedule=no_schedule, provider=provider, sets=sets,
        select=select, budget=budget, out=out, draft=draft, deliverables=deliverables, name=name, limits=limits,
        overlap=overlap, lost_after=lost_after, reset=reset,
    )  # fmt: skip
    films = [film.model_copy(update={"pool": "", "bucket": None, "spread": None}) for film in named]
    from storyreel.flows.deployment import serve as serving
    from storyreel.flows.deployment.registration import read_deployments

    console = Terminal(stderr=True)
    plans = _plans(films)
    with serving.server(console) as pages:
        existing = asyncio.run(read_deployments(name for name, _ in plans))
        requests = [
            _agreed(film, films, plan, existing.get(name), yes, console, must_have_keys=True)
            for film, (name, plan) in zip(films, plans, strict=True)
        ]
        prepared = serving.prepare(requests, existing)
        # That it is not served meanwhile is no change to tell of.
        print_changes(console, [film for film in prepared if any(one.what != "paused" for one in film.changes)])
        serving.serve(prepared, pages, console)


def _deploy(films: Sequence[FilmOptions], yes: bool, console: Terminal) -> list[Deployed]:
    from storyreel.flows.deployment import deploy as deployment
    from storyreel.flows.deployment.registration import read_deployments
    from storyreel.flows.servers.choose import lasting_server

    plans = _plans(films)
    with ExitStack() as stack:
        away: RunFailed | None = None
        existing: Mapping[str, DeploymentResponse] = {}
        try:
            with console.status("asking Prefect"):
                page = stack.enter_context(lasting_server())
                existing = asyncio.run(read_deployments(name for name, _ in plans))
        except RunFailed as error:  # Reported after problems of the films, which can be corrected without a server.
            away = error
        requests = [
            _agreed(film, films, plan, existing.get(name), yes, console)
            for film, (name, plan) in zip(films, plans, strict=True)
        ]
        if away:
            raise away
        with console.status("looking at what is deployed"):
            prepared = asyncio.run(deployment.prepare(requests, existing))
        print_changes(console, prepared)
        changes = sum(len(film.changes) for film in prepared)
        question = f"Make {'this change' if changes == 1 else counted(changes, 'change')}?"
        if changes and not yes and options.can_ask(console) and not typer.confirm(question, err=True):
            raise NotAllowed("nothing was changed")
        done: list[Deployed] = []
        with console.status("deploying"):
            for film in prepared:
                try:
                    done.append(asyncio.run(deployment.carry_out(film, page)))
                except StoryreelError:
                    for each in done:
                        console.print(f"{each.deployment} is deployed", soft_wrap=True)
                    raise
        return done


def _print(films: Sequence[FilmOptions], yes: bool) -> None:
    """Print a `prefect.yaml`; of films with a bucket the packs are stored."""
    from storyreel.flows.deployment import deploy as deployment
    from storyreel.flows.deployment.prefect_yaml import prefect_yaml

    console = Terminal(stderr=True)
    plans = zip(films, _plans(films), strict=True)
    requests = [_agreed(film, films, plan, None, yes, console) for film, (_, plan) in plans]
    prepared = deployment.apart([deployment.prepared(each, {}, is_process_pool=True) for each in requests])
    text = prefect_yaml(prepared)
    for each in prepared:
        if each.film.is_packed:
            deployment.send_pack(each.request, each.film)
    print(text, end="")  # noqa: T201


def _plans(films: Sequence[FilmOptions]) -> list[tuple[str, BudgetedPlan]]:
    """The name of each film's deployment, and its plan by what was named alone.

    Raises StoryboardError, and NotAllowed if two films would have one deployment.
    """
    from storyreel.flows.names import deployment_name
    from storyreel.flows.render import render_storyboard

    found: dict[str, BudgetedPlan] = {}
    for film in films:
        run = film.run()
        run.check_recordable()
        budgeted = options.plan_of(run)
        name = f"{render_storyboard.name}/{film.name or deployment_name(budgeted.plan.title, is_draft=run.draft)}"
        if name in found:
            hint = "give one of them another title, or deploy it by itself with --name"
            raise NotAllowed(f"two of the films would be deployed as {name}; nothing was changed", hint=hint)
        found[name] = budgeted
    return list(found.items())


def _over_budget(excess: BudgetExceeded, film: FilmOptions, films: Sequence[FilmOptions]) -> BudgetExceeded:
    """The error, with this command for the shots of the film that fit; with the film's plan if none does."""
    excess.next = _again(film, films, "--select", ",".join(excess.fits))
    return excess


def _again(film: FilmOptions, films: Sequence[FilmOptions], option: str, value: str) -> str:
    """This command for one of its films, with an option; without a value, or in a file of films, its film's plan."""
    others = {str(each.storyboard) for each in films} - {str(film.storyboard)}
    is_typed = value and str(film.storyboard) in sys.argv
    return options.typed_again(option, value, others) if is_typed else film.run().command("plan")


def _agreed(
    film: FilmOptions,
    films: Sequence[FilmOptions],
    named: BudgetedPlan,
    current: DeploymentResponse | None,
    yes: bool,
    console: Terminal,
    *,
    must_have_keys: bool = False,
) -> DeploymentRequest:
    """The request for a deployment. Raises BudgetExceeded and what planning, `require_keys`, `agree_unattended` raise.

    `named` is the plan by what was named alone; it is made again where the deployment that exists says more.
    """
    from storyreel.flows.commands.screen.consent import agree_unattended, require_keys
    from storyreel.flows.deployment.request import DeploymentRequest
    from storyreel.flows.names import deployment_name
    from storyreel.flows.packs import read_film
    from storyreel.flows.production.ceiling import Ceiling, ceiling_of

    storyboard = read_film(film.storyboard, film.vars)
    run = film.run(storyboard, current)
    budgeted = named if run == film.run() else options.plan_of(run)
    if must_have_keys:
        require_keys(budgeted.plan)
    if budgeted.excess:
        raise _over_budget(budgeted.excess, film, films)
    agree_unattended(budgeted, yes, console, partial(_again, film, films, "--budget"))
    kept = film.kept_parameters(storyboard, current)  # none of another film under the name
    had = ceiling_of(current.pull_steps) if current and kept else None
    any_price = yes or bool(had and had.any_price)
    return DeploymentRequest(
        options=film,
        run=run,
        plan=budgeted.plan,
        ceiling=Ceiling(limits=budgeted.limits, any_price=any_price and not budgeted.limits),
        name=film.name or deployment_name(named.plan.title, is_draft=film.draft),
        overlap=film.overlap_of(current),
        spread=film.spread_of(storyboard, current),
        kept=dict(kept),
    )
