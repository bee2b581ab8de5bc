"""The options of `deploy` and `serve`, and the `FilmOptions` that are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from storyreel.flows.commands import options
from storyreel.specs.timing import parse_interval

if TYPE_CHECKING:
    from prefect.schedules import Schedule

    from storyreel.flows.deployment.request import FilmOptions

Files = Annotated[
    list[Path] | None,
    typer.Argument(metavar="STORYBOARD...", help="The storyboards, YAML files.", show_default=False),
]
All = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Take the films of `deployments.yaml`, or of the file that is named. Options hold where it says nothing.",
    ),
]
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
NoSchedule = Annotated[
    bool, typer.Option("--no-schedule", help="Remove the schedules of the deployment that are not named here.")
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Name of the deployment; by default made from the title.")
]
Ceiling = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="AMOUNT",
        help="What a run may cost at most: `20 USD`. Agrees to that much; no run can raise it. `none` takes an earlier "
        "one away.",
    ),
]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="SERVICE=N",
        help="At most N takes at once at a service, or of one of its models: SERVICE:MODEL=N, of all runs together. "
        "Repeatable.",
    ),
]
Overlap = Annotated[
    Literal["wait", "skip"] | None,
    typer.Option(
        "--overlap",
        help="A run that is due while another run of the film is under way waits for it, or is skipped; at first: "
        "wait.",
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
Reset = Annotated[
    bool,
    typer.Option(
        "--reset", help="Set everything that is not named back to its default, instead of leaving it as deployed."
    ),
]
Yes = Annotated[
    bool,
    typer.Option("--yes", help="Do not ask. Let runs buy at any price where no budget limits them."),
]


def film_options(
    storyboards: list[Path] | None,
    is_all: bool,
    crons: list[str] | None,
    intervals: list[str] | None,
    rrules: list[str] | None,
    timezone: str | None,
    *,
    provider: str | None,
    sets: list[str] | None,
    select: list[str] | None,
    budget: str | None,
    out: str | None,
    name: str | None,
    limits: list[str] | None,
    deliverables: list[str] | None = None,
    **more: Any,
) -> list[FilmOptions]:
    """The options of each film, named here or in a file. Raises typer.BadParameter and DeploymentsError."""
    from storyreel.flows.deployment.deployments_file import FILE, read_deployments_file
    from storyreel.flows.deployment.environment import is_secret
    from storyreel.flows.deployment.request import FilmOptions

    if not storyboards and not is_all:
        raise typer.BadParameter(f"name a storyboard, or take those of {FILE} with --all")
    if is_all and len(storyboards or ()) > 1:
        raise typer.BadParameter("--all takes one file of deployments")
    for option, value in (("--name", name), ("--out", out)):
        if value and (is_all or len(storyboards or ()) > 1):
            raise typer.BadParameter(f"{option} is of one film; deploy it by itself")

    no_budget = (budget or "").strip().lower() == "none"
    file, *more_files = storyboards or [FILE]
    run = options.request_of(file, provider, sets, select, None if no_budget else budget, out)
    for option, address in (("--bucket", more.get("bucket")), ("--out", out)):
        if address and is_secret(option, address):
            what = f"{option}: its password would be stored in Prefect; set it in the environment instead"
            raise typer.BadParameter(what)
    named = FilmOptions(
        storyboard=file,
        name=_name(name),
        provider=run.provider,
        vars=run.vars,
        selection=run.selection,
        budget=run.budget,
        no_budget=no_budget,
        out=out,
        schedules=tuple(read_schedules(crons, intervals, rrules, timezone)),
        limits=_limits(limits),
        deliverables=tuple(deliverables or ()),
        **more,
    )
    if is_all:
        return read_deployments_file(file, named)
    return [named, *(named.model_copy(update={"storyboard": each}) for each in more_files)]


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


def _name(given: str | None) -> str | None:
    """A deployment's name, which Prefect allows no `/%&><"` in. Raises typer.BadParameter."""
    if given is not None and (not given.strip() or set(given) & set('/%&><"')):
        raise typer.BadParameter(f"--name: {given!r} is not a name; for example --name the-keeper-weekly")
    return given


def _limits(given: list[str] | None) -> dict[str, int]:
    """Takes at once by service, from `dashscope=5`, or by model. Raises typer.BadParameter."""
    from storyreel.tasks.providers import load, names
    from storyreel.tasks.providers.models import models_of

    found = {}
    for each in given or []:
        limit, _, most = each.partition("=")
        service, _, model = limit.partition(":")
        if service not in names() or not load(service).paid:
            paid = ", ".join(name for name in names() if load(name).paid)
            raise typer.BadParameter(f"--limit: {service!r} is not a paid service; these are: {paid}")
        if ":" in limit and model not in (models := models_of(load(service))):
            raise typer.BadParameter(f"--limit: {service} has no model {model!r}; these are: {', '.join(models)}")
        if not (most.isascii() and most.isdigit() and 0 < int(most) < 10_000):
            raise typer.BadParameter(f"--limit wants SERVICE=N, for example {service}=5, not {each!r}")
        found[limit] = int(most)
    return found
