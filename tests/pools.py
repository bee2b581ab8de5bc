"""Prefect as a team has it: a server with everything that it does by itself, a work pool, and workers that can die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from prefect import State, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.settings import PREFECT_API_URL, temporary_settings

from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import State as LedgerState
from tests.flows import warm
from tests.pauses import growing_pauses
from tests.prefect_server import move_in, serving

_BIN = Path(sys.executable).parent

Began = subprocess.Popen[bytes] | warm.Run
"""A program that stays."""


@contextmanager
def whole_server(folder: Path, **variables: str) -> Iterator[str]:
    """A server that schedules, watches and triggers; gives the address of its API."""
    move_in(folder)
    with serving(folder, **variables) as api:
        yield api


class Team:
    """A folder with a film in it, a server, and whoever works on it."""

    def __init__(self, folder: Path, api: str, environment: Mapping[str, str]) -> None:
        self.folder, self.api = folder, api
        self.pool = f"pool {folder.name}"
        self.environment = {
            **environment,
            "PATH": os.pathsep.join((str(_BIN), os.environ["PATH"])),
            "PREFECT_API_URL": api,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "STORYREEL_HOME": str(folder / "home"),
            "STORYREEL_POLL_SECONDS": "0.2",
        }
        self._running: list[Began] = []
        self._stack = ExitStack()

    def __enter__(self) -> Team:
        # One client for all: making one takes longer than several requests.
        with temporary_settings({PREFECT_API_URL: self.api}):
            self._client = self._stack.enter_context(get_client(sync_client=True))
        self._client.create_work_pool(WorkPoolCreate(name=self.pool, type="process"))
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            for process in self._running:
                self.kill(process)
            # With it go its deployments' runs, for which no worker would come.
            for deployment in self._client.read_deployments():
                self._client.delete_deployment(deployment.id)

    @contextmanager
    def client(self) -> Iterator[SyncPrefectClient]:
        """The server, spoken to."""
        with temporary_settings({PREFECT_API_URL: self.api}):
            yield self._client

    def command(self, *arguments: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment to its end."""
        folder, environment = cwd or self.folder, {**self.environment, **more}
        if arguments[0] == "storyreel":
            return warm.command(*arguments[1:], folder=folder, environment=environment)
        return subprocess.run(
            [_BIN / arguments[0], *arguments[1:]],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def ran(self, *arguments: str, cwd: Path | None = None, **more: str) -> str:
        """Run the command, which must succeed; returns what it printed."""
        done = self.command(*arguments, cwd=cwd, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deployed(self, *arguments: str, **more: str) -> dict[str, Any]:
        """Deploy the film; gives what the command says of it."""
        told = self.ran("storyreel", "deploy", "film.yaml", "--pool", self.pool, "--json", *arguments, **more)
        deployed: dict[str, Any] = json.loads(told)
        return deployed

    def begin(self, name: str, *arguments: str, cwd: Path | None = None, **more: str) -> subprocess.Popen[bytes]:
        """Begin a program that stays; what it says is in the file `NAME.log`."""
        with (self.folder / f"{name}.log").open("wb") as log:
            begun = subprocess.Popen(
                [_BIN / arguments[0], *arguments[1:]],
                cwd=cwd or self.folder,
                env={**self.environment, **more},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(begun)
        return begun

    def worker(self, name: str, *, is_cold: bool = False) -> Began:
        """Begin a worker. One that is cold, and each of its runs, begins as a user's does, with nothing imported."""
        words = ("worker", "start", "--pool", self.pool, "--name", name)
        if is_cold:
            return self.begin(name, "prefect", *words)
        log = self.folder / f"{name}.log"
        arguments = ("-P", "-m", "prefect", *words)
        begun = warm.python(arguments, self.folder, self.environment, log, starts_runs=True)
        self._running.append(begun)
        return begun

    def purchases(self) -> list[LedgerState]:
        """The states of all purchases in the ledger."""
        home = Home.of(self.environment)
        if not home.has_ledger:
            return []
        with closing(home.ledger()) as ledger:
            return [purchase.state for purchase in ledger.list()]

    def wait_for_orders(self, number: int) -> None:
        """Wait until a service has so many orders, and the ledger knows of each."""
        self.wait(lambda: self.purchases() == [LedgerState.SUBMITTED] * number)

    @staticmethod
    def kill(process: Began) -> None:
        """End a program and all that it began, by SIGKILL."""
        with suppress(psutil.NoSuchProcess):
            above = psutil.Process(process.pid)
            for each in [above, *above.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        process.wait(20)

    def send_off(self, deployment: str, **parameters: Any) -> UUID:
        """Have a deployment run as soon as a worker is free."""
        with self.client() as client:
            return client.create_flow_run_from_deployment(UUID(deployment), parameters=parameters).id

    def states(self, run: UUID) -> list[State]:
        """All that a run was, in order."""
        with self.client() as client:
            return sorted(client.read_flow_run_states(run), key=lambda state: state.timestamp)

    def unfinished_tasks(self, run: UUID) -> list[str]:
        """Task runs that are shown as if they went on."""
        with self.client() as client:
            wanted = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
            tasks = client.read_task_runs(flow_run_filter=wanted, limit=200)
        return [f"{each.name}: {each.state_name}" for each in tasks if not (each.state and each.state.is_final())]

    def wait_for(self, run: UUID, *names: str, seconds: float = 300) -> State:
        """Wait until a run is in one of some states."""
        return self.wait(lambda: next((s for s in self.states(run)[-1:] if s.name in names), None), seconds)

    def wait(self, look: Callable[[], Any], seconds: float = 300) -> Any:
        """Wait until something is there; fail with the logs when it does not come."""
        pauses = growing_pauses()
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < deadline, f"it never came to that\n{self._logs()}"
            time.sleep(next(pauses))
        return found

    def _logs(self) -> str:
        return "\n".join(f"{log.name}:\n{log.read_text()[-4000:]}" for log in self.folder.glob("*.log"))
