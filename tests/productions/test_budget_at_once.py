"""A budget holds over ten runs at the same moment: what is reserved in the ledger counts, not what each run planned."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from storyreel.tasks.home import Home
from tests import postgres
from tests.flows.staging import staged
from tests.flows.warm import begin
from tests.services.apiyi import Apiyi, ApiyiSettings
from tests.services.jobs import Script

FILM = """\
storyboard: 1
title: Crowd
format: {fps: 12}
vars: {who: nobody}
budget: {per_month: 1.20 USD}
defaults: {provider: apiyi, duration: 6f}
shots:
  - {shot: 1A, action: "${who} enters."}
  - {shot: 1B, action: "${who} sits."}
"""
FIT = 7
"""Takes of 0.168 USD that fit into 1.20 USD."""


@pytest.mark.parametrize("runs", [5, pytest.param(10, marks=pytest.mark.matrix)])
def test_a_budget_holds_with_many_runs_at_once(
    tmp_path: Path, fresh_environment: dict[str, str], standing_server: str, runs: int
) -> None:
    """Each run is of another version of the film, so none can share what another one buys."""
    service = Apiyi(ApiyiSettings(script=Script(waiting=0, running=0)))
    told = {**fresh_environment, "PREFECT_API_URL": standing_server}
    with staged(tmp_path, FILM, service, told, postgres.running().fresh()) as stage:
        asked = ([*stage.render(f"out-{number}"), "--set", f"who=Ana {number}"] for number in range(runs))
        begun = [begin(words, stage.folder, stage.environment) for words in asked]
        codes = []
        for run in begun:
            _, err = run.communicate(timeout=180)
            codes.append(run.returncode)
            assert run.returncode in (0, 3), err
            assert run.returncode == 0 or "budget" in err
    # A run that sees no room for both of its takes any more buys neither, so that the last place may stay empty.
    assert FIT - 1 <= len(stage.bought) <= FIT
    assert set(codes) >= {3}
    ledger = Home.of(stage.environment).ledger()
    (committed,) = ledger.committed("month", film="Crowd")
    ledger.close()
    assert committed.amount == len(stage.bought) * Decimal("0.168") <= Decimal("1.20")
