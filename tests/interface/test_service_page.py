"""docs/services.md: its example keeps the contract, mistakes in it are found, and a film is made with its answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.flows.conftest import Command, cold_storyreel, fresh_environment

__all__ = ["cold_storyreel", "fresh_environment"]

PAGE = (Path(__file__).parents[2] / "docs" / "services.md").read_text("utf-8")
FILES = ("pyproject.toml", "storyreel_lumen.py", "test_lumen.py", "lumen_answers.py", "film.yaml")
_PATIENCE = 240


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The folder that the page describes, with the metadata that installing it would write."""
    folder = tmp_path / "lumen"
    folder.mkdir()
    for name in FILES:
        (found,) = re.findall(rf"^`{re.escape(name)}`[^\n]*\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        (folder / name).write_text(found)
    metadata = folder / "storyreel_lumen-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: storyreel-lumen\nVersion: 0.1\n")
    points = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{name} = {to}\n" for name, to in of.items()) for group, of in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return folder


def _tested(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2]), os.environ["PYTHONPATH"]])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-rA", "--tb=line", *files]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
    )


def test_the_example_of_the_page_keeps_the_contract(package: Path) -> None:
    done = _tested(package, "test_lumen.py")
    assert done.returncode == 0, done.stdout
    assert "Warning" not in done.stdout + done.stderr, done.stdout
    skipped = set(re.findall(r"^SKIPPED .*: (.*)$", done.stdout, re.MULTILINE))
    assert skipped == {
        "an answer in part is one to an order that was accepted",
        "the service has no list",
        "the service cancels nothing",
        "every order of the service makes a task",
    }


def test_each_mistake_in_an_adapter_is_found_by_the_contract(package: Path) -> None:
    shutil.copy(Path(__file__).parent / "broken_lumen.py", package / "test_broken.py")
    done = _tested(package, "test_broken.py")
    broken = set(
        re.findall(
            r"^class (\w+)\((?:Lumen|WithPictures|WithSpeech)\)", (package / "test_broken.py").read_text(), re.MULTILINE
        )
    )
    found = set(re.findall(r"^FAILED test_broken\.py::Test(\w+)::", done.stdout, re.MULTILINE))
    assert found == broken, done.stdout


def test_a_film_is_made_with_the_recorded_answers(package: Path, cold_storyreel: Command, standing_server: str) -> None:
    path = os.pathsep.join([str(package), os.environ["PYTHONPATH"]])
    program = "import lumen_answers as its, threading\n" \
              "with its.RecordedService(its.ANSWERS).served() as address:\n" \
              "    print(address, flush=True); threading.Event().wait()"  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-c", program], cwd=package, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert server.stdout
        address = server.stdout.readline().strip()
        variables = {"LUMEN_BASE_URL": address, "LUMEN_API_KEY": "sk-emulator", "STORYREEL_POLL_SECONDS": "0.1",
                     "PYTHONPATH": path, "PREFECT_API_URL": standing_server}  # fmt: skip
        film = ("render", str(package / "film.yaml"), "--provider", "lumen", "--yes", "--out", str(package / "made"))
        done = cold_storyreel(*film, **variables)
        assert done.returncode == 0, done.stderr
        assert "spent 0.50 USD" in done.stdout + done.stderr
        assert (package / "made" / "sequence.mp4").stat().st_size > 0
    finally:
        server.kill()
        server.wait()
