"""Cards and credits in a plan: drawn here whoever makes the film, free, never a stand-in, with keys of their words."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.reading import read
from tests.flows.planning.histories import NOTHING, PRICES, plan_of
from tests.fonts import no_fonts, packaged_fonts  # noqa: F401

FILM = """\
storyboard: 1
title: The Keeper
draft: {model: wan3.0-video, resolution: 480p}
review: required
lettering: {style: film}
defaults: {provider: dashscope, duration: 2s, takes: 2}
shots:
  - {card: Three years later, transition: fade}
  - {shot: 1A, action: Dawn.}
  - {card: {text: At sea, style: clean}, transition: dissolve}
  - {credits: {roll: true, entries: [{Directed by: Ana}]}, duration: 5s}
"""
CARDS = ("card-1", "card-2", "credits-1")


def _cards(plan: Plan) -> list[PlannedTake]:
    return [take for take in plan.takes if take.chosen.is_card]


@pytest.mark.parametrize("provider", [None, "freepik", "animatic"])
@pytest.mark.parametrize("selection", [(), ("1A",), ("card-2",)])
def test_cards_are_drawn_here_whoever_makes_the_film_and_whatever_is_selected(
    provider: str | None, selection: tuple[str, ...], tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, FILM, provider=provider, selection=selection)
    found = _cards(plan)
    assert [take.shot for take in found] == list(CARDS) and all(take.circled for take in found)
    for take in found:
        assert take.chosen.is_free and not (take.is_stand_in or take.needs_review or take.is_bought)
        assert take.chosen.maker == "card"
    assert not set(CARDS) & {take.shot for take in plan.bought}
    assert plan.stand_ins == (1 if selection == ("card-2",) else 0)


def test_a_draft_has_its_cards_in_its_own_size(tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(FILM)
    film = read(tmp_path / "film.yaml")
    own, draft = (_cards(make_plan(film, NOTHING, None, (), PRICES, draft=is_draft)) for is_draft in (False, True))
    assert [take.shot for take in draft] == list(CARDS) and not any(take.needs_review for take in draft)
    assert {take.request.height for take in own} == {720} and {take.request.height for take in draft} == {480}


def _keys(folder: Path, text: str) -> dict[str, str]:
    return {take.shot: take.key for take in plan_of(folder, text).takes if take.take == 1}


def test_the_key_of_a_card_is_of_its_words_their_lettering_and_length_alone(tmp_path: Path) -> None:
    before = _keys(tmp_path, FILM)
    same = {
        "another slate": FILM.replace("{card: Three", "{shot: Title, card: Three"),
        "another film": FILM.replace("The Keeper", "The Relief").replace("Dawn.", "Dusk."),
        "a card before": FILM.replace("shots:\n", "shots:\n  - {card: First}\n"),
        "words over it": FILM.replace("transition: fade", "transition: fade, titles: [{caption: 1911}]"),
    }
    for why, text in same.items():
        assert set(before.values()) <= set(_keys(tmp_path, text).values()) | {before["1A"]}, why
    other = {
        "words": FILM.replace("Three years", "Four years"),
        "style": FILM.replace("lettering: {style: film}", "lettering: vertical"),
        "colour": FILM.replace("{style: film}", '{style: film, colour: "#ff0000"}'),
        "length": FILM.replace("transition: fade", "duration: 3s"),
        "rate": FILM.replace("review: required", "format: {fps: 25}"),
    }
    for what, text in other.items():
        assert _keys(tmp_path, text)["card-1"] != before["card-1"], what
    assert _keys(tmp_path, other["style"])["card-2"] == before["card-2"], "it has a style of its own"


def test_other_shots_have_the_keys_that_they_have_without_cards_and_titles(tmp_path: Path) -> None:
    cards = FILM.replace(", transition: dissolve", "")
    plain = "\n".join(line for line in cards.splitlines() if "card" not in line and "credits" not in line) + "\n"
    lettered = cards.replace("action: Dawn.", "action: Dawn., titles: [{title: Dawn, to: 1s}]")
    clean = plain.replace("lettering: {style: film}\n", "")
    assert len({plain, cards, lettered, clean}) == 4
    # A drawing makes room for titles; what is bought does not know of them.
    for service, texts in (("dashscope", (plain, cards, lettered, clean)), ("animatic", (plain, cards, clean))):
        plans = [plan_of(tmp_path, text, provider=service) for text in texts]
        keys = [[take.key for take in plan.takes if take.shot == "1A"] for plan in plans]
        assert keys[0] and all(found == keys[0] for found in keys)


def test_a_film_of_cards_alone_is_a_film(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "storyboard: 1\ntitle: Words\nshots: [{card: One}, {card: Two, transition: dissolve}]\n")
    assert [take.shot for take in plan.takes] == ["card-1", "card-2"] and not plan.bought and not plan.warnings


@pytest.mark.usefixtures("no_fonts")
def test_letters_that_no_font_has_are_told_of_titles_cards_and_credits(tmp_path: Path) -> None:
    text = """\
storyboard: 1
title: Words
titles: [{title: 守}]
shots: [{card: 灯}, {shot: 1A, action: x, titles: [{caption: 人}]}, {credits: [{音: 乐}]}]
"""
    (told,) = plan_of(tmp_path, text).warnings
    assert told.startswith("no font here has 5 letters of the titles, card-1, 1A, credits-1: 守 灯 人 音 乐")
