"""Why a take is bought: what changed since it was last ordered, in the author's own words."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from storyreel.flows.planning.model import PlannedTake
from storyreel.flows.planning.states import with_states
from storyreel.tasks.ledger.ledger import State
from tests.flows.planning.histories import NOTHING, history_with, plan_of

FILM = """\
storyboard: 1
title: Two Rooms
look: {prompt: grey light, avoid: text}
cast:
  ana: {name: Ana, description: a baker, references: [ana.png, walk.png]}
locations:
  shop: {description: a small shop}
defaults: {provider: apiyi}
shots:
  - {shot: 1A, action: Ana enters., cast: [ana], location: shop, duration: 4s}
  - {shot: 1B, action: She sits., continues: 1A, size: wide}
  - {shot: 1C, action: Rain., takes: 2, dialogue: [{ana: "It rains."}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (320, 320), "red").save(tmp_path / "ana.png")
    Image.new("RGB", (320, 320), "green").save(tmp_path / "walk.png")
    return tmp_path


def after(folder: Path, *edits: tuple[str, str]) -> dict[tuple[str, int], PlannedTake]:
    """The takes of the film after some edits, when all was bought before them."""
    bought = plan_of(folder, FILM)
    text = FILM
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    everything = history_with(bought, *((take.shot, State.FINISHED) for take in bought.takes))
    return {(take.shot, take.take): take for take in plan_of(folder, text, everything).takes}


@pytest.mark.parametrize(
    ("old", "new", "shot", "named"),
    [
        ("Ana enters.", "Ana leaves.", "1A", "action"),
        ("size: wide", "size: close up", "1B", "size"),
        ("Rain.", "Snow.", "1C", "action"),
        ('"It rains."', '"It snows."', "1C", "dialogue"),
        ("grey light", "blue light", "1C", "look"),
        ("avoid: text", "avoid: logos", "1C", "what to avoid"),
        ("a small shop", "a large shop", "1A", "description of shop"),
        ("a baker", "a cook", "1A", "description of ana"),
        ("duration: 4s", "duration: 8s", "1A", "duration"),
        ("takes: 2", "takes: 2, seed: 7", "1C", "seed"),
    ],
)
def test_what_changed_is_named_as_the_author_calls_it(folder: Path, old: str, new: str, shot: str, named: str) -> None:
    take = after(folder, (old, new))[shot, 1]
    assert take.state == "new"
    assert take.chosen.changes == (named,)
    assert take.reason == f"changed: {named}"


def test_a_picture_that_was_drawn_again_is_named_by_its_file(folder: Path) -> None:
    bought = plan_of(folder, FILM)
    Image.new("RGB", (320, 320), "blue").save(folder / "ana.png")
    everything = history_with(bought, *((take.shot, State.FINISHED) for take in bought.takes))
    first = plan_of(folder, FILM, everything).takes[0]
    assert first.reason == "changed: reference ana.png"


def test_a_picture_that_comes_or_goes_is_named_and_its_order_is_not(folder: Path) -> None:
    take = after(folder, ("[ana.png, walk.png]", "[walk.png]"))["1A", 1]
    assert take.chosen.changes == ("reference ana.png",)


def test_a_picture_under_another_name_is_no_change(folder: Path) -> None:
    bought = plan_of(folder, FILM)
    (folder / "ana.png").rename(folder / "ana-front.png")
    everything = history_with(bought, *((take.shot, State.FINISHED) for take in bought.takes))
    plan = plan_of(folder, FILM.replace("ana.png", "ana-front.png"), everything)
    assert {take.state for take in plan.takes} == {"cached"}


def test_a_shot_that_continues_a_changed_one_has_that_as_its_reason(folder: Path) -> None:
    takes = after(folder, ("Ana enters.", "Ana leaves."))
    assert takes["1B", 1].reason == "changed: 1A, which it continues"
    assert takes["1C", 1].state == "cached"


def test_an_added_take_has_that_as_its_reason(folder: Path) -> None:
    takes = after(folder, ("takes: 2", "takes: 3"))
    assert [takes["1C", number].state for number in (1, 2, 3)] == ["cached", "cached", "new"]
    assert takes["1C", 3].reason == "one more take"


def test_a_shot_that_was_only_an_animatic_so_far_is_not_a_changed_one(folder: Path) -> None:
    drawn = plan_of(folder, FILM.replace("apiyi", "animatic"))
    everything = history_with(drawn, *((take.shot, State.FINISHED) for take in drawn.takes))
    assert {take.reason for take in plan_of(folder, FILM, everything).takes} == {"never made before"}


def test_another_service_is_a_change_of_the_service(folder: Path) -> None:
    take = after(folder, ("provider: apiyi", "provider: dashscope"))["1C", 1]
    assert "service" in take.chosen.changes


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Two Rooms", "title: Two Rooms # the second draft"),
        ("duration: 4s", "duration: 3.5s"),
        ("size: wide}", "size: wide, transition: {type: dissolve, duration: 12f}}"),
        ("shot: 1C", "shot: 9Z"),
        ("Ana enters.,", "Ana enters., takes: 1, circled: 1,"),
    ],
)
def test_comments_names_transitions_and_cut_lengths_plan_no_purchase(folder: Path, old: str, new: str) -> None:
    assert {take.state for take in after(folder, (old, new)).values()} == {"cached"}


def test_another_order_plans_no_purchase(folder: Path) -> None:
    lines = FILM.splitlines(keepends=True)
    takes = after(folder, ("".join(lines[-3:]), lines[-1] + lines[-3] + lines[-2]))
    assert {take.state for take in takes.values()} == {"cached"}


def test_a_take_whose_order_was_withdrawn_is_new_again(folder: Path) -> None:
    bought = plan_of(folder, FILM)
    ordering = plan_of(folder, FILM, history_with(bought, *((take.shot, State.INTENDED) for take in bought.takes)))
    assert {take.state for take in ordering.takes} == {"resuming"}
    assert with_states(ordering.takes, ordering.title, NOTHING) == list(bought.takes)
