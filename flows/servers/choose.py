"""Chooses the Prefect server that a command or a run reports to.

The one that Prefect's settings name; else that of `storyreel ui`; else one that ends with the run.
"""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from storyreel.flows.errors import RunFailed
from storyreel.flows.servers.ephemeral import EphemeralServer
from storyreel.flows.servers.kept import BorrowedServer, Keeping, borrowed_server
from storyreel.flows.servers.local import Tell, local_server, pages_url, probe
from storyreel.flows.servers.prefect_settings import (
    NO_ANSWER,
    api_problem,
    default_port,
    is_server_named,
    lasting_api,
    named_server,
    settings_digest,
)
from storyreel.specs.errors import StoryreelError
from storyreel.tasks.settings import Settings

_DEFAULTS = {
    # No telemetry.
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # The terminal has a display of its own; Prefect's log is on the run's page. Its client writes each event that it
    # cannot send as a line of several KB; gaps in the record are reported at the end of a run.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
}

_KEPT_MINUTES = 5

_uses_ephemeral_server: ContextVar[bool] = ContextVar("uses_ephemeral_server", default=False)


def uses_ephemeral_server() -> bool:
    """Whether the run reports to a server that ends with it, so that no other process can change its record."""
    return _uses_ephemeral_server.get()


def set_prefect_defaults() -> None:
    """Set the environment variables of a run that the user has not set. Call before Prefect is imported."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    # What needs the folder, and `doctor`, say so themselves.
    warnings.filterwarnings("ignore", "Failed to create the Prefect home directory", UserWarning)


RunServer = EphemeralServer | BorrowedServer
"""A server of a run's own, which ends with it or is kept for the next one."""


@contextmanager
def prepared_server() -> Iterator[EphemeralServer | None]:
    """An ephemeral server whose process starts at once, for `report_to_server`; None if another server is available."""
    if is_server_named() or local_server():
        yield None
    else:
        with EphemeralServer() as server:
            yield server


@contextmanager
def run_server() -> Iterator[RunServer | None]:
    """The same for one run alone: it neither schedules nor waits for workers, and may be one that an earlier run left.

    It is kept for the next run for as long as the settings say.
    """
    if is_server_named() or local_server():
        yield None
        return
    set_prefect_defaults()
    settings = settings_digest()
    server: RunServer | None = borrowed_server(settings)
    if server is None:
        seconds = kept_seconds()
        server = EphemeralServer(Keeping(seconds=seconds, settings=settings) if seconds else None, for_one_run=True)
    with server:
        yield server


def kept_seconds() -> float:
    """Seconds for which a run's own server is kept: by default some minutes where a person looks on, else 0."""
    minutes = Settings.read().keep_minutes
    if minutes is None:
        minutes = _KEPT_MINUTES if sys.stderr.isatty() and sys.platform != "win32" else 0
    return minutes * 60


@contextmanager
def report_to_server(
    prepared: RunServer | None = None, on_wait: Tell | None = None, on_start: Tell = lambda text: None
) -> Iterator[str]:
    """Set Prefect's API inside to the server that is named, else that of `storyreel ui`, else an ephemeral one.

    Gives the pages URL of a server that stays; empty for an ephemeral one. Raises RunFailed if that does not start, or
    if the named one does not answer. With `on_wait`, a slow one is waited for, and `on_wait` called with a sentence
    about it; `on_start` is called again and again with what an ephemeral one waits for.
    """
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
        PREFECT_SERVER_CSRF_PROTECTION_ENABLED,
        temporary_settings,
    )

    if named := named_server():
        if named.port and probe(named.port) == "nothing":
            stopped = f"the Prefect server at {named.pages} does not run, and {named.where} names it"
            raise RunFailed(stopped, hint=f"to render without it: {named.remedy}", next="storyreel ui")
        if problem := asyncio.run(_problem(on_wait)):
            raise named.unanswered(problem)
        yield named.pages
    elif local := local_server():
        with temporary_settings({PREFECT_API_URL: f"{local}/api"}):
            yield local
    else:
        with prepared or EphemeralServer() as server:
            settings = {PREFECT_API_URL: server.start(on_start)}
            # Otherwise each client asks for a token first, which the server does not have.
            is_protected = PREFECT_SERVER_CSRF_PROTECTION_ENABLED.value()
            token = _uses_ephemeral_server.set(True)
            try:
                with temporary_settings({**settings, PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: is_protected}):
                    yield ""
            finally:
                _uses_ephemeral_server.reset(token)


async def _problem(on_wait: Tell | None) -> str:
    """The reason why the server in use does not answer; empty if it does, with `on_wait` also if it does later."""
    problem = await api_problem()
    if problem != NO_ANSWER or not on_wait:
        return problem
    from storyreel.flows.servers.availability import watch_server

    async with watch_server(on_wait=on_wait) as server:
        answers = await server.wait()
    return "" if answers else problem


@contextmanager
def lasting_server() -> Iterator[str]:
    """Set Prefect's API inside to a server that stays, and give its pages URL. Raises RunFailed if none answers."""
    if not named_server() and not local_server():
        raise RunFailed(
            "no Prefect server is named or was started here, and what is scheduled needs one that stays",
            hint=_about_a_foreign_one(),
            next="storyreel ui, or `export PREFECT_API_URL=…` for one elsewhere; then the same command again",
        )
    with report_to_server() as pages:
        yield pages


def server_line(pages: str, server: RunServer | None) -> str:
    """A line that says which server runs report to inside `report_to_server`, which got `server` and gave `pages`."""
    if not pages:
        own = server.in_words if server else "a server of this run's own, which ends with it"
        ours = f"Prefect: {own}; storyreel ui shows the run later"
        return "; ".join(filter(None, (ours, _about_a_foreign_one())))
    named = named_server() if lasting_api() else None
    return f"Prefect: {pages}, {f'named by {named.where}' if named else 'started by storyreel ui'}"


def _about_a_foreign_one() -> str:
    """A clause about a Prefect server that answers here and is not used; empty if there is none."""
    port = default_port()
    if probe(port) != "prefect":
        return ""
    return f"the one at {pages_url(port)} is used after: export PREFECT_API_URL={pages_url(port)}/api"


def is_server_lost(error: BaseException | None) -> bool:
    """Whether an error says that the Prefect server does not answer: httpx's own, or an error of Prefect's from it."""
    from httpx import HTTPStatusError, TransportError

    if isinstance(error, HTTPStatusError):
        return error.response.is_server_error
    if isinstance(error, TransportError):
        return True
    # Errors of a service that does not answer have the same causes.
    return not (error is None or isinstance(error, StoryreelError)) and is_server_lost(error.__cause__)


async def wait_for_task_runs(flow_run: UUID, task_runs: int, seconds: float = 30) -> None:
    """Wait, at most for `seconds`, until an ephemeral server has the final states of so many task runs."""
    if not uses_ephemeral_server():
        return
    from prefect import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.objects import TaskRun

    from storyreel.flows.servers.prefect_internals import drain_events

    await drain_events(seconds)
    this_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run]))
    deadline = asyncio.get_running_loop().time() + seconds
    async with get_client() as client:
        while asyncio.get_running_loop().time() < deadline:
            runs: list[TaskRun] = []
            while page := await client.read_task_runs(flow_run_filter=this_run, limit=200, offset=len(runs)):
                runs += page
            if len(runs) >= task_runs and all(run.state and run.state.is_final() for run in runs):
                return
            await asyncio.sleep(0.2)
