"""What keeps deployed films from being rendered: found by doctor, and mended by the command that it gives."""

from __future__ import annotations

import asyncio
import io
import os
import shlex
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from packaging.version import Version
from prefect import get_client
from prefect.automations import AutomationCore, DoNothing, EventTrigger
from prefect.cli import app as prefect
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate, WorkPoolCreate
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.events.schemas.automations import Posture
from prefect.settings import PREFECT_API_URL, temporary_settings

from storyreel.flows.diagnostics import prefect_checks
from storyreel.flows.diagnostics.check import Check
from storyreel.flows.diagnostics.prefect_checks import check_prefect
from storyreel.flows.production.slots.service_limits import ensure_limits, limit_name
from storyreel.flows.servers.local import ServerRecord, record_path
from storyreel.tasks.ledger.owner import owner_of_process
from storyreel.tasks.storage.files import write_whole
from tests.workers import client as client_of_server

POOL, FILM, FULL_NAME = "doctor's pool", "doctors-film", "render storyboard/doctors-film"
BIN = Path(sys.executable).parent
SERVICE = "freepik"
"""Its limit is used by no other test of a standing server."""

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def client() -> SyncPrefectClient:
    return client_of_server()


@pytest.fixture
def deployed(client: SyncPrefectClient) -> Iterator[UUID]:
    """A film in a pool of its own, with two schedules."""
    client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    flow = client.create_flow_from_name("render storyboard")
    made = client.create_deployment(flow, FILM, tags=["storyreel"], work_pool_name=POOL)
    monthly = IntervalSchedule(interval=timedelta(days=30))
    client.create_deployment_schedules(made, [(monthly, True), (monthly, True)])
    yield made
    client.delete_deployment(made)
    client.delete_work_pool(POOL)


def checks(name: str, about: str) -> list[Check]:
    """The checks of a name that are about something."""
    environment = {"PATH": str(BIN), "STORYREEL_HOME": os.environ["STORYREEL_HOME"]}
    return [each for each in check_prefect(environment, offline=False) if each.name == name and about in each.detail]


def note(name: str, about: str) -> Check:
    (found,) = checks(name, about)
    assert found.state == "note" and found.fix, found
    return found


