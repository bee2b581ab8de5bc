"""The commands that have a film rendered again and again: by this machine, or by workers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from storyreel.flows.commands.options import AsJson, Budget, File, Provider, Select, Set, plan_of, print_json, sheet_of
from storyreel.tasks.settings import CLIPS_URL

if TYPE_CHECKING:
    from storyreel.flows.deployment.deploy import DeploymentRequest


class Overlap(StrEnum):
    """What becomes of a run that is due while another one of the same film is going."""

    WAIT = "wait"
    SKIP = "skip"


class Spread(StrEnum):
    """What is a run of its own."""

    NONE = "none"
    SCENES = "scenes"


Crons = Annotated[
    list[str] | None, typer.Option("--cron", metavar="LINE", help="When: `0 6 * * 1` is Mondays at six. Repeatable.")
]
Intervals = Annotated[
    list[str] | None,
    typer.Option("--interval", metavar="LENGTH", help="How often: `90m`, `12h`, `1d`, `1w`, counted from midnight."),
]
RRules = Annotated[
    list[str] | None,
    typer.Option("--rrule", metavar="RULE", help="When, as calendars say: `FREQ=MONTHLY;BYDAY=1MO`."),
]
Timezone = Annotated[
    str | None,
    typer.Option("--timezone", metavar="ZONE", help="Where that is so: `Europe/Paris`; UTC by default."),
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="What the deployment is called; after the film by default.")
]
Limits = Annotated[
    list[str] | None,
    typer.Option("--limit", metavar="SERVICE=N", help="Takes at a service at once, of all runs together. Repeatable."),
]
Overlapping = Annotated[
    Overlap, typer.Option("--overlap", help="What a run does that is due while another one of the film is going.")
]
LostAfter = Annotated[
    int | None,
    typer.Option(
        "--lost-after",
        metavar="SECONDS",
        min=40,
        max=86_400,
        help="Without a sign of life a run is picked up by another worker after so long; 90 at first. For all films.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Let runs buy whatever it costs, where no budget holds them.")]


def deploy(
    storyboard: File,
    pool: Annotated[str, typer.Option("--pool", metavar="NAME", help="The work pool whose workers render it.")],
    crons: Crons = None,
    intervals: Intervals = None,
    rrules: RRules = None,
    timezone: Timezone = None,
    provider: Provider = None,
    sets: Set = None,
    select: Select = None,
    budget: Budget = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Where the film goes: a folder, or a bucket's address.")
    ] = None,
    name: Name = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            "--bucket",
            metavar="URL",
            envvar=CLIPS_URL,
            help="Pack storyboard and files into it, for workers that do not share a disk.",
        ),
    ] = None,
    limits: Limits = None,
    overlap: Overlapping = Overlap.WAIT,
    spread: Annotated[
        Spread, typer.Option("--spread", help="`scenes`: each scene is a run of its own, on any worker of the pool.")
    ] = Spread.NONE,
    lost_after: LostAfter = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have workers render a film: on a schedule, or whenever somebody asks for it in Prefect's pages."""
    from storyreel.flows.deployment.deploy import Times, print_deployed
    from storyreel.flows.deployment.deploy import deploy as register

    wish = _wish(storyboard, provider, sets, select, budget, out, name, limits, overlap, lost_after, yes, spread)
    progress = Console(stderr=True)
    deployed = register(wish, pool, Times(crons or (), intervals or (), rrules or (), timezone), bucket, progress)
    if as_json:
        print_json(deployed.as_json())
    else:
        print_deployed(Console(), deployed)


def serve(
    storyboard: File,
    crons: Crons = None,
    intervals: Intervals = None,
    rrules: RRules = None,
    timezone: Timezone = None,
    provider: Provider = None,
    sets: Set = None,
    select: Select = None,
    budget: Budget = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Where the film goes; `renders/<title>` by default.")
    ] = None,
    name: Name = None,
    limits: Limits = None,
    overlap: Overlapping = Overlap.WAIT,
    lost_after: LostAfter = None,
    yes: Yes = False,
) -> None:
    """Have this machine render a film, on a schedule or when asked, for as long as the command runs."""
    from storyreel.flows.deployment.deploy import Times
    from storyreel.flows.deployment.serve import serve as keep_serving

    wish = _wish(storyboard, provider, sets, select, budget, out, name, limits, overlap, lost_after, yes)
    keep_serving(wish, Times(crons or (), intervals or (), rrules or (), timezone), Console(stderr=True))


def _wish(
    storyboard: Path,
    provider: str | None,
    sets: list[str] | None,
    select: list[str] | None,
    budget: str | None,
    out: str | None,
    name: str | None,
    limits: list[str] | None,
    overlap: Overlap,
    lost_after: int | None,
    yes: bool,
    spread: Spread = Spread.NONE,
) -> DeploymentRequest:
    """What was asked for, with its plan. Raises StoryboardError and typer.BadParameter."""
    from storyreel.flows.deployment.deploy import DeploymentRequest

    sheet = sheet_of(storyboard, provider, sets, select, budget)
    return DeploymentRequest(
        sheet=sheet,
        planning=plan_of(sheet),
        out=out,
        name=_name(name),
        limits=_limits(limits),
        overlap=overlap.value,
        lost_after=lost_after,
        yes=yes,
        spread=spread.value,
    )


def _name(said: str | None) -> str | None:
    """Prefect takes these signs for its own. Raises typer.BadParameter."""
    if said is not None and (not said.strip() or set(said) & set('/%&><"')):
        raise typer.BadParameter(f"--name: {said!r} is no name; for example --name the-keeper-weekly")
    return said


def _limits(said: list[str] | None) -> dict[str, int]:
    """`dashscope=5`. Raises typer.BadParameter."""
    from storyreel.tasks.providers import load, names

    found = {}
    for each in said or []:
        service, _, most = each.partition("=")
        if service not in names() or not load(service).paid:
            paid = ", ".join(name for name in names() if load(name).paid)
            raise typer.BadParameter(f"--limit: {service!r} is no paid service; there are {paid}")
        if not (most.isascii() and most.isdigit() and 0 < int(most) < 10_000):
            raise typer.BadParameter(f"--limit wants SERVICE=N, for example {service}=5, not {each!r}")
        found[service] = int(most)
    return found
