"""The installed wheel, used by a project that has folders `flows`, `tasks` and `specs` of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.exceptions import ObjectNotFound

from tests import workers

REPOSITORY = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "project"
_PATIENCE = 240
_FRAMES = 8


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a virtual environment with the wheel in it, and all else from the present environment."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True, timeout=_PATIENCE)
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = Path(_printed(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(packages)
    # A plain path, so that the editable install in the present environment is not followed.
    (packages / "present.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The project; its folders are packages, or folders without `__init__.py`."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if request.param == "packages":
        for name in ("flows", "tasks", "specs"):
            (folder / name / "__init__.py").touch()
    return folder


@pytest.fixture
def environment(standing_server: str, home: Path, tmp_path: Path) -> dict[str, str]:
    """Variables of the project's processes: a Prefect server, a home, a key that cannot buy anything."""
    guard = next(path for path in os.environ["PYTHONPATH"].split(os.pathsep) if path.endswith("guard"))
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PYTHONPATH": guard,
        "PREFECT_API_URL": standing_server,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "STORYREEL_HOME": str(home),
        "APIYI_API_KEY": "sk-nobody",
    }


def _printed(python: Path, program: str) -> str:
    return subprocess.run([python, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    "project", [pytest.param("packages", marks=pytest.mark.matrix), "plain folders"], indirect=True
)
def test_a_project_with_folders_of_the_same_names_makes_films(
    python: Path, project: Path, environment: dict[str, str]
) -> None:
    told = _run("main", python, project, environment)
    assert Path(told["package"]).is_relative_to(python.parents[1])
    assert any(python.parents[1].rglob("flows/servers/prefect_database.sql")), "Prefect's first start needs it"
    assert any(python.parents[1].rglob("storyreel/testing/contract/orders.py")), "packages of third parties run it"
    assert told["title"] == "The Lantern" and told["planned"] == ["new"]
    assert told["rendered"] == told["one"] == _FRAMES, "by itself, and as a subflow"
    assert all((project / "films" / film / "sequence.mp4").stat().st_size for film in ("rendered", "one"))


@pytest.mark.parametrize("project", ["packages"], indirect=True)
def test_several_films_are_made_at_once_by_gather_and_by_task_map(
    python: Path, project: Path, environment: dict[str, str]
) -> None:
    told = _run("several", python, project, environment)
    assert told["gathered"] == told["mapped"] == [_FRAMES, _FRAMES]
    films = [f"{how}/{film}" for how in ("gathered", "mapped") for film in ("lantern", "harbour")]
    assert all((project / "films" / film / "sequence.mp4").stat().st_size for film in films)


def _run(what: str, python: Path, project: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run the project's program; returns the JSON that it prints."""
    done = subprocess.run(
        [python, "main.py", what], cwd=project, env=environment, capture_output=True, text=True, timeout=_PATIENCE
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.fixture
def served(python: Path, project: Path, environment: dict[str, str]) -> Iterator[None]:
    """The project's flow, served as a deployment by its own program."""
    log = (project / "serve.log").open("w")
    server = subprocess.Popen(
        [python, "main.py", "serve"], cwd=project, stdout=log, stderr=log,
        env={**environment, "PREFECT_RUNNER_POLL_FREQUENCY": "1"},
    )  # fmt: skip
    try:
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(_PATIENCE)
        log.close()


@pytest.mark.parametrize("project", ["packages"], indirect=True)
async def test_a_deployed_flow_makes_films_and_is_told_the_next_step_where_one_cannot_be_made(
    served: None, project: Path, prefect_server: None
) -> None:
    run = await workers.begin(await _deployment("nightly/nightly"), told=str(project / "told.json"))
    workers.wait_until(lambda: workers.state_of(run).is_final(), "the deployed run ends")
    state = workers.state_of(run)
    assert state.is_completed(), f"{state.message}\n{(project / 'serve.log').read_text()}"
    told: dict[str, Any] = json.loads((project / "told.json").read_text())
    assert told["frames"] == _FRAMES
    error, message, _, following = told["to approve"]
    assert error == "ReviewNeeded" and "waits for approval" in message
    once_more = f", then prefect flow-run retry {run}"
    assert following == f"storyreel review specs/storm.yaml{once_more}"
    error, message, hint, _ = told["to buy"]
    assert error == "NotAllowed" and "this would buy 1 take from apiyi for " in message
    assert "buy=True" in hint and "budget='" in hint
    error, message, _, following = told["too dear"]
    assert error == "BudgetExceeded" and "0.01 USD" in message
    assert following == f"storyreel plan specs/harbour.yaml --provider apiyi{once_more}"


async def _deployment(name: str) -> Any:
    async with get_client() as client:
        for _ in range(_PATIENCE):
            try:
                return (await client.read_deployment_by_name(name)).id
            except ObjectNotFound:
                await asyncio.sleep(0.5)
    raise AssertionError(f"{name} was never registered")
