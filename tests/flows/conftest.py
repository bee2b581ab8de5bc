"""The command line as a user has it: a process of its own, an empty home, no ffmpeg on PATH."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from flows.server import free_port

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fresh_environment(tmp_path: Path) -> dict[str, str]:
    """What a machine has on which nothing was ever installed but Python."""
    home = tmp_path / "empty-home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG", "SYSTEMROOT") if name in os.environ}
    return {**kept, "HOME": str(home), "PATH": "/nowhere", "TERM": "dumb"}


@pytest.fixture
def storyreel(tmp_path: Path, fresh_environment: dict[str, str]) -> Command:
    """Run the command in a folder of its own."""

    def run(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("storyreel"), *arguments],
            cwd=tmp_path,
            env={**fresh_environment, **more},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait for something to become true; fail when it does not."""

    def wait(is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not is_so():
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def standing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of its API."""
    home, port = tmp_path_factory.mktemp("prefect"), free_port()
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_UI_ENABLED": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    }
    command = [sys.executable, "-P", "-m", "flows.attended_server", str(port)]
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    api = f"http://127.0.0.1:{port}/api"
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{api}/health", timeout=1).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.2)
        else:
            pytest.fail("Prefect's server did not start")
        yield api
    finally:
        server.terminate()
        server.wait(20)
