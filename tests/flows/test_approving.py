"""A deployed run that must ask people: suspended, answered by its form, gone on with; bought once, whole at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client

from flows.callsheet import CallSheet
from flows.forms import named
from flows.options import plan_of
from flows.resuming import resume
from flows.waiting import ReviewNeeded, Waiting, by_shot, word_of_shot
from specs.money import Money
from tasks.store.home import Home
from tasks.store.ledger import Judged, Word
from tests import postgres
from tests.flows.deployed import Deployed
from tests.flows.test_render import frames_in
from tests.services.emulator import Emulator
from tests.tasks.providers.houses import HOUSES

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """\
storyboard: 1
title: The Keeper
review: required
format: {resolution: 720p}
defaults: {provider: apiyi, duration: 2s}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1.B-2, action: She waits.}
"""
TWO_SECONDS = Decimal("0.168")


class Set:
    """A film, and the service that it is bought from."""

    def __init__(self, folder: Path, apiyi: Emulator[Any]) -> None:
        self.folder, self.apiyi = folder, apiyi
        self.file, self.film = folder / "film.yaml", folder / "out" / "sequence.mp4"

    async def deployed(self, film: str = FILM, **parameters: Any) -> Deployed:
        self.file.write_text(film)
        return await Deployed.of(self.file, "The Keeper", **parameters)

    @property
    def sold(self) -> int:
        """Orders that the service accepted, of which no two are the same."""
        bodies = [json.dumps(sale.body, sort_keys=True) for sale in self.apiyi.accepted]
        assert len(bodies) == len(set(bodies)), "one take was ordered twice"
        return len(bodies)

    def words(self) -> dict[str, str | None]:
        """How the shots stand."""
        takes = by_shot(plan_of(CallSheet(storyboard=self.file)).plan.takes)
        return {slate: word_of_shot(those) for slate, those in takes.items()}

    def say(self, slate: str, take: int, word: Word) -> None:
        """What somebody says by the command line."""
        planned = by_shot(plan_of(CallSheet(storyboard=self.file)).plan.takes)[slate][take - 1]
        said = Judged(key=planned.key, film="The Keeper", slate=slate, take=take, word=word)
        with closing(Home.of().ledger()) as ledger:
            ledger.judge([said])


@pytest.fixture
def on_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Set]:
    monkeypatch.setenv("STORYREEL_POLL_SECONDS", "0.02")
    apiyi = HOUSES["apiyi"].emulated()
    with apiyi.served() as base:
        for name, value in HOUSES["apiyi"].environment(base).items():
            monkeypatch.setenv(name, value)
        yield Set(tmp_path, apiyi)


APPROVED = {"decision": "approve"}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_a_run_waits_for_a_word_makes_the_retake_once_and_joins_what_is_approved(
    on_set: Set, database: str, monkeypatch: pytest.MonkeyPatch
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

    retake = {"decision": "retake", "note": "too dark"}
    await deployed.resume(run, {"by": "Ana", "shot_1A": APPROVED, "shot_1_B_2": retake})
    assert (await deployed.state(run)).name == "Suspended"
    assert on_set.sold == 3
    assert on_set.words() == {"1A": "approved", "1.B-2": "wfa"}
    assert "She climbs." not in await deployed.asked(run, 2)

    await deployed.resume(run, {"shot_1_B_2": {"decision": "approve", "take": 2}})
    assert (await deployed.state(run)).name == "Completed"
    assert on_set.sold == 3 and frames_in(on_set.film) == 120
    assert on_set.words() == {"1A": "approved", "1.B-2": "approved"}


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
    deployed = await on_set.deployed()
    run = await deployed.begin()
    on_set.say("1A", 1, Word.APPROVED)
    (still,) = await resume("The Keeper", Home.of())
    assert still.run == run and not still.goes_on and "1 of its 2 shots wait" in still.outcome
    on_set.say("1.B-2", 1, Word.RETAKE)
    (wanted,) = await resume("The Keeper", Home.of())
    assert wanted.goes_on, "a retake is wanted"
    await deployed.go_on(run)
    on_set.say("1.B-2", 2, Word.APPROVED)
    (over,) = await resume("The Keeper", Home.of())
    assert over.goes_on, "nothing waits any more"
    await deployed.go_on(run)
    assert (await deployed.state(run)).name == "Completed"
    assert await resume("The Keeper", Home.of()) == []
    assert on_set.sold == 3


async def test_a_run_that_is_not_deployed_ends_and_says_what_waits(on_set: Set) -> None:
    from flows.render import render_storyboard

    on_set.file.write_text(FILM)
    with pytest.raises(ReviewNeeded) as needed:
        await render_storyboard(str(on_set.file), out=str(on_set.folder / "out"))
    assert "2 of 2 shots wait for approval" in str(needed.value)
    assert [shot.slate for shot in needed.value.shots] == ["1A", "1.B-2"]
    on_set.say("1A", 1, Word.APPROVED)
    on_set.say("1.B-2", 1, Word.APPROVED)
    made = await render_storyboard(str(on_set.file), out=str(on_set.folder / "out"))
    assert made.sequence.exists() and on_set.sold == 2


# Money

NO_REVIEW = FILM.replace("review: required\n", "")


async def test_a_run_over_its_budget_asks_and_goes_on_under_what_was_approved(on_set: Set) -> None:
    deployed = await on_set.deployed(NO_REVIEW, budget="0.2 USD")
    run = await deployed.begin()
    assert (await deployed.state(run)).name == "Suspended" and on_set.sold == 0
    asked = await deployed.asked(run, 1)
    assert "0.336 USD" in asked and "the budget is 0.2 USD for a run" in asked
    await deployed.resume(run, {"decision": "approve", "amount": 0.25})
    assert (await deployed.state(run)).name == "Suspended", "that is not enough"
    assert on_set.sold == 0 and "0.25 USD" in await deployed.asked(run, 2)
    await deployed.resume(run, {"decision": "approve", "amount": 0.336})
    assert (await deployed.state(run)).name == "Completed"
    assert on_set.sold == 2


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


async def test_stop_ends_the_run_buys_nothing_and_is_asked_again_when_the_run_is_tried_again(on_set: Set) -> None:
    deployed = await on_set.deployed(NO_REVIEW, budget="0.2 USD")
    run = await deployed.begin()
    await deployed.resume(run, {"decision": "stop"})
    state = await deployed.state(run)
    assert state.is_failed() and "it was decided not to spend 0.336 USD" in (state.message or "")
    assert on_set.sold == 0
    await deployed.go_on(run)
    assert (await deployed.state(run)).name == "Suspended"


async def test_a_form_about_money_wants_a_decision(on_set: Set) -> None:
    deployed = await on_set.deployed(NO_REVIEW, budget="0.2 USD")
    run = await deployed.begin()
    async with get_client() as client:
        result = await client.resume_flow_run(run, run_input={"amount": 5})
    assert result.status.value == "REJECT"
    assert (await deployed.state(run)).name == "Suspended"


async def test_a_budget_that_others_use_up_meanwhile_is_asked_about_too(on_set: Set) -> None:
    film = NO_REVIEW.replace("format:", "budget: {per_month: 0.34 USD}\nformat:")
    deployed = await on_set.deployed(film)

    def spend(*_: object) -> None:
        from tasks.store.ledger import Order

        with closing(Home.of().ledger()) as ledger:
            order = Order(
                key="f" * 64, provider="apiyi", model="m", request="{}", film="The Keeper", slate="9Z", take=1,
                price=Money(amount=TWO_SECONDS, currency="USD"),
            )  # fmt: skip
            assert ledger.intend(order)
            ledger.submitted(order.key, "elsewhere", None)

    with pytest.MonkeyPatch.context() as patch:
        from flows import render

        before = render.begin

        async def later(*arguments: Any) -> Any:
            spend()
            return await before(*arguments)

        patch.setattr(render, "begin", later)
        run = await deployed.begin()
    assert (await deployed.state(run)).name == "Suspended"
    assert on_set.sold == 1
    await deployed.resume(run, {"decision": "approve", "amount": 0.336})
    assert (await deployed.state(run)).name == "Completed" and on_set.sold == 2


def test_slates_that_are_spelled_alike_have_fields_of_their_own() -> None:
    shots = [Waiting(film="x", slate=slate, action="", takes=()) for slate in ("1.A", "1-A", "1_A", "1A")]
    fields = named(shots)
    assert [shot.slate for shot in fields.values()] == ["1.A", "1-A", "1_A", "1A"]
    assert all(name.isidentifier() for name in fields)
