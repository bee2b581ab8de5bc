"""Edits of a storyboard's text change what they should and nothing else, to the character."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from storyreel.specs import editing
from storyreel.specs.derived.pictures import PictureShot, path_of_picture, pictures_of_film
from storyreel.specs.editing import Edit
from storyreel.specs.language.slates import owner_of
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Shot, Storyboard
from tests.specs.conftest import HEAD, Editor, Refused


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "shots:\n  - shot: 1A   # wide\n    action: Rain.  # heavy\n\n  - shot: 1B\n    action: Sun.\n",
            "shots:\n  - shot: 1A   # wide\n    action: Rain.  # heavy\n    takes: 2\n    circled: 2\n\n"
            "  - shot: 1B\n    action: Sun.\n",
            id="new keys come behind the last one",
        ),
        pytest.param(
            "shots:\n- shot: 1A\n  takes: 2  # two\n  circled: 1 # first\n  action: Rain.\n",
            "shots:\n- shot: 1A\n  takes: 3  # two\n  circled: 3 # first\n  action: Rain.\n",
            id="numbers that are there change in place",
        ),
        pytest.param(
            "shots:\n- shot: 1A\n  takes: 2  # two\n  action: Rain.\n",
            "shots:\n- shot: 1A\n  takes: 3  # two\n  circled: 3\n  action: Rain.\n",
            id="a new circle comes behind the takes",
        ),
        pytest.param(
            "defaults: {takes: 3}\nshots:\n- shot: 1A\n  circled: 3\n  action: Rain.\n- {shot: 1B, action: Sun.}\n",
            "defaults: {takes: 3}\nshots:\n- shot: 1A\n  takes: 4\n  circled: 4\n  action: Rain.\n"
            "- {shot: 1B, action: Sun.}\n",
            id="new takes come before the circle",
        ),
        pytest.param(
            "shots:\n- circled: 1\n  shot: 1A\n  action: Rain.\n",
            "shots:\n- circled: 2\n  shot: 1A\n  action: Rain.\n  takes: 2\n",
            id="a circle that stands first",
        ),
        pytest.param(
            "shots:\n  - shot: 1A\n    action: >-\n      It rains\n      and rains.\n\n    # about the sound\n"
            "    camera:\n      move: push in\n",
            "shots:\n  - shot: 1A\n    takes: 2\n    circled: 2\n    action: >-\n      It rains\n      and rains.\n\n"
            "    # about the sound\n    camera:\n      move: push in\n",
            id="nothing comes between a long text and its comment",
        ),
        pytest.param(
            "shots: [{shot: 1A, action: Rain.}, {shot: 1B, action: Sun.}]\n",
            "shots: [{shot: 1A, action: Rain., takes: 2, circled: 2}, {shot: 1B, action: Sun.}]\n",
            id="in braces",
        ),
        pytest.param(
            "shots:\n  - {shot: 1A,  # wide\n     action: 'Rain.',  # heavy\n    }\n",
            "shots:\n  - {shot: 1A,  # wide\n     action: 'Rain.',  # heavy\n     takes: 2,\n     circled: 2,\n    }\n",
            id="in braces, a line a key",
        ),
        pytest.param(
            "shots:\n  - {shot: 1A,  # wide\n     action: Rain.  # heavy\n    }\n",
            "shots:\n  - {shot: 1A,  # wide\n     action: Rain., takes: 2, circled: 2  # heavy\n    }\n",
            id="in braces before a comment",
        ),
        pytest.param(
            'shots: [\n  {\n    "shot": "1A",\n    "action": "Rain."\n  }\n]\n',
            'shots: [\n  {\n    "shot": "1A",\n    "action": "Rain.",\n    "takes": 2,\n    "circled": 2\n  }\n]\n',
            id="as JSON",
        ),
        pytest.param(
            'shots: [{"shot":"1A","takes":2,"circled":1,"action":"Rain."}]',
            'shots: [{"shot":"1A","takes":3,"circled":3,"action":"Rain."}]',
            id="as JSON without spaces",
        ),
        pytest.param(
            "shots:\r\n  - 'shot': 1A\r\n    'action': Rain.\r\n  - {shot: 1B, action: Sun.}",
            "shots:\r\n  - 'shot': 1A\r\n    'action': Rain.\r\n    'takes': 2\r\n    'circled': 2\r\n"
            "  - {shot: 1B, action: Sun.}",
            id="lines end as the one before does",
        ),
        pytest.param(
            "shots:\r\n- shot: 1A\r\n  action: Rain.",
            "shots:\r\n- shot: 1A\r\n  action: Rain.\r\n  takes: 2\r\n  circled: 2",
            id="a last line without an end",
        ),
        pytest.param(
            "shots:\n-   shot: 1A\n    action: Rain. 🌧 é\n    circled:\n",
            "shots:\n-   shot: 1A\n    action: Rain. 🌧 é\n    takes: 2\n    circled: 2\n",
            id="a circle that says nothing",
        ),
        pytest.param(
            "vars: {n: 4}\nshots:\n- shot: 1A\n  action: Rain.\n  takes: ${n}\n",
            "vars: {n: 4}\nshots:\n- shot: 1A\n  action: Rain.\n  takes: 5\n  circled: 5\n",
            id="a variable gives way",
        ),
        pytest.param(
            "defaults: {seed: &n 2}\nshots:\n- shot: 1A\n  action: Rain.\n  takes: *n  # so many\n",
            "defaults: {seed: &n 2}\nshots:\n- shot: 1A\n  action: Rain.\n  takes: 3  # so many\n  circled: 3\n",
            id="an alias gives way",
        ),
        pytest.param(
            "shots:\n- shot: 1A\n  action: Rain.\n  takes: &n 2\n  circled: *n\n",
            "shots:\n- shot: 1A\n  action: Rain.\n  takes: &n 3\n  circled: 3\n",
            id="a name that only the shot itself uses stays",
        ),
        pytest.param(
            "scenes:\n- scene: 1\n  defaults: {takes: 2, circled: 1}\n  shots:\n  - {shot: 1A, action: Rain.}\n"
            "  - {shot: 1B, action: Sun.}\n",
            "scenes:\n- scene: 1\n  defaults: {takes: 2, circled: 1}\n  shots:\n"
            "  - {shot: 1A, action: Rain., takes: 3, circled: 3}\n  - {shot: 1B, action: Sun.}\n",
            id="the scene's word stays for its other shots",
        ),
        pytest.param(
            "shots:\n  - &first\n    shot: 1A\n    action: Rain.\n...\n",
            "shots:\n  - &first\n    shot: 1A\n    action: Rain.\n    takes: 2\n    circled: 2\n...\n",
            id="a shot that has a name",
        ),
    ],
)
def test_retake_adds_a_take_and_changes_nothing_else(edited: Editor, before: str, after: str) -> None:
    assert edited(editing.retake, before, "1A") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- {shot: 1A, action: x, takes: 3, circled: 2}", "- {shot: 1A, action: x, takes: 4, circled: 2}"),
        ("- {shot: 1A, action: x}", "- {shot: 1A, action: x, takes: 2, circled: 1}"),
        # Nobody has chosen: the best of the three is in the cut, and the best of the four will be.
        ("- {shot: 1A, action: x, takes: 3}", "- {shot: 1A, action: x, takes: 4}"),
        # Of a shot that is continued the last take counts, so that is the one to keep.
        (
            "- {shot: 1A, action: x, takes: 3}\n- {shot: 1B, action: x, continues: 1A}",
            "- {shot: 1A, action: x, takes: 4, circled: 3}\n- {shot: 1B, action: x, continues: 1A}",
        ),
    ],
)
def test_retake_can_keep_the_take_in_the_cut(edited: Editor, before: str, after: str) -> None:
    assert edited(editing.retake, f"shots:\n{before}\n", "1A", keep_circled=True) == f"shots:\n{after}\n"


@pytest.mark.parametrize(
    ("before", "take", "after"),
    [
        ("- {shot: 1A, action: x, takes: 3}", 1, "- {shot: 1A, action: x, takes: 3, circled: 1}"),
        ("- {shot: 1A, action: x, takes: 3, circled: 1}", 3, "- {shot: 1A, action: x, takes: 3, circled: 3}"),
        ("- {shot: 1A, action: x, takes: 3, circled: 1}", 1, "- {shot: 1A, action: x, takes: 3, circled: 1}"),
    ],
)
def test_circle_adds_no_take(edited: Editor, before: str, take: int, after: str) -> None:
    assert edited(editing.circle, f"shots:\n{before}\n", "1A", take) == f"shots:\n{after}\n"


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        ("action: Rain.  # heavy", "Snow.", "action: Snow.  # heavy"),
        ("action: Rain.", "Snow: much, and more", 'action: "Snow: much, and more"'),
        ("action: 'Rain.' # heavy", "It's Snow.", "action: 'It''s Snow.' # heavy"),
        ('action: "Rain."', 'A "snow" \\ 🌨', 'action: "A \\"snow\\" \\\\ 🌨"'),
        ("action: Rain.", "Snow.\nMore.\u2028", 'action: "Snow.\\nMore.\\u2028"'),
        ("action: Rain.", "1984", 'action: "1984"'),
        ("action: Rain.", "#1 arrives", 'action: "#1 arrives"'),
        ("action: >-  # told\n    It rains\n    and rains.\n\n  # size", "Snow.", "action: Snow.  # told\n\n  # size"),
        ("action: >-  # told\r\n    It rains.\r\n", "Snow.", "action: Snow.  # told\r\n"),
        ("action: |+\n    It rains.\n\n", "Snow.", "action: Snow.\n\n"),
        ("action: It rains\n    and rains.", "Snow.", "action: Snow."),
        ("action: &a # named\n    Rain.", "Snow.", "action: &a # named\n    Snow."),
        ("action: ${weather}", "Fog and ${weather}", "action: Fog and ${weather}"),
        ("action: Rain.\n  circled: 2\n  takes: 2", "Snow.", "action: Snow.\n  takes: 2"),
        (
            "action: Rain.\n  takes: 2\n  circled: 2 # good",
            "Snow.",
            "action: Snow.\n  takes: 2\n  circled: null # good",
        ),
    ],
)
def test_rewrite_replaces_the_action_and_circles_no_take(edited: Editor, before: str, action: str, after: str) -> None:
    before, after = (
        f"vars: {{weather: rain}}\nshots:\n- shot: 1A\n  {text}\n  size: wide\n" for text in (before, after)
    )
    assert edited(editing.rewrite, before, "1A", action) == after


EDIT = "- {shot: 1A, action: x, provider: dashscope, "


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (editing.retake, "edit: {instruction: y}}", "edit: {instruction: y, takes: 2}}"),
        (editing.retake, "circled: 1, edit: {instruction: y}}",
         "takes: 2, circled: 2, edit: {instruction: y, take: 1}}"),
        (partial(editing.circle, take=1), "takes: 2, edit: {instruction: y}}",
         "takes: 2, circled: 1, edit: {instruction: y, take: 2}}"),
        (partial(editing.retake, keep_circled=True), "edit: {instruction: y, takes: 2}}",
         "edit: {instruction: y, takes: 3}, circled: 3}"),
        (partial(editing.rewrite, action="z: a"), "edit: {instruction: y}}", 'edit: {instruction: "z: a"}}'),
        (partial(editing.rewrite, action="z", more=1), "circled: 1, edit: {take: 1, instruction: y}}",
         "edit: {take: 1, instruction: z, takes: 2}}"),
        (partial(editing.circle, take=2), "edit: {instruction: y, takes: 2}}",
         "edit: {instruction: y, takes: 2}, circled: 2}"),
        (partial(editing.circle, take=3), "circled: 2, edit: {instruction: y, takes: 2}}",
         "edit: {instruction: y, takes: 2}}"),
    ],
)  # fmt: skip
def test_what_is_asked_of_an_edit_is_written_into_it(
    edited: Editor, change: Callable[..., Edit], before: str, after: str
) -> None:
    assert edited(change, f"shots:\n{EDIT}{before}\n", "1A") == f"shots:\n{EDIT}{after}\n"


def test_an_instruction_in_lines_is_replaced_and_a_shot_that_edits_another_gets_takes(
    edited: Editor, tmp_path: Path
) -> None:
    shots = "shots:\n  - {shot: 1A, action: x}\n  - shot: 1B\n    action: x\n"
    shots += "    edit:\n      of: 1A\n      instruction: y # so\n"
    after = shots.replace("y # so", "z # so").replace("    action: x\n", "    action: x\n    takes: 2\n")
    assert edited(editing.rewrite, shots, "1B", "z", 1) == after
    file = tmp_path / "film.yaml"
    file.write_text(f"storyboard: 1\ntitle: T\n{shots}")
    changes = editing.rewrite(file.read_text(), read(file), "1B", "z", 1).changes
    assert [(one.key, one.before, one.after) for one in changes] == [("takes", "", "2"), ("edit.instruction", "y", "z")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{shot: 1A, action: x, takes: 2, circled: 1}", "{shot: 1A, action: y, takes: 2}"),
        ("{shot: 1A, circled: 1, action: x}", "{shot: 1A, action: y}"),
        ("{circled: 1, shot: 1A, action: x}", "{circled: null, shot: 1A, action: y}"),
        ("{shot: 1A, action: x,\n   takes: 2,\n   circled: 2\n  }", "{shot: 1A, action: y,\n   takes: 2\n  }"),
        ("{shot: 1A, action: x, # c\n   circled: 1}", "{shot: 1A, action: y, # c\n   circled: null}"),
    ],
)
def test_a_removed_circle_takes_its_comma_along_and_no_comment(edited: Editor, before: str, after: str) -> None:
    assert edited(editing.rewrite, f"shots:\n- {before}\n", "1A", "y") == f"shots:\n- {after}\n"


def test_a_default_circle_is_cancelled_at_the_shot(edited: Editor) -> None:
    film = "defaults: {takes: 2, circled: 1}\nshots:\n- {shot: 1A, action: x}\n- {shot: 1B, action: x}\n"
    after = film.replace("1A, action: x", "1A, action: y, circled: null")
    assert edited(editing.rewrite, film, "1A", "y") == after


def test_rewrite_can_add_takes(edited: Editor) -> None:
    assert edited(editing.rewrite, "shots:\n- {shot: 1A, action: x}\n", "1A", "y", 2) == (
        "shots:\n- {shot: 1A, action: y, takes: 3}\n"
    )


def test_variables_of_the_command_line_are_used(edited: Editor) -> None:
    film = "vars: {n: 2}\nshots:\n- shot: 1A\n  action: Rain.\n  takes: ${n}\n"
    assert "takes: 8\n" in edited(editing.retake, film, "1A", set_vars={"n": "7"})


def test_changes_are_reported_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    path.write_text(text := HEAD + "shots:\n- shot: 1A\n  takes: 2\n  action: Rain.\n")
    edit = editing.retake(text, read(path), "1A")
    assert [tuple(change.model_dump().values()) for change in edit.changes] == [
        ("takes", "2", "3", 5),
        ("circled", "", "3", 6),
    ]
    again = editing.rewrite(edit.text, edit.film, "1A", "Sun.")
    assert [tuple(change.model_dump().values()) for change in again.changes] == [
        ("circled", "3", "", 6),
        ("action", "Rain.", "Sun.", 6),
    ]
    assert editing.circle(text, read(path), "1A", 2).changes
    assert not editing.circle(edit.text, edit.film, "1A", 3).changes


def test_a_value_with_aliases_is_not_changed(refused: Refused) -> None:
    film = (
        "shots:\n- {shot: 1A, action: x, takes: &n 2}\n- {shot: 1B, action: x, takes: *n}\n- {shot: 1C, action: &n y}\n"
    )
    assert refused(editing.retake, film, "1A") == (
        "4:32: the value is named `&n`, and line 5 would change with it "
        "(write it out there in the place of `*n`; or write `takes: 3` and `circled: 3` here by hand)"
    )


def test_a_style_that_cannot_be_edited_is_refused_with_what_to_write(refused: Refused) -> None:
    film = "shots:\n- ? shot\n  : 1A\n  ? action\n  : Rain.\n"
    assert refused(editing.retake, film, "1A") == (
        "4:3: shot 1A is written in a way that cannot be edited without changing more than what was asked for "
        "(write `takes: 2` and `circled: 2` by hand)"
    )


def test_more_takes_than_a_shot_may_have_are_refused(refused: Refused) -> None:
    film = "shots:\n- {shot: 1A, action: x, takes: 19}\n"
    assert refused(editing.retake, film, "1A", 2) == (
        "4:32: shot 1A would have 21 takes, and a shot has at most 20 (circle one of them, or change the action)"
    )


def test_a_take_that_does_not_exist_cannot_be_circled(refused: Refused) -> None:
    told = refused(editing.circle, "shots:\n- {shot: 1A, action: x, takes: 2}\n", "1A", 3)
    assert told.startswith("4:3: take 3 is circled, but there are 2")


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("{mira} turns.", "`{mira}` is neither"),
        (" ", "`action`"),
        ("${lens}", "unknown variable"),
        ("a\x07b", "U+0007"),
    ],
)
def test_an_invalid_action_is_refused_with_the_message_of_validation(refused: Refused, action: str, told: str) -> None:
    line, _, what = refused(editing.rewrite, "shots:\n- shot: 1A\n  action: x\n", "1A", action).partition(": ")
    assert line == "5:11"
    assert told in what


@pytest.mark.parametrize(("slate", "told"), [("1AA", "did you mean `1A`?"), ("zz", "there are `1A` and `1B`")])
def test_an_unknown_shot_is_refused_with_the_known_ones(edited: Editor, slate: str, told: str) -> None:
    with pytest.raises(LookupError, match=re.escape(told)):
        edited(editing.retake, "shots: [{shot: 1A, action: x}, {shot: 1B, action: x}]\n", slate)


# Any film, written in any manner.

WORDS = st.lists(
    st.sampled_from(
        ["rain", "falls:", "turns,", "'no'", '"yes"', "it's", "[low]", "a-b", "é", "🌧", "#1", "-", "&", "*"]
    ),
    min_size=1,
    max_size=6,
)
ACTIONS = st.text(st.sampled_from(list("ab 1:#,'\"[]-&*!|>%@`?\\~é🌧\n\t\u2028")), min_size=1, max_size=20).filter(
    str.strip
)


class Typist:
    """Writes a film as somebody might: with comments all over, in some indentation, quotes and braces."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw, self.comments, self.named, self.has_cast = draw, 0, False, False
        self.lines: list[str] = []

    def any(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))

    def maybe(self) -> bool:
        return self.draw(st.booleans())

    def comment(self) -> str:
        if not self.maybe():
            return self.any("", " ")
        self.comments += 1
        return f'{self.any(" ", "   ")}# takes: {self.comments}, {{it\'s "said"}}'

    def between(self) -> None:
        while self.draw(st.integers(0, 3)) == 3:
            self.lines.append(self.any("", "  ") + self.comment().strip())

    def key(self, key: str, quoted: bool) -> str:
        return f'"{key}"' if quoted else self.any(key, key, f"'{key}'", f'"{key}"')

    def text(self, words: list[str], quoted: bool) -> str:
        said = " ".join(words)
        plain = re.sub("[^a-zé 🌧-]", "", said).strip(" -") or "x"
        double = '"' + said.replace('"', '\\"') + '"'
        return double if quoted else self.any(plain, "'" + said.replace("'", "''") + "'", double)

    def number(self, number: int, in_braces: bool, json: bool) -> str:
        if json or not self.maybe():
            return str(number)
        if self.named and number == 2 and self.maybe():
            return "*two "
        if number == 2:
            self.named = True
            return self.any("&two 2", "&two  2")
        return str(number) if in_braces or number != 3 else self.any("3", "${three}")

    def values(self, slate: str, takes: int, in_braces: bool, json: bool) -> list[tuple[str, str]]:
        """A shot's keys and values, in any order; `takes` is how many it has without a word of its own."""
        some: list[tuple[str, str | int]] = [("shot", f'"{slate}"' if json else self.any(slate, f"'{slate}'"))]
        some.append(("action", self.text(self.draw(WORDS), json)))
        if self.maybe():
            takes = self.draw(st.integers(1, 4))
            some.append(("takes", takes))
        if self.maybe():
            some.append(("circled", self.draw(st.integers(1, takes))))
        if self.maybe():
            some.append(("size", '"wide"' if json else "wide"))
        if self.maybe():
            some.append(
                ("camera", '{"move": "static", "lens": "a } b"}' if json else "{move: static, lens: 'it''s }'}")
            )
        if self.has_cast and self.maybe():
            some.append(("cast", '["ana"]' if json else "[ana]"))
        if self.maybe():
            some.append(("still", self.still(in_braces, json)))
            if self.maybe():
                some.append(("last_still", self.still(in_braces, json)))
        return [
            (key, said if isinstance(said, str) else self.number(said, in_braces, json))
            for key, said in self.draw(st.permutations(some))
        ]

    def still(self, in_braces: bool, json: bool) -> str:
        """A still in one value: `true`, its words, or keys in braces."""
        manner = self.any("true", "words", "braces", "braces")
        if manner != "braces":
            return "true" if manner == "true" else self.text(["a", *self.draw(WORDS)], json)
        takes = self.draw(st.integers(1, 4))
        some = {"takes": str(takes), "circled": str(self.draw(st.integers(1, takes))), "seed": "7"}
        some["prompt"] = self.text(self.draw(WORDS), json)
        keys = [key for key in self.draw(st.permutations(list(some))) if key == "takes" or self.maybe()]
        pairs = [f"{self.key(key, json)}: {some[key]}" for key in keys]
        return f"{{{self.any(', ', ' , ').join(pairs)}}}"

    def shot(self, slate: str, indent: str, takes: int) -> None:
        manner = self.any("block", "block", "braces", "open braces", "json")
        values = self.values(slate, takes, manner != "block", manner == "json")
        pairs = [f"{self.key(key, manner == 'json')}: {value}" for key, value in values]
        if manner == "block":
            self.block(values, pairs, indent)
        elif manner == "open braces":
            last = len(pairs) - 1
            self.lines.append(f"{indent}- {{" + self.comment())
            for number, pair in enumerate(pairs):
                self.lines.append(f"{indent}    {pair}{',' if number < last else self.any(',', '')}" + self.comment())
            self.lines.append(f"{indent}  }}" + self.comment())
        else:
            self.lines.append(f"{indent}- {{{self.any(', ', ' , ').join(pairs)}}}" + self.comment())

    def block(self, values: list[tuple[str, str]], pairs: list[str], indent: str) -> None:
        dash = self.any("- ", "-   ")
        deeper = indent + " " * len(dash)
        for number, ((key, _), pair) in enumerate(zip(values, pairs, strict=True)):
            if number:
                self.between()
            start = deeper if number else indent + dash
            long = self.any("no", "folded", "kept", "camera")
            if key == "action" and long in ("folded", "kept"):
                self.lines.append(
                    f"{start}action: {self.any('>-', '>', '|') if long == 'folded' else '|+'}{self.comment()}"
                )
                self.lines += [f"{deeper}  It rains: # and", f"{deeper}  rains.", *[""] * self.draw(st.integers(0, 2))]
            elif key in ("still", "last_still") and long != "no":
                self.lines.append(f"{start}{key}:{self.comment()}")
                self.still_in_lines(deeper + self.any(" ", "  "))
            elif key == "camera" and long == "camera":
                self.lines += [f"{start}camera:{self.comment()}", f"{deeper}  move: static{self.comment()}"]
            else:
                self.lines.append(start + pair + self.comment())

    def still_in_lines(self, indent: str) -> None:
        """The keys of a still below its own."""
        takes, words = self.draw(st.integers(1, 4)), self.text(self.draw(WORDS), quoted=False)
        some = {
            "takes": [f" {takes if takes != 3 else self.any('3', '${three}')}{self.comment()}"],
            "circled": [f" {self.draw(st.integers(1, takes))}{self.comment()}"],
            "prompt": [f" >-{self.comment()}", f"{indent}  It rains: # and", f"{indent}  rains."]
            if self.maybe()
            else [f" {words}{self.comment()}"],
        }
        for key in self.draw(st.permutations(list(some))):
            if key == "takes" or self.maybe():
                first, *others = some[key]
                self.lines += [f"{indent}{self.key(key, False)}:{first}", *others]
                self.between()


