"""kill -9 at every step of a take's life: nothing is bought twice, and nothing that was paid is lost."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from storyreel.tasks.ledger.ledger import State
from storyreel.testing.faults import Call, Silence
from tests.flows.staging import Stage, staged
from tests.flows.warm import Run, command
from tests.pauses import PATIENCE
from tests.services.aimlapi import Aimlapi, AimlapiSettings
from tests.services.dashscope import Dashscope, DashscopeSettings
from tests.services.jobs import Script
from tests.tasks.procurement.killing import BETWEEN

ONE_TAKE = """\
storyboard: 1
title: One Room
format: {fps: 12}
defaults: {provider: aimlapi, duration: 6f}
shots: [{shot: 1A, action: Ana enters.}]
"""
THREE_TAKES = """\
storyboard: 1
title: Two Rooms
format: {fps: 12}
defaults: {provider: aimlapi, duration: 6f}
shots:
  - {shot: 1A, action: Ana enters.}
  - {shot: 1B, action: She sits., takes: 2, circled: 1}
"""
DRAFT = f"{ONE_TAKE}draft: {{resolution: 720p}}\n".replace("{fps: 12}", "{fps: 12, resolution: 1080p}")
"""Of which the draft is made."""

MADE_OF_ANOTHER = """\
storyboard: 1
title: Two Rooms
format: {fps: 12}
defaults: {provider: dashscope, duration: 2s}
shots:
  - {shot: 1A, action: Ana enters., edit: {instruction: Make it dusk}}
  - {shot: 1B, action: She sits., continues: {shot: 1A, with: clip}}
