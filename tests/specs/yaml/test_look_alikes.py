"""Signs that look like YAML's and are others are told at their place, and left alone in texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.editing import circle
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read

LINES = ["storyboard: 1", "title: T", "shots:", "  - shot: 1A", "    action: Rain.", "    size: wide"]
SPACES = "\xa0\u2003\u202f\u3000"
NOTHING = "\u200b\u2060\ufeff"


def problems_of(path: Path, text: str | bytes) -> list[tuple[int, int, str, str]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(StoryboardError) as caught:
        read(path)
    return [(one.position.line, one.position.column, one.message, one.hint) for one in caught.value.problems]


def with_line(number: int, line: str, end: str = "\n") -> str:
    return end.join([*LINES[: number - 1], line, *LINES[number:], ""])


@given(st.integers(1, 6), st.sampled_from("：﹕︓∶"), st.sampled_from(["", " "]), st.sampled_from(["\n", "\r\n", "\r"]))
def test_another_colon_is_named_where_it_is(tmp_path: Path, number: int, colon: str, space: str, end: str) -> None:
    line = LINES[number - 1]
    key, _, value = line.partition(":")
    (found,) = problems_of(tmp_path / "film.yaml", with_line(number, f"{key}{colon}{space}{value.strip()}", end))
    assert found[:2] == (number, len(key) + 1)
    assert found[2].startswith(f"`{colon}` is U+") and found[3] == "write `:` and a space"


def test_a_file_with_other_colons_only_is_told_so(tmp_path: Path) -> None:
    (found,) = problems_of(tmp_path / "film.yaml", "\n".join(LINES).replace(": ", "：").replace("s:", "s："))
    assert found == (1, 11, "`：` is U+FF1A (fullwidth colon)", "write `:` and a space")


@given(st.integers(5, 6), st.text(SPACES, min_size=4, max_size=4))
def test_other_spaces_in_an_indentation_are_named(tmp_path: Path, number: int, indentation: str) -> None:
    found, *more = problems_of(tmp_path / "film.yaml", with_line(number, indentation + LINES[number - 1].strip()))
    assert (found[:2], found[3], more) == ((number, 1), "indent with spaces", [])
    assert found[2].startswith(f"the indentation contains U+{ord(indentation[0]):04X}")


@pytest.mark.parametrize("sign", NOTHING)
@pytest.mark.parametrize("number", [2, 3, 5, 6])
def test_a_sign_that_cannot_be_seen_beside_a_key_is_the_only_problem(tmp_path: Path, sign: str, number: int) -> None:
    line = LINES[number - 1]
    indentation = len(line) - len(line.lstrip())
    found = problems_of(tmp_path / "film.yaml", with_line(number, line[:indentation] + sign + line[indentation:]))
    assert [one[:2] for one in found] == [(number, indentation + 1)]
    assert f"U+{ord(sign):04X}" in found[0][2]


@pytest.mark.parametrize(
    ("number", "line", "place", "message"),
    [
        (4, "  – shot: 1A", 3, "`–` is U+2013 (en dash), not a hyphen"),
        (4, "  － shot: 1A", 3, "`－` is U+FF0D (fullwidth hyphen-minus), not a hyphen"),
        (4, "  -\xa0shot: 1A", 4, "after the `-` is U+00A0 (no-break space)"),
        (4, "  -\tshot: 1A", 4, "after the `-` is a tab"),
        (5, "\taction: Rain.", 1, "the indentation contains a tab"),
        (5, "    \taction: Rain.", 5, "the indentation contains a tab"),
        (2, "title:T", 6, "after the `:` a space is missing"),
        (2, "title:\xa0T", 7, "after the `:` is U+00A0 (no-break space)"),
        (2, "title: “T: the film”", 8, "`“` is no quote that YAML knows"),
        (2, "title: T\n\xa0\xa0", 1, "the indentation contains U+00A0 (no-break space)"),
        (6, "    size: wide\n＃ a comment", 1, "`＃` is U+FF03 (fullwidth number sign)"),
    ],
)
def test_what_looks_right_and_is_not_is_named_at_its_place(
    tmp_path: Path, number: int, line: str, place: int, message: str
) -> None:
    (found,) = problems_of(tmp_path / "film.yaml", with_line(number, line))
    assert (found[0], found[1], found[2]) == (number + line.count("\n"), place, message)


@pytest.mark.parametrize(
    ("line", "sign"),
    [
        ("format: {fps: “24”}", "U+201C (left double quotation mark)"),
        ("format: {fps: ２４}", "U+FF12 (fullwidth digit two)"),
        ("defaults: {duration: 5\xa0s}", "U+00A0 (no-break space)"),
        ("tıtle: x", "U+0131 (latin small letter dotless i)"),
    ],
)
def test_a_value_or_key_with_a_look_alike_names_it(tmp_path: Path, line: str, sign: str) -> None:
    (found,) = problems_of(tmp_path / "film.yaml", "\n".join([*LINES[:2], line, *LINES[2:]]))
    assert f"it contains {sign}" in found[3]


@given(
    st.text("：“”‘’　－–，［］＃\xa0ab灯 ", min_size=1).map(str.strip).filter(lambda text: text and text[0] in "a灯")
)
def test_in_a_text_each_of_them_is_that_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "film.yaml"
    path.write_text("\n".join([*LINES[:4], f"    action: {text}", "    size: wide"]), encoding="utf-8")
    assert read(path).all_shots[0].action == text


def test_a_mistake_elsewhere_is_not_blamed_on_a_text(tmp_path: Path) -> None:
    lines = [*LINES[:4], "    action: |", "      Mira：“你好”", "    size: [wide", ""]
    (found,) = problems_of(tmp_path / "film.yaml", "\n".join(lines))
    assert found[:3] == (7, 11, "this bracket is not closed, or a comma is missing in it")


def _is_text(text: str) -> bool:
    return bool(text) and text.isprintable() and not set("{$") & set(text)


@given(st.text(min_size=1).map(str.strip).filter(_is_text), st.booleans())
def test_a_film_is_the_same_from_the_json_that_json_dumps_writes(tmp_path: Path, text: str, is_ascii: bool) -> None:
    film = {
        "storyboard": 1,
        "title": "😀",
        "shots": [{"shot": "1A", "action": text}, {"shot": "1B", "action": "😀 \\ud83d"}],
    }
    path = tmp_path / "film.json"
    path.write_text(json.dumps(film, ensure_ascii=is_ascii), encoding="utf-8")
    read_film = read(path)
    assert [read_film.title, *(shot.action for shot in read_film.all_shots)] == ["😀", text, "😀 \\ud83d"]


def test_a_pair_moves_no_position_and_a_film_with_pairs_can_be_edited(tmp_path: Path) -> None:
    text = json.dumps({"storyboard": 1, "title": "\ue000 😀", "shots": [{"shot": "1A", "action": "😀", "takes": 2}]})
    path = tmp_path / "film.json"
    path.write_text(text)
    film = read(path)
    assert film.where_shot("1A", "takes").column == text.index("2}]") + 1
    assert circle(text, film, "1A", 1).text == text.replace('"takes": 2', '"takes": 2, "circled": 1')


def test_backslashes_of_a_text_that_knows_no_escapes_stay(film: Callable[..., object]) -> None:
    storyboard = film("shots: [{shot: 1A, action: 'a \\uD83D\\ude00 b'}, {shot: 1B, action: \"\\ud83d\\ude00\"}]\n")
    assert [shot.action for shot in storyboard.all_shots] == ["a \\uD83D\\ude00 b", "😀"]  # type: ignore[attr-defined]


def test_half_a_pair_is_named_at_its_backslash(tmp_path: Path) -> None:
    (found,) = problems_of(tmp_path / "film.yaml", with_line(2, 'title: "T \\ud83d"'))
    assert found == (2, 11, "this escape names no character", "write the character itself")