STILLS = "takes: 3, stills: {takes: 3}, still: {prompt: 'A door, open', seed: 3}"


@st.composite
def films(draw: st.DrawFn) -> str:
    """A film of two to four shots, S0 and on, of which some may continue others."""
    typist = Typist(draw)
    typist.between()
    typist.lines += ["storyboard: 1" + typist.comment(), "title: A Film", "vars: {three: 3}"]
    typist.has_cast = typist.maybe()
    if typist.has_cast:
        typist.lines += ["cast:" + typist.comment(), "  ana:" + typist.comment(), "    description: a baker"]
        typist.lines += ["    sheet:" + typist.any(" ", "  ") + typist.still(False, False) + typist.comment()]
    defaults = typist.any("", "takes: 3", "takes: 3, circled: 1", "circled: 1", "still: true", STILLS)
    if defaults:
        typist.lines.append(f"defaults: {{{defaults}}}" + typist.comment())
    indent = ""
    if typist.maybe():
        typist.lines += ["scenes:", "  - scene: 1" + typist.comment()]
        indent = "    "
    typist.lines.append(f"{indent}shots:" + typist.comment())
    indent += typist.any("", "  ")
    for number in range(draw(st.integers(2, 4))):
        typist.between()
        typist.shot(f"S{number}", indent, 3 if "takes" in defaults else 1)
    typist.between()
    line_break = typist.any("\n", "\r\n")
    return line_break.join(typist.lines) + typist.any("", line_break)


