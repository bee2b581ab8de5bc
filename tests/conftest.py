"""What all tests stand on: no network but this machine, a home of their own, a Prefect of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_GUARD = Path(__file__).parent / "guard"

sys.path.insert(0, str(_GUARD))
import sitecustomize  # noqa: E402

if not hasattr(sitecustomize, "NetworkIsBlocked"):  # another sitecustomize was there first
    sys.modules.pop("sitecustomize")
    import sitecustomize

os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_GUARD), os.environ.get("PYTHONPATH"))))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kills 500` kills a run so often at random moments; a few in every run of the suite."""
    parser.addoption("--kills", type=int, default=4, help="how often a run is killed at a random moment")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many kills are asked for."""
    asked: int = request.config.getoption("--kills")
    return asked


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty STORYREEL_HOME; no variable of the user's reaches a test."""
    for name in [name for name in os.environ if name.startswith("STORYREEL_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("STORYREEL_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Prefect server of the suite's own, with results kept apart from the user's."""
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    storage = tmp_path_factory.mktemp("results")
    with prefect_test_harness(server_startup_timeout=90), temporary_settings({PREFECT_LOCAL_STORAGE_PATH: storage}):
        yield
