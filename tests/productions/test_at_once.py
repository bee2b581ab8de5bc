"""Several runs of one storyboard at the same moment: one purchase a take, in either database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.flows.staging import Stage, staged
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.jobs import Script

FILM = """\
storyboard: 1
title: Crowd
format: {fps: 12}
defaults: {provider: aimlapi, duration: 6f}
shots:
  - {shot: 1A, action: Ana enters.}
  - {shot: 1B, action: She sits., takes: 2, circled: 1}
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(
    tmp_path: Path, fresh_environment: dict[str, str], standing_server: str, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    service = Aimlapi(AimlapiSettings(script=Script(waiting=1, seconds=1.0)))
    ledger_url = postgres.running().fresh() if request.param == "postgresql" else ""
    told = {"PREFECT_API_URL": standing_server, "STORYREEL_POLL_SECONDS": "0.2"}
    with staged(tmp_path, FILM, service, {**fresh_environment, **told}, ledger_url) as stage:
        yield stage


@pytest.mark.parametrize(
    ("stage", "runs", "cold"),
    [
        ("postgresql", 2, True),
        ("sqlite", 5, False),
        pytest.param("postgresql", 5, False, marks=pytest.mark.matrix),
        pytest.param("sqlite", 2, True, marks=pytest.mark.matrix),
    ],
    indirect=["stage"],
)
def test_runs_beside_each_other_buy_every_take_once(stage: Stage, runs: int, cold: bool) -> None:
    """Two as a user begins them, and five that have all imported everything when they begin."""
    start = stage.start_cold if cold else stage.start
    begun = [start(out=f"out-{number}") for number in range(runs)]
    for run in begun:
        out, err = run.communicate(timeout=180)
        assert run.returncode == 0, err
        assert json.loads(out)["frames"] == 12
    assert len(stage.bought) == 3
    stage.assert_nothing_was_bought_twice()


def test_a_run_that_is_killed_hands_over_to_the_one_beside_it(
    stage: Stage, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    killed, other = stage.start(out="out-1"), stage.start(out="out-2")
    wait_until(lambda: len(stage.bought) >= 1)
    killed.kill()
    killed.communicate()
    _, err = other.communicate(timeout=180)
    code, out, _ = stage.run()
    stage.assert_nothing_was_bought_twice()
    if code == 0:
        assert json.loads(out)["frames"] == 12
        assert len(stage.bought) == 3
    else:
        assert "storyreel reconcile" in err, "killed in the middle of an order: told, and not ordered again"