def run(fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the commands of a fix as a shell does."""
    for command in fix.split(" && "):
        assert command.startswith("prefect "), command
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(SystemExit) as ended:
            prefect()
        assert not ended.value.code, command


@pytest.fixture
def as_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """`prefect` is on the path, and a variable names the server."""
    monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
    monkeypatch.setenv("PATH", os.pathsep.join((str(BIN), os.environ["PATH"])))
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)


@pytest.mark.usefixtures("as_in_a_shell")
def test_a_pool_that_begins_no_runs_is_told_until_a_worker_is_there(
    client: SyncPrefectClient, deployed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(f"prefect work-pool pause {shlex.quote(POOL)}", monkeypatch)
    paused = note("workers", FILM)
    assert "is paused" in paused.detail
    run(paused.fix, monkeypatch)
    run(f"prefect work-pool set-concurrency-limit {shlex.quote(POOL)} 0", monkeypatch)
    none_at_once = note("workers", FILM)
    assert "limit of 0" in none_at_once.detail
    run(none_at_once.fix, monkeypatch)
    alone = note("workers", FILM)
    assert "has no worker" in alone.detail and alone.fix == f"storyreel worker --pool {shlex.quote(POOL)}"

    async def send_heartbeat() -> None:
        async with get_client() as server:
            await server.send_worker_heartbeat(POOL, "a worker")

    asyncio.run(send_heartbeat())
    assert [each.state for each in checks("workers", FILM)] == ["ok"]


@pytest.mark.usefixtures("as_in_a_shell")
def test_a_film_whose_schedules_do_nothing_is_told(
    client: SyncPrefectClient, deployed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not checks("schedules", FILM)
    for schedule in client.read_deployment_schedules(deployed):
        client.update_deployment_schedule(deployed, schedule.id, active=False)
    client.pause_deployment(deployed)
    paused = note("schedules", f"{FILM} is paused")
    run(paused.fix, monkeypatch)
    inactive = note("schedules", f"2 of 2 schedules of {FILM} are paused")
    run(inactive.fix, monkeypatch)
    assert not checks("schedules", FILM)


def test_a_film_that_no_process_serves_is_told(client: SyncPrefectClient) -> None:
    flow = client.create_flow_from_name("render storyboard")
    served = client.create_deployment(flow, "served-film", tags=["storyreel"], paused=True)
    assert "storyreel serve" in note("workers", "served-film").fix
    assert not checks("schedules", "served-film"), "it is paused because nothing serves it"
    client.delete_deployment(served)


@pytest.mark.usefixtures("as_in_a_shell")
def test_an_automation_that_is_paused_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = EventTrigger(expect={"storyreel.shot.unknown"}, posture=Posture.Reactive, threshold=1)
    automation = AutomationCore(name="storyreel: doctor's", trigger=trigger, actions=[DoNothing()], enabled=False)

    async def create() -> UUID:
        async with get_client() as server:
            return await server.create_automation(automation)

    made = asyncio.run(create())
    run(note("automations", "doctor's").fix, monkeypatch)
    assert not checks("automations", "doctor's")
    client_of_server().delete_automation(made)


@pytest.mark.usefixtures("as_in_a_shell")
def test_places_that_no_run_holds_are_released_and_a_limit_without_effect_is_told(
    client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = limit_name(SERVICE)
    asyncio.run(ensure_limits([SERVICE], {SERVICE: 4}))
    client.increment_concurrency_slots([limit], 3, "concurrency")
    released, then = checks("service limits", SERVICE)
    assert released.detail.startswith(f"3 of the 3 places taken at {SERVICE} belonged to no run")
    assert then == Check("service limits", "ok", f"0 of 4 places at {limit} are taken")
    assert client.read_global_concurrency_limit_by_name(limit).active_slots == 0
    client.update_global_concurrency_limit(limit, GlobalConcurrencyLimitUpdate(active=False))
    run(note("service limits", limit).fix, monkeypatch)
    client.update_global_concurrency_limit(limit, GlobalConcurrencyLimitUpdate(limit=0))
    run(note("service limits", f"{limit} is 0").fix, monkeypatch)
    assert checks("service limits", SERVICE) == [Check("service limits", "ok", f"0 of 1 places at {limit} are taken")]
    client.delete_global_concurrency_limit_by_name(limit)


def test_a_server_of_storyreel_ui_that_prefect_does_not_know_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    api = str(PREFECT_API_URL.value())
    record = ServerRecord(port=urlsplit(api).port or 0, process=owner_of_process(os.getpid()))
    record_path().parent.mkdir(parents=True, exist_ok=True)
    write_whole(record_path(), record.model_dump_json())
    assert not checks("same server", "")
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        monkeypatch.setattr(
            prefect_checks.connectivity, "local_server", lambda: record.pages
        )  # this process does not listen
        assert note("same server", api).fix == f"storyreel ui --profile storyreel, or export PREFECT_API_URL={api}"
    monkeypatch.setenv("PREFECT_API_URL", api)
    write_whole(record_path(), record.model_copy(update={"port": record.port + 1}).model_dump_json())
    other = note("same server", f"127.0.0.1:{record.port + 1}, is not used")
    assert f"PREFECT_API_URL names {api}" in other.detail and other.fix.startswith("unset PREFECT_API_URL, or ")


@pytest.mark.parametrize(
    ("server", "here", "state"),
    [("3.9.1", "3.9.1", "ok"), ("3.10.0", "3.9.1", "ok"), ("3.8.8", "3.9.1", "note"), ("2.20.0", "3.9.1", "missing"),
     ("4.0.0", "3.9.1", "missing")],
)  # fmt: skip
def test_a_server_may_be_newer_than_what_reports_to_it_and_not_older(
    server: str, here: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefect_checks.metadata, "version", lambda _: here)
    check = prefect_checks._version("http://studio/api", Version(server))
    assert check.state == state and server in check.detail
    assert state == "ok" or here in check.fix


def test_the_prefect_that_a_shell_finds_is_that_of_storyreel(tmp_path: Path) -> None:
    def found(*folders: Path) -> list[Check]:
        environment = {"PATH": os.pathsep.join(map(str, folders)), "STORYREEL_HOME": str(tmp_path)}
        return [each for each in check_prefect(environment, offline=True) if each.name == "prefect command"]

    other = tmp_path / "prefect"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    assert found(BIN, tmp_path) == []
    (missing,), (foreign,) = found(tmp_path / "nothing"), found(tmp_path, BIN)
    assert "is not on PATH" in missing.detail and str(other) in foreign.detail
    assert missing.fix == foreign.fix == f'export PATH="{BIN}:$PATH"'
