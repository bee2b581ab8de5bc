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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run the command come first, those with a Prefect server before all: the short ones fill the end."""
    weights: dict[Path, int] = {}
    for item in items:
        needed = set(getattr(item, "fixturenames", ()))
        weight = 2 if "standing_server" in needed else 1 if "storyreel" in needed else 0
        weights[item.path] = max(weights.get(item.path, 0), weight)
    items.sort(key=lambda item: -weights[item.path])


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
def standing_server() -> Iterator[str]:
    """The address of a Prefect server's API, for everything that is not about the server's own life."""
    from tests.prefect_server import standing

    with standing() as api:
        yield api


@pytest.fixture(scope="session")
def prefect_server(standing_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Flows of this process report to the standing server, with results kept apart from the user's."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL, PREFECT_LOCAL_STORAGE_PATH, temporary_settings

    storage = tmp_path_factory.mktemp("results")
    with temporary_settings({PREFECT_API_URL: standing_server, PREFECT_LOCAL_STORAGE_PATH: storage}):
        yield
        APILogWorker.drain_all(timeout=5)
        EventsWorker.drain_all(timeout=5)
