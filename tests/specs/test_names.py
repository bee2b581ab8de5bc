"""Keys and slates in letters of any script."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.request.prompt import fill_names

NAMES = ["李雷", "ミラ", "김민수", "سارة", "שרה", "रवि", "ภูมิ", "Żółć", "Мира", "𠮷田", "علی‌رضا", "mira_2-b"]


def film_of(folder: Path, text: str) -> Storyboard:
    (folder / "film.yaml").write_text(f"storyboard: 1\ntitle: Test\n{text}", "utf-8")
    return read(folder / "film.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_script_is_a_key_and_a_slate(name: str, tmp_path: Path) -> None:
    film = film_of(
        tmp_path,
        f"cast: {{{name}: {{}}}}\nshots:\n"
        f"  - {{shot: {name}, action: '{{{name}}} waits.', cast: [{name}], dialogue: [{{{name}: Hi.}}]}}\n"
        f"  - {{shot: 2, action: Rain., continues: {name}}}\n",
    )
    assert list(film.cast) == [name] == [film.all_shots[0].shot] == [film.all_shots[1].upstream]
    assert "{" not in fill_names(film.all_shots[0].action, film.names)


@pytest.mark.parametrize(
    "name", ["😀", "a b", "a\u00a0b", "a/b", "夜。", "\u200bab", "\u0301a", "a\u202eb", "x" * 41, "a{b"]
)
def test_signs_spaces_and_what_is_not_seen_are_no_part_of_a_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(StoryboardError):
        film_of(tmp_path, f'cast: {{"{name}": {{}}}}\nshots: [{{shot: 1, action: x}}]\n')


def test_an_accent_may_be_written_in_two_ways_and_the_name_is_one(tmp_path: Path) -> None:
    film = film_of(
        tmp_path,
        "cast: {rene\u0301: {name: Rene}}\nshots:\n"
        "  - {shot: e\u0301, action: '{ren\u00e9} and {rene\u0301}', cast: [ren\u00e9]}\n"
        "  - {shot: 2, action: x, continues: \u00e9}\n",
    )
    assert list(film.cast) == ["ren\u00e9"] and film.all_shots[0].shot == "\u00e9"
    assert fill_names(film.all_shots[0].action, film.names) == "Rene and Rene"


def test_two_names_that_look_alike_are_told(tmp_path: Path) -> None:
    with pytest.raises(StoryboardError, match=r"3:15: .*is written twice, first in line 3"):
        film_of(tmp_path, "cast: {\u00e9: {}, e\u0301: {}}\nshots: [{shot: 1, action: x}]\n")
    with pytest.raises(StoryboardError, match=r"the slate `\u00e9` is taken, first in line 4"):
        film_of(tmp_path, "shots:\n  - {shot: \u00e9, action: x}\n  - {shot: e\u0301, action: x}\n")
