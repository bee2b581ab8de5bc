"""A backup of ledger and clips, taken as deployments/README.md says while a run is at work, and what it is worth."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storyreel.tasks.ledger.ledger import State
from tests import postgres
from tests.flows.staging import Stage, staged
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.jobs import Script

FILM = """\
storyboard: 1
title: Kept
format: {fps: 12}
defaults: {provider: aimlapi, duration: 6f}
shots:
  - {shot: 1A, action: Ana enters.}
  - {shot: 1B, action: She sits.}
"""
VACUUM = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('vacuum into ?', sys.argv[2:])"


@pytest.fixture
def service() -> Aimlapi:
    return Aimlapi(AimlapiSettings(script=Script(waiting=1, running=100_000)))


@pytest.fixture
def stage(tmp_path: Path, fresh_environment: dict[str, str], standing_server: str, service: Aimlapi) -> Iterator[Stage]:
    with staged(tmp_path, FILM, service, {**fresh_environment, "PREFECT_API_URL": standing_server}) as stage:
        yield stage


def test_a_backup_that_was_taken_under_way_goes_on_with_what_was_ordered(
    stage: Stage, service: Aimlapi, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    service.use_script(Script(waiting=0, running=0))
    run = stage.start()
    wait_until(lambda: sorted(stage.states()) == [State.FINISHED, State.SUBMITTED])
    home, backup = stage.folder / "home", stage.folder / "backup"
    backup.mkdir()
    # The ledger first: every clip that it tells of is in the store by then.
    subprocess.run([sys.executable, "-c", VACUUM, home / "ledger.sqlite", backup / "ledger.sqlite"], check=True)
    shutil.copytree(home / "clips", backup / "clips")
    run.kill()
    run.communicate()
    shutil.rmtree(home)
    backup.rename(home)
    for job in service.jobs.all():
        job.script = Script(waiting=0, running=0)
    code, out, err = stage.run()
    assert code == 0, err
    assert json.loads(out)["frames"] == 12
    assert len(stage.bought) == 2, "one was in the backup, the other was gone on with"


@pytest.mark.skipif(not Path("/usr/lib/postgresql").exists(), reason="the wheel's PostgreSQL has no pg_dump")
def test_a_dump_of_a_ledger_in_postgresql_restores(stage: Stage, service: Aimlapi) -> None:
    service.use_script(Script(waiting=0, running=0), times=2)
    url, anew = postgres.running().url, postgres.another().url
    stage.environment["STORYREEL_LEDGER_URL"] = url
    assert stage.run()[0] == 0
    dump = stage.folder / "ledger.dump"
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    for program, *arguments in (
        ("pg_dump", "--format=custom", f"--file={dump}", url),
        ("pg_restore", "--clean", "--if-exists", f"--dbname={anew}", str(dump)),
    ):
        subprocess.run([programs / program, *arguments], check=True, env={"PATH": os.environ["PATH"]})
    stage.environment["STORYREEL_LEDGER_URL"] = anew
    before = len(service.requests)
    assert stage.run()[0] == 0
    assert len(service.requests) == before, "all of it was bought before, says the ledger that was restored"
