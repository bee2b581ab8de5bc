"""A plan that was kept is carried out as it stands, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storyreel.flows.planning.history import History
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.saved import differences, load_plan, save_plan
from storyreel.specs.problems.problem import StoryboardError
from storyreel.tasks.ledger.ledger import State, Word
from storyreel.tasks.ledger.purchase import Verdict
from storyreel.tasks.prices.price_list import PriceList
from tests.flows.planning.histories import NOTHING, history_with, plan_of
from tests.tasks.request.test_recordings import record

FILM = """\
storyboard: 1
title: Rooms
look: {prompt: grey light}
defaults: {providers: [apiyi, dashscope], duration: 5s}
shots:
  - {shot: 1A, action: One.}
  - {shot: 1B, action: Two., continues: 1A, takes: 2, circled: 1}
  - {shot: 1C, action: Three., transition: {type: dissolve, duration: 12f}}
"""


def differences_after(
    folder: Path, film: str = FILM, history: History = NOTHING, prices: PriceList | None = None
) -> list[str]:
    """The differences between the saved plan of FILM and the plan of `film`."""
    file = folder / "film.plan.json"
    save_plan(plan_of(folder, FILM), file, RunRequest(storyboard=folder / "film.yaml"))
    return differences(load_plan(file), plan_of(folder, film, history, **({"prices": prices} if prices else {})))


def test_a_plan_without_changes_has_no_differences(tmp_path: Path) -> None:
    assert differences_after(tmp_path) == []


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda film: film.replace("One.", "Uno."), ["1A take 1: changed: action", "1B take 1: changed: 1A, which it"]),
        (lambda film: film.replace("grey", "blue"), ["1A take 1: changed: look"]),
        (lambda film: film.replace("1C", "1D"), ["1C take 1 is no longer in the film", "1D take 1 is new in the film"]),
        (lambda film: film.replace("circled: 1", "circled: 2"), ["1B take 1 is no longer the one in the cut"]),
        (lambda film: film.replace("12f", "14f"), ["the cut: lengths, order or transitions"]),
        (lambda film: film.replace("5s", "4.9s"), ["the cut: lengths, order or transitions"]),
        (lambda film: film.replace("[apiyi, dashscope]", "[apiyi]"), ["1A take 1: changed: the fallback services"]),
    ],
)
def test_each_difference_of_the_film_is_named(tmp_path: Path, edit: Callable[[str], str], told: list[str]) -> None:
    lines = "\n".join(differences_after(tmp_path, edit(FILM)))
    for words in told:
        assert words in lines


WITH_SOUND = FILM.replace("One.", "One., references: [https://x.example/a.png], sound: a.wav") + (
    "ending: fade\nmusic: [{file: b.wav, level: -20 dB}]\nformat: {fps: 24}\n"
)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: record(folder / "a.wav", 3), "1A take 1: what is heard with it changed"),
        (lambda folder: record(folder / "b.wav", 3), "the music changed"),
        (("-20 dB", "-10 dB"), "the music changed"),
        (("ending: fade", "ending: cut"), "the fades changed"),
        (("format: {fps: 24}", "format: {fps: 23.976}"), "the frame rate changed"),
        (("Three.", "Three., native_audio: drop"), "1C take 1: what is heard with it changed"),
        (("Three.", "Three., grade: {exposure: 1}"), "the grade changed"),
        (("-20 dB", "-20 dB, from: 500ms"), "the music changed"),
        (("format:", "ambience: b.wav\nformat:"), "the ambience changed"),
        (("Three.", "Three., mix: -3 dB"), "the mix changed"),
        (("format:", "sound: {loudness: -14 LUFS}\nformat:"), "the level changed"),
        (("title: Rooms", "title: Rooms\ntitles: [{title: Rooms}]"), "the words over the picture changed"),
    ],
)
def test_a_film_that_would_sound_or_look_otherwise_is_told_though_nothing_else_is_bought(
    tmp_path: Path, change: Callable[[Path], None] | tuple[str, str], told: str
) -> None:
    text, file = WITH_SOUND, tmp_path / "film.plan.json"
    for name in ("a.wav", "b.wav"):
        record(tmp_path / name, 2)
    save_plan(plan_of(tmp_path, text), file, RunRequest(storyboard=tmp_path / "film.yaml"))
    assert differences(load_plan(file), plan_of(tmp_path, text)) == []
    if isinstance(change, tuple):
        text = text.replace(*change)
    else:
        change(tmp_path)
    (line,) = differences(load_plan(file), plan_of(tmp_path, text))
    assert line.startswith(told)
    saved = json.loads(file.read_text())
    del saved["film"]
    for take in saved["takes"]:
        del take["sound"]
    file.write_text(json.dumps(saved))
    assert differences(load_plan(file), plan_of(tmp_path, text)) == [], "as an earlier version has saved it"


STILLS = """\
storyboard: 1
title: Stills
defaults: {provider: dashscope, duration: 4s, stills: {takes: 2}}
review: {still: required}
cast: {ana: {description: a baker, sheet: true}}
shots:
  - {shot: 1A, action: One., cast: [ana], still: true, last_still: The door.}
  - {shot: 1B, action: Two., still: {prompt: Bread., circled: 2}}
