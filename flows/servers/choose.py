"""Which Prefect server a run reports to, and that it loses nothing of the report."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from uuid import UUID

from storyreel.flows.errors import RunFailed
from storyreel.flows.servers.local import answering, free_port, who_answers

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


def dies_with_us() -> bool:
    """Whether the server that is reported to lives no longer than this run, and so nobody else talks to it."""
    return _dies_with_us.get()


def settle_environment() -> None:
    """Set what a run from the command line needs, before Prefect is imported; the user's own words win."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


class OwnServer:
    """A Prefect server that lives as long as a run.

    Most of its start is imports, so its process is begun before anybody knows whether it is needed, and does nothing
    but import until it is told to `start`. It has a session of its own: a Ctrl-C in the terminal is not for it, it
    must still take the run's last word.
    """

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "storyreel.flows.servers.child"],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PREFECT_UI_ENABLED": "false", "PREFECT_SERVER_LOGGING_LEVEL": "ERROR"},
        )
        self._started = False

    def __enter__(self) -> OwnServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> str:
        """Let it serve, on a free port; gives the address of its API. Raises RunFailed when it does not answer."""
        self._started = True
        port = free_port()
        assert self._process.stdin
        with suppress(BrokenPipeError):  # it has ended already, and below it is said why
            self._process.stdin.write(b"%d\n" % port)
            self._process.stdin.flush()
        deadline = time.monotonic() + _PATIENCE
        while who_answers(port) != "prefect":
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RunFailed(
                    f"Prefect's server did not start: {self._last_word()}\n"
                    "next: storyreel ui, and when it answers, the same command again"
                )
            time.sleep(0.05)
        return f"http://127.0.0.1:{port}/api"

    def end(self) -> None:
        """Stop it; one that never served is stopped at once."""
        if not self._started:
            self._process.kill()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._log.close()

    def _last_word(self) -> str:
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"no answer in {_PATIENCE} s"


@contextmanager
def server_at_hand() -> Iterator[OwnServer | None]:
    """A server of our own that gets ready while the run does; None where another one is there to be used."""
    if os.environ.get("PREFECT_API_URL") or answering():
        yield None
    else:
        with OwnServer() as server:
            yield server


@contextmanager
def reporting(at_hand: OwnServer | None = None) -> Iterator[str]:
    """Report to the server that the user's settings name, else to one that answers on this machine, else to one of
    our own that lives as long as the run. Gives the address that shows the run later; empty when none does.

    Raises RunFailed when a server of our own does not start.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    if named := named_server():
        yield named
    elif local := answering():
        with temporary_settings({PREFECT_API_URL: f"{local}/api"}):
            yield local
    else:
        with at_hand or OwnServer() as own, temporary_settings({PREFECT_API_URL: own.start()}):
            token = _dies_with_us.set(True)
            try:
                yield ""
            finally:
                _dies_with_us.reset(token)
                _send_what_is_logged()


@contextmanager
def standing() -> Iterator[str]:
    """Talk to a server that stays: what the user's settings name, else one that answers on this machine. Gives the
    address of its pages. Raises RunFailed when there is none.
    """
    from prefect import get_client
    from prefect.settings import PREFECT_API_URL

    from storyreel.tasks.bucket import without_password

    if not (named := PREFECT_API_URL.value()) and not answering():
        raise RunFailed(
            "no Prefect server answers, and what is scheduled needs one that stays\n"
            "next: storyreel ui, or `export PREFECT_API_URL=…` for one elsewhere; then the same command again"
        )
    with reporting() as pages:

        async def trouble() -> Exception | None:
            async with get_client() as client:
                return await client.api_healthcheck()

        if asyncio.run(trouble()):
            where = without_password(str(named))
            raise RunFailed(f"the Prefect server at {where} does not answer\nnext: storyreel doctor")
        yield pages


def named_server() -> str:
    """The pages of the server that the user's settings name; empty when they name none."""
    from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL

    named = PREFECT_API_URL.value()
    return str(PREFECT_UI_URL.value() or named.removesuffix("/api")) if named else ""


def _send_what_is_logged() -> None:
    """Log lines travel in batches; the last one must be out before its server goes."""
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=5)


async def flush(flow_run: UUID, task_runs: int, seconds: float = 30) -> None:
    """Wait until a server that dies with us has the final state of so many task runs, at most for `seconds`.

    Task states travel as events, behind the run's back; the last ones would be lost.
    """
    if not dies_with_us():
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
