"""Words over the picture, cards and credits: as they are written, and what is said of mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.specs.language.titles import NOT_OF_CARDS
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Shot, Storyboard

_HEAD = "storyboard: 1\ntitle: The Keeper\nformat: {fps: 24}\n"


def _film(folder: Path, text: str) -> Storyboard:
    file = folder / "film.yaml"
    file.write_text(_HEAD + text, encoding="utf-8")
    return read(file)


def _problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(StoryboardError) as caught:
        _film(folder, text)
    return [str(problem).removeprefix(f"{folder}/film.yaml:") for problem in caught.value.problems]


def test_a_card_needs_neither_a_slate_nor_an_action(tmp_path: Path) -> None:
    film = _film(
        tmp_path,
        """\
shots:
  - card: Three years later
  - {shot: card-2, action: A shot of that name.}
  - card: 1911
  - {shot: "End", card: The end}
  - credits: [{Directed by: Ana}, {Music: [Tom, Zoe]}, Made in Orkney]
""",
    )
    assert [shot.shot for shot in film.all_shots] == ["card-1", "card-2", "card-3", "End", "credits-1"]
    assert [shot.is_card for shot in film.all_shots] == [True, False, True, True, True]
    credits = film.all_shots[-1].credits
    assert credits and [(entry.role, entry.names) for entry in credits.entries] == [
        ("Directed by", ("Ana",)),
        ("Music", ("Tom", "Zoe")),
        ("", ("Made in Orkney",)),
    ]
    assert film.where_shot("card-3").line == 7


def test_slates_of_cards_are_counted_over_all_scenes(tmp_path: Path) -> None:
    film = _film(
        tmp_path,
        """\
scenes:
  - {scene: 1, shots: [{card: One}, {shot: 1A, action: x}]}
  - {scene: 2, shots: [{card: Two}]}
""",
    )
    assert [shot.shot for shot in film.all_shots] == ["card-1", "1A", "card-2"]


def test_a_card_takes_of_the_defaults_only_what_is_of_words_alone(tmp_path: Path) -> None:
    film = _film(
        tmp_path,
        """\
cast: {mira: {name: Mira}}
locations: {room: {name: the room}}
review: required
defaults: {provider: dashscope, takes: 3, cast: [mira], size: wide, duration: 2s, transition: fade, timeout: 1s}
scenes: [{scene: 1, location: room, shots: [{card: Dawn}, {shot: 1A, action: x}]}]
""",
    )
    card, shot = film.all_shots
    assert (card.services, card.takes, card.cast, card.location) == (("animatic",), 1, (), None)
    assert card.review.clip == "none" and shot.review.clip == "required"
    assert card.duration == shot.duration and card.transition == shot.transition


def test_a_card_lasts_as_speech_only_if_something_is_said_over_it(tmp_path: Path) -> None:
    film = _film(
        tmp_path,
        """\
defaults: {duration: speech}
shots:
  - card: Dawn
  - {card: Dusk, narration: The light has not gone out.}
  - {shot: 1A, action: x, narration: Not once.}
""",
    )
    assert [shot.lasts_as_speech for shot in film.all_shots] == [False, True, True]


def test_every_key_that_only_a_service_needs_is_refused_of_a_card(tmp_path: Path) -> None:
    assert Shot.model_fields.keys() >= NOT_OF_CARDS
    for key in sorted(NOT_OF_CARDS):
        value = {"takes": "2", "fallback_on_refusal": "true", "camera": "static"}.get(key, "x")
        found = _problems(tmp_path, f"shots: [{{card: Dawn, {key}: {value}}}]\n")
        # A value that is wrong in itself is told first.
        assert any(f"has no `{key}`" in told or f"`{key}`" in told for told in found), found


def test_mistakes_in_words_are_told_where_they_are(tmp_path: Path) -> None:
    found = _problems(
        tmp_path,
        """\
lettering: {style: flim, colour: #f4efe6
  }
card: x
titles:
  - {title: A, caption: B}
  - {title: A, from: 4s, to: 2s}
  - {title: A, from: 99s}
  - {title: A, to: 1s, fade: 600ms}
shots:
  - {card: }
  - {card: x, credits: [y]}
  - {credits: [{Directed by: Ana, Music: Tom}]}
  - {card: {text: x, background: red}, line: y}
  - {card: x, action: y}
  - {shot: 1A, action: x, duration: 2s, titles: [{caption: late, from: 3s}, {caption: "{mira}", to: 9s}]}
""",
    )
    assert found == [
        "4:20: `style` is `flim` (did you mean `film`?)",
        '5:3: `colour` is empty: a colour needs quotes (write for example "#f4efe6", as YAML reads a bare `#` as a '
        "comment)",
        "6:1: `card` is a key of shots (write it as one of the `shots`: `- card: …`)",
        "8:5: words are one of a title, a lower third and a caption (write `{title: The Keeper}`)",
        "9:30: the words end before they begin (times are those of the film; write a later `to`)",
        "11:30: the fades are longer than the words are seen (make the `fade` shorter, or the words longer)",
        "13:12: `card` is empty (write its words, or leave the key out)",
        "14:24: a shot is a card or credits (make them two shots)",
        "15:15: an entry of the credits has one role (write `- Directed by: Ana`, one `-` a line)",
        '16:34: `background` is `red`, but must be a colour such as "#f4efe6", in quotes',
        "16:40: `line` is a key of `card` (write it inside: `card: {line: …}`)",
        "17:23: a card has no `action` (remove it, only words are drawn)",
        "18:72: the words begin after the end of the shot (its end is at 2s)",
    ]


def test_words_that_begin_after_the_film_are_told(tmp_path: Path) -> None:
    found = _problems(tmp_path, "titles: [{title: A, from: 6s}]\nshots: [{shot: 1A, action: x, duration: 5s}]\n")
    assert found == ["4:27: the words begin after the end of the film (its end is at 5s)"]


def test_no_shot_goes_on_from_a_card(tmp_path: Path) -> None:
    found = _problems(
        tmp_path,
        "shots:\n  - card: Dawn\n  - {shot: 1A, action: x, continues: card-1}\n"
        "  - {shot: 1B, action: x, edit: {of: card-1, instruction: y}}\n",
    )
    assert found == [
        "6:38: card-1 is a card: there is nothing to go on from (name another shot, or remove `continues`)",
        "7:33: card-1 is a card: there is nothing to edit (name another shot, or remove `edit`)",
    ]


def test_what_belongs_to_single_shots_is_no_default(tmp_path: Path) -> None:
    for key in ("card", "credits", "titles"):
        (told,) = _problems(tmp_path, f"defaults: {{{key}: [x]}}\nshots: [{{shot: 1A, action: x}}]\n")
        assert told == f"4:12: `{key}` cannot be a default (write it in each shot)"
