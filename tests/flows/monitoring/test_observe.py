"""What Prefect shows of a film that a service makes: its graph, tags, artifacts, log and events."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterTags,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from storyreel.flows.production.outcomes import ShotsFailed
from storyreel.flows.render import render_storyboard
from storyreel.testing.faults import Call, Reset
from tests.counting import Counts, counting, inputs
from tests.pauses import PATIENCE, growing_pauses
from tests.services.apiyi import Apiyi, ApiyiSettings
from tests.services.jobs import Failure, Phase, Script

FILM = """\
storyboard: 1
title: The Boat
format: {fps: 12}
defaults: {provider: apiyi, duration: 2s}
scenes:
  - scene: 3
    shots:
      - {shot: 1A, action: Ana enters.}
      - {shot: 1B, action: She sits., transition: {type: dissolve, duration: 6f}}
      - {shot: 1C, action: Rain., continues: 1B}
"""


@dataclass
class Seen:
    """All that a server has of one run."""

    run: Any
    tasks: dict[str, Any]
    artifacts: dict[str, Any]
    log: list[str]
    events: list[dict[str, Any]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    states: Counter[str] = field(default_factory=Counter)
    """Events that told of a state of a task run, by its name."""

    @property
    def edges(self) -> set[tuple[str, str]]:
        names = {task.id: name for name, task in self.tasks.items()}
        return {
            (names[source.id], name)
            for name, task in self.tasks.items()
            for sources in task.task_inputs.values()
            for source in sources
            if source.input_type == "task_run"
        }

    def told(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.events if one["event"] == event]


async def seen(run: str, finals: int) -> Seen:
    """Look at a run when all its task runs are final, and its events and lines have arrived."""
    await EventsWorker.drain_all(timeout=20, at_exit=False)  # type: ignore[misc]
    await asyncio.to_thread(APILogWorker.drain_all, timeout=10)
    pauses, deadline = growing_pauses(), asyncio.get_running_loop().time() + PATIENCE
    this = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
    async with get_client() as client:
        while True:
            tasks = {task.name: task for task in await client.read_task_runs(flow_run_filter=this)}
            events = await _events(client, run)
            ends = Counter(task.state.name for task in tasks.values())
            # Each by itself: the server gives at most 50 events at a time.
            counted = {"Pending", "Running", "Completed", *ends}
            states = Counter({name: len(await _events(client, run, f"prefect.task-run.{name}")) for name in counted})
            are_final = all(task.state.is_final() for task in tasks.values())
            if len(events) >= finals and are_final and all(states[name] >= number for name, number in ends.items()):
                break
            assert asyncio.get_running_loop().time() < deadline, (len(events), list(tasks))
            await asyncio.sleep(next(pauses))
        lines = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])), limit=200)
        artifacts = {one.key: one for one in await client.read_artifacts(flow_run_filter=this)}
        told = [line.message for line in lines]
        return Seen(await client.read_flow_run(run), tasks, artifacts, told, events, states=states)


async def _events(client: PrefectClient, run: str, prefix: str = "storyreel.") -> list[dict[str, Any]]:
    related = {"id": [f"prefect.flow-run.{run}"]}
    wanted = {"event": {"prefix": [prefix]}, "related": related, "occurred": {"since": "2020-01-01T00:00:00Z"}}
    answer = await client.request("POST", "/events/filter", json={"filter": wanted, "limit": 50})
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Iterator[tuple[Path, Apiyi]]:
    """A home, a film and the service that makes it, and no results of other tests, which may have the same pieces."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "film.yaml").write_text(FILM)
    service = Apiyi(ApiyiSettings(script=Script(waiting=1, running=1)))
    results = temporary_settings({PREFECT_LOCAL_STORAGE_PATH: folder / "results"})
    with service.served() as base_url, results, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORYREEL_HOME", str(folder / "home"))
        patch.setenv("APIYI_API_KEY", "sk-emulator")
        patch.setenv("APIYI_BASE_URL", base_url)
        patch.setenv("STORYREEL_POLL_SECONDS", "0.2")
        yield folder, service


@pytest.fixture(scope="module")
def first(stage: tuple[Path, Apiyi]) -> Seen:
    """The film's first run."""

    async def run() -> Seen:
        with counting() as counts:
            made = await render_storyboard(str(stage[0] / "film.yaml"), out=str(stage[0] / "out"), buy=True)
        return replace(await seen(made.flow_run, finals=4), counts=counts)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def second(stage: tuple[Path, Apiyi], first: Seen) -> Seen:
    """The same film once more: everything is there."""

    async def run() -> Seen:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("STORYREEL_HOME", str(stage[0] / "home"))
            with counting() as counts:
                made = await render_storyboard(str(stage[0] / "film.yaml"), out=str(stage[0] / "again"), buy=True)
            return replace(await seen(made.flow_run, finals=1), counts=counts)

    return asyncio.run(run())


