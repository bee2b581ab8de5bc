"""Prefect servers on this machine: probing a port, and the server that `storyreel ui` started."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psutil

from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.owner import Owner

_ANSWER_SECONDS = 10
"""Time for the server of `storyreel ui` to answer on a busy machine."""
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


def listens(pid: int, port: int) -> bool:
    """Whether this process listens at the port, and not another server that was faster."""
    with suppress(psutil.Error):
        connections = psutil.Process(pid).net_connections("tcp")
        return port in (each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN)
    return False
