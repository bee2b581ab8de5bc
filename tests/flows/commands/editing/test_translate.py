"""`translate` says what is to be translated, writes it where it is asked to, and changes nothing that is written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import typer

from storyreel.flows.commands.editing.translate import translate as command
from storyreel.flows.commands.exit_codes import exit_code

FILM = """\
storyboard: 1
title: Keeper
languages: [en, fr]
cast: {ana: {name: Ana}}
shots:
  - {shot: 1A, action: Rain., dialogue: [{ana: "Who's there?"}], narration: Nobody.}
"""
Translate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def translate(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Translate:
    """The command on the film: exit code, output, messages."""
    monkeypatch.chdir(tmp_path)
    Path("film.yaml").write_text(FILM)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)

    def run(*arguments: str) -> tuple[int, str, str]:
        messages = StringIO()
        monkeypatch.setattr(sys, "argv", ["storyreel", "film.yaml", *arguments])
        code = exit_code(app, messages)
        said = capsys.readouterr()
        return code, said.out, said.err + messages.getvalue()

    return run


def test_what_is_missing_is_named_until_it_is_written(translate: Translate) -> None:
    file = Path("film.translations.yaml")
    missing = (
        "fr (Français): 0 of 2 lines translated\n  missing  1A, Ana: Who's there?\n  missing  1A, narrator: Nobody.\n"
    )
    assert translate() == (0, f"{missing}next: storyreel translate film.yaml --extract\n", "")
    assert not file.exists(), "it was only asked"
    assert translate("--extract") == (0, f"{missing}next: translate into fr in {file.absolute()}\n", "")
    file.write_text(file.read_text().replace('fr: ""', "fr: Oui."))
    assert translate() == (0, "fr (Français): 2 of 2 lines translated\n", "")


def test_an_empty_file_is_written_as_one_that_is_not_there(translate: Translate) -> None:
    file = Path("film.translations.yaml")
    translate("--extract")
    written = file.read_text()
    file.write_text("")
    assert translate("--extract")[0] == 0 and file.read_text() == written


def test_what_is_said_no_more_is_named_with_its_place(translate: Translate) -> None:
    translate("--extract")
    Path("film.yaml").write_text(FILM.replace(", narration: Nobody.", ""))
    assert "stale: Nobody. (film.translations.yaml:10) is said nowhere any more\n" in translate()[1]
    told = json.loads(translate("--json")[1])
    assert told["stale"] == [{"line": "Nobody.", "at": 10}] and told["lines"] == 1
    assert [one["line"] for one in told["languages"][0]["missing"]] == ["Who's there?"]


def test_a_film_of_one_language_has_nothing_to_translate(translate: Translate) -> None:
    Path("film.yaml").write_text(FILM.replace("[en, fr]", "[en]"))
    code, _, told = translate()
    assert code == 2 and "film.yaml:3:12: the film has no language to translate into" in told
    assert told.endswith("next: storyreel translate film.yaml --extract\n")


def test_a_file_that_cannot_be_read_is_told_and_left(translate: Translate) -> None:
    file = Path("film.translations.yaml")
    file.write_bytes(b"translations: 1\nlines:\n  - {line: \xff}\n")
    code, _, told = translate("--extract")
    assert code == 2 and "film.translations.yaml:3:12: from here on the file is not UTF-8 text" in told
    assert file.read_bytes().endswith(b"\xff}\n")
