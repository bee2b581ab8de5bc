"""compose.yaml and the Dockerfile: whole, without keys, and of the same parts as the script that tests can run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.stack import Stack

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
COMPOSE = DEPLOYMENTS / "compose.yaml"


@pytest.fixture
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return read


def variables(text: str) -> set[str]:
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))


def test_the_server_is_told_the_same_as_by_the_script(compose: dict[str, Any], tmp_path: Path) -> None:
    scripted = Stack(tmp_path).server_settings()
    for name in ("server", "services"):
        told = compose["services"][name]["environment"]
        assert set(told) == set(scripted) - {"PREFECT_HOME"}, "the image sets that one"
        places = ("_URL", "_HOST", "_PORT", "_PASSWORD")
        same = {name: value for name, value in scripted.items() if not name.endswith((*places, "PREFECT_HOME"))}
        assert len(same) > 10
        assert {name: told[name] for name in same} == same


def test_workers_are_told_the_same_as_by_the_script(compose: dict[str, Any], tmp_path: Path) -> None:
    written = (DEPLOYMENTS / "stack.env.example").read_text()
    of_file = {line.partition("=")[0] for line in written.splitlines() if re.match("[A-Z]", line)}
    told = of_file | set(compose["services"]["worker"]["environment"])
    assert set(Stack(tmp_path).environment) <= told


def test_every_part_of_the_script_is_a_service(compose: dict[str, Any]) -> None:
    assert {"postgresql", "redis", "bucket", "server", "services", "player", "worker"} <= set(compose["services"])


def test_the_player_has_the_bucket_and_neither_the_ledger_nor_a_key_of_a_service(compose: dict[str, Any]) -> None:
    player = compose["services"]["player"]
    assert "env_file" not in player
    assert not [
        name for name in player["environment"] if not name.startswith(("AWS_", "STORYREEL_PLAYER", "STORYREEL_CLIPS"))
    ]


def test_whatever_is_named_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in services[needed], (name, needed)
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith("/") or source in compose["volumes"], (name, volume)
        for config in service.get("configs", []):
            assert config["source"] in compose["configs"]


def test_every_service_is_started_anew_after_a_fall_and_has_time_to_end(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["restart"] in ("unless-stopped", "on-failure"), name
        assert service["restart"] == "on-failure" or "stop_grace_period" in service, name


def test_variables_are_explained_and_no_secret_is_written_down() -> None:
    written = (DEPLOYMENTS / "stack.env.example").read_text()
    explained = {line.partition("=")[0].removeprefix("# ") for line in written.splitlines()}
    assert variables(COMPOSE.read_text()) - {"PREFECT_UI_API_URL"} <= explained
    secret = re.compile(r"^#? ?\w*(?:PASSWORD|API_KEY|SECRET_ACCESS_KEY)=(.*)$", re.M)
    assert not any(secret.findall(written))
    dockerfile = (DEPLOYMENTS / "Dockerfile").read_text()
    assert not re.search("_API_KEY|PASSWORD|SECRET", dockerfile)
    copied = re.findall(r"^COPY (.*) \S+$", dockerfile, re.M)
    assert "stack.env" not in " ".join(copied)


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    root = DEPLOYMENTS.parent
    let_in = {line.removeprefix("!") for line in (root / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        name
        for line in re.findall(r"^COPY (.*) \S+$", (DEPLOYMENTS / "Dockerfile").read_text(), re.M)
        for name in line.split()
    }
    assert copied == let_in
    assert all((root / name).exists() for name in copied)


def test_docker_reads_it(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("no docker compose here; the tests above look at the file's shape")
    shutil.copytree(DEPLOYMENTS, tmp_path / "deployments")
    env = tmp_path / "deployments" / "stack.env"
    filled = (DEPLOYMENTS / "stack.env.example").read_text().replace("PASSWORD=", "PASSWORD=word")
    env.write_text(filled)
    asked = [docker, "compose", "-f", tmp_path / "deployments" / "compose.yaml", "--env-file", env, "config", "--quiet"]
    read = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
