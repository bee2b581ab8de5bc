"""Prefect servers on this machine: probing a port, the server that `storyreel ui` started, waiting for a start."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Literal
from urllib.parse import urlsplit

import psutil

from storyreel.flows.errors import RunFailed
from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.owner import Owner
from storyreel.tasks.storage.disk import try_folder

_START_SECONDS = 300
"""Time for a server to start whose process lives: 20 s on two slow cores in an empty PREFECT_HOME, and more than 90
where ten other programs were at work."""

_ANSWER_SECONDS = 10
"""Time for the server of `storyreel ui` to answer on a busy machine."""
_USUAL_SECONDS = 8
"""Time after which something else than imports is likely to be awaited."""

LASTING_LEASES = {"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem"}
"""Setting of a server that keeps the leases of limits in PREFECT_HOME. By default they are in its memory, and a server
that is restarted counts their slots for good (3.9.1)."""

Answer = Literal["nothing", "prefect", "another program"]
Tell = Callable[[str], None]
"""A function that shows the user a text on what is awaited."""


class ServerRecord(Frozen):
    """A server that `storyreel ui` started, as recorded in `server.json` of STORYREEL_HOME."""

    port: int
    process: Owner

    @property
    def pages(self) -> str:
        return pages_url(self.port)


def pages_url(port: int) -> str:
    """URL of the web pages of a Prefect server on this machine."""
    return f"http://127.0.0.1:{port}"


def is_on_this_host(url: str) -> bool:
    """Whether an address leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def record_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The file that records the server `storyreel ui` started."""
    return Home.of(environment).root / "server.json"


def recorded_server(environment: Mapping[str, str] = os.environ) -> ServerRecord | None:
    """The server that `storyreel ui` started last on this machine, dead or alive; None without a readable record.

    A record of another machine, in a STORYREEL_HOME that several share, is ignored.
    """
    try:
        server = ServerRecord.model_validate_json(record_path(environment).read_bytes())
    except (OSError, ValueError):
        return None
    return server if server.process.is_here() else None


def local_server(environment: Mapping[str, str] = os.environ) -> str:
    """Pages URL of the server that `storyreel ui` started; empty if it does not answer.

    Whatever else answers at a port of this machine may be another user's or another project's, and is not taken.
    """
    server = recorded_server(environment)
    if not server or not server.process.is_alive() or not listens(server.process.pid, server.port):
        return ""
    # It is known by its process, so that a late answer is worth waiting for.
    return server.pages if probe(server.port, _ANSWER_SECONDS) == "prefect" else ""


def probe(port: int, seconds: float = 2) -> Answer:
    """The kind of program that answers at a port of this machine; a silent one is another program."""
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", "/api/health")
        answer = connection.getresponse()
        is_prefect = answer.status == 200 and answer.read(16).strip() == b"true"
        return "prefect" if is_prefect else "another program"
    except ConnectionRefusedError:
        return "nothing"
    except (OSError, HTTPException):
        return "another program"
    finally:
        connection.close()


def free_port() -> int:
    """A port of this machine at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def wait_until_ready(
    process: subprocess.Popen[bytes], port: int, log: IO[bytes], next: str, tell: Tell = lambda text: None
) -> None:
    """Return when a server process answers at its port; `tell` is called with what is awaited, again and again.

    Raises DiskError if Prefect's folders take no files, else RunFailed with the first error of its log, or the last
    line, and `next`.
    """
    begun = time.monotonic()
    while not (probe(port) == "prefect" and listens(process.pid, port)):
        seconds = time.monotonic() - begun
        prepares = ", which may be making its database" if seconds > _USUAL_SECONDS else ""
        tell(f"waiting for Prefect's server{prepares}: {seconds:.0f} s")
        if process.poll() is not None or seconds > _START_SECONDS:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            has_ended = process.poll() is not None
            # Prefect's services that cannot be stopped, as they never began, are errors that follow from the first.
            errors = [line.rpartition("| ERROR")[2].strip(" |") for line in lines if "| ERROR" in line]
            reason = f"no answer in {seconds:.0f} s"
            if has_ended:
                reason = [*errors[:1], *lines[-1:], f"its process ended with exit code {process.poll()}"][0]
            for folder, what in prefect_folders().items():
                try_folder(folder, what, "set PREFECT_HOME to another folder")
            raise RunFailed(f"Prefect's server did not start: {reason}", next=next)
        time.sleep(0.05)


def prefect_folders() -> dict[Path, str]:
    """The folders in which Prefect keeps its database and the results of tasks on this host, each with what is kept."""
    from prefect.settings import PREFECT_HOME, PREFECT_LOCAL_STORAGE_PATH

    return {
        Path(PREFECT_HOME.value()): "Prefect's records",
        Path(PREFECT_LOCAL_STORAGE_PATH.value()): "results of tasks",
    }


def listens(pid: int, port: int) -> bool:
    """Whether this process listens at the port, and not another server that was faster."""
    with suppress(psutil.Error):
        connections = psutil.Process(pid).net_connections("tcp")
        return port in (each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN)
    return False
