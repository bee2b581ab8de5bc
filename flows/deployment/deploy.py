"""`storyreel deploy`: a film is planned, packed, and given to Prefect; and what is said of it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import typer
from rich.console import Console

from storyreel.flows.commands import tables as showing
from storyreel.flows.commands.consent import with_next
from storyreel.flows.errors import NotAllowed
from storyreel.flows.planning.budget import BudgetedPlan
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.summary import summarize, summarize_purchases
from storyreel.flows.production.report import default_folder
from storyreel.flows.servers.choose import settle_environment, standing
from storyreel.specs.frozen import Frozen
from storyreel.tasks.providers import load
from storyreel.tasks.settings import PRICES

if TYPE_CHECKING:
    from prefect.schedules import Schedule

    from storyreel.flows.deployment.registration import FilmDeployment, Pool


class Times(NamedTuple):
    """When a film is rendered by itself, as it was said."""

    crons: Sequence[str] = ()
    intervals: Sequence[str] = ()
    rrules: Sequence[str] = ()
    zone: str | None = None


class DeploymentRequest(NamedTuple):
    """What a deployment was asked to be."""

    sheet: RunRequest
    planning: BudgetedPlan
    out: str | None
    name: str | None
    limits: dict[str, int]
    """Takes at services at once, where that was said."""
    overlap: Literal["wait", "skip"]
    lost_after: int | None
    """Seconds; as it stands when None."""
    yes: bool
    spread: Literal["none", "scenes"] = "none"

    @property
    def services(self) -> list[str]:
        """All services that a run may order from, paid or not, by name."""
        takes = self.planning.plan.takes
        return sorted({way.request.provider for take in takes for way in take.candidates})

    @property
    def paid(self) -> list[str]:
        """Those of them that are paid."""
        return [name for name in self.services if load(name).paid]


class Deployed(Frozen):
    """What was registered."""

    deployment: str
    id: str
    version: str
    pool: str
    storyboard: str
    packed: bool
    out: str
    schedules: tuple[str, ...]
    overlap: str
    spread: str
    limits: tuple[tuple[str, int, str], ...]
    """Name, takes at once, and what was done: made, changed, kept."""
    paused: tuple[str, ...]
    """Automations that somebody has paused."""
    environment: dict[str, str]
    withheld: tuple[str, ...]
    """Variables that a worker needs and that are stored nowhere."""
    page: str

    @property
    def worker(self) -> str:
        """The command that starts a worker."""
        return shlex.join(["prefect", "worker", "start", "--pool", self.pool])

    @property
    def now(self) -> str:
        """The command that runs it at once."""
        return shlex.join(["prefect", "deployment", "run", self.deployment])

    def as_json(self) -> dict[str, Any]:
        """The form that `deploy --json` prints."""
        limits = [{"name": name, "limit": most, "became": became} for name, most, became in self.limits]
        return {**self.model_dump(mode="json"), "limits": limits, "worker": self.worker, "run": self.now}


def make_sure(wish: DeploymentRequest, console: Console) -> None:
    """Return when runs that nobody watches may buy what they buy.

    Raises BudgetExceeded, and NotAllowed when nothing holds them. Keys are not asked for: workers have their own.
    """
    plan, planning = wish.planning.plan, wish.planning
    if planning.excess:
        raise with_next(planning.excess, wish.sheet)
    if not plan.bought:
        console.print(f"[bold]{plan.title}[/bold]: {summarize(plan)}", highlight=False)
        return
    showing.print_plan(console, planning)
    if not (planning.limits or wish.yes):
        raise NotAllowed(
            f"a run would buy {summarize_purchases(plan.bought)}, and nobody sits beside it; {_how_to_hold(plan)}"
            "  or let it buy whatever it costs with --yes"
        )


def _how_to_hold(plan: Plan) -> str:
    if plan.unpriced:
        return f"no budget can hold what has no known price; give the prices:\n  in a file that {PRICES} names\n"
    if len(plan.totals) > 1:
        return "no budget can hold two currencies:\n  use services that are paid in one\n"
    least = plan.totals[0].exactly
    return (
        "say what a run may cost:\n"
        f"  in the storyboard   budget: {{per_run: {least}}}\n"
        f"  or here             --budget '{least}'\n"
    )


def schedules_of(times: Times) -> list[Schedule]:
    """What was said of times, understood. Raises typer.BadParameter."""
    from storyreel.flows.deployment.schedules import NoTime, timetable

    try:
        return timetable(*times)
    except NoTime as error:
        raise typer.BadParameter(str(error)) from error


def deploy(wish: DeploymentRequest, pool_name: str, times: Times, bucket: str | None, console: Console) -> Deployed:
    """Register a film for the workers of a pool.

    Raises typer.BadParameter, NotAllowed, BudgetExceeded, and RunFailed with the command to run next.
    """
    settle_environment()
    schedules = schedules_of(times)
    make_sure(wish, console)
    from storyreel.flows.deployment.registration import is_secret, pool_of

    if bucket and is_secret("--bucket", bucket):
        raise typer.BadParameter("--bucket: its password would be stored in Prefect; set it in the environment instead")
    with console.status("deploying"), standing() as page:
        # The pool first: nothing is packed or made for one that is not there.
        pool = asyncio.run(pool_of(pool_name))
        return asyncio.run(_deploy(wish, pool, schedules, film_deployment(wish, bucket), page))


def film_deployment(wish: DeploymentRequest, bucket: str | None = None) -> FilmDeployment:
    """What is deployed: the storyboard where it is, or packed into a bucket. Raises StoryboardError."""
    from storyreel.flows.deployment.registration import FilmDeployment
    from storyreel.flows.packs import pack, version_of
    from storyreel.specs.reading import read

    file = Path(wish.sheet.storyboard).expanduser().absolute()
    packed = pack(file, bucket, wish.sheet.vars) if bucket else None
    return FilmDeployment(
        title=wish.planning.plan.title,
        name=wish.name or default_folder(wish.planning.plan.title).name,
        version=packed.version if packed else version_of(read(file, wish.sheet.vars)),
        storyboard=packed.address if packed else str(file),
        is_packed=packed is not None,
        out=_out(wish, bucket),
    )


async def _deploy(
    wish: DeploymentRequest, pool: Pool, schedules: Sequence[Schedule], reel: FilmDeployment, page: str
) -> Deployed:
    from storyreel.flows.deployment import registration as schedule
    from storyreel.flows.deployment.schedules import in_words
    from storyreel.flows.lifecycle import automations
    from storyreel.flows.production import service_limits as limits

    told, withheld = schedule.travelling(wish.services, to_process=pool.is_process)
    held = await limits.hold(wish.paid, wish.limits)
    kept = await automations.keep(wish.lost_after)
    if wish.spread == "scenes":  # before the film itself, so that its first run finds them
        await schedule.register(await schedule.scenes(reel, pool, told))
    made = await schedule.register(
        await schedule.deployment(reel, wish.sheet, schedules, wish.overlap, pool, told, wish.spread)
    )
    return Deployed(
        deployment=reel.full_name,
        id=str(made),
        version=reel.version,
        pool=pool.name,
        storyboard=reel.storyboard,
        packed=reel.is_packed,
        out=reel.out,
        schedules=tuple(map(in_words, schedules)),
        overlap=wish.overlap,
        spread=wish.spread,
        limits=tuple((limit.name, limit.most, limit.became) for limit in held),
        paused=tuple(one.name for one in kept if not one.is_on),
        environment=told,
        withheld=(*withheld, *(load(name).missing_variable({}) for name in wish.paid)),
        page=f"{page}/deployments/deployment/{made}",
    )


def print_deployed(console: Console, deployed: Deployed) -> None:
    """What was registered, and what to run next."""
    lines = [f"deployed  {deployed.deployment}, version {deployed.version[:12]}"]
    if deployed.packed:
        lines.append(f"renders   {deployed.storyboard}: what was deployed, whatever becomes of the file")
    else:
        lines.append(f"renders   {deployed.storyboard}, read anew at each run: workers must see it under this path")
        lines.append("          (with --bucket URL it is packed, so that a run renders what was deployed)")
    lines.append(f"into      {deployed.out}")
    lines += [f"runs      {when}" for when in deployed.schedules] or ["runs      when somebody asks for it"]
    second = "waits for its turn" if deployed.overlap == "wait" else "is left out"
    lines.append(f"          one at a time; what is due meanwhile {second}")
    if deployed.spread == "scenes":
        lines.append("          scene by scene, each on any worker of the pool; the film's run joins them")
    for name, most, became in deployed.limits:
        lines.append(f"limit     {name}: {most} takes at once in all runs together ({became})")
    lines += [f"paused    {name}; lost runs stay lost until somebody resumes it" for name in deployed.paused]
    if deployed.withheld:
        lines.append(f"workers   need {', '.join(deployed.withheld)} in their own environment; it is stored nowhere")
    lines += ["", "next:", f"  {deployed.worker}", f"  {deployed.now}", f"  {deployed.page}"]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _out(wish: DeploymentRequest, bucket: str | None) -> str:
    """Where a run puts the film, wherever it runs."""
    if wish.out and "://" in wish.out:
        return wish.out
    if wish.out or not bucket:
        return str(Path(wish.out or default_folder(wish.planning.plan.title)).expanduser().absolute())
    return f"{bucket.rstrip('/')}/films/{default_folder(wish.planning.plan.title).name}"
