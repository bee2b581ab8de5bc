"""YAML as the language reads it: which scalars are texts, what is refused, and how."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.problems import phrases
from storyreel.specs.problems.problem import MOST_PROBLEMS, Position, StoryboardError
from storyreel.specs.reading import LARGEST, read
from storyreel.specs.yaml import variables
from storyreel.specs.yaml.tree import HEAVIEST, Positions, parse, parse_scalar

Wrong = Callable[..., list[str]]


@pytest.mark.parametrize(
    "written",
    ["16:9", "1:30", "10:00:00:00", "012", "-012", "0x1A", "1_0", "1e3", "no", "on", "yes", "off", "y", "True", "NULL",
     "2026-01-01", "1A", ".5", "5.", "+1", "-0", "0.5s", ".inf", "99999999999999999999"],
)  # fmt: skip
def test_what_yaml_1_1_would_have_changed_stays_text(written: str) -> None:
    root, problems = parse(f"value: {written}", "film.yaml")
    assert root and not problems
    assert root.to_python() == {"value": written}


@pytest.mark.parametrize(
    ("written", "value"),
    [("12", 12), ("-3", -3), ("0", 0), ("1.5", 1.5), ("true", True), ("false", False), ("null", None), ("~", None)],
)
def test_numbers_switches_and_nothing_are_what_they_say(written: str, value: object) -> None:
    assert parse_scalar(written) == value
    assert type(parse_scalar(written)) is type(value) or isinstance(parse_scalar(written), type(value))


@given(st.integers(-(10**17), 10**17) | st.decimals(-1000, 1000, places=3).map(str))
def test_a_number_in_the_place_of_a_text_keeps_its_form(written: object) -> None:
    root, _ = parse(f"title: {written}", "film.yaml")
    assert root
    value = root.to_python()["title"]
    assert str(getattr(value, "text", value)) == str(written)


def test_a_title_like_a_number_is_a_text(film: Callable[..., object], tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    path.write_text("storyboard: 1\ntitle: 1.50\nshots: [{shot: 012, action: 1984}]\n")
    storyboard = read(path)
    assert (storyboard.title, storyboard.all_shots[0].shot, storyboard.all_shots[0].action) == ("1.50", "012", "1984")


def test_a_quoted_scalar_is_never_a_number() -> None:
    root, _ = parse("""{a: "1", b: '', c: "true"}""", "film.yaml")
    assert root and root.to_python() == {"a": "1", "b": "", "c": "true"}


def test_every_value_has_its_position() -> None:
    root, _ = parse("a: 1\nb:\n  - x\n  - {c: ü, d: 2}\n", "film.yaml")
    assert root
    places = Positions("film.yaml", root)
    assert places["b", 1, "d"] == Position("film.yaml", 4, 15)
    assert places.key(("b", 1, "d")) == Position("film.yaml", 4, 12)
    assert places.nearest(("b", 1, "nothing", 3)) == places["b", 1]
    assert len(places) == 7 and set(places) >= {(), ("b", 0), ("b", 1, "c")}


def test_a_key_twice_is_named_with_its_first_line(wrong: Wrong) -> None:
    assert wrong("look: a\nlook: b\n") == ["4:1: `look` is written twice, first in line 3 (keep one of the two)"]


def test_a_tag_constructs_nothing(wrong: Wrong, tmp_path: Path) -> None:
    victim = tmp_path / "made-by-a-tag"
    found = wrong(f"look: !!python/object/apply:os.mkdir ['{victim}']\n")
    assert any(
        line.startswith("3:7: the tag `tag:yaml.org,2002:python/object/apply:os.mkdir` is not") for line in found
    )
    assert not victim.exists()


def test_aliases_repeat_a_value(film: Callable[..., object], media: object) -> None:
    storyboard = film("shots:\n- {shot: 1, action: &a Rain., size: wide}\n- {shot: 2, action: *a}\n")
    assert [shot.action for shot in storyboard.all_shots] == ["Rain.", "Rain."]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("look: *gone\n", "3:7: the alias `*gone` has no `&gone` before it"),
        ("vars: &a {b: *a}\n", "3:14: the alias `*a` is inside the value that it names"),
        ("? [a, b]\n: c\n", "3:3: a key is one word"),
        ("--- \nlook: x\n", "3:1: a second document begins here"),
        ("look: a\n\tb: c\n", "4:1: the indentation contains a tab (indent with spaces)"),
        (
            "look: {mira} in rain\n",
            "3:7: `{` opens a mapping, so `{mira} in rain` is not a text (put a text that",
        ),
        ("look: @home\n", "3:7: no text may begin with `@`, so `@home` is not a text (put a text that begins"),
        ("look: [rain] and fog\n", "3:7: `[` opens a list"),
        ("look: `x`\n", "3:7: no text may begin with a backtick"),
        ("look: 'It's'\n", "3:7: the text goes on behind its closing quote"),
        ("look: 'rain\n", "3:7: this quote is never closed"),
        ("look: {prompt: rain\n", "3:7: this bracket is not closed"),
        ("vars: {a: b}\nlook: {prompt: ${a} light}\n", "4:16: inside brackets the `{` of `${` opens another"),
        ("look: rain: heavy\n", "3:11: a `:` is followed by a space inside a text"),
        ('look: "a\\qb"\n', "3:9: in double quotes a backslash begins an escape; this one is unknown"),
        ('look: "a\\ab"\n', "3:7: this text contains the control character U+0007"),
        ("look: a\x07b\n", "3:8: the file contains the character U+0007"),
    ],
)
def test_what_is_not_a_storyboard_is_reported_with_its_position(wrong: Wrong, text: str, found: str) -> None:
    assert wrong(text)[0].startswith(found)


def test_an_empty_file_says_how_a_film_begins(tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    path.write_text("# nothing yet\n")
    with pytest.raises(StoryboardError, match=r"the file is empty \(a film begins with `storyboard: 1`"):
        read(path)


# Hostile files: each has a limit of its own, reached before anything large is made.


def test_aliases_that_multiply_are_refused_before_they_are_made(wrong: Wrong) -> None:
    layers = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30)]
    found = wrong("l0: &l0 [ha, ha]\n" + "".join(layers))
    assert "the file holds more than is read" in found[0]


def test_long_texts_count_as_often_as_aliases_repeat_them(wrong: Wrong) -> None:
    shots = "".join(f"- {{shot: {n}, action: *a}}\n" for n in range(HEAVIEST // 5000))
    found = wrong(f"vars: {{a: &a {'x' * 5000}}}\nshots:\n{shots}")
    assert "the file holds more than is read" in found[0]


_MANY = {
    "keys written twice": lambda n: "title: x\n" * n,
    "tags": lambda n: "shots:\n" + "- !x a\n" * n,
    "control characters": lambda n: "shots:\n" + '- "\\x07"\n' * n,
    "unknown keys": lambda n: "".join(f"k{number}: 1\n" for number in range(n)),
}


@pytest.mark.parametrize("many", _MANY.values(), ids=_MANY)
def test_what_comes_after_the_first_hundred_problems_is_not_looked_at(
    tmp_path: Path, many: Callable[[int], str]
) -> None:
    path, work = tmp_path / "film.yaml", []
    for mistakes in (2000, 8000):
        path.write_text("storyboard: 1\ntitle: T\n" + many(mistakes))
        calls, problems = _calls(lambda: read(path))
        assert 1 <= problems <= MOST_PROBLEMS
        work.append(calls)
    assert work[1] < 1.1 * work[0]


def _calls(work: Callable[[], object]) -> tuple[int, int]:
    """The number of Python functions that are called until a StoryboardError is raised, and of the problems in it.

    They are counted in a fork, which has no other thread: CPython 3.11 begins a watched call again for as long as
    another thread asks for the interpreter.
    """
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            os.write(writing, "{} {}".format(*_counted(work)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        calls, problems = map(int, told.read().split())
    os.waitpid(child, 0)
    return calls, problems


def _counted(work: Callable[[], object]) -> tuple[int, int]:
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    except StoryboardError as error:
        return calls, len(error.problems)
    finally:
        sys.setprofile(None)
    raise AssertionError("nothing is wrong")


@pytest.mark.parametrize("use", ["${x}", "${", "$${x} ${x}"])
def test_of_many_wrong_uses_of_variables_the_first_hundred_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    explained = []
    monkeypatch.setattr(
        variables, "suggestion", lambda *arguments: explained.append(arguments) or phrases.suggestion(*arguments)
    )
    path = tmp_path / "film.yaml"
    shots = "".join(f'- {{shot: S{n}, action: "{use * 400}"}}\n' for n in range(500))
    path.write_text(f"storyboard: 1\ntitle: T\nshots:\n{shots}")
    with pytest.raises(StoryboardError) as error:
        read(path)
    assert len(error.value.problems) <= MOST_PROBLEMS
    # Each further text is still found to be wrong, by one of its uses.
    assert len(explained) <= MOST_PROBLEMS + 500


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_without_end_is_refused(wrong: Wrong, opening: str) -> None:
    assert "nested more than 50 deep" in wrong("a:\n  " + opening * 10_000)[0]


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(StoryboardError, match=r"large.yaml:1:1: the file has 100,000,000 bytes, at most 8,000,000 are"):
        read(path)
    assert path.stat().st_size > LARGEST


@pytest.mark.parametrize("kind", ["device", "folder", "pipe", "nothing", "name"])
def test_what_is_not_a_file_is_refused_without_opening_it(tmp_path: Path, kind: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    paths = {
        "device": (Path("/dev/zero"), "not a regular file"),
        "folder": (tmp_path, "a folder"),
        "pipe": (pipe, "not a regular file"),
        "nothing": (tmp_path / "gone.yaml", "no such file"),
        "name": (tmp_path / ("x" * 5000), "cannot be read"),
    }
    path, what = paths[kind]
    with pytest.raises(StoryboardError) as caught:
        read(path)
    (problem,) = caught.value.problems
    assert what in problem.message
    assert problem.position == Position(str(path), 1, 1)


def test_what_is_not_utf_8_is_refused_at_its_position(tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    path.write_bytes(b"storyboard: 1\ntitle: caf\xe9\n")
    with pytest.raises(StoryboardError, match=r"film\.yaml:2:11: from here on the file is not UTF-8"):
        read(path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    path.write_text("storyboard: 1\ntitle: x\nshots: [{shot: 1, action: x}]\n", encoding="utf-8-sig")
    assert read(path).where("storyboard") == Position(str(path), 1, 13)


@given(st.text(alphabet=st.sampled_from(list("ab:-{}[]&*!|>'\"%@`#,?\n \t0~$\\")), max_size=60))
def test_whatever_stands_in_a_file_is_a_tree_or_a_problem(text: str) -> None:
    root, problems = parse(text, "film.yaml")
    assert root is not None or problems
    assert all(problem.position.line >= 1 and problem.position.column >= 1 for problem in problems)
