"""Reviews of deployed runs over many rounds: what is left for later, said elsewhere, refused, or over a budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Crashed, Scheduled

from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.review.resume import resume_runs
from storyreel.flows.review.suspended import runs_elsewhere
from storyreel.specs.money import Money
from storyreel.specs.reading import read
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Order, Word
from tests.flows.deployed import APPROVED, FILM, NO_REVIEW, TWO_SECONDS, Set, on_a_set
from tests.flows.test_render import frames_in

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def on_set(tmp_path: Path) -> Iterator[Set]:
    with on_a_set(tmp_path) as made:
        yield made


async def test_later_decides_nothing_and_the_run_asks_again(on_set: Set) -> None:
    deployed = await on_set.deployed()
    run = await deployed.begin()
    for answer in ({}, {"shot_1A": {"decision": "later"}}, {"shot_1A": APPROVED}, {}):
        await deployed.resume(run, answer)
        assert (await deployed.state(run)).name == "Suspended"
    await deployed.resume(run, {"shot_1_B_2": APPROVED})
    assert (await deployed.state(run)).name == "Completed"
    assert on_set.sold == 2


async def test_a_retake_with_another_action_is_made_with_that_action_and_one_that_cannot_be_told_is_not(
    on_set: Set,
) -> None:
    deployed = await on_set.deployed()
    run = await deployed.begin()
    wrong = {"decision": "retake", "action": "{mira} falls."}
    await deployed.resume(run, {"shot_1A": wrong, "shot_1_B_2": APPROVED})
    assert on_set.sold == 2 and on_set.words() == {"1A": "wfa", "1.B-2": "approved"}
    assert "is neither cast nor location" in await deployed.asked(run, 2)
    await deployed.resume(run, {"shot_1A": {"decision": "retake", "action": "She falls."}})
    assert on_set.sold == 3 and "She falls." in json.dumps([sale.body for sale in on_set.apiyi.accepted])
    await deployed.resume(run, {"shot_1A": APPROVED})
    assert (await deployed.state(run)).name == "Completed"


async def test_an_old_answer_does_not_stand_over_a_later_word(on_set: Set) -> None:
    deployed = await on_set.deployed()
    run = await deployed.begin()
    await deployed.resume(run, {"shot_1A": APPROVED})
    on_set.say("1A", 1, Word.RETAKE)
    on_set.say("1.B-2", 1, Word.APPROVED)
    await deployed.resume(run, {})
    assert (await deployed.state(run)).name == "Suspended", "1A waits again"
    assert on_set.sold == 3 and on_set.words() == {"1A": "wfa", "1.B-2": "approved"}


async def test_what_is_said_by_the_command_line_lets_the_run_go_on(on_set: Set) -> None:
    deployed = await on_set.deployed(FILM.replace("title:", "vars: {weather: rain}\ntitle:"), title="The Lamp")
    run = await deployed.begin(vars={"weather": "fog"})
    for told, is_told in (({}, True), ({"weather": "snow"}, True), ({"weather": "fog"}, False)):
        asked = RunRequest(storyboard=on_set.file, vars=told)
        elsewhere = await runs_elsewhere(asked, read(on_set.file, told))
        assert [one.run for one in elsewhere] == [run] * is_told, "a review of other words shows none of its takes"
        assert all(one.shots == ("1A", "1.B-2") for one in elsewhere)
        assert all(one.command == f"storyreel review {on_set.file} --set weather=fog" for one in elsewhere)
    on_set.say("1A", 1, Word.APPROVED)
    (still,) = await resume_runs("The Lamp", Home.of())
    assert still.run == run and not still.goes_on and "1 of its 2 shots wait" in still.outcome
    on_set.say("1.B-2", 1, Word.RETAKE)
    (wanted,) = await resume_runs("The Lamp", Home.of())
    assert wanted.goes_on, "a retake is wanted"
    await deployed.go_on(run)
    on_set.say("1.B-2", 2, Word.APPROVED)
    (over,) = await resume_runs("The Lamp", Home.of())
    assert over.goes_on, "nothing waits any more"
    await deployed.go_on(run)
    assert (await deployed.state(run)).name == "Completed"
    assert await resume_runs("The Lamp", Home.of()) == []
    assert on_set.sold == 3


async def test_what_was_approved_stands_for_the_limits_of_shot_and_month_and_for_later_attempts(on_set: Set) -> None:
    film = FILM.replace("format:", "budget: {per_shot: 0.1 USD, per_month: 0.1 USD}\nformat:")
    deployed = await on_set.deployed(film)
    run = await deployed.begin()
    await deployed.resume(run, {"decision": "approve", "amount": 0.4})
    assert on_set.sold == 2 and (await deployed.state(run)).name == "Suspended", "now for the review"
    await deployed.resume(run, {"shot_1A": APPROVED, "shot_1_B_2": {"decision": "retake"}})
    assert on_set.sold == 2 and "0.504 USD" in await deployed.asked(run, 3), "the retake is beyond the 0.4"
    await deployed.resume(run, {"decision": "approve", "amount": 0.504})
    assert on_set.sold == 3 and (await deployed.state(run)).name == "Suspended"
    await deployed.resume(run, {"shot_1_B_2": APPROVED})
    assert (await deployed.state(run)).name == "Completed"


async def test_a_budget_that_others_use_up_meanwhile_is_asked_about_too(on_set: Set) -> None:
    film = NO_REVIEW.replace("format:", "budget: {per_month: 0.34 USD}\nformat:")
    deployed = await on_set.deployed(film)

    def spend(*_: object) -> None:
        with closing(Home.of().ledger()) as ledger:
            order = Order(
                key="f" * 64, provider="apiyi", model="m", request="{}", film="The Keeper", slate="9Z", take=1,
                price=Money(amount=TWO_SECONDS, currency="USD"),
            )  # fmt: skip
            assert ledger.intend(order)
            ledger.mark_submitted(order.key, "elsewhere", None)

    with pytest.MonkeyPatch.context() as patch:
        from storyreel.flows import render

        before = render.begin_takes

        async def later(*arguments: Any) -> Any:
            spend()
            return await before(*arguments)

        patch.setattr(render, "begin_takes", later)
        run = await deployed.begin()
    assert (await deployed.state(run)).name == "Suspended"
    assert on_set.sold == 1
    await deployed.resume(run, {"decision": "approve", "amount": 0.336})
    assert (await deployed.state(run)).name == "Completed" and on_set.sold == 2


async def test_a_run_that_waits_and_is_picked_up_all_the_same_waits_on_and_takes_its_answer(on_set: Set) -> None:
    deployed = await on_set.deployed()
    run = await deployed.begin()
    asked = await deployed.asked(run, 1)
    async with get_client() as client:
        for state in (Crashed(), Scheduled(name="PickedUp")):
            await client.set_flow_run_state(run, state, force=True)
    await deployed.go_on(run)
    state = await deployed.state(run)
    assert state.name == "Suspended" and "approve 1A" in str(state.message)
    assert await deployed.asked(run, 1) == asked
    with pytest.raises(PrefectHTTPStatusError):
        await deployed.asked(run, 2)
    await deployed.resume(run, {"shot_1A": APPROVED, "shot_1_B_2": APPROVED})
    assert (await deployed.state(run)).name == "Completed" and on_set.sold == 2


async def test_each_attempt_in_a_process_of_its_own_comes_to_the_same(on_set: Set) -> None:
    deployed = await on_set.deployed(is_apart=True)
    run = await deployed.begin()
    assert (await deployed.state(run)).name == "Suspended", (on_set.folder / "attempts.log").read_text()
    await deployed.resume(run, {"by": "Ana", "shot_1A": APPROVED, "shot_1_B_2": {"decision": "retake"}})
    assert (await deployed.state(run)).name == "Suspended" and on_set.sold == 3
    await deployed.resume(run, {"shot_1_B_2": APPROVED})
    assert (await deployed.state(run)).name == "Completed", (on_set.folder / "attempts.log").read_text()
    assert on_set.sold == 3 and frames_in(on_set.film) == 12
