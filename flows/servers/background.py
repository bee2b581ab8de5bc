"""The Prefect server of `storyreel ui`, which stays when the command has ended.

It uses Prefect's own database, as a run without a server does, so that its pages show all earlier runs. Its log and
the record by which later commands find it are in STORYREEL_HOME.
"""

from __future__ import annotations

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
from storyreel.flows.servers.local import LASTING_LEASES, PORT, ServerRecord, pages_url, probe, record_path
from storyreel.tasks.files import write_whole
from storyreel.tasks.ledger.owner import owner_of_process

_ANSWER_SECONDS = 10
"""Time for a busy server to answer."""
_END_SECONDS = 20


class BackgroundServer(NamedTuple):
    """The pages URL of a running server, and a sentence that says whether it was started now."""

    pages: str
    message: str


def start(port: int | None) -> BackgroundServer:
    """Return the server that runs already, or start one at `port` (default 4200). Raises RunFailed."""
    ended = ""
    if (recorded := local.recorded_server()) and recorded.process.is_alive():
        return _running(recorded, port)
    if recorded:
        ended = f"The server at {recorded.pages} had ended without being stopped. "
        record_path().unlink(missing_ok=True)
    wanted = port or PORT
    match probe(wanted, _ANSWER_SECONDS):
        case "prefect":
            message = f"{ended}Prefect's server runs already, started by something else"
            return BackgroundServer(pages_url(wanted), message)
        case "another program":
            taken = f"{ended}Port {wanted} is taken by a program that is no Prefect server"
            raise RunFailed(taken, next=f"storyreel ui --port {local.free_port()}")
    message = f"{ended}Prefect's server was started, and stays until storyreel ui --stop"
    return BackgroundServer(_start_process(wanted).pages, message)


def stop() -> str:
    """Stop the server that was started from this home; returns a sentence that says so. Raises RunFailed."""
    recorded = local.recorded_server()
    record_path().unlink(missing_ok=True)
    if recorded and recorded.process.is_alive():
        _terminate(recorded.process.pid)
        return f"the server at {recorded.pages} is stopped; its runs are kept"
    if recorded:
        return f"the server at {recorded.pages} had ended already"
    if probe(PORT) == "prefect":
        foreign = f"the server at {pages_url(PORT)} was not started by storyreel ui from this home"
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
    return BackgroundServer(recorded.pages, f"Prefect's server runs already{more}")


def _start_process(port: int) -> ServerRecord:
    """Start a server in a session of its own, which neither Ctrl-C nor the end of the terminal reaches.

    `prefect server start --background` does not do: it writes to a pipe that nothing reads (seen with 3.9.1).
    """
    record, log_path = record_path(), _log_path()
    record.parent.mkdir(parents=True, exist_ok=True)
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
            [sys.executable, "-P", "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=record.parent,
            start_new_session=True,
            env=variables,
        )
        try:
            server = ServerRecord(port=port, process=owner_of_process(started.pid))
            local.wait_until_ready(started, port, log, f"look into {log_path}")
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
