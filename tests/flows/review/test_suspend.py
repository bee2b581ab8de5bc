"""A deployed run that must ask people: suspended, answered by its form, gone on with, whole at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import flow, get_client
from prefect.flow_engine import run_flow_async
from prefect.settings import PREFECT_API_URL
from prefect.states import AwaitingRetry

from storyreel.flows.render import render_storyboard
from storyreel.flows.review.forms import by_field
from storyreel.flows.review.model import ReviewNeeded, ShotToReview
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Word
from tests import postgres
from tests.flows.conftest import Command
from tests.flows.deployed import APPROVED, FILM, NO_REVIEW, Set, on_a_set
from tests.flows.test_render import frames_in

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def on_set(tmp_path: Path) -> Iterator[Set]:
    with on_a_set(tmp_path) as made:
        yield made


@pytest.mark.parametrize("database", [pytest.param("sqlite", marks=pytest.mark.matrix), "postgresql"])
async def test_a_run_is_suspended_makes_the_retake_once_and_joins_the_approved_takes(
    on_set: Set, database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if database == "postgresql":
        monkeypatch.setenv("STORYREEL_LEDGER_URL", postgres.running().fresh())
    deployed = await on_set.deployed()
    run = await deployed.begin()
    assert (await deployed.state(run)).name == "Suspended"
    assert on_set.sold == 2 and not on_set.film.exists()
    assert on_set.words() == {"1A": "wfa", "1.B-2": "wfa"}
    asked = await deployed.asked(run, 1)
    assert "She climbs." in asked and asked.count("data:image/jpeg;base64,") == 2
    assert "take 1, waits for approval, apiyi" in asked
    assert not [line.getMessage() for line in caplog.records if line.levelname == "ERROR"]
    assert "Finished in state Suspended" in caplog.text

    retake = {"decision": "retake", "note": "too dark"}
    await deployed.resume(run, {"by": "Ana", "shot_1A": APPROVED, "shot_1_B_2": retake})
    assert (await deployed.state(run)).name == "Suspended"
    assert on_set.sold == 3
    assert on_set.words() == {"1A": "approved", "1.B-2": "wfa"}
    assert "She climbs." not in await deployed.asked(run, 2)

    await deployed.resume(run, {"shot_1_B_2": {"decision": "approve", "take": 2}})
    assert (await deployed.state(run)).name == "Completed"
    assert on_set.sold == 3 and frames_in(on_set.film) == 12
    assert on_set.words() == {"1A": "approved", "1.B-2": "approved"}


async def test_a_run_that_is_not_deployed_ends_and_names_the_shots_that_wait(on_set: Set) -> None:
    on_set.file.write_text(FILM)
    with pytest.raises(ReviewNeeded) as needed:
        await render_storyboard(str(on_set.file), out=str(on_set.folder / "out"), buy=True)
    assert "2 of 2 shots wait for approval" in str(needed.value)
    assert [shot.slate for shot in needed.value.shots] == ["1A", "1.B-2"]
    assert needed.value.next == f"storyreel review {on_set.file}"
    on_set.say("1A", 1, Word.APPROVED)
    on_set.say("1.B-2", 1, Word.APPROVED)
    made = await render_storyboard(str(on_set.file), out=str(on_set.folder / "out"), buy=True)
    assert made.sequence.exists() and on_set.sold == 2


async def test_in_a_subflow_the_message_names_the_review_and_the_run_that_is_to_be_repeated(on_set: Set) -> None:
    on_set.file.write_text(FILM)

    @flow(name="weekly")
    async def weekly() -> None:
        await render_storyboard(str(on_set.file), out=str(on_set.folder / "out"), buy=True)

    with pytest.raises(ReviewNeeded) as needed:
        await weekly()
    review = f"storyreel review {on_set.file}"
    assert needed.value.next == f"{review}, then the flow that called this one again"

    async with get_client() as client:
        flow_id = await client.create_flow(weekly)
        deployment = await client.create_deployment(flow_id, "weekly")
        run = await client.create_flow_run_from_deployment(deployment)
        state = await run_flow_async(weekly, flow_run=run, parameters={}, return_type="state")
        assert f"next: {review}, then prefect flow-run retry {run.id}" in str(state.message)
        for slate in ("1A", "1.B-2"):
            on_set.say(slate, 1, Word.APPROVED)
        await client.set_flow_run_state(run.id, AwaitingRetry(), force=True)  # what the command does
        again = await client.read_flow_run(run.id)
        state = await run_flow_async(weekly, flow_run=again, parameters={}, return_type="state")
    assert state.is_completed(), state.message
    assert on_set.film.exists() and on_set.sold == 2


async def test_a_run_over_its_budget_asks_and_continues_under_the_approved_amount(on_set: Set) -> None:
    deployed = await on_set.deployed(NO_REVIEW, budget="0.2 USD")
    run = await deployed.begin()
    assert (await deployed.state(run)).name == "Suspended" and on_set.sold == 0
    asked = await deployed.asked(run, 1)
    assert "0.336 USD" in asked and "the budget is 0.20 USD for a run" in asked
    await deployed.resume(run, {"decision": "approve", "amount": 0.25})
    assert (await deployed.state(run)).name == "Suspended", "that is not enough"
    assert on_set.sold == 0
    assert "the approved 0.25 USD is 0.086 USD too little: the whole run costs 0.336 USD" in await deployed.asked(
        run, 2
    )
    await deployed.resume(run, {"decision": "approve", "amount": 0.336})
    assert (await deployed.state(run)).name == "Completed"
    assert on_set.sold == 2


async def test_stop_ends_the_run_buys_nothing_and_a_retry_asks_again(on_set: Set) -> None:
    deployed = await on_set.deployed(NO_REVIEW, budget="0.2 USD")
    run = await deployed.begin()
    await deployed.resume(run, {"decision": "stop"})
    state = await deployed.state(run)
    assert state.is_failed() and "it was decided not to spend 0.336 USD" in (state.message or "")
    assert on_set.sold == 0
    await deployed.go_on(run)
    assert (await deployed.state(run)).name == "Suspended"


async def test_the_budget_form_needs_a_decision(on_set: Set) -> None:
    deployed = await on_set.deployed(NO_REVIEW, budget="0.2 USD")
    run = await deployed.begin()
    async with get_client() as client:
        result = await client.resume_flow_run(run, run_input={"amount": 5})
    assert result.status.value == "REJECT"
    assert (await deployed.state(run)).name == "Suspended"


def test_similar_slates_have_different_fields() -> None:
    shots = [ShotToReview(film="x", slate=slate, action="", takes=()) for slate in ("1.A", "1-A", "1_A", "1A")]
    fields = by_field(shots)
    assert [shot.slate for shot in fields.values()] == ["1.A", "1-A", "1_A", "1A"]
    assert all(name.isidentifier() for name in fields)


SHAPED = FILM.replace("  - {shot: 1.B-2, action: She waits.}\n", "  - {card: The end}\n").replace(
    "format: {fps: 12}", 'format: {fps: 12}\ndeliverables: [{name: web, format: {aspect_ratio: "9:16"}, shoot: true}]'
)


def test_shots_of_deliverables_are_not_counted_among_those_of_the_film() -> None:
    of_film, shaped = (ShotToReview(film="f", slate=slate, action="", takes=()) for slate in ("1A", "1A@web"))
    assert "1 shot of deliverables and 1 of 1 shots wait for approval" in ReviewNeeded([of_film, shaped], 1).message
    assert "out.mp4 is made, and 1 shot of deliverables waits" in ReviewNeeded([shaped], 1, "out.mp4").message


@pytest.mark.matrix
async def test_a_take_in_the_shape_of_a_deliverable_is_approved_retaken_and_joined_as_all_are(
    on_set: Set, caplog: pytest.LogCaptureFixture, storyreel: Command
) -> None:
    deployed = await on_set.deployed(SHAPED, deliverables=["web"])
    run = await deployed.begin()
    assert (await deployed.state(run)).name == "Suspended" and on_set.sold == 2
    assert "Shot 1A@web" in await deployed.asked(run, 1)
    assert "1 shot of deliverables and 1 of 2 shots wait" in caplog.text
    await deployed.resume(run, {"shot_1A": APPROVED})
    waits = await deployed.state(run)
    assert waits.name == "Suspended" and "approve 1A@web" in str(waits.message)
    assert frames_in(on_set.film) > 6, "the film itself lacks nothing"
    assert f"{on_set.film} is made, and 1 shot of deliverables waits for approval" in caplog.text
    web = on_set.folder / "out" / "deliverables" / "web.mp4"
    assert not web.exists()
    await deployed.resume(run, {"shot_1A_web": {"decision": "retake", "action": "She falls."}})
    assert (await deployed.state(run)).name == "Suspended" and on_set.sold == 3
    told = {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "STORYREEL_HOME": str(Home.of().root)}
    done = await asyncio.to_thread(storyreel, "review", on_set.file, "--approve", "1A@web", **told)
    assert "resumed" in done.stdout, done
    await deployed.go_on(run)
    assert (await deployed.state(run)).name == "Completed" and on_set.sold == 3
    assert frames_in(web) == frames_in(on_set.film)
