"""A Prefect server that stays when the command is over: `storyreel ui` starts it, says where it is, and stops it.

Its data is in Prefect's own database, the one that a run without a server writes to, so that all earlier runs are seen.
Our home holds its log and the note by which it is found.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from storyreel.flows.errors import RunFailed
from storyreel.flows.servers.local import PORT, Server, free_port, note_of, noted, page_at, who_answers
from storyreel.specs.frozen import Frozen
from storyreel.tasks.files import write_whole
from storyreel.tasks.ledger.owner import owner_of_process

_PATIENCE = 90
"""Seconds that a server may take to start; a fresh home on two slow cores needs up to 20."""
_BUSY = 10
"""Seconds that one with much to do may take to answer."""
_LAST_WORDS = 20
"""Seconds that it may take to end."""


class Found(Frozen):
    """A server that is running, and how that came about, in words."""

    page: str
    words: str


def log_of(environment: Mapping[str, str] = os.environ) -> Path:
    """What the server says."""
    return note_of(environment).with_name("server.log")


def running(port: int | None) -> Found:
    """A server that runs: the one that is there, else a new one at a port. Raises RunFailed when there can be none."""
    found, gone = noted(), ""
    if found and found.is_alive:
        if who_answers(found.port, _BUSY) == "prefect":
            more = f"; for another port: storyreel ui --stop, then storyreel ui --port {port}"
            return Found(
                page=found.page, words=f"Prefect's server runs already{more if port not in (None, found.port) else ''}"
            )
        raise RunFailed(
            f"the server at {found.page}, process {found.process.pid}, does not answer; its log is {log_of()}\n"
            "next: storyreel ui --stop, then storyreel ui"
        )
    if found:
        gone = f"The server at {found.page} had ended without being stopped. "
        note_of().unlink(missing_ok=True)
    wanted = port or PORT
    match who_answers(wanted, _BUSY):
        case "prefect":
            return Found(page=page_at(wanted), words=f"{gone}Prefect's server runs already, started by something else")
        case "another program":
            raise RunFailed(
                f"{gone}Port {wanted} is taken by a program that is no Prefect server\n"
                f"next: storyreel ui --port {free_port()}"
            )
    return Found(
        page=_start(wanted).page, words=f"{gone}Prefect's server was started, and stays until storyreel ui --stop"
    )


def stop() -> str:
    """Stop the server that was started here; gives in words what was done. Raises RunFailed for another one's."""
    found = noted()
    note_of().unlink(missing_ok=True)
    if found and found.is_alive:
        _end(found.process.pid)
        return f"the server at {found.page} is stopped; its runs are kept"
    if found:
        return f"the server at {found.page} had ended already"
    if who_answers(PORT) == "prefect":
        raise RunFailed(
            f"the server at {page_at(PORT)} was not started by storyreel ui from this home\n"
            "next: stop it where it was started"
        )
    return "no server is running"


def _start(port: int) -> Server:
    """Start a server in a session of its own, so that neither Ctrl-C nor the terminal's end reaches it."""
    note, log = note_of(), log_of()
    note.parent.mkdir(parents=True, exist_ok=True)
    variables = {
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        # Else its pages ask at the usual port, wherever they come from (seen with 3.9.1).
        "PREFECT_SERVER_UI_API_URL": f"{page_at(port)}/api",
        **os.environ,
        "PREFECT_SERVER_UI_ENABLED": "true",
    }
    with log.open("wb") as said:
        started = subprocess.Popen(
            [sys.executable, "-P", "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=note.parent,
            start_new_session=True,
            env=variables,
        )
    try:
        server = Server(port=port, process=owner_of_process(started.pid))
        deadline = time.monotonic() + _PATIENCE
        while not (who_answers(port) == "prefect" and _listens(started.pid, port)):
            if started.poll() is not None or time.monotonic() > deadline:
                raise RunFailed(f"Prefect's server did not start: {_last_line(log)}\nnext: look into {log}")
            time.sleep(0.1)
        write_whole(note, server.model_dump_json())
    except BaseException:
        started.terminate()
        started.wait()
        raise
    return server


def _listens(pid: int, port: int) -> bool:
    """Whether it is this process that is at the port, and not another server that was faster."""
    with suppress(psutil.Error):
        at = (one.laddr.port for one in psutil.Process(pid).net_connections("tcp") if one.status == psutil.CONN_LISTEN)
        return port in at
    return False


def _end(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(_LAST_WORDS)
        except psutil.TimeoutExpired:
            server.kill()
            server.wait(_LAST_WORDS)


def _last_line(log: Path) -> str:
    said = log.read_text(errors="replace").strip().splitlines()
    return said[-1] if said else f"no answer in {_PATIENCE} s"
