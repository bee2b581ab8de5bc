"""Grades in a plan: what they change, what they leave, and how a broken one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.services.explain import explain, facts_of, find_take
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.validation.check import local_sources

CUBE = "LUT_1D_SIZE 2\n0 0 0\n1 1 1\n"
FILM = """\
storyboard: 1
title: Grades
defaults: {provider: dashscope, duration: 4s, still: true, stills: {provider: animatic}DEFAULT}
scenes:
  - scene: 1
    defaults: {camera: staticSCENE}
    shots:
      - {shot: 1A, action: One., takes: 2SHOT}
      - {shot: 1B, action: Two.}
  - scene: 2
    shots:
      - {shot: 2A, action: Three.}
      - {card: The end}
"""


def plan(folder: Path, default: str = "", scene: str = "", shot: str = "", service: str = "animatic") -> Plan:
    text = FILM.replace("DEFAULT", default).replace("SCENE", scene).replace("SHOT", shot)
    (folder / "film.yaml").write_text(text)
    return Planner.of(RunRequest(storyboard=folder / "film.yaml", provider=service)).plan()


def exposures(takes: Plan) -> dict[str, float | None]:
    return {take.shot: take.grading.exposure if take.grading else None for take in takes.takes}


def keys(takes: tuple[PlannedTake, ...]) -> list[str]:
    return [each.key for take in takes for each in take.candidates]


def test_a_grade_of_a_shot_takes_precedence_over_one_of_its_scene_and_that_over_the_films(tmp_path: Path) -> None:
    assert set(exposures(plan(tmp_path)).values()) == {None}
    film, scene, shot = (f", grade: {{exposure: {stops}}}" for stops in (1, 2, 3))
    found = exposures(plan(tmp_path, film, scene, shot))
    # A still is what a service gets, and no part of the film.
    assert found == {"1A@still": None, "1A": 3, "1B@still": None, "1B": 2, "2A@still": None, "2A": 1, "card-1": None}
    assert exposures(plan(tmp_path, film, "", ", grade: null")) == found | {"1A": None, "1B": 1}
    assert exposures(plan(tmp_path, film, "", ", grade: {exposure: 0}"))["1A"] is None, "it changes nothing"


def test_no_grade_makes_another_take(tmp_path: Path) -> None:
    (tmp_path / "look.cube").write_text(CUBE)
    before = plan(tmp_path)
    after = plan(tmp_path, ", grade: look.cube", "", ", grade: {saturation: 0}")
    assert keys(after.takes) == keys(before.takes)
    assert [take.price for take in after.takes] == [take.price for take in before.takes]


def test_a_table_is_a_file_of_the_film(tmp_path: Path) -> None:
    (tmp_path / "look.cube").write_text(CUBE)
    text = FILM.replace("DEFAULT", ", grade: look.cube").replace("SCENE", "").replace("SHOT", "")
    (tmp_path / "film.yaml").write_text(text)
    planner = Planner.of(RunRequest(storyboard=tmp_path / "film.yaml", provider="animatic"))
    assert local_sources(planner.film) == ["look.cube"]
    first = planner.plan().clips[0].grading
    (tmp_path / "look.cube").write_text(CUBE + "# changed\n")
    second = planner.plan().clips[0].grading
    assert first and second and first.facts != second.facts


@pytest.mark.parametrize(
    ("grade", "told"),
    [
        ("look.cube", ":3:97: `look.cube` is no colour table, at line 3: `l` is not a number (export the table again"),
        ("none.cube", ":3:97: `none.cube` does not exist"),
        ("https://x.example/a.cube", ":3:97: `https://x.example/a.cube` is not local (download it)"),
        ("film.png", ":3:97: `film.png` is not a colour table (.cube)"),
        ("{exposure: bright}", "`exposure` is `bright`: not a number (write it without quotes and without a unit)"),
        ("{exposure: 9}", "`exposure` is `9`: not from -4 to 4"),
        ("{temperature: 100}", "`temperature` is `100`: not from 2500 to 15000"),
        ("{brightness: 1}", "unknown key `brightness`"),
        ("3", "`grade` is"),
    ],
)
def test_a_wrong_grade_is_refused_at_its_place(tmp_path: Path, grade: str, told: str) -> None:
    (tmp_path / "look.cube").write_text(CUBE.replace("1 1 1", "1 l 1"))
    (tmp_path / "film.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    with pytest.raises(StoryboardError) as caught:
        plan(tmp_path, f", grade: {grade}")
    assert told in caught.value.message, caught.value.message


def test_plan_and_explain_tell_the_grade(tmp_path: Path) -> None:
    (tmp_path / "look.cube").write_text(CUBE)
    graded = plan(tmp_path, "", "", ", grade: {lut: look.cube, exposure: -0.5, temperature: 5000}")
    rows = {row["shot"]: row.get("grade") for row in graded.as_json()["shots"]}
    assert rows["1B"] is rows["1A@still"] is None
    assert rows["1A"] and (rows["1A"]["exposure"], rows["1A"]["lut"]) == (-0.5, "look.cube")
    film = read(tmp_path / "film.yaml")
    told = explain(film, graded, find_take(graded, "1A", None))
    assert told.as_json()["grade"] == rows["1A"]
    assert "exposure -0.5 stops, temperature 5000 K, table look.cube" in dict(facts_of(told))["grade"]
    assert "grade" not in dict(facts_of(explain(film, graded, find_take(graded, "1B", None))))
