"""The label and the tags of a film, as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Storyboard


def film(folder: Path, keys: str) -> Storyboard:
    (folder / "film.yaml").write_text(f"storyboard: 1\ntitle: T\nshots: [{{shot: 1A, action: x}}]\n{keys}\n")
    return read(folder / "film.yaml")


def test_a_bare_text_is_a_label_at_the_bottom_right_of_what_a_model_made(tmp_path: Path) -> None:
    label = film(tmp_path, "label: AI 生成").label
    assert label and (label.visible, label.corner, label.on) == ("AI 生成", "bottom right", "generated")
    label = film(tmp_path, "label: {visible: AI, corner: top left, on: all}").label
    assert label and (label.corner, label.on) == ("top left", "all"), "`on` is a key, and no truth value"


@pytest.mark.parametrize("day", ["2026", "2026-11", "2026-11-30", '"2026-11-30"'])
def test_a_date_is_a_year_a_month_or_a_day(tmp_path: Path, day: str) -> None:
    found = film(tmp_path, f"metadata: {{date: {day}, author: Ana}}").metadata
    assert found and found.tags == {"date": day.strip('"'), "author": "Ana"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("metadata: {date: 2026-13}", "there is no such day: 2026-13"),
        ("metadata: {date: 30.11.2026}", "write 2026, 2026-11 or 2026-11-30"),
        ("metadata: {}", "nothing is said of the film"),
        ("metadata: {language: klingonese}", "klingonese"),
        ("label: {visible: ' '}", "visible"),
        ("label: {visible: AI, corner: middle}", "corner"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_place(tmp_path: Path, keys: str, message: str) -> None:
    with pytest.raises(StoryboardError) as refused:
        film(tmp_path, keys)
    (problem,) = refused.value.problems
    assert message in str(problem) and "film.yaml:4:" in str(problem)
