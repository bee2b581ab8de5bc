"""The command line as a user has it: a process of its own, an empty home, no ffmpeg on PATH."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger
from tests.flows import warm
from tests.pauses import PATIENCE, growing_pauses

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def film(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The file of the film that the test's module has as `FILM`."""
    (file := tmp_path / "film.yaml").write_text(request.module.FILM)
    return file


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    """The home's ledger, with nothing in it."""
    home.mkdir()
    with closing(Home.of().ledger()) as opened:
        yield opened


@pytest.fixture
def fresh_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine on which nothing was ever installed but Python."""
    return environment_of(tmp_path / "empty-home")


def environment_of(home: Path) -> dict[str, str]:
    """The environment of a user whose home is empty, and made here."""
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "PATH": "/nowhere", "TERM": "dumb"}


@pytest.fixture
def storyreel(tmp_path: Path, fresh_environment: dict[str, str]) -> Command:
    """Run the command in a folder of its own, with everything imported before."""

    def run(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        return warm.command(*arguments, folder=tmp_path, environment={**fresh_environment, **more})

    return run


@pytest.fixture
def cold_storyreel(tmp_path: Path, fresh_environment: dict[str, str]) -> Command:
    """The same as a user begins it: a process that has imported nothing."""

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
        pauses, deadline = growing_pauses(0.02, 0.2), time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(next(pauses))

    return wait


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """After the test, the handlers that signals had before it: a deployed run that was stopped has its process ignore
    them."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(each) for each in signals]
    yield
    for each, handler in zip(signals, before, strict=True):
        signal.signal(each, handler)
