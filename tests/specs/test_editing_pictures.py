"""Edits of stills and sheets in a storyboard's text: where they are written, in the way in which they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from storyreel.specs import editing
from storyreel.specs.reading import read
from tests.specs.conftest import HEAD, Editor, Refused

SHOT = "vars: {word: lamp}\nshots:\n- shot: 1A\n  action: Rain.\n  {}\n  size: wide\n"


def with_shot(text: str) -> str:
    """A film of one shot with these lines."""
    return SHOT.replace("{}", text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("still: true  # first", "still: {takes: 2, circled: 2}  # first"),
        ("still: {}", "still: {takes: 2, circled: 2}"),
        ("still: A lamp, lit", 'still: {prompt: "A lamp, lit", takes: 2, circled: 2}'),
        ("still: A lamp  # lit", "still: {prompt: A lamp, takes: 2, circled: 2}  # lit"),
        ("still: 'It''s lit'", "still: {prompt: 'It''s lit', takes: 2, circled: 2}"),
        ("still: >-  # told\n    A lamp,\n    lit", 'still: {prompt: "A lamp, lit", takes: 2, circled: 2}  # told'),
        ("still: ${word}", 'still: {prompt: "${word}", takes: 2, circled: 2}'),
        ("still: 1984", "still: {prompt: 1984, takes: 2, circled: 2}"),
        ("still: &s true", "still: &s {takes: 2, circled: 2}"),
        ("still: {prompt: A lamp}", "still: {prompt: A lamp, takes: 2, circled: 2}"),
        ("still: {takes: 3, circled: 1}  # three", "still: {takes: 4, circled: 4}  # three"),
        ("still: {prompt: '${word}', takes: 2}", "still: {prompt: '${word}', takes: 3, circled: 3}"),
        ("stills: {takes: 2}\n  still: true", "stills: {takes: 2}\n  still: {takes: 3, circled: 3}"),
        (
            "still:  # a picture\n    prompt: A lamp  # lit\n    # as many\n    seed: 3",
            "still:  # a picture\n    prompt: A lamp  # lit\n    # as many\n    seed: 3\n    takes: 2\n    circled: 2",
        ),
        (
            "still:\n    prompt: >-\n      A lamp\n    takes: 2  # two",
            "still:\n    prompt: >-\n      A lamp\n    takes: 3  # two\n    circled: 3",
        ),
    ],
)
def test_a_still_gets_one_more_take_and_nothing_else_changes(edited: Editor, before: str, after: str) -> None:
    assert edited(editing.retake, with_shot(before), "1A@still") == with_shot(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("still: true", "still: Fog."),
        ("still: A lamp  # lit", "still: Fog.  # lit"),
        ("still: 'A lamp'", "still: 'Fog.'"),
        ("still: >-  # told\n    A lamp", "still: Fog.  # told"),
        ("still: {takes: 2, circled: 1}", "still: {takes: 2, prompt: Fog.}"),
        ("still: {prompt: A lamp, circled: 1}", "still: {prompt: Fog.}"),
        (
            "still:\n    prompt: A lamp  # lit\n    circled: 1  # good",
            "still:\n    prompt: Fog.  # lit\n    circled: null  # good",
        ),
    ],
)
def test_other_words_are_the_prompt_and_circle_no_take(edited: Editor, before: str, after: str) -> None:
    assert edited(editing.rewrite, with_shot(before), "1A@still", "Fog.") == with_shot(after)


def test_other_words_and_more_takes_are_written_together(edited: Editor) -> None:
    after = with_shot("still: {prompt: Fog., takes: 3}")
    assert edited(editing.rewrite, with_shot("still: A lamp"), "1A@still", "Fog.", 2) == after


@pytest.mark.parametrize(
    ("before", "keep", "after"),
    [
        ("still: true", True, "still: {takes: 2, circled: 1}"),
        # What is made of a picture is made of the last one, unless one is circled.
        ("still: {takes: 3}", True, "still: {takes: 4, circled: 3}"),
        ("still: {takes: 3, circled: 2}", True, "still: {takes: 4, circled: 2}"),
        ("still: {takes: 3, circled: 2}", False, "still: {takes: 3, circled: 1}"),
        ("still: {takes: 3}", False, "still: {takes: 3, circled: 1}"),
    ],
)
def test_the_take_that_is_used_is_kept_or_chosen(edited: Editor, before: str, keep: bool, after: str) -> None:
    if keep:
        assert edited(editing.retake, with_shot(before), "1A@still", keep_circled=True) == with_shot(after)
    else:
        assert edited(editing.circle, with_shot(before), "1A@still", 1) == with_shot(after)


@pytest.mark.parametrize(
    ("defaults", "after"),
    [
        ("{still: true}", "takes: 2, circled: 2"),
        ("{still: true, stills: {takes: 3}}", "takes: 4, circled: 4"),
        ("{still: '{ana} waits'}", 'prompt: "{ana} waits", takes: 2, circled: 2'),
        ("{still: {prompt: '${word}', seed: 3, takes: 2}}", 'prompt: "${word}", takes: 3, circled: 3, seed: 3'),
    ],
)
def test_a_default_is_written_at_the_shot_and_stays_for_the_others(edited: Editor, defaults: str, after: str) -> None:
    film = "vars: {word: lamp}\ncast: {ana: {}}\ndefaults: "
    film += defaults + "\nshots:\n- {shot: 1A, action: x}\n- {shot: 1B, action: x}\n"
    expected = film.replace("1A, action: x", f"1A, action: x, still: {{{after}}}")
    assert edited(editing.retake, film, "1A@still") == expected


def test_a_default_with_other_words_is_a_bare_text_at_the_shot(edited: Editor) -> None:
    film = "defaults:\n  still: true\nshots:\n- shot: 1A\n  action: x\n"
    assert edited(editing.rewrite, film, "1A@still", "Fog: thick") == film + '  still: "Fog: thick"\n'


def test_the_last_still_is_another_one(edited: Editor) -> None:
    before, after = "still: true\n  last_still: Dark", "still: true\n  last_still: {prompt: Dark, takes: 2, circled: 2}"
    assert edited(editing.retake, with_shot(before), "1A@last-still") == with_shot(after)


def test_json_stays_json(edited: Editor) -> None:
    film = 'shots: [{"shot": "1A", "action": "x", "still": true}]\n'
    assert edited(editing.retake, film, "1A@still") == film.replace("true", '{"takes": 2, "circled": 2}')
    assert edited(editing.rewrite, film, "1A@still", "Fog.") == film.replace("true", '"Fog."')


@pytest.mark.parametrize("section", ["cast", "locations"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{description: x, sheet: true}", "{description: x, sheet: {takes: 2, circled: 2}}"),
        ("{sheet: An oven}", "{sheet: {prompt: An oven, takes: 2, circled: 2}}"),
        (
            "\n    description: x\n    sheet:  # one\n      takes: 1",
            "\n    description: x\n    sheet:  # one\n      takes: 2\n      circled: 2",
        ),
    ],
)
def test_a_sheet_is_edited_where_the_person_or_place_is_described(
    edited: Editor, section: str, before: str, after: str
) -> None:
    seen = "cast: [ana]" if section == "cast" else "location: ana"
    film = f"{section}:\n  ana: ∅\nshots:\n- {{shot: 1A, action: x, {seen}}}\n"
    assert edited(editing.retake, film.replace("∅", before), "ana@sheet") == film.replace("∅", after)


def test_a_shot_keeps_its_still_when_it_is_retaken(edited: Editor) -> None:
    film = with_shot("still: true")
    assert edited(editing.retake, film, "1A") == film.replace("size: wide\n", "size: wide\n  takes: 2\n  circled: 2\n")


def test_an_alias_is_written_out_where_it_is_used(edited: Editor) -> None:
    film = "shots:\n- {shot: 1A, action: x, still: &s {prompt: Fog}}\n- {shot: 1B, action: x, still: *s }\n"
    assert edited(editing.retake, film, "1B@still") == film.replace("*s ", "{prompt: Fog, takes: 2, circled: 2} ")


@pytest.mark.parametrize("value", ["true", "{prompt: Fog}"])
def test_a_value_with_aliases_is_not_changed(refused: Refused, value: str) -> None:
    film = f"shots:\n- {{shot: 1A, action: x, still: &s {value}}}\n- {{shot: 1B, action: x, still: *s }}\n"
    told = refused(editing.retake, film, "1A@still")
    assert re.match(r"4:\d+: the value is named `&s`, and line 5 would change with it", told)
    assert "write `takes: 2` and `circled: 2` here by hand" in told


def test_a_person_who_is_described_as_another_is_not_changed(refused: Refused) -> None:
    film = "cast:\n  ana: &a {sheet: true, description: x}\n  bea: *a\nshots:\n- {shot: 1A, action: x, cast: [bea]}\n"
    assert "bea@sheet is written in a way that cannot be edited" in refused(editing.retake, film, "bea@sheet")


def test_changes_name_the_lines_of_a_still(tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    path.write_text(text := HEAD + "shots:\n- shot: 1A\n  action: x\n  still:\n    takes: 2\n    circled: 1\n")
    edit = editing.rewrite(text, read(path), "1A@still", "Fog.")
    assert [tuple(change.model_dump().values()) for change in edit.changes] == [
        ("prompt", "", "Fog.", 8),
        ("circled", "1", "", 8),
    ]
    path.write_text(text := HEAD + "shots:\n- shot: 1A\n  still: true\n  action: x\n")
    edit = editing.retake(text, read(path), "1A@still")
    assert [tuple(change.model_dump().values()) for change in edit.changes] == [
        ("still", "true", "{takes: 2, circled: 2}", 5)
    ]


def test_words_that_are_said_already_write_nothing(tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    path.write_text(text := HEAD + "shots:\n- {shot: 1A, action: Fog., still: true}\n")
    assert not editing.rewrite(text, read(path), "1A@still", "Fog.").changes


@pytest.mark.parametrize(
    ("slate", "told"),
    [
        ("1B@still", "`1B` has no `still`; write `still: true` there"),
        ("1A@last-still", "`1A` has no `last_still`; write `last_still: true` there"),
        ("bea@sheet", "`bea` has no `sheet`; write `sheet: true` there"),
        ("cora@sheet", "`cora` is seen in no shot, so no sheet is made"),
        ("1A@stil", "there is no shot `1A@stil`; did you mean `1A@still`?"),
        ("zz", "there are `1A`, `1B`, `ana@sheet` and `1A@still`"),
    ],
)
def test_a_picture_that_is_not_made_is_refused_with_what_to_write(edited: Editor, slate: str, told: str) -> None:
    film = (
        "cast: {ana: {sheet: x}, bea: {}, cora: {sheet: x}}\n"
        "shots: [{shot: 1A, action: x, still: true, cast: [ana]}, {shot: 1B, action: x}]\n"
    )
    with pytest.raises(LookupError, match=re.escape(told)):
        edited(editing.retake, film, slate)


@pytest.mark.parametrize(
    ("still", "words", "told"),
    [
        ("true", "{mira} turns.", "`{mira}` is neither"),
        ("true", " ", "the new words for 1A@still are empty (say what is seen in it)"),
        ("true", "${lens}", "unknown variable"),
        ("true", "a\x07b", "U+0007"),
        ("{takes: 20}", "Fog.", "1A@still would have 21 takes, and a shot has at most 20"),
    ],
)
def test_words_that_are_not_possible_are_refused_at_the_still(
    refused: Refused, still: str, words: str, told: str
) -> None:
    film = f"shots:\n- shot: 1A\n  action: x\n  still: {still}\n"
    line, _, what = refused(editing.rewrite, film, "1A@still", words, 1).partition(": ")
    assert line.startswith("6:10") or line == "6:18"
    assert told in what
