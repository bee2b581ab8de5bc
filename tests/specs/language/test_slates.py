"""The slates of what is made for a shot, told from each other."""

from __future__ import annotations

import pytest

from storyreel.specs.language.slates import (
    deliverable_of,
    is_line,
    is_taken,
    line_slate,
    owner_of,
    picture_slate,
    shot_of,
    slate_in,
)

STILL, LINE = picture_slate("1A", "last still"), line_slate("1A", "dialogue", 2)


@pytest.mark.parametrize("name", ["web", "line", "line-a", "still-web", "lines-1", "1"])
def test_a_slate_in_a_shape_names_its_shot_and_its_deliverable(name: str) -> None:
    for slate in (slate_in(name, "1A"), slate_in(name, STILL)):
        assert (owner_of(slate), shot_of(slate), deliverable_of(slate)) == ("1A", "1A", name)
        assert not is_line(slate)
    assert not is_taken(name)
    assert len({slate_in(name, "1A"), slate_in(name, STILL), "1A", STILL, LINE}) == 5


@pytest.mark.parametrize("name", ["still", "last-still", "sheet", "line-1", "narration-12"])
def test_a_name_that_pictures_or_lines_have_is_for_no_deliverable(name: str) -> None:
    assert is_taken(name)


def test_what_the_film_itself_is_made_of_has_no_deliverable() -> None:
    for slate in ("1A", STILL, LINE, "mira@sheet"):
        assert not deliverable_of(slate)
    assert is_line(LINE) and shot_of("mira@sheet") == "mira@sheet"
