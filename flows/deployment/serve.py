"""Serves films from this process: renders them on a schedule or on request, for as long as the process runs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import httpx
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.runner import RunnerDeployment
from pydantic import PrivateAttr

from storyreel.flows.deployment import registration
from storyreel.flows.deployment.deploy import Prepared, apart, prepared
from storyreel.flows.deployment.request import DeploymentRequest
from storyreel.flows.lifecycle import automations
from storyreel.flows.player.running import playing
from storyreel.flows.production.slots import service_limits
from storyreel.flows.production.slots.lost_slots import release_lost_slots
from storyreel.flows.servers.choose import prepared_server, report_to_server
from storyreel.flows.servers.prefect_internals import HandoverRunner, outlast_console
from storyreel.flows.terminal import Terminal
from storyreel.specs.problems.phrases import counted, shown
from storyreel.tasks.home import Home

_QUERY_SECONDS = 5
"""Between two queries for runs that are due."""


class _Registered(RunnerDeployment):
    """A deployment for a runner, registered already: `aapply` only returns its id."""

    _id: UUID = PrivateAttr()

    @classmethod
    def of(cls, deployment: DeploymentResponse) -> _Registered:
        made = cls(name=deployment.name)
        made._id = deployment.id
        return made

    async def aapply(self, *_: Any, **__: Any) -> UUID:
        return self._id


@contextmanager
def server(console: Terminal) -> Iterator[str]:
    """Report to a Prefect server inside: one that is there, else one that ends with this process. Gives its pages URL.

    The URL is empty for a server that ends. Raises RunFailed.
    """
    with ExitStack() as stack:
        with console.status("starting Prefect") as status:
            starting = stack.enter_context(prepared_server())
            pages = stack.enter_context(report_to_server(starting, on_start=status.update))
        yield pages


def prepare(requests: Sequence[DeploymentRequest], existing: Mapping[str, DeploymentResponse]) -> list[Prepared]:
    """Find out what serving these films will change. Raises StoryboardError, FolderTaken and NotAllowed.

    `existing` are the deployments that the server has, by their full names.
    """
    return apart([prepared(request, existing, is_process_pool=False) for request in requests])


def serve(films: Sequence[Prepared], pages: str, console: Terminal) -> None:
    """Register films and render each whenever it is due, until Ctrl-C. Raises RunFailed.

    `pages` is the URL of the server's pages.
    """
    # Runs begin in this folder as `python -m prefect.engine`: a prefect.py in it must not be imported.
    os.environ["PYTHONSAFEPATH"] = "1"
    console.outlast()
    outlast_console()
    with playing(Home.of(), partial(console.print, soft_wrap=True)):
        handed_over = asyncio.run(_serve(films, pages, console))
    stopped = "stopped; nothing is rendered until it is served again"
    if handed_over:
        stopped = f"{stopped}; then {counted(handed_over, 'run')} will continue"
    console.print(stopped)


async def _serve(films: Sequence[Prepared], pages: str, console: Terminal) -> int:
    """Serve films until a signal ends it; returns how many runs were under way then."""
    # What paused the deployments must be known when they are served again, so the runner does not pause them.
    runner = HandoverRunner(
        name="storyreel serve",
        query_seconds=_QUERY_SECONDS,
        heartbeat_seconds=automations.HEARTBEAT_SECONDS,
        pause_on_shutdown=False,
    )
    served = [await _register(film, runner, pages, console) for film in films]
    console.print("Ctrl-C ends it")
    # Ctrl-C acts as SIGTERM: the runs under way are scheduled again, for the next process that serves the film.
    # So does the end of its terminal, unless that is ignored, as with nohup.
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    for signum in (signal.SIGINT, *hangup):
        asyncio.get_running_loop().add_signal_handler(signum, signal.raise_signal, signal.SIGTERM)
    try:
        await runner.start()
    finally:
        for each in served:
            await _pause(each, console)
    return runner.handed_over


async def _register(film: Prepared, runner: HandoverRunner, pages: str, console: Terminal) -> UUID:
    if film.replaced:
        name = f"note: this replaces the deployment of {film.replaced}; --name gives it another name"
        console.print(name, soft_wrap=True)
    options = film.request.options
    title = f"{film.film.title} as {options.name}" if options.name else film.film.title
    await service_limits.ensure_limits(film.request.limits, options.limits)
    for lost in await release_lost_slots(film.request.limits):
        console.print(f"note: {lost}", soft_wrap=True)
    await automations.ensure_automations(options.lost_after)
    done = await registration.register(film.registration, film.current, film.schedules)
    await runner.aadd_deployment(_Registered.of(done))
    for when in film.schedules.descriptions:
        paused = ", paused: resume it on its page" if when in film.schedules.paused else ""
        console.print(f"renders {title}: {when}{paused}", soft_wrap=True)
    if pages:
        console.print(f"or on request: {pages}/deployments/deployment/{done.id}", soft_wrap=True)
    else:
        console.print("or on request: run `storyreel ui` before this command, then start a run on its pages")
    if done.paused:
        paused = f"{title} is paused, as it was before: no schedule begins a run until you resume it on its page"
        console.print(paused, soft_wrap=True)
    console.print(f"into {film.film.out}", soft_wrap=True)
    return done.id


async def _pause(deployment: UUID, console: Terminal) -> None:
    try:
        await registration.pause_unserved(deployment)
    except httpx.HTTPError as error:
        why = shown(error) or type(error).__name__
        late = f"the deployment could not be paused, so that runs which are due meanwhile come late: {why}"
        console.print(late, soft_wrap=True)
