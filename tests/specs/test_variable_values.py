"""The choices of a variable are the values with which the film can be read, neither more nor fewer."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.variable_values import Variable, variables_of

FILM = """\
storyboard: 1
title: Lamps
vars: {ratio: 16:9, fps: 25, move: push in, takes: 2, size: wide, where: lamp, who: mira, by: animatic, kept: keep,
       city: Paris, length: 2s, both: static, nowhere: x}
format: {aspect_ratio: "${ratio}", fps: "${fps}"}
look: 35mm film, ${city}
cast: {mira: {description: a woman}, tom: {description: "a boy from ${city}"}}
locations: {lamp: {description: a lamp room}, pier: {description: a pier}}
defaults: {duration: "${length}", camera: "${move}", provider: "${by}"}
scenes:
  - scene: 1
    heading: INT. ${city}
    location: ${where}
    defaults: {native_audio: "${kept}"}
    shots:
      - {shot: 1A, action: "A lamp in ${city}.", takes: 2, size: "${size}", cast: ["${who}"], camera: {move: "${both}"}}
      - shot: 1B
        action: ${both}
        takes: ${takes}
"""
SERVICES = ["animatic", "dashscope"]
RESTRICTED = ["ratio", "fps", "move", "takes", "size", "where", "who", "by", "kept", "both"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "film.yaml"
    file.write_text(FILM)
    return file


def variables(file: Path, **given: str) -> dict[str, Variable]:
    return {one.name: one for one in variables_of(file, read(file, given), SERVICES)}


@pytest.mark.parametrize("name", RESTRICTED)
def test_a_film_can_be_read_with_each_choice_of_a_variable_and_with_no_other_value(file: Path, name: str) -> None:
    variable = variables(file)[name]
    assert variable.value in variable.choices
    for choice in variable.choices:
        read(file, {name: choice})
    if name not in ("by",):  # which services there are is not known to the language
        for other in ("nothing of it", "99", ""):
            with pytest.raises(StoryboardError):
                read(file, {name: other})


def test_a_variable_inside_a_text_can_be_any_text(file: Path) -> None:
    found = variables(file)
    assert {name for name in found if not found[name].choices} == {"city", "length", "nowhere"}


def test_values_are_those_of_the_run_and_uses_are_named_in_the_order_of_the_film(file: Path) -> None:
    found = variables(file, city="Lyon")
    assert (found["city"].value, found["takes"].value) == ("Lyon", "2")
    assert found["city"].used_in == ("look", "description of tom", "heading of scene 1", "action of 1A")
    assert found["where"].used_in == ("location of scene 1",) and found["nowhere"].used_in == ()


def test_values_that_aliases_repeat_and_literal_signs_are_no_further_uses(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    file.write_text(
        "storyboard: 1\ntitle: T\nvars: {a: x, b: y}\ndefaults: &d {duration: 1s, dialogue: [{tom: '${a}'}]}\n"
        "cast: {tom: {description: '$${b}'}}\nscenes: [{scene: 1, defaults: *d, shots: [{shot: 1A, action: A.}]}]\n"
    )
    found = variables(file)
    assert found["a"].used_in == ("dialogue",) and found["b"].used_in == ()


def test_a_value_that_is_written_in_another_way_is_among_its_choices(file: Path) -> None:
    file.write_text(FILM.replace("lamp:", "caf\u00e9:").replace("where: lamp", "where: cafe\u0301"))
    assert variables(file)["where"].choices == ("cafe\u0301", "caf\u00e9", "pier")