"""


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            lambda film: film.replace("a baker", "a cook"),
            [
                "ana@sheet take 1: changed: description of ana",
                "ana@sheet take 2: changed: description of ana",
                "1A@still take 1: changed: description of ana, sheet of ana",
                "1A@still take 2: changed: description of ana, sheet of ana",
                "1A@last-still take 1: changed: description of ana, sheet of ana",
                "1A@last-still take 2: changed: description of ana, sheet of ana",
                "1A take 1: changed: description of ana, still, last still",
            ],
        ),
        (lambda film: film.replace("Bread.", "Cake."), [*[f"1B@still take {n}: changed: still" for n in (1, 2)],
                                                        "1B take 1: changed: still"]),
        (
            lambda film: film.replace("circled: 2", "circled: 1"),
            [
                "1B@still take 1 is now the one that is used",
                "1B@still take 2 is no longer the one that is used",
                "1B take 1: changed: still",
            ],
        ),
        (
            lambda film: film.replace("review: {still: required}\n", ""),
            [
                "1A take 1 waited for the approval of `1A@still` and `1A@last-still` and waits for none now",
                "1B take 1 waited for the approval of `1B@still` and waits for none now",
            ],
        ),
    ],
)  # fmt: skip
def test_a_difference_of_stills_and_sheets_is_named(
    tmp_path: Path, edit: Callable[[str], str], told: list[str]
) -> None:
    file = tmp_path / "film.plan.json"
    save_plan(plan_of(tmp_path, STILLS), file, RunRequest(storyboard=tmp_path / "film.yaml"))
    assert sorted(differences(load_plan(file), plan_of(tmp_path, edit(STILLS)))) == sorted(told)


def test_a_clip_that_would_be_bought_now_that_its_still_is_approved_is_named(tmp_path: Path) -> None:
    file, film = tmp_path / "film.plan.json", STILLS.replace(", last_still: The door.", "")
    before = plan_of(tmp_path, film)
    save_plan(before, file, RunRequest(storyboard=tmp_path / "film.yaml"))
    used = next(take for take in before.takes if (take.shot, take.circled) == ("1B@still", True))
    said = {
        used.key: Verdict(
            key=used.key, film="Stills", slate="1B@still", take=2, word=Word.APPROVED, number=1, at=datetime.now(UTC)
        )
    }
    verdicts = {"has_verdicts": True, "verdicts": lambda keys: {key: said[key] for key in keys if key in said}}
    approved = NOTHING.model_copy(update=verdicts)
    assert differences(load_plan(file), plan_of(tmp_path, film, approved)) == [
        "1B take 1 waited for the approval of `1B@still` and waits for none now"
    ]


def test_comments_and_layout_make_no_difference(tmp_path: Path) -> None:
    assert differences_after(tmp_path, FILM.replace("title: Rooms", "# a film\ntitle:   Rooms")) == []


def test_a_purchase_made_meanwhile_is_named(tmp_path: Path) -> None:
    there = history_with(plan_of(tmp_path, FILM), ("1C", State.FINISHED))
    assert differences_after(tmp_path, history=there) == [
        "1C take 1 was new and is cached: made before, the clip is in the store"
    ]


def test_another_price_is_named(tmp_path: Path) -> None:
    own = tmp_path / "prices.yaml"
    own.write_text("prices: 1\nrates:\n  - {service: apiyi, resolution: 720p, per_second: 0.09, currency: USD}\n")
    lines = differences_after(tmp_path, prices=PriceList.read({"STORYREEL_PRICES": str(own)}))
    assert "1A take 1: the price at apiyi was 0.42 USD and is 0.45 USD" in lines


@pytest.mark.parametrize("text", ["", "{}", '{"plan": 2}', "storyboard: 1", '{"plan": 1, "made": "yesterday"}'])
def test_a_file_that_is_not_a_plan_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "film.plan.json"
    file.write_text(text)
    with pytest.raises(StoryboardError, match="not a plan of this version of storyreel"):
        load_plan(file)


def test_a_missing_plan_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoryboardError, match="cannot be read"):
        load_plan(tmp_path / "none.json")


def test_a_saved_plan_holds_only_the_relative_path_of_its_storyboard(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    file = tmp_path / "plans" / "film.plan.json"
    save_plan(plan_of(tmp_path, FILM), file, RunRequest(storyboard=tmp_path / "film.yaml"))
    assert load_plan(file).storyboard == "../film.yaml"
    assert str(tmp_path) not in file.read_text()
