"""Prompts got the articles that descriptions lack: takes that were bought in the words before are not bought again."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.model import Plan
from storyreel.tasks.ledger.ledger import State
from tests.flows.planning.histories import history_of, history_with, plan_of, rows_of

FILM = """\
storyboard: 1
title: Two Rooms
cast:
  ana: {name: Ana, description: "baker, white apron"}
locations:
  shop: {description: small shop}
defaults: {provider: apiyi, duration: 4s}
shots:
  - {shot: 1A, action: Ana enters., cast: [ana], location: shop, takes: 2}
  - {shot: 1B, action: She sits., cast: [ana], continues: 1A}
  - {shot: 1C, action: Rain.}
"""


def plan_of_before(folder: Path) -> Plan:
    """The film's plan as the version before would make it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storyreel.tasks.request.prompt.with_article", str)
        return plan_of(folder, FILM)


def prompts(plan: Plan) -> dict[str, str]:
    return {take.shot: take.request.prompt for take in plan.takes}


def test_a_new_film_gets_the_articles(tmp_path: Path) -> None:
    found = prompts(plan_of(tmp_path, FILM))
    assert found["1A"].startswith("Ana is a baker, white apron. ") and " In a small shop. " in found["1A"]
    assert prompts(plan_of_before(tmp_path))["1A"].startswith("Ana is baker, white apron. ")


def test_takes_that_were_bought_in_the_words_before_are_not_bought_again(tmp_path: Path) -> None:
    before = plan_of_before(tmp_path)
    bought = history_with(before, *((shot, State.FINISHED) for shot in ("1A", "1B", "1C")))
    now = plan_of(tmp_path, FILM, bought)
    assert [take.key for take in now.takes] == [take.key for take in before.takes]
    assert not now.bought
    one_more = plan_of(tmp_path, FILM.replace("takes: 2", "takes: 3, circled: 2"), bought)
    assert [(take.shot, take.take) for take in one_more.bought] == [("1A", 3)]


@pytest.mark.parametrize("state", [State.INTENDED, State.SUBMITTED, State.UNKNOWN])
def test_takes_that_are_under_way_in_the_words_before_are_continued(tmp_path: Path, state: State) -> None:
    before = plan_of_before(tmp_path)
    now = plan_of(tmp_path, FILM, history_with(before, ("1A", state)))
    assert {take.key for take in now.takes if take.shot == "1A"} == {
        take.key for take in before.takes if take.shot == "1A"
    }
    assert {take.state for take in now.takes if take.shot == "1A"} <= {"resuming", "unknown"}


def test_what_is_bought_anyway_gets_the_articles(tmp_path: Path) -> None:
    """A shot that was changed, what continues it, and a shot that failed."""
    before = plan_of_before(tmp_path)
    bought = history_with(before, *((shot, State.FINISHED) for shot in ("1A", "1B", "1C")))
    changed = plan_of(tmp_path, FILM.replace("Ana enters.", "Ana leaves."), bought)
    assert {take.shot for take in changed.bought} == {"1A", "1B"}
    assert all(prompts(changed)[shot].startswith("Ana is a baker") for shot in ("1A", "1B"))
    failed = plan_of(tmp_path, FILM, history_with(before, ("1A", State.FAILED)))
    assert prompts(failed)["1A"].startswith("Ana is a baker")


def test_what_continues_a_take_of_another_service_is_not_bought_again(tmp_path: Path) -> None:
    """The first service refused 1A, and the second one made it; 1B, which continues it, was bought as well."""
    film = FILM.replace("location: shop, takes: 2", "providers: [dashscope, apiyi]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storyreel.tasks.request.prompt.with_article", str)
        before = plan_of(tmp_path, film)
    (first,) = [take for take in before.takes if take.shot == "1A"]
    by_second = first.model_copy(update={"chosen": first.fallbacks[0], "fallbacks": (first.chosen,)})
    made = before.model_copy(update={"takes": (by_second, *(take for take in before.takes if take is not first))})
    for refused in ({}, rows_of(before, ("1A", State.FAILED))):
        rows = {**refused, **rows_of(made, *((shot, State.FINISHED) for shot in ("1A", "1B", "1C")))}
        now = plan_of(tmp_path, film, history_of(rows))
        assert not now.bought, [(take.shot, take.reason) for take in now.bought]
        assert [take.identity for take in now.takes] == [take.identity for take in before.takes]
