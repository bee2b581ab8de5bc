"""Prefect servers of the suite's own, and homes that have Prefect's database already."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient

from storyreel.flows.servers.choose import EphemeralServer, set_prefect_defaults
from storyreel.flows.servers.packed_database import write_database

_QUIET = {
    # Nothing here is a block.
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    # Nothing here is scheduled, triggered or run by workers, and each of these looks again and again.
    **{
        f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false"
        for service in ("SCHEDULER", "LATE_RUNS", "TRIGGERS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "FOREMAN")
    },
}


@contextmanager
def serving(home: Path, **variables: str) -> Iterator[str]:
    """A server whose `PREFECT_HOME` is given; gives the address of its API."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            patch.delenv(name)
        for name, value in {"PREFECT_HOME": str(home), **variables}.items():
            patch.setenv(name, value)
        set_prefect_defaults()
        server = EphemeralServer()
    with server:
        yield server.start()


@contextmanager
def standing() -> Iterator[str]:
    """A server that many runs report to."""
    with tempfile.TemporaryDirectory(prefix="storyreel-prefect-") as folder:
        home = Path(folder)
        move_in(home)
        with serving(home, **_QUIET) as api:
            yield api


def delete_limits(api: str) -> None:
    """Delete all global concurrency limits of a server, asked again while it is busy, as Prefect's client does."""
    with SyncPrefectClient(api) as client:
        for limit in client.read_global_concurrency_limits(limit=200):
            client.delete_global_concurrency_limit_by_name(limit.name)


def move_in(home: Path) -> None:
    """Make a home with the packed database, for a server that does not write it itself, or that others look for."""
    home.mkdir(parents=True, exist_ok=True)
    assert write_database(home / "prefect.db")
