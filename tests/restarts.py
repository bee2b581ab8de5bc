"""A Prefect server of `storyreel ui` that is stopped, killed, frozen, and started again at the same port."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from storyreel.flows.servers.local import free_port, pages_url, recorded_server
from tests.flows import warm
from tests.prefect_server import move_in


class UiServer:
    """A server that `storyreel ui` starts and stops, in a home of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self.pages, self.api = pages_url(self.port), f"{pages_url(self.port)}/api"
        self.environment = {
            **environment,
            "PREFECT_HOME": str(folder / "prefect"),
            "STORYREEL_HOME": str(folder / "home"),
        }
        self._folder = folder
        self._frozen: list[psutil.Process] = []
        move_in(folder / "prefect")

    def start(self) -> None:
        """Start it, or let a frozen one go on."""
        for process in self._frozen:
            process.resume()
        if self._frozen:
            self._frozen = []
            return
        self._ui("--no-open", "--port", str(self.port))

    def stop(self) -> None:
        self._ui("--stop")

    def kill(self) -> None:
        """End it and what it began by SIGKILL."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait(20)

    def freeze(self) -> None:
        """Stop it by SIGSTOP: connections are accepted, and nothing is answered."""
        self._frozen = self._processes()
        for process in self._frozen:
            process.suspend()

    def end(self) -> None:
        """End it and the player beside it."""
        self.kill()
        self._frozen = []
        self._ui("--stop")

    def _ui(self, *arguments: str) -> None:
        told = warm.command("ui", *arguments, folder=self._folder, environment=self.environment)
        assert told.returncode == 0, told.stdout + told.stderr

    def _processes(self) -> list[psutil.Process]:
        if not (recorded := recorded_server(self.environment)):
            return []
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(recorded.process.pid)
            return [server, *server.children(recursive=True)]
        return []
