"""kill -9 at every step of a take's life: nothing is bought twice, and nothing that was paid is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.store.ledger import State
from tests.flows.staging import Stage
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.faults import Call, Silence
from tests.services.jobs import Script

ONE_TAKE = """\
storyboard: 1
title: One Room
defaults: {provider: aimlapi, duration: 2s}
shots: [{shot: 1A, action: Ana enters.}]
"""
THREE_TAKES = """\
storyboard: 1
title: Two Rooms
defaults: {provider: aimlapi, duration: 2s}
shots:
  - {shot: 1A, action: Ana enters.}
  - {shot: 1B, action: She sits., takes: 2, circled: 1}
"""

STEPS = {
    # Where the run dies, and whether anybody can know afterwards what became of the order.
    "tasks.store.ledger:Ledger.intend before 1": True,
    "tasks.store.ledger:Ledger.intend after 1": False,
    "tasks.providers.wire:Wire.buy before 1": False,
    "tasks.providers.wire:Wire.buy after 1": False,
    "tasks.store.ledger:Ledger.submitted before 1": False,
    "tasks.store.ledger:Ledger.submitted after 1": True,
    "tasks.providers.hosted:Hosted.look before 1": True,
    "tasks.providers.hosted:Hosted.look after 1": True,
    "tasks.providers.hosted:Hosted.look after 2": True,
    "tasks.providers.hosted:Hosted.fetch before 1": True,
    "tasks.collect:tell before 3": True,  # the first progress of the download, after two looks at what is pending
    "tasks.collect:verify before 1": True,
    "tasks.store.clips:ClipStore.keep before 1": True,
    "tasks.store.clips:ClipStore.keep after 1": True,
    "tasks.store.ledger:Ledger.finished before 1": True,
    "tasks.store.ledger:Ledger.finished after 1": True,
    "flows.report:write_manifest before 1": True,
}


def assert_finished(stage: Stage) -> None:
    """The next run finishes the film, from what was bought already."""
    takes = 3 if stage.film == THREE_TAKES else 1
    code, out, err = stage.run()
    assert code == 0, err
    stage.assert_nothing_was_bought_twice()
    assert len(stage.bought) == takes
    assert json.loads(out)["frames"] == 60 * (takes + 1) // 2


def assert_told_to_be_unknown(stage: Stage) -> None:
    """Runs say that a take is unknown, and order it no more, however often they are begun."""
    for _ in range(2):
        code, _, err = stage.run()
        assert code == 1
        assert "storyreel reconcile" in err and "Traceback" not in err
        assert State.UNKNOWN in stage.states()
        stage.assert_nothing_was_bought_twice()


def assert_finished_or_told(stage: Stage) -> None:
    """One of the two, for a run that was killed where nobody saw."""
    stage.run()
    if State.UNKNOWN in stage.states():
        assert_told_to_be_unknown(stage)
    else:
        assert_finished(stage)


@pytest.fixture
def stage(
    tmp_path: Path, fresh_environment: dict[str, str], standing_server: str, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """A service and a film of one take; of three where a test asks for that."""
    service = Aimlapi(AimlapiSettings(script=Script(waiting=1, running=1)))
    environment = {**fresh_environment, "PREFECT_API_URL": standing_server}
    with service.served(port=0) as base_url:
        environment |= {"AIMLAPI_API_KEY": "sk-emulator", "AIMLAPI_BASE_URL": base_url}
        yield Stage(tmp_path, getattr(request, "param", ONE_TAKE), service, environment)


@pytest.mark.parametrize("step", STEPS, ids=[step.split(":")[1] for step in STEPS])
def test_a_run_killed_at_any_step_never_buys_twice(stage: Stage, step: str) -> None:
    stage.die_at(step)
    stage.assert_nothing_was_bought_twice()
    if STEPS[step]:
        assert_finished(stage)
    else:
        assert_told_to_be_unknown(stage)


@pytest.mark.parametrize("accepted", [False, True])
def test_a_run_killed_in_the_middle_of_an_order_never_sends_it_again(stage: Stage, accepted: bool) -> None:
    heard = threading.Event()

    def listen(_: object) -> bool:
        heard.set()
        return True

    stage.service.fault(Call.CREATE, Silence(), accepted=accepted, times=1, when=listen)
    run = stage.start()
    assert heard.wait(60)
    time.sleep(0.2)
    run.kill()
    run.communicate()
    assert len(stage.service.accepted) == accepted
    assert_told_to_be_unknown(stage)
    assert len(stage.service.accepted) == accepted


@pytest.mark.parametrize("stage", [THREE_TAKES], indirect=True)
def test_a_run_killed_at_random_never_buys_twice(stage: Stage, kills: int) -> None:
    """As many kills as `--kills` says, each at a moment of its own; then the film is finished or the unknown told."""
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    begun = time.monotonic()
    assert_finished(_anew(stage, 0))
    whole = time.monotonic() - begun
    done, films, unknown = 0, 1, 0
    while done < kills:
        stage, films = _anew(stage, films), films + 1
        while done < kills and State.UNKNOWN not in stage.states():
            run = stage.start()
            try:
                run.wait(moments.uniform(0.3, 1.0) * whole)
            except subprocess.TimeoutExpired:
                os.kill(run.pid, signal.SIGKILL)
                done += 1
            run.communicate()
            stage.assert_nothing_was_bought_twice()
            if run.returncode == 0:
                break
        assert_finished_or_told(stage)
        unknown += State.UNKNOWN in stage.states()
    print(f"\n{done} kills in {films - 1} films (seed {seed}): none bought twice, {unknown} films with an unknown take")


def _anew(stage: Stage, number: int) -> Stage:
    """The same service, another film and home: every round begins with nothing."""
    folder = stage.folder.parent / f"round-{number}"
    folder.mkdir()
    stage.service.accepted.clear()
    return Stage(folder, stage.film, stage.service, stage.environment)
