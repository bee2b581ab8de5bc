"""Verdicts are applied to the plan by the keys of takes alone, and give the plan of a storyboard into which they were
written."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storyreel.flows.planning.model import Plan, PlannedTake, takes_by_shot
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.review.model import review_state, shots_to_approve
from storyreel.specs import editing
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger, NewVerdict, Word

FILM = """\
storyboard: 1
title: The Keeper
review: required
defaults: {duration: 2s}
shots:
  - {shot: 1A, action: She climbs.}
  - {shot: 1B, action: She waits., continues: 1A, takes: 2}
  - {shot: 1C, action: The sea., takes: 2, circled: 1, review: none}
"""


def plan_at(file: Path, *select: str) -> Plan:
    return Planner.of(RunRequest(storyboard=file, selection=select)).plan()


def takes_of(plan: Plan, shot: str) -> list[PlannedTake]:
    return takes_by_shot(plan.takes)[shot]


def keys(plan: Plan, shot: str) -> list[str]:
    return [take.key for take in takes_of(plan, shot)]


def say(ledger: Ledger, take: PlannedTake, word: Word, action: str = "") -> None:
    verdict = NewVerdict(
        key=take.key, film="The Keeper", slate=take.shot, take=take.take, word=word, action=action
    )  # fmt: skip
    ledger.add_verdicts([verdict])


def test_a_retake_plans_one_more_take_and_leaves_the_keys_of_the_others(file: Path, ledger: Ledger) -> None:
    before = plan_at(file)
    say(ledger, takes_of(before, "1A")[0], Word.RETAKE)
    after = plan_at(file)
    assert keys(after, "1A")[:1] == keys(before, "1A") and len(keys(after, "1A")) == 2
    assert [take.circled for take in takes_of(after, "1A")] == [False, True]
    assert [take.review for take in takes_of(after, "1A")] == ["retake", "retake"]
    assert keys(after, "1B") != keys(before, "1B"), "it begins with another frame now"
    assert keys(after, "1C") == keys(before, "1C")


def test_of_two_takes_both_must_be_refused_before_there_is_a_third(file: Path, ledger: Ledger) -> None:
    first, second = takes_of(plan_at(file), "1B")
    say(ledger, first, Word.RETAKE)
    assert len(keys(plan_at(file), "1B")) == 2
    say(ledger, second, Word.RETAKE)
    assert len(keys(plan_at(file), "1B")) == 3


def test_a_retake_with_another_action_is_planned_with_that_action(file: Path, ledger: Ledger) -> None:
    say(ledger, takes_of(plan_at(file), "1A")[0], Word.RETAKE, "She falls.")
    plan = plan_at(file)
    (take,) = takes_of(plan, "1A")
    assert dict(take.chosen.brief.words)["action"] == "She falls."
    assert review_state([take]) == "retake"
    say(ledger, take, Word.RETAKE, "She stands.")
    (take,) = takes_of(plan_at(file), "1A")
    assert dict(take.chosen.brief.words)["action"] == "She stands."


def test_asking_for_an_action_and_then_for_the_first_one_ends(file: Path, ledger: Ledger) -> None:
    first = keys(plan_at(file), "1A")
    say(ledger, takes_of(plan_at(file), "1A")[0], Word.RETAKE, "She falls.")
    say(ledger, takes_of(plan_at(file), "1A")[0], Word.RETAKE, "She climbs.")
    takes = takes_of(plan_at(file), "1A")
    assert [take.key for take in takes][:1] == first and len(takes) == 2, "the one that was refused, and a new one"
    say(ledger, takes[1], Word.APPROVED)
    assert [take.circled for take in takes_of(plan_at(file), "1A")] == [False, True]


def test_an_approved_take_is_in_the_cut_and_a_warning_says_when_the_storyboard_circles_another(
    file: Path, ledger: Ledger
) -> None:
    second = takes_of(plan_at(file), "1C")[1]
    assert second.verdict is None and not second.circled
    say(ledger, second, Word.APPROVED)
    plan = plan_at(file)
    assert [take.circled for take in takes_of(plan, "1C")] == [False, True]
    assert plan.warnings[0] == ("take 2 of 1C was approved and is in the cut, although the storyboard circles take 1")
    say(ledger, second, Word.RETAKE)
    assert [take.circled for take in takes_of(plan_at(file), "1C")] == [True, False]


def test_a_refused_edit_is_asked_for_again_and_an_approved_take_orders_none_anew(file: Path, ledger: Ledger) -> None:
    edited = "takes: 2, edit: {instruction: Dusk}, provider: dashscope"
    file.write_text(FILM.replace("takes: 2, circled: 1, review: none", edited))
    before = keys(plan_at(file), "1C")
    say(ledger, takes_of(plan_at(file), "1C")[2], Word.RETAKE)
    again = takes_of(plan_at(file), "1C")
    assert [take.key for take in again][:3] == before and len(again) == 4
    assert again[3].request.edited == again[2].request.edited and again[3].request.seed != again[2].request.seed
    assert [take.circled for take in again] == [False, False, False, True] and again[3].review == "retake"
    written = file.read_text()
    file.write_text(editing.retake(written, read(file), "1C").text)
    assert keys(plan_at(file), "1C")[:4] == [take.key for take in again], "as the command would have written it"
    file.write_text(written)
    for number in (3, 0):
        say(ledger, takes_of(plan_at(file), "1C")[number], Word.APPROVED)
        approved = takes_of(plan_at(file), "1C")
        assert [take.key for take in approved][:3] == before
        assert [take.take for take in approved if take.circled] == [number + 1]


def test_the_approved_take_is_what_the_next_shot_begins_with(file: Path, ledger: Ledger) -> None:
    file.write_text(FILM.replace("{shot: 1A, action: She climbs.}", "{shot: 1A, action: She climbs., takes: 2}"))
    before = plan_at(file)
    say(ledger, takes_of(before, "1A")[0], Word.APPROVED)
    after = plan_at(file)
    assert {take.continues for take in takes_of(after, "1B")} == {takes_of(after, "1A")[0].identity}
    assert keys(after, "1B") != keys(before, "1B")


def test_shots_wait_for_approval_and_stand_ins_do_not(file: Path, ledger: Ledger) -> None:
    plan = plan_at(file)
    assert list(shots_to_approve(plan)) == ["1A", "1B"]
    assert [review_state(takes) for takes in takes_by_shot(plan.takes).values()] == ["todo", "todo", None]
    say(ledger, takes_of(plan, "1A")[0], Word.APPROVED)
    assert list(shots_to_approve(plan_at(file))) == ["1B"]
    assert list(shots_to_approve(plan_at(file, "1C"))) == []


def test_no_more_than_twenty_takes_are_made_of_a_shot_that_is_always_refused(file: Path, ledger: Ledger) -> None:
    for _ in range(25):
        say(ledger, takes_of(plan_at(file), "1A")[-1], Word.RETAKE)
    plan = plan_at(file)
    assert len(keys(plan, "1A")) == 20
    assert "20 takes of 1A were refused, and no more are made" in plan.warnings[0]


def test_a_new_action_with_an_unknown_name_is_not_used(file: Path, ledger: Ledger) -> None:
    say(ledger, takes_of(plan_at(file), "1A")[0], Word.RETAKE, "{mira} climbs.")
    plan = plan_at(file)
    assert all(dict(take.chosen.brief.words)["action"] == "She climbs." for take in takes_of(plan, "1A"))
    assert "`{mira}` is neither cast nor location" in plan.warnings[0]


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["1A", "1B", "1C"]),
        st.integers(0, 2),
        st.sampled_from([Word.APPROVED, Word.RETAKE, Word.RETAKE]),
        st.sampled_from(["", "", "She falls.", "She climbs.", "She waits."]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(steps=_STEPS)
def test_verdicts_give_the_plan_of_a_storyboard_into_which_they_were_written(
    steps: list[tuple[str, int, Word, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After each word: planning twice is the same, and so is planning a storyboard in which the shots are written as
    they are directed, beside the same ledger and beside an empty one."""
    folder = tmp_path_factory.mktemp("film")
    file, own = folder / "film.yaml", folder / "own.yaml"
    file.write_text(FILM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORYREEL_HOME", str(folder))
        with closing(Home.of().ledger()) as ledger:
            for shot, number, word, action in steps:
                takes = takes_of(plan_at(file), shot)
                say(ledger, takes[number % len(takes)], word, action if word is Word.RETAKE else "")
                plan = plan_at(file)
                assert plan_at(file) == plan
                own.write_text(_written(FILM, plan, file))
                assert _asked(plan_at(own)) == _asked(plan)
        patch.setenv("STORYREEL_HOME", str(folder / "empty"))
        assert _asked(plan_at(own)) == _asked(plan)


def _asked(plan: Plan) -> list[tuple[str, int, str, bool]]:
    return [(take.shot, take.take, take.key, take.circled) for take in plan.takes]


def _written(text: str, plan: Plan, file: Path) -> str:
    """The storyboard with the words of the plan in it, as `storyreel retake` writes them."""
    for slate, takes in takes_by_shot(plan.takes).items():
        shot = next(shot for shot in read(file).all_shots if shot.shot == slate)
        action = dict(takes[0].chosen.brief.words)["action"]
        if action != shot.action:
            edit = editing.rewrite(text, _film(text, file), slate, action)
            text = edit.text
        more = len(takes) - next(one.takes for one in _film(text, file).all_shots if one.shot == slate)
        if more > 0:
            text = editing.retake(text, _film(text, file), slate, more).text
        circled = next(take.take for take in takes if take.circled)
        text = editing.circle(text, _film(text, file), slate, circled).text
    return text


def _film(text: str, file: Path) -> Storyboard:
    beside = file.with_name("beside.yaml")
    beside.write_text(text)
    return read(beside)
