"""The commands that render a film on a schedule or on request: `deploy`, by workers, and `serve`, on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from storyreel.flows.commands import options
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.terminal import Terminal
from storyreel.specs.timing import parse_interval
from storyreel.tasks.settings import CLIPS_URL

if TYPE_CHECKING:
    from prefect.schedules import Schedule

    from storyreel.flows.deployment.deploy import Deployed
    from storyreel.flows.deployment.registration import DeploymentRequest


Crons = Annotated[
    list[str] | None,
    typer.Option("--cron", metavar="LINE", help="Render at these times: `0 6 * * 1` is Mondays at six. Repeatable."),
]
Intervals = Annotated[
    list[str] | None,
    typer.Option(
        "--interval",
        metavar="LENGTH",
        help="Render this often: `90m`, `12h`, `1d`, `1w`, counted from midnight. Repeatable.",
    ),
]
RRules = Annotated[
    list[str] | None,
    typer.Option(
        "--rrule",
        metavar="RULE",
        help="Render by a recurrence rule of iCalendar: `FREQ=MONTHLY;BYDAY=1MO`. Repeatable.",
    ),
]
Timezone = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="Their time zone: `Europe/Paris`; default: UTC.")
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Name of the deployment; by default made from the title.")
]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit", metavar="SERVICE=N", help="At most N takes at once at a service, of all runs together. Repeatable."
    ),
]
Overlap = Annotated[
    Literal["wait", "skip"],
    typer.Option(
        "--overlap", help="A run that is due while another run of the film is under way waits for it, or is skipped."
    ),
]
LostAfter = Annotated[
    int | None,
    typer.Option(
        "--lost-after",
        metavar="SECONDS",
        min=40,
        max=86_400,
        help="A run that sends no heartbeat for this long is started again by another worker; initially 90. "
        "Holds for all films on the server.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Let runs buy at any price where no budget limits them.")]


def deploy(
    storyboard: options.File,
    pool: Annotated[str, typer.Option("--pool", metavar="NAME", help="The work pool whose workers render the film.")],
    crons: Crons = None,
    intervals: Intervals = None,
    rrules: RRules = None,
    timezone: Timezone = None,
    provider: options.Provider = None,
    sets: options.Set = None,
    select: options.Select = None,
    budget: options.Budget = None,
    out: options.Out = None,
    name: Name = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            "--bucket",
            metavar="URL",
            envvar=CLIPS_URL,
            help="Pack the storyboard and its files into this bucket, for workers that do not share a disk.",
        ),
    ] = None,
    limits: Limits = None,
    overlap: Overlap = "wait",
    spread: Annotated[
        Literal["none", "scenes"],
        typer.Option("--spread", help="`scenes`: each scene is a run of its own, on any worker of the pool."),
    ] = "none",
    lost_after: LostAfter = None,
    yes: Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Let the workers of a Prefect work pool render a film: on a schedule, or whenever a run is started."""
    from storyreel.flows.servers.choose import set_prefect_defaults

    set_prefect_defaults()
    schedules = read_schedules(crons, intervals, rrules, timezone)
    run = options.request_of(storyboard, provider, sets, select, budget, out)
    request = _agreed(run, yes, name, limits, overlap=overlap, lost_after=lost_after, spread=spread)
    from storyreel.flows.deployment import deploy as deployment
    from storyreel.flows.deployment.environment import is_secret

    for option, address in (("--bucket", bucket), ("--out", out)):
        if address and is_secret(option, address):
            what = f"{option}: its password would be stored in Prefect; set it in the environment instead"
            raise typer.BadParameter(what)
    deployed = deployment.deploy(request, pool, schedules, bucket, Terminal(stderr=True))
    options.print_result(deployed, as_json, _print_deployed)


def serve(
    storyboard: options.File,
    crons: Crons = None,
    intervals: Intervals = None,
    rrules: RRules = None,
    timezone: Timezone = None,
    provider: options.Provider = None,
    sets: options.Set = None,
    select: options.Select = None,
    budget: options.Budget = None,
    out: options.Out = None,
    name: Name = None,
    limits: Limits = None,
    overlap: Overlap = "wait",
    lost_after: LostAfter = None,
    yes: Yes = False,
) -> None:
    """Render a film on this machine, on a schedule or on request, for as long as the command runs."""
    from storyreel.flows.servers.choose import set_prefect_defaults

    set_prefect_defaults()
    schedules = read_schedules(crons, intervals, rrules, timezone)
    run = options.request_of(storyboard, provider, sets, select, budget, out)
    request = _agreed(run, yes, name, limits, must_have_keys=True, overlap=overlap, lost_after=lost_after)
    from storyreel.flows.deployment import serve as serving

    serving.serve(request, schedules, Terminal(stderr=True))


