"""Edits of takes: their keys, prices and reasons, and what cannot be edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.tasks.ledger.purchase import State
from storyreel.tasks.prices.price_list import PriceList
from tests.flows.planning.histories import NOTHING, history_with

FILM = """
storyboard: 1
title: Two Rooms
shots:
  - {shot: 1A, action: Rain., takes: 2MINE}
  - {shot: 1B, action: Night., duration: 3sOTHER}
"""
OWN = ", edit: {take: 1, instruction: Make it dusk}"
OF_1A = ", edit: {of: 1A, take: 2, instruction: Make it night}"


def plan(folder: Path, mine: str = "", other: str = "", service: str = "dashscope", takes: int = 2) -> Plan:
    file = folder / "film.yaml"
    file.write_text(FILM.replace("MINE", mine).replace("OTHER", other).replace("takes: 2", f"takes: {takes}"))
    beijing = PriceList.read({"DASHSCOPE_BASE_URL": "https://dashscope.aliyuncs.com"})
    return make_plan(read(file), NOTHING, service, prices=beijing)


def shot(found: Plan, slate: str) -> list[PlannedTake]:
    return [take for take in found.takes if take.shot == slate]


def test_an_edit_of_the_shot_itself_is_one_more_take_in_the_cut_and_the_others_keep_their_keys(tmp_path: Path) -> None:
    before, after = shot(plan(tmp_path), "1A"), shot(plan(tmp_path, OWN), "1A")
    assert [take.key for take in after[:2]] == [take.key for take in before]
    edit = after[2]
    assert (edit.take, edit.circled, edit.is_open, edit.continues) == (3, True, False, after[0].identity)
    assert edit.request.edited and edit.request.edited.digest == f"take:{after[0].identity}"
    circled = shot(plan(tmp_path, ", circled: 2" + OWN), "1A")
    assert [take.circled for take in circled] == [False, True, False] and circled[2].key == edit.key
    more = shot(plan(tmp_path, OWN, takes=3), "1A")
    assert (more[3].take, more[3].key) == (4, edit.key), "more takes do not buy the edit again"


def test_all_takes_of_a_shot_can_be_edits_of_another(tmp_path: Path) -> None:
    found = plan(tmp_path, "", ", takes: 2" + OF_1A)
    edits = shot(found, "1B")
    assert [take.continues for take in edits] == [shot(found, "1A")[1].identity] * 2
    assert len({take.key for take in edits}) == 2 and edits[0].request.prompt == "Make it night."
    # 3 of the 5 seconds are made; those of the clip are billed with them.
    assert edits[0].request.seconds == 3 and edits[0].price and edits[0].price.exactly == "4.80 CNY"
    assert edits[0].chosen.price_note == "5 s of the edited clip included"
    assert shot(found, "1A")[1].is_open, "which take is edited is written"
    of_the_cut = plan(tmp_path, "", OF_1A.replace(", take: 2", ""))
    assert not any(take.is_open for take in shot(of_the_cut, "1A"))


def test_a_changed_instruction_buys_the_edit_alone_and_says_why(tmp_path: Path) -> None:
    before = plan(tmp_path, OWN)
    history = history_with(before, ("1A", State.FINISHED))
    (tmp_path / "film.yaml").write_text((tmp_path / "film.yaml").read_text().replace("dusk", "dawn"))
    after = make_plan(read(tmp_path / "film.yaml"), history, "dashscope")
    assert [take.state for take in shot(after, "1A")] == ["cached", "cached", "new"]
    assert shot(after, "1A")[2].reason == "changed: instruction"


@pytest.mark.parametrize(
    ("mine", "other", "message"),
    [
        ("", ", edit: {of: 1C, instruction: x}", "there is no shot `1C` to edit"),
        ("", ", edit: {of: 1A, take: 3, instruction: x}", "take 3 of 1A is edited, but there are 2"),
        (", edit: {take: 3, instruction: x}", "", "take 3 of 1A is edited, but there are 2"),
        ("", ", continues: 1A, edit: {of: 1A, instruction: x}", "shot 1B is made of a take of 1A"),
        (", edit: {of: 1B, instruction: x}", OF_1A.replace(", take: 2", ""), "these shots continue or edit each other"),
        ("", ", mode: video-edit", "video-edit is the mode of edits alone"),
        (", edit: {instruction: '{mara} waits'}", "", "`{mara}` is neither cast nor location"),
        (", edit: {instruction: x, references: [gone.png]}", "", "`gone.png` does not exist"),
        (", duration: 12s" + OWN, "", "dashscope edits clips of 2 to 10 s, and take 1 has 12"),
        ("", OF_1A, "shot 1B needs 7s, and the take of 1A that it edits has 5s"),
    ],
)
def test_what_cannot_be_edited_is_told_before_anything_is_bought(
    tmp_path: Path, mine: str, other: str, message: str
) -> None:
    text = FILM.replace("MINE", mine).replace("OTHER", other)
    (tmp_path / "film.yaml").write_text(text.replace("3s", "7s") if "needs 7s" in message else text)
    with pytest.raises(StoryboardError) as refused:
        make_plan(read(tmp_path / "film.yaml"), NOTHING, "dashscope")
    assert message in refused.value.problems[0].message


@pytest.mark.parametrize("service", ["aimlapi", "freepik"])
def test_services_that_edit_nothing_name_those_that_do(tmp_path: Path, service: str) -> None:
    with pytest.raises(StoryboardError) as refused:
        plan(tmp_path, OWN, service=service)
    (problem,) = refused.value.problems
    assert f"{service} does not do video-edit" in problem.message
    assert problem.hint == "shoot it with apiyi or dashscope, or write `model: happyhorse-1.1`"


HORSE = ", model: happyhorse-1.1"


def test_a_model_that_edits_all_of_a_clip_is_paid_for_all_of_it(tmp_path: Path) -> None:
    found = plan(tmp_path, HORSE + OWN, HORSE + OF_1A)
    (*_, own), (other,) = shot(found, "1A"), shot(found, "1B")
    for edit in (own, other):
        assert (edit.request.model, edit.request.seconds) == ("happyhorse-1.0-video-edit", 5)
        assert edit.price and edit.price.exactly == "9.00 CNY"
        assert edit.chosen.price_note.startswith("5 s of the edited clip included, though it is not published")
    assert other.edit.frames < 5 * 24, "the cut has its beginning"
    # Longer than Wan 2.7 edits them, and not as short.
    assert shot(plan(tmp_path, HORSE + ", duration: 12s" + OWN), "1A")[2].request.seconds == 12
    # A Wan clip of 2 s is too short for it.
    with pytest.raises(StoryboardError) as refused:
        plan(tmp_path, ", duration: 2s", ", model: happyhorse-1.1" + OF_1A)
    assert "edits clips of 3 to 15 s, and 1A, which it edits has 2" in refused.value.problems[0].message
    (problem,) = refused.value.problems
    assert problem.hint.startswith("shoot it with `model: wan2.7` at apiyi or dashscope, or edit a take")
    with pytest.raises(StoryboardError) as refused:
        plan(tmp_path, ", duration: 12s" + OWN)
    assert refused.value.problems[0].hint.startswith("shoot it with `model: happyhorse-1.1` at aimlapi or apiyi")


def test_pictures_beside_a_clip_are_refused_where_none_are_taken(tmp_path: Path) -> None:
    pictures = ", edit: {instruction: 'As in Image 1', references: [https://x.org/a.png]}"
    assert shot(plan(tmp_path, HORSE + OWN, service="freepik"), "1A")[2].request.model == "happy-horse-1"
    with pytest.raises(StoryboardError) as refused:
        plan(tmp_path, HORSE + pictures, service="freepik")
    (problem,) = refused.value.problems
    assert problem.message == "the edit has 1 picture, and happyhorse-1.1 at freepik takes none beside the clip"
    assert problem.hint.startswith("shoot it with aimlapi or apiyi or dashscope, or remove")


def test_the_animatic_draws_the_shot(tmp_path: Path) -> None:
    drawn = plan(tmp_path, OWN, OF_1A, service="animatic").takes
    assert len({take.key for take in drawn}) == 4 and all(take.request.board for take in drawn)
