"""Serves a film from this process: renders it on a schedule or on request, for as long as the process runs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from prefect.schedules import Schedule

from storyreel.flows.deployment import registration
from storyreel.flows.deployment.deploy import film_deployment
from storyreel.flows.deployment.form import form_of, publish_form
from storyreel.flows.deployment.registration import DeploymentRequest, FilmDeployment
from storyreel.flows.deployment.schedules import describe
from storyreel.flows.lifecycle import automations
from storyreel.flows.player.running import playing
from storyreel.flows.production import service_limits
from storyreel.flows.servers.choose import prepared_server, report_to_server
from storyreel.flows.servers.prefect_internals import HandoverRunner
from storyreel.flows.terminal import Terminal
from storyreel.tasks.home import Home

_QUERY_SECONDS = 5
"""Between two queries for runs that are due."""


def serve(request: DeploymentRequest, schedules: Sequence[Schedule], console: Terminal) -> None:
    """Register a film and render it whenever it is due, until Ctrl-C. Raises StoryboardError and RunFailed."""
    with ExitStack() as stack:
        with console.status("starting Prefect"):
            prepared = stack.enter_context(prepared_server())
            pages = stack.enter_context(report_to_server(prepared))
            film = film_deployment(request)
        stack.enter_context(playing(Home.of(), partial(console.print, soft_wrap=True)))
        # Runs begin in this folder as `python -m prefect.engine`: a prefect.py in it must not be imported.
        os.environ["PYTHONSAFEPATH"] = "1"
        asyncio.run(_serve(request, film, schedules, pages, console))
    console.print("stopped; nothing is rendered until it is served again")


async def _serve(
    request: DeploymentRequest, film: FilmDeployment, schedules: Sequence[Schedule], pages: str, console: Terminal
) -> None:
    if replaced := await registration.replaced_storyboard(film):
        console.print(f"note: this replaces the deployment of {replaced}; --name gives it another name", soft_wrap=True)
    await service_limits.ensure_limits(request.paid_services, request.limits)
    await automations.ensure_automations(request.lost_after)
    runner = HandoverRunner(
        name="storyreel serve",
        query_seconds=_QUERY_SECONDS,
        heartbeat_seconds=automations.HEARTBEAT_SECONDS,
        pause_on_shutdown=True,
    )
    wanted = await registration.render_deployment(film, request, schedules)
    # Set explicitly: without it Prefect keeps the pool of an earlier deployment of the same name.
    wanted.work_pool_name = wanted.work_queue_name = None
    created = await runner.aadd_deployment(wanted)
    await registration.remove_old_schedules(created, wanted)
    await publish_form(created, await asyncio.to_thread(form_of, request))
    for when in map(describe, schedules):
        console.print(f"renders {film.title}: {when}")
    if pages:
        console.print(f"or on request: {pages}/deployments/deployment/{created}", soft_wrap=True)
    else:
        console.print("or on request: run `storyreel ui` before this command, then start a run on its pages")
    console.print(f"into {film.out}; Ctrl-C ends it", soft_wrap=True)
    # Ctrl-C acts as SIGTERM: the runs under way are scheduled again, for the next process that serves the film.
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, signal.raise_signal, signal.SIGTERM)
    await runner.start()
