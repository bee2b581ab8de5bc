"""Translations stand beside the storyboard: what is missing or stale is named, and what is written stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.translations.extract import NOWHERE, extracted
from storyreel.specs.translations.file import Translations, parse_translations, read_translations, translations_file
from storyreel.specs.translations.status import status_of
from storyreel.specs.yaml.edits import as_yaml

Films = Callable[..., Storyboard]
# Words in braces are names of the cast and of places.
WORDS = st.text(st.characters(exclude_categories=["C"], exclude_characters="{}"), max_size=60).filter(str.strip)


@pytest.fixture
def film(tmp_path: Path) -> Films:
    """A film in which Ana says these lines, one a shot."""

    def written(*lines: str, languages: str = "[en, fr, zh-Hant]") -> Storyboard:
        shots = (
            f"  - {{shot: {n}A, action: x, dialogue: [{{ana: {as_yaml(line, is_flow=True)}}}]}}\n"
            for n, line in enumerate(lines, 1)
        )
        head = f"storyboard: 1\ntitle: Film\nlanguages: {languages}\ncast: {{ana: {{name: Ana}}}}\nshots:\n"
        file = tmp_path / "film.yaml"
        file.write_text(head + "".join(shots), encoding="utf-8")
        return read(file)

    return written


def add(film: Storyboard) -> str:
    """The text of the film's file after what is new was added."""
    file = translations_file(film)
    before = file.read_bytes().decode() if file.exists() else ""
    after = extracted(before, film, read_translations(film))
    file.write_bytes(after.encode())
    return after


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_every_line_is_written_once_with_where_it_is_said_and_an_empty_translation(film: Films) -> None:
    text = add(film("Who's there?", "Only: me.", "Who's there?"))
    assert lines_of(text)[2:] == [
        "- line: Who's there?", "said: 1A, 3A, Ana", 'fr: ""', 'zh-Hant: ""',
        '- line: "Only: me."', "said: 2A, Ana", 'fr: ""', 'zh-Hant: ""',
    ]  # fmt: skip
    assert add(film("Who's there?", "Only: me.", "Who's there?")) == text, "nothing was new"


def test_what_was_translated_and_every_comment_stay_when_lines_and_languages_are_added(film: Films) -> None:
    file = translations_file(film("Who's there?", "Nobody."))
    file.write_text(
        "# by Zoé\r\ntranslations: 1\r\nlines:\r\n"
        "  - line: Who's there?   # she whispers\r\n    fr: 'Qui est là ?'  # checked\r\n"
        "  - {line: Gone., fr: Parti.}\r\n",
        newline="",
    )
    text = add(film("Who's there?", "Nobody.", languages="[en, fr, de]"))
    assert [line for line in text.splitlines() if "#" in line] == [
        "# by Zoé", "  - line: Who's there?   # she whispers", "    fr: 'Qui est là ?'  # checked",
    ]  # fmt: skip
    assert text.count("\r\n") == text.count("\n")
    found = parse_translations(text, film("Who's there?", "Nobody.", languages="[en, fr, de]")).entries
    assert {line: entry.said for line, entry in found.items()} == {
        "Who's there?": "1A, Ana", "Gone.": NOWHERE, "Nobody.": "2A, Ana",
    }  # fmt: skip
    assert found["Gone."].texts == {"fr": "Parti."} and found["Nobody."].languages == {"fr", "de"}


def test_a_reworded_line_names_its_old_words(film: Films) -> None:
    file = translations_file(film("Who's there?"))
    add(film("Who's there?"))
    file.write_text(file.read_text().replace('fr: ""', "fr: Qui est là ?"))
    text = add(film("Who is there?"))
    assert "was: Who's there?" in lines_of(text) and "fr: Qui est là ?" in text
    status = status_of(film("Who is there?"), read_translations(film("Who is there?")))
    assert [entry.line for entry in status.stale] == ["Who's there?"]
    assert [line.text for line in status.missing["fr"]] == ["Who is there?"] and not status.unlisted


def test_a_line_is_found_however_its_spaces_and_accents_are_written(film: Films) -> None:
    board = film("Où est\n  la clé ?")
    found = parse_translations("translations: 1\nlines: [{line: Où  est la clé ?, fr: Ici.}]\n", board)
    assert found.text("Où est la clé ?", "fr") == "Ici." and found.text("Où est la clé ?", "zh") == ""
    assert not status_of(board, found).unlisted


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_any_line_is_found_again_in_the_file_that_it_was_written_to(film: Films, lines: list[str]) -> None:
    board = film(*lines)
    translations_file(board).unlink(missing_ok=True)
    found = parse_translations(extracted("", board, Translations(translations_file(board))), board)
    status = status_of(board, found)
    assert not status.unlisted and not status.stale


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("lines: []", "1:1: this is not a file of translations"),
        ("translations: 2", "1:1: version `2` of such files is not read"),
        ("translations: 1\nline: []", "2:1: unknown key `line` (did you mean `lines`?)"),
        ("translations: 1\nlines: {}", "2:8: `lines` must be a list"),
        ("translations: 1\nlines:\n  - {fr: Oui.}", "3:5: `line` is missing"),
        ("translations: 1\nlines:\n  - {line: Yes., french: Oui.}", "3:18: unknown key `french`"),
        ("translations: 1\nlines:\n  - {line: Yes., fr: [Oui]}", "3:22: `fr` must be a text"),
        ("translations: 1\nlines:\n  - {line: Yes.}\n  - {line: Yes.}", "4:5: this line is there already, in line 3"),
    ],
)
def test_a_mistake_is_told_at_its_place(film: Films, text: str, wrong: str) -> None:
    with pytest.raises(StoryboardError) as told:
        parse_translations(text, film("Yes."))
    assert wrong in str(told.value) and "next: storyreel translate " in str(told.value)


def test_a_file_that_cannot_be_added_to_is_left_alone(film: Films) -> None:
    board, text = film("Yes.", "No."), "{translations: 1, lines: [{line: Yes.}]}"
    with pytest.raises(StoryboardError, match="cannot be added to without changing more"):
        extracted(text, board, parse_translations(text, board))
