"""Which Prefect server a run reports to, and that it loses nothing of the report."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

import httpx

from flows.failures import RunFailed

LOCAL_UI = "http://127.0.0.1:4200"
"""Where a server started by hand answers, unless told otherwise."""

_DEFAULTS = {
    # Nobody is told what is rendered here.
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # The terminal shows the run in its own way; Prefect's log stays in the run's page.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
}

_PATIENCE = 90
"""Seconds that a server may take to start; a fresh home on two slow cores needs up to 20."""

_dies_with_us: ContextVar[bool] = ContextVar("dies_with_us", default=False)


def settle_environment() -> None:
    """Set what a run from the command line needs, before Prefect is imported; the user's own words win."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


@contextmanager
def reporting() -> Iterator[str]:
    """Report to the server that the user's settings name, else to one that answers on this machine, else to one of
    our own that lives as long as the run. Gives the address that shows the run later; empty when none does.

    Raises RunFailed when a server of our own does not start.
    """
    from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

    if PREFECT_API_URL.value():
        yield str(PREFECT_UI_URL.value() or PREFECT_API_URL.value().removesuffix("/api"))
    elif _answers(f"{LOCAL_UI}/api"):
        with temporary_settings({PREFECT_API_URL: f"{LOCAL_UI}/api"}):
            yield LOCAL_UI
    else:
        with _own_server() as api, temporary_settings({PREFECT_API_URL: api}):
            token = _dies_with_us.set(True)
            try:
                yield ""
            finally:
                _dies_with_us.reset(token)
                _send_what_is_logged()


def _send_what_is_logged() -> None:
    """Log lines travel in batches; the last one must be out before its server goes."""
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=5)


@contextmanager
def _own_server() -> Iterator[str]:
    """A server on a free port, in a session of its own: a Ctrl-C in the terminal is not for it, it must still take
    the run's last word."""
    port = free_port()
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "flows.attended_server", str(port)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PREFECT_UI_ENABLED": "false", "PREFECT_SERVER_LOGGING_LEVEL": "ERROR"},
        )
        try:
            api = f"http://127.0.0.1:{port}/api"
            deadline = time.monotonic() + _PATIENCE
            while not _answers(api):
                if server.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    said = log.read().decode(errors="replace").strip().splitlines()
                    why = said[-1] if said else f"no answer in {_PATIENCE} s"
                    raise RunFailed(
                        f"Prefect's server did not start: {why}\n"
                        "next: prefect server start, and when it answers, the same command in another terminal"
                    )
                time.sleep(0.1)
            yield api
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _answers(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health", timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


async def flush(flow_run: UUID, task_runs: int, seconds: float = 30) -> None:
    """Wait until a server that dies with us has the final state of so many task runs, at most for `seconds`.

    Task states travel as events, behind the run's back; the last ones would be lost.
    """
    if not _dies_with_us.get():
        return
    from prefect import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.objects import TaskRun
    from prefect.events.worker import EventsWorker

    await EventsWorker.drain_all(timeout=seconds, at_exit=False)  # type: ignore[misc]
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
