"""Which films have their scenes made by runs of their own. Runs on workers are tested in tests/productions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import State, flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Completed, Running, Scheduled

from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.production import scene_runs
from storyreel.flows.production.outcomes import once_spoken
from storyreel.flows.production.scene_runs import ServerAway, run_scenes
from storyreel.specs.reading import read
from storyreel.tasks.prices.price_list import PriceList

SHOTS = "[{shot: 1A, action: One.}, {shot: 1B, action: Two.}]"


def plan_of(folder: Path, body: str) -> Plan:
    (folder / "film.yaml").write_text(f"storyboard: 1\ntitle: Rooms\n{body}\n")
    nothing = History(purchases=lambda _: {}, holds=lambda _: False)
    return make_plan(read(folder / "film.yaml"), nothing, None, (), PriceList.read({}))


@pytest.mark.parametrize(
    ("body", "there"),
    [
        (f"shots: {SHOTS}", ()),
        (f"scenes: [{{scene: 1, shots: {SHOTS}}}]", ()),
        (f"scenes: [{{scene: 1, shots: {SHOTS}}}, {{scene: 2, shots: [{{shot: 2A, action: Three.}}]}}]", ("2A",)),
    ],
    ids=["no scenes", "one scene", "one scene left"],
)
async def test_a_film_with_fewer_than_two_scenes_to_make_is_made_by_its_own_run(
    tmp_path: Path, body: str, there: tuple[str, ...]
) -> None:
    plan = plan_of(tmp_path, body)
    finished = {take.identity for take in plan.takes if take.shot in there}
    assert not await run_scenes(plan, plan.takes, finished, {"storyboard": "film.yaml"})


def test_a_scene_leaves_a_line_that_is_not_made_and_what_hangs_on_it_to_its_films_run(tmp_path: Path) -> None:
    film = """speech: {provider: dashscope, voice: Ethan}
defaults: {provider: animatic}
scenes:
  - scene: 1
    shots:
      - {shot: 1A, action: One., duration: speech, narration: Once.}
      - {shot: 1B, action: Two., narration: Twice.}
"""
    assert [take.shot for take in once_spoken(plan_of(tmp_path, film))] == ["1B"]


async def test_a_server_that_does_not_answer_is_told_and_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scene_runs, "_SERVER_SECONDS", 0.2)
    monkeypatch.setattr(scene_runs, "_POLL_SECONDS", 0.05)
    monkeypatch.setattr(scene_runs, "get_run_logger", lambda: logging.getLogger("run"))
    nobody = {PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}
    with temporary_settings(nobody), pytest.raises(ServerAway, match="cannot be asked how the scenes are"):
        await scene_runs._read_states([uuid4()])
    assert sum("cannot be asked" in message for message in caplog.messages) == 1


async def test_the_silence_of_a_server_is_no_sign_that_nobody_picks_a_scene_up(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, answers = uuid4(), iter([Scheduled(), Scheduled(), Completed()])

    async def silent_and_then(runs: Iterable[UUID]) -> dict[UUID, State[Any]]:
        await asyncio.sleep(0.4)
        return dict.fromkeys(runs, next(answers))

    monkeypatch.setenv("STORYREEL_PICKUP_SECONDS", "0.2")
    monkeypatch.setattr(scene_runs, "_POLL_SECONDS", 0.05)
    monkeypatch.setattr(scene_runs, "_read_states", silent_and_then)
    monkeypatch.setattr(scene_runs, "get_run_logger", lambda: logging.getLogger("run"))
    assert await scene_runs._wait_for_runs({"1": scene}) == []
    assert next(answers, None) is None, "it was waited for to its end"


@pytest.mark.usefixtures("prefect_server")
async def test_a_cancelled_film_cancels_all_its_scenes_in_the_time_that_a_slow_server_takes_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scenes that go on cost money, and the film's process is killed 30 s after it was cancelled."""
    states = (Running(), Running(), Scheduled())

    @flow
    def scene() -> None: ...

    async with get_client() as client:
        runs = [(await client.create_flow_run(scene, state=state)).id for state in states]
    all_are_asked, record = asyncio.Barrier(len(runs)), PrefectClient.set_flow_run_state

    async def slowly(client: PrefectClient, *asked: Any, **options: Any) -> Any:
        await all_are_asked.wait()
        return await record(client, *asked, **options)

    monkeypatch.setattr(PrefectClient, "set_flow_run_state", slowly)
    await scene_runs._cancel(runs)
    found = await scene_runs._read_states(runs)
    assert [found[run].name for run in runs] == ["Cancelling", "Cancelling", "Cancelled"]