@given(text=films(), data=st.data())
def test_in_any_film_only_the_edited_values_change(tmp_path: Path, text: str, data: st.DataObject) -> None:
    path = tmp_path / "film.yaml"
    path.write_bytes(text.encode())
    film = read(path)
    shot = data.draw(st.sampled_from([*film.all_shots, *pictures_of_film(film)]))
    note(text)
    try:
        edit, expected_values = random_edit(data, text, film, shot)
    except StoryboardError as error:
        assert "is named `&two`" in str(error), error
        assert text.count("*two") > 0
        return
    note(edit.text)

    path.write_bytes(edit.text.encode())
    assert read(path).model_dump() == with_values(film, shot, expected_values)

    assert comments(edit.text) == comments(text), "a comment is gone or new"
    assert ("\r\n" in text) == ("\r\n" in edit.text) and not re.search("\r(?!\n)", edit.text)
    assert "\r\n" not in text or not re.search("(?<!\r)\n", edit.text)
    assert_only_the_shot_is_touched(text, edit.text, film, shot, "action" in expected_values)


def random_edit(data: st.DataObject, text: str, film: Storyboard, shot: Shot) -> tuple[Edit, dict[str, Any]]:
    """Some edit of a shot or picture, and what it should say after it."""
    slate = shot.shot
    match data.draw(st.sampled_from(["retake", "keep", "circle", "rewrite"])):
        case "retake":
            more = data.draw(st.integers(1, 3))
            takes = shot.takes + more
            return editing.retake(text, film, slate, more), {"takes": takes, "circled": takes}
        case "keep":
            is_sure = shot.takes == 1 or isinstance(shot, PictureShot)
            kept = shot.circled_take if is_sure else shot.circled
            return editing.retake(text, film, slate, keep_circled=True), {"takes": shot.takes + 1, "circled": kept}
        case "circle":
            take = data.draw(st.integers(1, shot.takes))
            return editing.circle(text, film, slate, take), {"circled": take}
        case _:
            action = data.draw(ACTIONS)
            return editing.rewrite(text, film, slate, action), {"action": action.strip(), "circled": None}


