"""Deployments, and process workers that carry them out: processes of their own, each in its own session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments.runner import EntrypointType
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from storyreel.flows.production.slots import service_limits
from tests.flows import warm
from tests.pauses import PATIENCE, growing_pauses

_HANDS_OVER = Path(__file__).parents[1] / "deployments" / "worker.py"


class Worker:
    """A process worker of a pool, with everything imported before; its output is kept in a file."""

    def __init__(self, pool: str, environment: Mapping[str, str], folder: Path, name: str) -> None:
        self.log = folder / f"{name}.log"
        command = [sys.executable, "-P", "-m", "prefect", "worker", "start"]
        options = ["--pool", pool, "--type", "process", "--name", name]
        told = {**environment, "PREFECT_WORKER_QUERY_SECONDS": "1"}
        self._process = warm.python([_HANDS_OVER, *command, *options], folder, told, self.log, starts_runs=True)

    def said(self) -> str:
        return self.log.read_text()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.has_ended

    def tell_to_end(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        if not self.has_ended:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(30)

    def wait(self) -> int:
        return self._process.wait(PATIENCE)

    def end(self) -> None:
        """End it, at last by force."""
        if not self.has_ended:
            self.tell_to_end()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def working(pool: str, environment: Mapping[str, str], folder: Path, name: str = "worker") -> Iterator[Worker]:
    """A worker that ends with the context."""
    worker = Worker(pool, environment, folder, name)
    try:
        yield worker
    except AssertionError:
        print(worker.said())
        raise
    finally:
        worker.end()


def client() -> SyncPrefectClient:
    """A client of the server that is set. It is kept: making one takes longer than several requests."""
    return _client_of(str(PREFECT_API_URL.value()))


@cache
def _client_of(api: str) -> SyncPrefectClient:
    return get_client(sync_client=True).__enter__()


def make_pool(name: str) -> None:
    """A work pool for process workers."""
    try:
        client().read_work_pool(name)
    except ObjectNotFound:
        client().create_work_pool(WorkPoolCreate(name=name, type="process"))


async def deploy(flow: Flow[..., Any], name: str, pool: str, environment: Mapping[str, str]) -> UUID:
    """A deployment of a flow by its module path, with the limit of its service, as `storyreel deploy` makes it."""
    await service_limits.ensure_limits(["aimlapi"], {})
    made = await flow.ato_deployment(
        name,
        work_pool_name=pool,
        entrypoint_type=EntrypointType.MODULE_PATH,
        job_variables={"env": dict(environment)},
    )
    return await made.aapply()


async def begin(deployment: UUID | str, **parameters: Any) -> UUID:
    """A run of a deployment, named by its id or as `flow/deployment`, to be picked up."""
    async with get_client() as server:
        if isinstance(deployment, str):
            deployment = (await server.read_deployment_by_name(deployment)).id
        return (await server.create_flow_run_from_deployment(deployment, parameters=parameters)).id


def run_of(flow_run: UUID) -> FlowRun:
    return client().read_flow_run(flow_run)


def state_of(flow_run: UUID) -> State[Any]:
    state = run_of(flow_run).state
    assert state
    return state


def wait_until(is_so: Callable[[], Any], what: str = "it") -> None:
    """Wait for something to become true; fail when it does not."""
    pauses = growing_pauses()
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(next(pauses))
