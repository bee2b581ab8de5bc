"""Prefect's settings as far as they name a server, and commands of `prefect` that can be pasted."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from storyreel.flows.servers.prefect_settings import is_server_named, local_port, prefect_command

PREFECT = Path(sys.executable).with_name("prefect")


@pytest.mark.parametrize(
    ("api", "port"),
    [
        ("http://127.0.0.1:4200/api", 4200),
        ("http://localhost:4300/api/", 4300),
        ("http://127.0.0.1/api", 80),
        ("http://127.0.0.1:4200/prefect/api", None),
        ("https://127.0.0.1:4200/api", None),
        ("http://prefect.studio:4200/api", None),
        ("http://127.0.0.1:none/api", None),
        ("http://[::1]:4200/api", None),
    ],
)
def test_only_a_server_that_ui_can_start_has_a_port_here(api: str, port: int | None) -> None:
    assert local_port(api) == port


@pytest.mark.parametrize(
    ("profiles", "variables", "named"),
    [
        (None, {}, False),
        (None, {"PREFECT_API_URL": "http://127.0.0.1:9/api"}, True),
        ('active = "films"\n[profiles.films]\nPREFECT_API_URL = "http://127.0.0.1:9/api"', {}, True),
        ('active = "none"\n[profiles.films]\nPREFECT_API_URL = "http://127.0.0.1:9/api"', {}, False),
        ('[profiles.films]\nPREFECT_API_URL = "http://127.0.0.1:9/api"', {"PREFECT_PROFILE": "films"}, True),
        ('active = "films"\n[profiles.films]\nPREFECT_LOGGING_LEVEL = "INFO"', {}, False),
        ('active = "films"\nprofiles = 3', {}, False),
        ("active = ", {}, False),
    ],
)
def test_a_server_that_a_profile_names_is_known_without_prefect(
    tmp_path: Path, profiles: str | None, variables: dict[str, str], named: bool
) -> None:
    if profiles is not None:
        (tmp_path / "profiles.toml").write_text(profiles)
    assert is_server_named({"PREFECT_HOME": str(tmp_path), **variables}) is named


def test_prefect_itself_takes_the_same_profile_as_named(tmp_path: Path) -> None:
    """Its own answer, by its own command, for a file that was written here."""
    (tmp_path / "profiles.toml").write_text('active = "films"\n[profiles.films]\nPREFECT_API_URL = "http://x.org/api"')
    shown = subprocess.run(
        [PREFECT, "config", "view"], env={"PREFECT_HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    ).stdout
    assert "PREFECT_API_URL='http://x.org/api'" in shown and is_server_named({"PREFECT_HOME": str(tmp_path)})


def test_a_command_names_the_server_only_if_prefect_would_use_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
    monkeypatch.setenv("PATH", str(PREFECT.parent))
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert prefect_command("gcl", "ls") == "PREFECT_API_URL=http://127.0.0.1:9/api prefect gcl ls"
        monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
        assert prefect_command("work-pool", "create", "a b") == "prefect work-pool create 'a b'"


def test_a_command_runs_this_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        monkeypatch.setenv("PATH", str(tmp_path))
        assert prefect_command("version") == f"{shlex.quote(str(PREFECT))} version", "as after `pipx install`"
        (tmp_path / "prefect").write_text("#!/bin/sh\n")
        (tmp_path / "prefect").chmod(0o755)
        assert prefect_command("version") == f"{shlex.quote(str(PREFECT))} version", "another installation's"
        monkeypatch.setenv("PATH", str(PREFECT.parent))
        assert prefect_command("version") == "prefect version"
        monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
        assert prefect_command("version") == "uv run prefect version", "outside of `uv run` it is not on PATH"