def with_values(film: Storyboard, shot: Shot, values: dict[str, Any]) -> dict[str, Any]:
    """The content of a film if a shot or picture of it says this."""
    said = film.model_dump()
    said["shots"] = tuple(said["shots"])
    if not isinstance(shot, PictureShot):
        shots = said["shots"] or [one for scene in said["scenes"] for one in scene["shots"]]
        next(one for one in shots if one["shot"] == shot.shot).update(values)
        return said
    picture: Any = said
    for step in path_of_picture(film, shot):
        picture = picture[step]
    if shot.has_own_words or "action" not in values or values["action"] != shot.action:
        picture.update({"prompt" if key == "action" else key: value for key, value in values.items()})
    return said


def comments(text: str) -> list[str]:
    """All that the typist has put behind a `#`."""
    return re.findall(r"# takes: \d+, \{it's \"said\"\}", text)


def assert_only_the_shot_is_touched(old: str, new: str, film: Storyboard, shot: Shot, is_rewritten: bool) -> None:
    """Assert that the text before and after the shot's lines is the same, and that of these at most two
    are others; three in braces, where the one before gets a comma. So it is with the lines before the shots."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    starts = [film.where_shot(shot.shot).line - 1 for shot in film.all_shots] + [len(before)]
    slates = [shot.shot for shot in film.all_shots]
    owner = owner_of(shot.shot)
    number = slates.index(owner) if owner in slates else -1
    start, rest = starts[number] - 1 if number >= 0 else 0, len(before) - starts[number + 1]
    assert after[:start] == before[:start]
    assert not rest or after[-rest:] == before[-rest:]
    if not is_rewritten:
        ends = [Counter(line.rstrip("\r\n") for line in lines) for lines in (before, after)]
        assert (ends[0] - ends[1]).total() <= 2
        assert (ends[1] - ends[0]).total() <= 3


def test_positions_do_not_count_a_byte_order_mark(tmp_path: Path) -> None:
    """The mark is no part of the text: columns are counted without it."""
    path = tmp_path / "film.yaml"
    text = "shots: [{shot: 1A, action: x}]\nstoryboard: 1\ntitle: A Film\n"
    path.write_text(text, encoding="utf-8-sig")
    assert editing.retake(text, read(path), "1A").text == text.replace("action: x", "action: x, takes: 2, circled: 2")


def test_a_card_has_no_other_takes(edited: Editor) -> None:
    text = "shots:\n  - card: Dawn\n  - {shot: 1A, action: x}\n"
    for change, more in ((editing.retake, ()), (editing.circle, (1,)), (editing.rewrite, ("Dusk",))):
        with pytest.raises(StoryboardError, match="card-1 is drawn from its words, and has no other takes"):
            edited(change, text, "card-1", *more)
    assert "takes: 2" in edited(editing.retake, text, "1A"), "beside cards shots are edited as before"
