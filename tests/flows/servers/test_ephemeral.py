"""A run's own server starts early and does only what one run needs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from storyreel.flows.commands import options
from storyreel.flows.commands.production.render import render
from storyreel.flows.errors import RunFailed
from storyreel.flows.servers import choose, ephemeral
from storyreel.flows.servers.choose import kept_seconds
from storyreel.flows.servers.ephemeral import FOR_ONE_RUN, EphemeralServer
from tests.flows.conftest import Command
from tests.flows.servers.test_packed_database import automate
from tests.prefect_server import move_in


def test_prefect_knows_the_settings_of_a_runs_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import Settings

    for name in FOR_ONE_RUN:
        monkeypatch.delenv(name, raising=False)
    usual = Settings().server
    for name, value in FOR_ONE_RUN.items():
        monkeypatch.setenv(name, value)
    own = Settings().server
    for services in ("scheduler", "late_runs", "pause_expirations", "foreman"):
        assert getattr(usual.services, services).enabled and not getattr(own.services, services).enabled
    for needed in ("event_persister", "task_run_recorder", "triggers", "repossessor", "cancellation_cleanup"):
        assert getattr(own.services, needed).enabled
    assert usual.register_blocks_on_start and not own.register_blocks_on_start
    assert usual.memoize_block_auto_registration and not own.memoize_block_auto_registration


@pytest.mark.parametrize("for_one_run", [True, False])
@pytest.mark.parametrize("has_automations", [True, False])
def test_one_runs_server_is_ready_for_automations_if_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, for_one_run: bool, has_automations: bool
) -> None:
    from prefect.settings import PREFECT_HOME, get_current_settings, temporary_settings

    told: list[bool] = []
    uvicorn = SimpleNamespace(run=lambda *_, **__: told.append(get_current_settings().server.services.triggers.enabled))
    monkeypatch.setattr(ephemeral, "serving_application", lambda: (None, uvicorn))
    monkeypatch.setattr(ephemeral, "_end_in_time", lambda told: None)
    (tmp_path / "told").write_text("4711\n")
    monkeypatch.setattr("sys.argv", EphemeralServer.program(for_one_run=for_one_run)[3:])
    with temporary_settings({PREFECT_HOME: tmp_path}, restore_defaults={PREFECT_HOME}):
        move_in(tmp_path)
        if has_automations:
            automate(tmp_path / "prefect.db")
        with (tmp_path / "told").open() as told_port:
            monkeypatch.setattr("sys.stdin", told_port)
            ephemeral._serve()
    assert told == [has_automations or not for_one_run]


def test_it_starts_while_the_film_is_planned_and_ends_when_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    @contextmanager
    def server() -> Iterator[None]:
        told.append("started")
        try:
            yield
        finally:
            told.append("ended")

    def plan(request: object) -> None:
        told.append("planned")
        raise typer.BadParameter("no such film")

    monkeypatch.setattr(choose, "run_server", server)
    monkeypatch.setattr(options, "plan_of", plan)
    with pytest.raises(typer.BadParameter):
        render(str(tmp_path / "film.yaml"))
    assert told == ["started", "planned", "ended"]


def test_one_whose_port_another_program_has_taken_meanwhile_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")  # as a run sets it for itself
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(ephemeral, "free_port", lambda: taken.getsockname()[1])
        with ephemeral.EphemeralServer() as server, pytest.raises(RunFailed, match="address already in use"):
            server.start()


def test_it_is_kept_where_a_person_looks_on_or_as_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORYREEL_KEEP_MINUTES", raising=False)
    for is_terminal, seconds in ((True, 300), (False, 0)):
        monkeypatch.setattr("sys.stderr.isatty", lambda is_terminal=is_terminal: is_terminal)
        assert kept_seconds() == seconds
    monkeypatch.setenv("STORYREEL_KEEP_MINUTES", "1.5")
    assert kept_seconds() == 90
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("STORYREEL_KEEP_MINUTES", "0")
    assert kept_seconds() == 0


def test_a_folder_of_prefects_that_takes_no_files_is_named(cold_storyreel: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "film.yaml").write_text("storyboard: 1\ntitle: F\nshots: [{shot: 1A, action: A lamp.}]\n")
    home = tmp_path / "file" / "prefect"
    done = cold_storyreel("render", "film.yaml", PREFECT_HOME=str(home))
    assert done.returncode == 1
    assert f"storyreel: Prefect's records cannot be written to {home}: " in done.stderr
    assert "set PREFECT_HOME to another folder" in done.stderr and "Warning" not in done.stderr