EDGES = {
    ("1A take 1", "conform 1A"), ("conform 1A", "assemble"),
    ("1B take 1", "conform 1B"), ("conform 1B", "assemble"),
    ("1C take 1", "conform 1C"), ("conform 1C", "assemble"),
    ("1B take 1", "1C take 1"), ("conform 1A", "dissolve 1A to 1B"), ("conform 1B", "dissolve 1A to 1B"),
    ("dissolve 1A to 1B", "assemble"),
}  # fmt: skip


def test_an_edge_is_drawn_where_a_task_uses_another_ones_result_and_nowhere_else(first: Seen) -> None:
    assert first.edges == EDGES


def test_a_run_from_the_store_draws_the_same_but_for_what_no_take_waited_for(second: Seen) -> None:
    assert second.edges == EDGES - {("1B take 1", "1C take 1")}
    assert {task.state.name for name, task in second.tasks.items() if name != "assemble"} == {"Cached"}


def test_a_take_is_two_task_runs_of_three_states_each(first: Seen) -> None:
    takes = {f"1{shot} take 1" for shot in "ABC"} | {f"conform 1{shot}" for shot in "ABC"}
    assert set(first.tasks) == takes | {"dissolve 1A to 1B", "assemble"}
    assert {name: first.states[name] for name in ("Pending", "Running", "Completed")} == dict.fromkeys(
        ("Pending", "Running", "Completed"), len(first.tasks)
    )


def test_a_clip_is_decoded_once_to_be_verified_and_measured_and_once_to_be_conformed(
    first: Seen, stage: tuple[Path, Apiyi]
) -> None:
    """The board, its pictures and the shot that continues another decode nothing."""
    clips = stage[0] / "home" / "clips"
    read = [Path(inputs(command)[0]).parent.parent.name for command in first.counts.reading(clips)]
    assert Counter("arriving" if name == "arriving" else "stored" for name in read) == {"arriving": 3, "stored": 3}
    assert first.counts.frames_of(clips) == 3, "the first frame of each, to know what it is"
    assert (stage[0] / "home" / "house" / "frames").is_dir(), "one was continued"


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_file_is_hashed_once_in_a_run(which: str, request: pytest.FixtureRequest) -> None:
    hashed = request.getfixturevalue(which).counts.hashed
    assert hashed and [names for names in hashed.values() if len(names) > 1] == []


def test_a_run_from_the_store_decodes_nothing(second: Seen) -> None:
    assert not second.counts.commands and not second.counts.frames, "the contact sheet decodes nothing either"


def test_a_run_is_named_by_its_film_and_tagged_by_film_version_and_service(first: Seen) -> None:
    assert re.fullmatch(r"The Boat \d\d \w{3} \d\d:\d\d", first.run.name)
    *tags, version = first.run.tags
    assert tags == ["film:The Boat", "service:apiyi", "storyreel"] and re.fullmatch("version:[0-9a-f]{12}", version)


def test_the_state_of_a_run_says_what_was_made_for_how_much(first: Seen, second: Seen) -> None:
    assert first.run.state.message == "3 takes, about 0.504 USD, 6 s, 1 defect found"
    assert second.run.state.message == "3 takes, nothing spent, 6 s, 1 defect found"


def test_the_delay_of_retries_is_a_number_as_the_page_shows_a_list_as_nan(first: Seen) -> None:
    policies = [first.run.empirical_policy, *(task.empirical_policy for task in first.tasks.values())]
    assert [policy.retry_delay for policy in policies] == [0] * len(policies)


@pytest.mark.parametrize("which", ["first", "second"])
def test_task_runs_are_tagged_by_slate_scene_and_service(which: str, request: pytest.FixtureRequest) -> None:
    tasks = request.getfixturevalue(which).tasks
    assert tasks["1A take 1"].tags == ["scene:3", "service:apiyi", "shot:1A"]
    assert tasks["1B take 1"].tags == ["scene:3", "service:apiyi", "shot:1B"]
    assert tasks["conform 1C"].tags == ["scene:3", "shot:1C"]


def test_the_board_is_shown_with_pictures_and_costs(first: Seen) -> None:
    board = first.artifacts["storyreel-the-boat-board"].data
    assert board.startswith("3 of 3 takes are finished\n")
    assert re.search(r"\| 1A take 1 ★ \| \[play\][^|]* \| 3 \| done[^|]*\| apiyi \| ≈ 0.17 USD \|", board)
    pictures = re.findall(r"!\[(1\w)\]\(data:image/jpeg;base64,([^)]+)\)", board)
    assert [slate for slate, _ in pictures] == ["1A", "1B", "1C"]
    with Image.open(io.BytesIO(base64.b64decode(pictures[0][1]))) as picture:
        assert 3 * 96 - 4 < picture.width <= 3 * 96 + 4 and len(set(picture.getdata())) > 100
    assert first.artifacts["storyreel-the-boat-progress"].data == 100