"""

MADE_OF_PICTURES = """\
storyboard: 1
title: One Room
format: {fps: 12}
defaults: {provider: dashscope, duration: 2s}
cast: {ana: {description: a girl in red boots, sheet: true}}
shots: [{shot: 1A, action: Ana enters., cast: [ana], still: true}]
"""
"""A sheet, a still that is made of it, and a clip that is made of that."""

MADE_TO_SPEECH = """\
storyboard: 1
title: One Room
format: {fps: 12}
speech: {provider: dashscope}
defaults: {provider: dashscope}
shots: [{shot: 1A, action: Ana enters., duration: speech, narration: Somebody is here.}]
"""
"""A line, and a clip that is as long as it."""

IN_A_SHAPE = ONE_TAKE + 'deliverables: [{name: web, format: {aspect_ratio: "9:16"}, shoot: true}]\n'
"""A take, and the same shot in the shape of a deliverable."""

_LEDGER = "storyreel.tasks.ledger.ledger:Ledger"
_SERVICE = "storyreel.tasks.providers.hosted:HostedProvider"
_CLIPS = "storyreel.tasks.storage.clips:ClipStore"
STEPS = {
    # Where runs of one film die, one after the other: each goes on where the one before it was killed.
    "up to the download": (
        f"{_LEDGER}.intend before 1",
        f"{_LEDGER}.mark_submitted after 1",
        f"{_SERVICE}.poll before 1",
        f"{_SERVICE}.poll after 1",
        f"{_SERVICE}.fetch before 1",
    ),
    "from the answer that only the disk has": (
        f"{_LEDGER}.mark_submitted before 1",
        f"{_SERVICE}.poll after 2",
        "storyreel.tasks.procurement.collect:examine before 1",
        f"{_CLIPS}.keep before 1",
        f"{_CLIPS}._place before 1",
    ),
    "to the end": (
        # The first progress of the download, after two polls of the pending task.
        "storyreel.tasks.procurement.collect:report_stage before 3",
        f"{_CLIPS}.keep after 1",
        f"{_LEDGER}.mark_finished before 1",
        f"{_LEDGER}.mark_finished after 1",
        "storyreel.flows.production.report:write_manifest before 1",
    ),
}
UNKNOWABLE = (
    # Where nobody can know afterwards what became of the order.
    f"{_LEDGER}.intend after 1",
    "storyreel.tasks.providers.http.client:Client.post_once before 1",
    "storyreel.tasks.providers.http.client:Client.post_once after 1",
)


def assert_finished(stage: Stage) -> None:
    """The next run finishes the film, from what was bought already."""
    assert_is_finished(stage, *stage.run())


def assert_is_finished(stage: Stage, code: int, out: str, err: str) -> None:
    """Assert that a run has made the whole film."""
    takes = 3 if stage.film == THREE_TAKES else 1
    assert code == 0, err
    stage.assert_nothing_was_bought_twice()
    assert len(stage.bought) == takes
    assert json.loads(out)["frames"] == 6 * (takes + 1) // 2


def assert_told_to_be_unknown(stage: Stage, times: int = 1) -> None:
    """Runs say that a take is unknown, and order it no more, however often they are begun."""
    for _ in range(times):
        code, _, err = stage.run()
        assert code == 1
        assert "storyreel reconcile" in err and "Traceback" not in err
        assert State.UNKNOWN in stage.states()
        stage.assert_nothing_was_bought_twice()


def assert_finished_or_told(stage: Stage, ended: tuple[int, str, str]) -> None:
    """One of the two, by what a run gave after others were killed where nobody saw."""
    if State.UNKNOWN in stage.states():
        assert_told_to_be_unknown(stage)
    else:
        assert_is_finished(stage, *ended)


@pytest.fixture
def stage(
    tmp_path: Path, fresh_environment: dict[str, str], standing_server: str, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """A service and a film of one take; of three where a test asks for that."""
    service = Aimlapi(AimlapiSettings(script=Script(waiting=1, running=1)))
    film = getattr(request, "param", ONE_TAKE)
    with staged(tmp_path, film, service, {**fresh_environment, "PREFECT_API_URL": standing_server}) as stage:
        yield stage


@pytest.mark.parametrize(
    ("stage", "part"), [*zip((ONE_TAKE, DRAFT, ONE_TAKE), STEPS, strict=True)], indirect=["stage"], ids=STEPS
)
def test_runs_killed_at_each_step_never_buy_twice_and_the_next_one_goes_on(stage: Stage, part: str) -> None:
    for step in STEPS[part]:
        stage.die_at(step)
        stage.assert_nothing_was_bought_twice()
        assert State.UNKNOWN not in stage.states(), step
    assert_finished(stage)


@pytest.mark.parametrize("stage", [IN_A_SHAPE], indirect=True)
@pytest.mark.parametrize(
    "part", [part if part == "to the end" else pytest.param(part, marks=pytest.mark.matrix) for part in STEPS]
)
def test_runs_killed_over_a_shape_of_a_deliverable_buy_it_once_and_keep_the_film(stage: Stage, part: str) -> None:
    stage.run()
    stage.deliverable = "web"
    for step in STEPS[part]:
        stage.die_at(step)
        stage.assert_nothing_was_bought_twice()
        assert State.UNKNOWN not in stage.states() and (stage.folder / "out" / "sequence.mp4").is_file(), step
    code, out, err = stage.run()
    assert code == 0, err
    assert [each["name"] for each in json.loads(out)["deliverables"]] == ["web"]
    assert len(stage.bought) == 2 and [order.order.ratio for order in stage.service.accepted] == ["16:9", "9:16"]


@pytest.mark.parametrize("stage", [IN_A_SHAPE], indirect=True)
def test_an_order_of_a_shape_that_nobody_knows_of_is_not_made_again_and_the_film_goes_on(stage: Stage) -> None:
    stage.run()
    stage.deliverable = "web"
    stage.die_at(UNKNOWABLE[2])
    assert_told_to_be_unknown(stage)
    assert len(stage.bought) == 2
    stage.deliverable = ""
    code, out, err = stage.run()
    assert code == 0, err
    assert "deliverables" not in json.loads(out) and len(stage.bought) == 2
    settled = command("reconcile", folder=stage.folder, environment=stage.environment)
    assert "One Room 1A@web take 1" in settled.stdout + settled.stderr


def test_runs_killed_over_an_edit_and_what_goes_on_from_it_buy_each_take_once(
    tmp_path: Path, fresh_environment: dict[str, str], standing_server: str
) -> None:
    service = Dashscope(DashscopeSettings(script=Script(waiting=0, running=0)))
    environment = {**fresh_environment, "PREFECT_API_URL": standing_server}
    with staged(tmp_path, MADE_OF_ANOTHER, service, environment) as stage:
        # The edit is ordered, and its clip is there; then its end is to be written.
        stage.die_at(f"{_LEDGER}.mark_submitted after 2")
        stage.die_at("storyreel.flows.production.clip_parts:write_end before 1")
        assert len(stage.bought) == 2
        code, out, err = stage.run()
        assert code == 0, err
        assert json.loads(out)["frames"] == 48
    models = [sale.order.model for sale in service.accepted]
    assert models == ["wan2.7-t2v", "wan2.7-videoedit", "wan2.7-i2v"], "each once, and each after the one before"


@pytest.fixture
def pictures(tmp_path: Path, fresh_environment: dict[str, str], standing_server: str) -> Iterator[Stage]:
    """A service that makes pictures and clips, and a film of both."""
    service = Dashscope(DashscopeSettings(script=Script(waiting=1, running=1)))
    environment = {**fresh_environment, "PREFECT_API_URL": standing_server}
    with staged(tmp_path, MADE_OF_PICTURES, service, environment) as stage:
        yield stage


def assert_each_is_bought_once(stage: Stage) -> None:
    """The next run finishes the film, and all of it was ordered once, each after what it is made of."""
    code, out, err = stage.run()
    assert code == 0, err
    assert json.loads(out)["frames"] == 24
    models = [sale.order.model for sale in stage.service.accepted]
    assert models == ["wan2.7-image", "wan2.7-image", "wan2.7-i2v"]


def test_runs_killed_over_a_sheet_its_still_and_the_clip_buy_each_once(pictures: Stage) -> None:
    pictures.die_at(f"{_LEDGER}.mark_submitted before 1")  # the sheet is ordered, which only the disk knows
    pictures.die_at(UNKNOWABLE[2])  # the still is ordered, which nobody knows
    assert_told_to_be_unknown(pictures)
    assert len(pictures.bought) == 2, "neither it again nor the clip that is made of it"
    settled = command("reconcile", folder=pictures.folder, environment=pictures.environment)
    assert "One Room 1A@still take 1" in settled.stdout and "the only wan2.7-image of" in settled.stdout
    for bought, step in ((2, f"{_CLIPS}._place before 1"), (3, f"{_LEDGER}.mark_submitted after 1")):
        pictures.die_at(step)
        assert len(pictures.bought) == bought, step
        assert State.UNKNOWN not in pictures.states(), step
    assert_each_is_bought_once(pictures)


@pytest.mark.parametrize("steps", [0, pytest.param(2, marks=pytest.mark.matrix)])
def test_runs_killed_over_a_line_and_the_clip_that_is_as_long_buy_each_once(
    tmp_path: Path, fresh_environment: dict[str, str], standing_server: str, steps: int
) -> None:
    service = Dashscope(DashscopeSettings(script=Script(waiting=0, running=0)))
    environment = {**fresh_environment, "PREFECT_API_URL": standing_server}
    with staged(tmp_path, MADE_TO_SPEECH, service, environment) as stage:
        stage.die_at(f"{_LEDGER}.mark_submitted before 1")  # the line is spoken, which only the disk knows
        for step in (f"{_CLIPS}._place before 1", f"{_LEDGER}.mark_finished before 1")[:steps]:
            stage.die_at(step)
        code, _, err = stage.run()
        assert code == 1 and "the speech is made" in err and "next: storyreel render" in err, err
        assert len(stage.bought) == 1, "the clip was agreed to at another length"
        for step in (f"{_LEDGER}.mark_submitted before 1", f"{_CLIPS}._place before 1")[:steps]:
            stage.die_at(step)
        code, out, err = stage.run()
        assert code == 0, err
        assert json.loads(out)["speech"] and json.loads(out)["frames"] > 0
    assert [sale.order.model for sale in service.accepted] == ["qwen3-tts-flash", "wan2.7-t2v"], "each once"


@pytest.mark.matrix
@pytest.mark.parametrize("part", STEPS)
@pytest.mark.parametrize("made", [0, 1], ids=["sheet", "still"])
def test_runs_killed_at_each_step_of_a_picture_buy_it_once(pictures: Stage, made: int, part: str) -> None:
    if made:
        pictures.die_at(f"{_LEDGER}.intend before {made + 1}")
    for step in STEPS[part]:
        pictures.die_at(step)
        pictures.assert_nothing_was_bought_twice()
        assert State.UNKNOWN not in pictures.states(), step
    assert_each_is_bought_once(pictures)


@pytest.mark.matrix
@pytest.mark.parametrize("step", [*UNKNOWABLE, UNKNOWABLE[2].replace("after 1", "after 2")])
def test_a_run_killed_while_it_orders_a_picture_orders_neither_it_again_nor_what_is_made_of_it(
    pictures: Stage, step: str
) -> None:
    pictures.die_at(step)
    bought = len(pictures.bought)
    assert_told_to_be_unknown(pictures)
    assert len(pictures.bought) == bought
    assert all(sale.order.model == "wan2.7-image" for sale in pictures.service.accepted)


@pytest.mark.parametrize("step", UNKNOWABLE, ids=[step.split(":")[1] for step in UNKNOWABLE])
def test_a_run_killed_while_it_orders_says_so_and_never_orders_again(stage: Stage, step: str) -> None:
    stage.die_at(step)
    stage.assert_nothing_was_bought_twice()
    assert_told_to_be_unknown(stage, times=2 if step == UNKNOWABLE[0] else 1)


@pytest.mark.parametrize("accepted", [False, True])
def test_a_run_killed_in_the_middle_of_an_order_never_sends_it_again(stage: Stage, accepted: bool) -> None:
    heard = threading.Event()

    def listen(_: object) -> bool:
        heard.set()
        return True

    stage.service.fault(Call.CREATE, Silence(), accepted=accepted, times=1, when=listen)
    run = stage.start()
    assert heard.wait(PATIENCE)
    time.sleep(0.2)
    run.kill()
    run.communicate()
    assert len(stage.service.accepted) == accepted
    assert_told_to_be_unknown(stage)
    assert len(stage.service.accepted) == accepted


@pytest.mark.parametrize("stage", [THREE_TAKES], indirect=True)
def test_a_run_killed_at_random_never_buys_twice(stage: Stage, kills: int) -> None:
    """As many kills as `--kills` says, one in ten of them between keeping and noting a clip; then the film is finished
    or the unknown told."""
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    begun = time.monotonic()
    assert_finished(_anew(stage, 0))
    whole = time.monotonic() - begun
    films, unknown, met = 1, 0, Counter[str]()
    while met.total() < kills:
        stage, films = _anew(stage, films), films + 1
        ended = None
        while ended is None and met.total() < kills and State.UNKNOWN not in stage.states():
            step = f"{moments.choice(BETWEEN)} {moments.randint(1, 3)}" if moments.random() < 0.2 else ""
            run = stage.start(step=step)
            if _comes_to_a_moment(run, stage, moments, whole, step):
                run.kill()
                run.communicate()
                met["between keeping and noting" if step else _how_far(stage)] += 1
            else:
                out, err = run.communicate()
                ended = run.wait(0), out, err
            stage.assert_nothing_was_bought_twice()
        assert_finished_or_told(stage, ended or stage.run())
        unknown += State.UNKNOWN in stage.states()
    print(
        f"\n{met.total()} kills in {films - 1} films (seed {seed}): none bought twice, "
        f"{unknown} films with an unknown take; met {', '.join(f'{moment}: {n}' for moment, n in met.most_common())}"
    )
    assert kills < 100 or len(met) >= len(_MOMENTS), f"too few moments of a run were met: {dict(met)}"


def _comes_to_a_moment(run: Run, stage: Stage, moments: random.Random, whole: float, step: str) -> bool:
    """Wait for a moment, or until it has died at its step; False when the run is over before.

    Half of them are spread over the time that a run takes, half over what the service hears, which is soon over.
    """
    if step:
        return run.wait(120) == -signal.SIGKILL
    if moments.random() < 0.5:
        return _goes_on(run, moments.uniform(0, whole))
    heard = len(stage.service.requests) + moments.randint(1, _HEARD)
    while len(stage.service.requests) < heard:
        if not _goes_on(run, 0.005):
            return False
    return _goes_on(run, moments.uniform(0, 0.1))


def _goes_on(run: Run, seconds: float) -> bool:
    try:
        run.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


_HEARD = 15
"""Requests to a service for three takes: for each its order, three looks and a download."""
_MOMENTS = ("before an order", "while ordering", "while waiting or fetching", "with a clip or more", "with all clips")


def _how_far(stage: Stage) -> str:
    """The moment at which a run was killed, by what it has left."""
    states = stage.states()
    finished = states.count(State.FINISHED)
    if finished == 3:
        return _MOMENTS[4]
    if State.INTENDED in states:
        return _MOMENTS[1]
    if finished:
        return _MOMENTS[3]
    return _MOMENTS[2] if states else _MOMENTS[0]


def _anew(stage: Stage, number: int) -> Stage:
    """The same service, another film and home: every round begins with nothing."""
    folder = stage.folder.parent / f"round-{number}"
    folder.mkdir()
    stage.service.accepted.clear()
    return Stage(folder, stage.film, stage.service, stage.environment)