def read_schedules(
    crons: list[str] | None, intervals: list[str] | None, rrules: list[str] | None, zone: str | None
) -> list[Schedule]:
    """The schedules that were asked for. Raises typer.BadParameter."""
    from storyreel.flows.deployment.schedules import parse_schedules

    try:
        lengths = [parse_interval(each) for each in intervals or ()]
    except ValueError as error:
        raise typer.BadParameter(f"--interval: {error}; for example --interval 90m, 12h, 1d or 1w") from error
    try:
        return parse_schedules(crons or (), lengths, rrules or (), zone)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _agreed(
    run: RunRequest, yes: bool, name: str | None, limits: list[str] | None, must_have_keys: bool = False, **more: Any
) -> DeploymentRequest:
    """The request for a deployment. Raises what planning, `require_keys` and `agree_unattended` raise."""
    from storyreel.flows.commands.consent import agree_unattended, require_keys
    from storyreel.flows.deployment.registration import DeploymentRequest

    run.check_recordable()
    budgeted = options.plan_of(run)
    request = DeploymentRequest(run=run, plan=budgeted.plan, name=_name(name), limits=_limits(limits), **more)
    if must_have_keys:
        require_keys(budgeted.plan)
    agree_unattended(budgeted, run, yes, Terminal(stderr=True))
    return request


def _name(given: str | None) -> str | None:
    """A deployment's name, which Prefect allows no `/%&><"` in. Raises typer.BadParameter."""
    if given is not None and (not given.strip() or set(given) & set('/%&><"')):
        raise typer.BadParameter(f"--name: {given!r} is not a name; for example --name the-keeper-weekly")
    return given


def _limits(given: list[str] | None) -> dict[str, int]:
    """Takes at once by service, from `dashscope=5`. Raises typer.BadParameter."""
    from storyreel.tasks.providers import load, names

    found = {}
    for each in given or []:
        service, _, most = each.partition("=")
        if service not in names() or not load(service).paid:
            paid = ", ".join(name for name in names() if load(name).paid)
            raise typer.BadParameter(f"--limit: {service!r} is not a paid service; these are: {paid}")
        if not (most.isascii() and most.isdigit() and 0 < int(most) < 10_000):
            raise typer.BadParameter(f"--limit wants SERVICE=N, for example {service}=5, not {each!r}")
        found[service] = int(most)
    return found


def _print_deployed(console: Terminal, deployed: Deployed) -> None:
    lines = [f"deployed  {deployed.deployment}, version {deployed.version[:12]}"]
    if deployed.packed:
        lines.append(f"renders   {deployed.storyboard}: the film as it is now, even if the file changes")
    else:
        lines.append(f"renders   {deployed.storyboard}, read again at each run: workers need it under this path")
        lines.append("          (with --bucket URL it is packed, and runs render the film as it is now)")
    if deployed.replaced:
        lines.append(f"replaces  the deployment of {deployed.replaced}; --name gives this one another name")
    lines.append(f"into      {deployed.out}")
    lines += [f"runs      {when}" for when in deployed.schedules] or ["runs      when it is started by hand"]
    second = "waits for its turn" if deployed.overlap == "wait" else "is skipped"
    lines.append(f"          one at a time; a run that is due meanwhile {second}")
    if deployed.spread == "scenes":
        lines.append("          scene by scene, each on any worker of the pool; the film's run joins them")
    for each in deployed.limits:
        lines.append(f"limit     {each.name}: {each.limit} takes at once in all runs together ({each.became})")
    lines += [f"paused    {name}; lost runs are not started again until you resume it" for name in deployed.paused]
    if deployed.withheld:
        lines.append(f"workers   need {', '.join(deployed.withheld)} in their own environment; not stored in Prefect")
    lines += ["", "next:", f"  {deployed.worker}", f"  {deployed.run}", f"  {deployed.page}"]
    for line in lines:
        console.print(line, soft_wrap=True)