def test_the_sequence_the_manifest_and_the_spend_are_there_at_the_end(first: Seen) -> None:
    assert "![contact sheet](data:image/jpeg;base64," in first.artifacts["storyreel-the-boat-sequence"].data
    manifest = json.loads(first.artifacts["storyreel-the-boat-manifest"].data)
    assert [(row["take"], row["in the cut"]) for row in manifest] == [
        ("1A take 1", "00:00:00:00"), ("1B take 1", "00:00:02:00"), ("1C take 1", "00:00:04:00"),
    ]  # fmt: skip
    spend = json.loads(first.artifacts["storyreel-the-boat-spend"].data)
    assert spend == [
        {"service": service, "takes": "3", "reported by the service": "nothing", "by the price list": "≈ 0.50 USD",
         "takes at an unknown price": "0"}
        for service in ("apiyi", "in all")
    ]  # fmt: skip


def test_each_run_of_a_film_leaves_a_version_under_the_same_keys(first: Seen, second: Seen) -> None:
    assert first.artifacts.keys() == second.artifacts.keys()
    board = second.artifacts["storyreel-the-boat-board"]
    assert board.id != first.artifacts["storyreel-the-boat-board"].id and "from the store" in board.data


def test_the_log_says_what_is_sent_what_is_bought_and_what_is_not(first: Seen, second: Seen) -> None:
    def says(log: list[str], pattern: str) -> bool:
        return any(re.fullmatch(pattern, line) for line in log)

    assert says(first.log, "to be bought: 1A take 1, 1B take 1, 1C take 1")
    assert says(first.log, r"this run buys 3 takes for 0\.504 USD by the price list")
    assert says(first.log, r"1A take 1: sent to apiyi: wan2\.7-t2v, text-to-video, 2 s, 0\.168 USD by the price list")
    assert says(first.log, r"1A take 1: bought from apiyi as \S+")
    assert says(first.log, r"1A take 1: finished after \d+\.\d s, \d+\.\d MB")
    assert says(second.log, "not bought, their clips are in the store: 1A take 1, 1B take 1, 1C take 1")
    assert not any("sent to" in line or "bought from" in line for line in second.log)


def test_each_shot_and_the_sequence_are_one_event(first: Seen, second: Seen) -> None:
    shots = first.told("storyreel.shot.finished")
    assert sorted(one["resource"]["prefect.resource.id"] for one in shots) == [
        f"storyreel.film.the-boat.shot.{slate}" for slate in ("1A", "1B", "1C")
    ]
    payload = shots[0]["payload"]
    assert payload["cost"] == {"amount": "0.168", "currency": "USD"} and payload["cost_is_estimate"] is True
    assert payload["seconds"] == 2 and re.fullmatch(r"[0-9a-f]{64}", payload["clip"])
    assert f"/take/{payload['clip']}/1" in payload["play"]
    (sequence,) = first.told("storyreel.sequence.finished")
    assert sequence["resource"]["prefect.resource.id"] == "storyreel.film.the-boat"
    assert sequence["payload"]["frames"] == 72 and f"/film/{first.run.id}?s=" in sequence["payload"]["play"]
    assert [one["event"] for one in second.events] == ["storyreel.sequence.finished"], "nothing else was made"


async def test_failed_and_unknown_takes_are_events_as_they_happen(
    stage: tuple[Path, Apiyi], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = stage[1]
    monkeypatch.setenv("APIYI_API_KEY", "sk-emulator")
    monkeypatch.setenv("STORYREEL_POLL_SECONDS", "0.2")

    file = tmp_path / "film.yaml"
    file.write_text(FILM.replace("The Boat", "The Wreck").replace("Ana enters.", "Fire."))
    refused = Script(end=Phase.FAILED, failure=Failure("moderation", "the content was refused"))
    service.use_script(refused, when=lambda order: "Fire." in order.prompt)
    service.fault(Call.CREATE, Reset(), accepted=True, when=lambda received: b"She sits." in received.body)
    with pytest.raises(ShotsFailed):
        await render_storyboard(str(file), out=str(tmp_path / "out"), buy=True)
    async with get_client() as client:
        its = FlowRunFilter(tags=FlowRunFilterTags(all_=["film:The Wreck"]))
        (run,) = await client.read_flow_runs(flow_run_filter=its)
    after = await seen(str(run.id), finals=3)
    failed = {one["payload"]["shot"]: one["payload"]["reason"] for one in after.told("storyreel.shot.failed")}
    assert failed.keys() == {"1A", "1C"}
    assert "refused" in failed["1A"] and "continues 1B" in failed["1C"]
    (unknown,) = after.told("storyreel.shot.unknown")
    assert unknown["resource"]["storyreel.shot"] == "1B"
    assert not after.told("storyreel.sequence.finished")
    board = after.artifacts["storyreel-the-wreck-board"].data
    assert "**failed**" in board and "**unknown**" in board


async def test_artifacts_that_a_server_refuses_stop_no_run_and_are_logged_once(
    tmp_path: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuses(*_: Any, **__: Any) -> None:
        raise RuntimeError("503 Service Unavailable")

    monkeypatch.setattr(PrefectClient, "create_artifact", refuses)
    (tmp_path / "film.yaml").write_text(FILM.replace("apiyi", "animatic"))
    made = await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"))
    assert made.sequence.is_file()
    assert [line for line in caplog.messages if "not up to date" in line] == [
        "Prefect's pages of this run are not up to date: RuntimeError: 503 Service Unavailable"
    ]
