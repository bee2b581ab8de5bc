"""What a film is called in Prefect: keys that it takes, and that no two films share."""

from __future__ import annotations

import re

import pytest

from storyreel.flows.names import slug


@pytest.mark.parametrize(
    ("title", "expected"),
    [("The Keeper", "the-keeper"), ("  Two   Rooms!", "two-rooms"), ("Café Noir", "cafe-noir"), ("2001", "2001")],
)
def test_a_title_in_latin_letters_is_read_in_its_slug(title: str, expected: str) -> None:
    assert slug(title) == expected


@pytest.mark.parametrize("title", ["Маяк", "灯台守", "The Keeper 灯", "…", "Ein sehr langer Titel " * 10])
def test_other_titles_have_keys_that_prefect_takes_and_that_differ(title: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(title))
    assert slug(title) != slug(f"{title} 二")
    assert len(slug(title)) < 80
