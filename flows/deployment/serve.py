"""`storyreel serve`: this machine renders a film on a schedule or when asked, for as long as the command runs."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from storyreel.flows.commands.consent import lacking
from storyreel.flows.deployment.deploy import DeploymentRequest, Times, film_deployment, make_sure, schedules_of
from storyreel.flows.servers.choose import reporting, server_at_hand, settle_environment
from storyreel.tasks.settings import HOME

if TYPE_CHECKING:
    from prefect.schedules import Schedule

    from storyreel.flows.deployment.registration import FilmDeployment

_LOOK_SECONDS = 5
"""Between two looks whether a run is due."""


def serve(wish: DeploymentRequest, times: Times, console: Console) -> None:
    """Register a film and render it whenever it is due, until Ctrl-C or SIGTERM.

    Raises typer.BadParameter, NotAllowed, BudgetExceeded, and RunFailed with the command to run next.
    """
    settle_environment()
    schedules = schedules_of(times)
    lacking(wish.planning.plan)
    make_sure(wish, console)
    with ExitStack() as stack:
        with console.status("starting Prefect"):
            at_hand = stack.enter_context(server_at_hand())
            pages = stack.enter_context(reporting(at_hand))
            reel = film_deployment(wish)
        stack.enter_context(_nowhere())
        asyncio.run(_serve(wish, reel, schedules, pages, console))
    console.print("stopped; nothing is rendered until it is served again", highlight=False)


@contextmanager
def _nowhere() -> Iterator[None]:
    """Runs are processes that begin where this one is, and Prefect has them import from there first, whatever Python is
    told: so they begin in an empty folder, and what the environment says of paths is said in full."""
    for name, value in os.environ.items():
        if value and name.startswith("STORYREEL_") and (name == HOME or Path(value).exists()):
            os.environ[name] = str(Path(value).expanduser().absolute())
    os.environ["PYTHONSAFEPATH"] = "1"
    with tempfile.TemporaryDirectory(prefix="storyreel-serve-") as folder, chdir(folder):
        yield


async def _serve(
    wish: DeploymentRequest, reel: FilmDeployment, schedules: Sequence[Schedule], pages: str, console: Console
) -> None:
    from storyreel.flows.deployment import registration as schedule
    from storyreel.flows.deployment.handing_over import HandingOverRunner
    from storyreel.flows.deployment.schedules import in_words
    from storyreel.flows.lifecycle import automations
    from storyreel.flows.production import service_limits as limits

    await limits.hold(wish.paid, wish.limits)
    await automations.keep(wish.lost_after)
    runner = HandingOverRunner(
        name="storyreel serve",
        query_seconds=_LOOK_SECONDS,
        heartbeat_seconds=automations.HEARTBEAT_SECONDS,
        pause_on_shutdown=True,
    )
    wanted = await schedule.deployment(reel, wish.sheet, schedules, wish.overlap)
    made = await runner.aadd_deployment(wanted)
    await schedule.clear_schedules(made, wanted)
    for when in map(in_words, schedules):
        console.print(f"renders {reel.title}: {when}", highlight=False)
    if pages:
        console.print(f"or when asked: {pages}/deployments/deployment/{made}", highlight=False, soft_wrap=True)
    else:
        console.print("or when asked: start `storyreel ui` before this command, then look at its pages")
    console.print(f"into {reel.out}; Ctrl-C ends it", highlight=False, soft_wrap=True)
    # Ctrl-C ends it as SIGTERM does: the runs that are going are handed to whoever serves the film next.
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, runner.handle_sigterm)
    await runner.start()
