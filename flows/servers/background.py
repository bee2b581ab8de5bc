"""The Prefect server of `storyreel ui`, which stays when the command has ended.

It uses Prefect's own database, as a run without a server does, so that its pages show all earlier runs. Its log and
the record by which later commands find it are in STORYREEL_HOME.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from storyreel.flows.errors import RunFailed
from storyreel.flows.servers import local
from storyreel.flows.servers.kept import end_kept
from storyreel.flows.servers.local import LASTING_LEASES, ServerRecord, Tell, pages_url, probe, record_path
from storyreel.flows.servers.packed_database import provide_database
from storyreel.flows.servers.prefect_settings import NamedServer, api_problem, default_port, local_port, named_server
from storyreel.flows.servers.readiness import wait_until_ready
from storyreel.tasks.ledger.owner import owner_of_process
from storyreel.tasks.storage.files import write_whole

_ANSWER_SECONDS = 10
"""Time for a busy server to answer."""
_END_SECONDS = 20


class BackgroundServer(NamedTuple):
    """A running Prefect server."""

    pages: str
    """URL of its web pages."""
    api: str
    message: str
    """A sentence that says whose it is, and whether it was started now."""
    is_new: bool = False
    is_foreign: bool = False
    """Whether runs report to it only where it is named."""


def start_named(named: NamedServer, tell: Tell) -> BackgroundServer:
    """The server that Prefect's settings name, started if it is one of this machine that does not run.

    While that starts, `tell` is called with what is awaited.
    Raises RunFailed if it does not answer.
    """
    if named.port and probe(named.port) == "nothing":
        running = local.recorded_server()
        if running and running.process.is_alive():
            raise RunFailed(
                f"the server of storyreel ui runs at {running.pages}, and {named.where} names {named.pages}",
                hint=f"for the one that runs: {named.remedy}",
                next="storyreel ui --stop, then storyreel ui",
            )
        return start(named.port, tell)
    if problem := asyncio.run(api_problem()):
        raise named.unanswered(problem)
    return BackgroundServer(named.pages, named.api, f"Runs report to the server that {named.where} names")


def start(port: int | None, tell: Tell) -> BackgroundServer:
    """Return the server that runs already, or start one at `port`, by default that of Prefect's settings.

    While it starts, `tell` is called with what is awaited. Raises RunFailed.
    """
    ended = ""
    if (recorded := local.recorded_server()) and recorded.process.is_alive():
        return _running(recorded, port)
    if recorded:
        ended = f"The server at {recorded.pages} had ended without being stopped. "
        record_path().unlink(missing_ok=True)
    wanted = port or default_port()
    match probe(wanted, _ANSWER_SECONDS):
        case "prefect":
            message = f"{ended}A Prefect server runs already that this command did not start"
            return BackgroundServer(pages_url(wanted), f"{pages_url(wanted)}/api", message, is_foreign=True)
        case "another program":
            taken = f"{ended}Port {wanted} is taken by a program that is no Prefect server"
            raise RunFailed(taken, next=f"storyreel ui --port {local.free_port()}")
    message = f"{ended}Prefect's server was started, and stays until storyreel ui --stop"
    pages = _start_process(wanted, tell).pages
    end_kept()  # Runs report to the started one from now on.
    return BackgroundServer(pages, f"{pages}/api", message, is_new=True)


def stop() -> str:
    """Stop the servers that were started from this home; returns a sentence that says so. Raises RunFailed."""
    recorded, of_a_run = local.recorded_server(), end_kept()
    record_path().unlink(missing_ok=True)
    if recorded and recorded.process.is_alive():
        _terminate(recorded.process.pid)
        stopped = f"the server at {recorded.pages} is stopped; its runs are kept"
        if (named := named_server()) and local_port(named.api) == recorded.port:
            stopped += f"\n{named.where} still names it; to render without it: {named.remedy}"
        return stopped
    if of_a_run:
        return of_a_run
    if recorded:
        return f"the server at {recorded.pages} had ended already"
    if probe(default_port()) == "prefect":
        foreign = f"the server at {pages_url(default_port())} was not started by storyreel ui from this home"
        raise RunFailed(foreign, next="stop it where it was started")
    return "no server is running"


def _running(recorded: ServerRecord, port: int | None) -> BackgroundServer:
    if probe(recorded.port, _ANSWER_SECONDS) != "prefect":
        raise RunFailed(
            f"the server at {recorded.pages}, process {recorded.process.pid}, does not answer",
            hint=f"its log is {_log_path()}",
            next="storyreel ui --stop, then storyreel ui",
        )
    other_port = port not in (None, recorded.port)
    more = f"; for another port: storyreel ui --stop, then storyreel ui --port {port}" if other_port else ""
    return BackgroundServer(recorded.pages, f"{recorded.pages}/api", f"Prefect's server runs already{more}")


def _start_process(port: int, tell: Tell) -> ServerRecord:
    """Start a server in a session of its own, which neither Ctrl-C nor the end of the terminal reaches.

    `prefect server start --background` does not do: it writes to a pipe that nothing reads (seen with 3.9.1).
    `lasting` says what it does otherwise.
    """
    record, log_path = record_path(), _log_path()
    record.parent.mkdir(parents=True, exist_ok=True)
    provide_database()
    variables = {
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        # Otherwise its pages ask for data at port 4200, whatever port they come from (seen with 3.9.1).
        "PREFECT_SERVER_UI_API_URL": f"{pages_url(port)}/api",
        **LASTING_LEASES,
        **os.environ,
        "PREFECT_SERVER_UI_ENABLED": "true",
    }
    with log_path.open("w+b") as log:
        started = subprocess.Popen(
            [sys.executable, "-P", "-m", "storyreel.flows.servers.lasting", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=record.parent,
            start_new_session=True,
            env=variables,
        )
        try:
            server = ServerRecord(port=port, process=owner_of_process(started.pid))
            wait_until_ready(started, port, log, f"look into {log_path}", tell)
            write_whole(record, server.model_dump_json())
        except BaseException:
            started.terminate()
            started.wait()
            raise
    return server


def _log_path() -> Path:
    return record_path().with_name("server.log")


def _terminate(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(_END_SECONDS)
        except psutil.TimeoutExpired:
            server.kill()
            server.wait(_END_SECONDS)
