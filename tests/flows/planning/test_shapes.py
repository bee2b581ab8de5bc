"""Shots that are made again in the shape of a deliverable: what is bought, what is shared, and what that costs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from storyreel.flows.commands.screen.review_prompts import next_command
from storyreel.flows.planning.finishing.deliverables import UnknownDeliverable
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.selection import NothingSelected
from storyreel.flows.review.status import review_status
from storyreel.specs.editing import find_shot
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.tasks.ledger.ledger import Ledger, NewVerdict, State, Word
from tests.flows.planning.histories import history_of, rows_of

SHAPE = "format: {aspect_ratio: '9:16', resolution: 1080p}"
FILM = f"""\
storyboard: 1
title: The Keeper
format: {{resolution: 1080p, fps: 24}}
defaults: {{provider: apiyi, duration: 2s}}
deliverables:
  - {{name: web, {SHAPE}, shoot: true}}
shots:
  - {{shot: 1A, action: She climbs., takes: 2, circled: 2, seed: 7}}
  - {{shot: 1B, action: She waits., continues: 1A}}
  - {{shot: 1C, action: Black., provider: animatic}}
  - {{card: The end}}
"""


def plan_at(file: Path, *deliverables: str, select: tuple[str, ...] = (), provider: str | None = None) -> Plan:
    asked = RunRequest(storyboard=file, deliverables=deliverables, selection=select, provider=provider)
    return Planner.of(asked).plan()


def rewrite(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    file.write_text(text)


def named(takes: tuple[PlannedTake, ...]) -> list[tuple[str, int]]:
    return [(take.shot, take.take) for take in takes]


def take_of(plan: Plan, shot: str, number: int = 1) -> PlannedTake:
    return next(take for take in plan.takes if (take.shot, take.take) == (shot, number))


def test_a_deliverable_that_would_buy_is_made_only_if_it_is_named(file: Path) -> None:
    plan = plan_at(file)
    assert not plan.in_shapes and not plan.deliverables[0].is_made
    assert named(plan.deliverables[0].to_buy) == [("1A@web", 1), ("1B@web", 1)]
    (told,) = [warning for warning in plan.warnings if "web" in warning]
    assert "would buy 2 takes from apiyi for " in told and f"storyreel render {file} --deliverable web" in told
    asked = plan_at(file, "web")
    assert asked.deliverables[0].is_made and not any("left out" in warning for warning in asked.warnings)
    more = sum(money.amount for money in asked.totals) - sum(money.amount for money in plan.totals)
    assert more == sum(take.price.amount for take in asked.deliverables[0].to_buy if take.price) > 0
    assert {(t.shot, t.take): t.key for t in plan.clips} == {(t.shot, t.take): t.key for t in asked.clips}


def test_the_film_is_what_it_was_and_its_takes_have_their_keys(file: Path) -> None:
    with_it = plan_at(file, "web")
    rewrite(file, (f"deliverables:\n  - {{name: web, {SHAPE}, shoot: true}}\n", ""))
    without = plan_at(file)
    assert with_it.clips == without.clips and with_it.cut == without.cut
    assert "deliverables" not in without.as_json() and "deliverable" not in str(without.as_json())


def test_a_shot_is_asked_for_in_the_shape_and_otherwise_as_for_the_film(file: Path) -> None:
    plan = plan_at(file, "web")
    film, again = take_of(plan, "1A", 2).request, take_of(plan, "1A@web").request
    assert (again.aspect_ratio, again.width, again.height) == ("9:16", 1080, 1920)
    assert (again.seconds, again.prompt, again.seed) == (film.seconds, film.prompt, film.seed)
    before = take_of(plan, "1B@web").request.first_frame
    assert before and before.digest == f"take:{take_of(plan, '1A@web').identity}" and before.crop is None


def test_what_continues_a_shot_that_is_shared_begins_with_its_frame_cut_to_shape(file: Path) -> None:
    rewrite(file, ("shoot: true", "shoot: [1B], reframe: {x: 0.25}"))
    plan = plan_at(file, "web")
    before = take_of(plan, "1B@web").request.first_frame
    assert before and before.crop and (before.crop.width, before.crop.height, before.crop.x) == (1080, 1920, 0.25)
    assert before.digest == f"take:{take_of(plan, '1A', 2).identity} {before.crop}"
    assert [plan.slate_in("web", shot) for shot in ("1A", "1B")] == ["1A", "1B@web"]


def test_drawings_and_cards_are_drawn_in_the_size_and_at_the_rate_of_the_deliverable(file: Path) -> None:
    rewrite(file, (SHAPE, "format: {size: 1080x1350, fps: 25}"), (", shoot: true", ""))
    plan = plan_at(file)
    assert plan.deliverables[0].is_made and not plan.deliverables[0].shot_again
    card = plan.cut.events[-1].shot
    for slate in (plan.slate_in("web", "1C"), plan.slate_in("web", card)):
        drawn = take_of(plan, slate)
        assert drawn.deliverable == "web" and drawn.chosen.is_free and not drawn.is_stand_in
        assert (drawn.request.width, drawn.request.height) == (1080, 1350)
        assert drawn.request.board and (str(drawn.request.board.rate), drawn.request.board.frames) == ("25", 50)
    assert plan.slate_in("web", "1A") == "1A"


def test_a_drawing_leaves_out_what_the_deliverable_lays_over_it_itself(file: Path) -> None:
    words = "{shot: 1C, action: Black., dialogue: [{mira: Hello.}], titles: [{caption: Then}]"
    rewrite(
        file,
        ("{shot: 1C, action: Black.", words),
        ("shots:", "cast: {mira: {description: a keeper}}\nshots:"),
        (f"{SHAPE}, shoot: true", "subtitles: burn_in"),
        ("deliverables:", "deliverables:\n  - {name: clean, titles: false}\n  - {name: same, codec: h265}"),
    )

    def drawn(name: str) -> tuple[bool, bool]:
        board = take_of(plan, plan.slate_in(name, "1C")).request.board
        return bool(board and board.titled), bool(board and board.subtitled)

    plan = plan_at(file)
    assert {one.name: drawn(one.name) for one in plan.deliverables} == {
        "clean": (False, False), "same": (True, False), "web": (True, True),
    }  # fmt: skip
    assert [plan.slate_in(name, "1C") for name in ("clean", "same", "web")] == ["1C@clean", "1C", "1C@web"]
    rewrite(file, ("shots:", "subtitles: burn_in\nshots:"))
    plan = plan_at(file)
    assert [drawn(name) for name in ("clean", "same", "web")] == [(False, False), (True, True), (True, True)]
    # Each is a take of its own, although the picture at the end of all is the same.
    of_shot = [take for take in plan.takes if take.shot.startswith("1C")]
    assert len({take.identity for take in of_shot}) == len({take.key for take in of_shot}) == len(of_shot) == 2


@pytest.mark.parametrize("shape", ["format: {resolution: 720p}", "codec: h265", "format: {fps: 25}"])
def test_what_has_the_films_shape_is_shared_and_never_bought_again(file: Path, shape: str) -> None:
    rewrite(file, (SHAPE, shape))
    plan = plan_at(file, "web")
    assert plan.deliverables[0].is_made and not plan.deliverables[0].to_buy
    assert plan.totals == plan_at(file, "none").totals
    assert any("`shoot` of web makes nothing again" in warning for warning in plan.warnings)


def test_what_a_deliverable_would_buy_is_what_is_paid_for_it(file: Path) -> None:
    rewrite(
        file,
        (f"{SHAPE}, shoot: true}}", f"{SHAPE}, shoot: true}}\n  - {{name: story, {SHAPE}, shoot: true}}"),
        ("  - {shot: 1C", "  - {shot: 1E, action: The sea.}\n  - {shot: 1F, action: The sea.}\n  - {shot: 1C"),
    )
    film, plan, both = plan_at(file, "none"), plan_at(file), plan_at(file, "web", "story")
    web, story = plan.deliverables
    # Two shots are one order.
    assert named(web.to_buy) == [("1A@web", 1), ("1B@web", 1), ("1E@web", 1)]
    paid = {take.key for take in plan_at(file, "web").bought} - {take.key for take in film.bought}
    assert {take.key for take in web.to_buy} == {take.key for take in story.to_buy} == paid
    assert len(web.to_buy) == len(story.to_buy) == 3
    web, story = both.deliverables
    assert len(web.to_buy) == 3 and not story.to_buy and len(story.shot_again) == 4
    assert len(both.bought) == len(film.bought) + 3


def test_two_deliverables_of_one_shape_are_bought_once(file: Path) -> None:
    rewrite(file, ("shoot: true}", f"shoot: true}}\n  - {{name: story, {SHAPE}, codec: h265, shoot: [1A]}}"))
    one, both = plan_at(file, "web"), plan_at(file, "web", "story")
    assert take_of(both, "1A@story").key == take_of(both, "1A@web").key
    assert both.totals == one.totals and len(both.bought) == len(one.bought)


def test_what_was_bought_for_a_deliverable_is_in_it_without_being_named(file: Path) -> None:
    bought = plan_at(file, "web")
    rows = rows_of(bought, *((take.shot, State.FINISHED) for take in bought.takes))
    plan = make_plan(read(file), history_of(rows))
    assert plan.deliverables[0].is_made and named(plan.in_shapes) == named(bought.in_shapes) and not plan.bought
    for state in (State.UNKNOWN, State.FAILED):
        some = rows | rows_of(bought, ("1B@web", state), reason="no answer")
        plan = make_plan(read(file), history_of(some))
        assert not plan.deliverables[0].is_made and not plan.bought
        (told,) = [warning for warning in plan.warnings if "web" in warning]
        assert told.endswith("storyreel reconcile" if state is State.UNKNOWN else "film.yaml --deliverable web")


def test_a_selection_is_of_the_film_and_of_the_deliverables_that_are_asked_for(file: Path) -> None:
    plan = plan_at(file, "web", select=("1B",))
    assert named(plan.bought) == [("1A", 2), ("1B", 1), ("1A@web", 1), ("1B@web", 1)]
    plan = plan_at(file, "web", select=("1A@web",))
    assert named(plan.bought) == [("1A@web", 1)]
    assert take_of(plan, plan.slate_in("web", "1B")).chosen.is_free  # the film's is not made, and is drawn
    assert sorted(set(named(plan.in_shapes))) == sorted(named(plan.in_shapes))
    with pytest.raises(NothingSelected, match="1A@web"):
        plan_at(file, select=("1A@web",))
    assert not plan_at(file, select=("1C",)).deliverables[0].is_made


def test_what_a_service_does_not_make_in_the_shape_leaves_the_film_alone(file: Path) -> None:
    rewrite(file, (SHAPE, "format: {aspect_ratio: '3:4', resolution: 480p}"), ("provider: apiyi", "provider: freepik"))
    plan = plan_at(file)
    (told,) = [warning for warning in plan.warnings if "web" in warning]
    assert "the deliverable web cannot be made: freepik has no" in told
    assert not plan.deliverables[0].is_made and plan.deliverables[0].problem
    with pytest.raises(StoryboardError) as refused:
        plan_at(file, "web")
    assert "in the deliverable web: freepik" in refused.value.problems[0].message
    assert refused.value.problems[0].position.line == 6
    assert "leave 1A out of `shoot`" in refused.value.problems[0].hint


def test_of_a_size_whose_class_is_not_sold_the_next_class_is_bought_and_told(file: Path) -> None:
    file.write_text(FILM.replace(SHAPE, "format: {size: 400x712}"))
    (web,) = (plan := plan_at(file, "web")).deliverables
    clips = [take for take in web.takes if take.kind == "clip" and not take.is_redrawn]
    assert web.size == (400, 712)
    assert {(take.request.width, take.request.height, take.request.resolution) for take in clips} == {
        (720, 1280, "720p")
    }
    file.write_text(FILM.replace(SHAPE, "format: {aspect_ratio: '9:16', resolution: 720p}"))
    assert [take.price for take in clips] == [
        take.price for take in plan_at(file, "web").deliverables[0].takes if not take.is_redrawn
    ], "at the price of that class"
    told = "for the deliverable web 1A, 1B are bought in 720p, as not all of their services have 480p, and made smaller"
    assert any(warning.startswith(told) for warning in plan.warnings)


def test_a_shot_that_needs_a_larger_class_has_no_other_bought_again(file: Path) -> None:
    rewrite(
        file,
        (SHAPE, "format: {size: 400x712}"),
        ("action: She climbs.", "action: She climbs., provider: dashscope, model: wan3.0-video"),
    )
    rewrite(file, ("  - {shot: 1B, action: She waits., continues: 1A}\n", ""))
    (before, *_) = plan_at(file, "web").in_shapes
    rewrite(file, ("  - {card", "  - {shot: 1D, action: She waits.}\n  - {card"))
    plan = plan_at(file, "web")
    after = {take.shot: take for take in plan.in_shapes}
    assert after["1A@web"].key == before.key and before.request.resolution == "480p"
    assert after["1D@web"].request.resolution == "720p"
    assert any(warning.startswith("for the deliverable web 1D is bought in 720p") for warning in plan.warnings)


def test_a_size_that_a_service_cannot_make_is_told_as_a_size(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = file.with_name("models.yaml")
    models.write_text("models: 1\nservices: {apiyi: {wan2.7: {resolutions: [720p]}}}\n")
    monkeypatch.setenv("STORYREEL_MODELS", str(models))
    file.write_text(FILM.replace(SHAPE, "format: {size: 1080x1920}").replace("resolution: 1080p, fps", "fps"))
    with pytest.raises(StoryboardError) as told:
        plan_at(file, "web")
    hint = "write another `size`; 1080x1920 is a picture of 1080p, or leave 1A out of `shoot`"
    assert hint in told.value.problems[0].hint


@pytest.mark.parametrize("names", [["wib"], ["1A"], ["none", "web"]])
def test_names_that_no_deliverable_has_or_that_contradict_each_other_are_told(file: Path, names: list[str]) -> None:
    with pytest.raises(UnknownDeliverable, match=names[-1]):
        plan_at(file, *names)


def test_drawn_for_a_try_everything_is_free_and_made(file: Path) -> None:
    plan = plan_at(file, provider="animatic")
    assert plan.deliverables[0].is_made and not plan.bought
    assert all(take.request.height == 1920 for take in plan.in_shapes) and len(plan.in_shapes) == 4


def test_verdicts_on_takes_in_a_shape_ask_for_more_of_them_and_leave_the_film(file: Path, ledger: Ledger) -> None:
    rewrite(file, ("duration: 2s", "duration: 2s, review: required"))
    before = plan_at(file, "web")
    take = take_of(before, "1A@web")
    said = {"film": "The Keeper", "slate": take.shot, "take": take.take, "key": take.key}
    ledger.add_verdicts([NewVerdict(word=Word.RETAKE, **said)])
    after = plan_at(file, "web")
    assert [one.review for one in after.takes if one.shot == "1A@web"] == ["retake", "retake"]
    assert [one for one in named(after.bought) if one[0] == "1A@web"] == [("1A@web", 1), ("1A@web", 2)]
    assert after.clips == before.clips
    ledger.add_verdicts([NewVerdict(word=Word.RETAKE, action="She runs.", **said)])
    reworded = plan_at(file, "web")
    assert take_of(reworded, "1A@web").action == "She runs." and reworded.clips == before.clips


async def test_another_take_in_a_shape_is_asked_for_by_name_and_in_no_other_way(file: Path, ledger: Ledger) -> None:
    planner = Planner.of(RunRequest(storyboard=file))
    assert not await review_status(planner)
    (review,) = await review_status(planner, ["1A@web"])
    assert (review.shot.slate, review.to_come) == ("1A@web", ((1, "todo"),))
    assert next_command(RunRequest(storyboard=file), [review]).endswith("film.yaml --deliverable web")
    with pytest.raises(LookupError, match="review FILM --retake 1A@web"):
        find_shot(planner.film, "1A@web")


def test_a_verdict_on_a_take_of_the_film_is_followed_in_its_shapes(file: Path, ledger: Ledger) -> None:
    take = take_of(plan_at(file), "1A", 2)
    said = {"film": "The Keeper", "slate": "1A", "take": 2, "key": take.key}
    ledger.add_verdicts([NewVerdict(word=Word.RETAKE, action="She runs.", **said)])
    assert take_of(plan_at(file, "web"), "1A@web").action == "She runs."


def test_the_stills_of_a_shot_are_made_again_and_approved_in_the_shape(file: Path) -> None:
    rewrite(file, ("provider: apiyi", "provider: apiyi, still: true, stills: {provider: freepik}, review: required"))
    rewrite(file, (", continues: 1A", ""), (", provider: animatic", ", still: null, provider: animatic"))
    plan = plan_at(file, "web")
    still, clip = take_of(plan, "1A@web.still"), take_of(plan, "1A@web")
    assert (still.kind, still.deliverable, still.request.aspect_ratio) == ("still", "web", "9:16")
    assert clip.pictures == (still.identity,) and clip.waits_for == ("1A@web.still",)
    assert still.key != take_of(plan, "1A@still").key


def test_money_for_a_shape_is_its_shots(file: Path, ledger: Ledger) -> None:
    rewrite(file, ("shots:", "budget: {per_shot: 0.5 USD}\nshots:"))
    planned = Planner.of(RunRequest(storyboard=file, deliverables=("web",))).plan_within_budget()
    one = take_of(planned.plan, "1A@web").price
    assert one and Decimal("0.25") < one.amount  # each fits alone
    assert planned.excess and "1A" in planned.excess.message


def test_clips_that_go_on_from_another_need_it_in_the_shape(file: Path) -> None:
    rewrite(file, ("continues: 1A}", "continues: {shot: 1A, with: clip}}"), ("provider: apiyi", "provider: dashscope"))
    rewrite(file, ("shoot: true", "shoot: [1B]"))
    with pytest.raises(StoryboardError) as refused:
        plan_at(file, "web")
    assert "goes on from the clip of 1A" in refused.value.problems[0].message
    assert "name 1A in `shoot`" in refused.value.problems[0].hint
