"""Who answers at a port of this machine, and which Prefect server `storyreel ui` has left running here."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Literal

from storyreel.specs.frozen import Frozen
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.owner import Owner

PORT = 4200
"""Where a Prefect server answers, unless told otherwise."""

Answering = Literal["nobody", "prefect", "another program"]


class Server(Frozen):
    """A server that `storyreel ui` started; noted in a file of the home, and believed only as far as it is true."""

    port: int
    process: Owner

    @property
    def page(self) -> str:
        """Where a browser finds it."""
        return page_at(self.port)

    @property
    def is_alive(self) -> bool:
        """Whether its process is still there."""
        return self.process.is_alive()


def page_at(port: int) -> str:
    """A server's pages on this machine."""
    return f"http://127.0.0.1:{port}"


def note_of(environment: Mapping[str, str] = os.environ) -> Path:
    """The file that says which server was started."""
    return Home.of(environment).root / "server.json"


def noted(environment: Mapping[str, str] = os.environ) -> Server | None:
    """The server that was started here last, whatever became of it; None where no note can be read.

    One in a home that several machines share may be another machine's, and says nothing of this one.
    """
    try:
        server = Server.model_validate_json(note_of(environment).read_bytes())
    except (OSError, ValueError):
        return None
    return server if server.process.is_here() else None


def answering(environment: Mapping[str, str] = os.environ) -> str:
    """The pages of a Prefect server that answers on this machine: that of `storyreel ui`, else one at the usual port.

    Empty where none does.
    """
    server = noted(environment)
    ports = (server.port, PORT) if server and server.is_alive else (PORT,)
    return next((page_at(port) for port in ports if who_answers(port) == "prefect"), "")


def who_answers(port: int, seconds: float = 2) -> Answering:
    """Who is at a port of this machine; whoever says nothing for so long is no server that could be used."""
    asked = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        asked.request("GET", "/api/health")
        answer = asked.getresponse()
        is_prefect = answer.status == 200 and answer.read(16).strip() == b"true"
        return "prefect" if is_prefect else "another program"
    except ConnectionRefusedError:
        return "nobody"
    except (OSError, HTTPException):
        return "another program"
    finally:
        asked.close()


def free_port() -> int:
    """A port of this machine that nobody is at."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
