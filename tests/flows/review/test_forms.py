"""The fields of a form."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storyreel.flows.review.forms import by_field
from storyreel.flows.review.model import ShotToReview


@given(st.lists(st.text("a1夜朝_2.-", min_size=1, max_size=4), min_size=1, max_size=8, unique=True))
def test_every_shot_has_a_field_of_its_own_in_the_form(slates: list[str]) -> None:
    shots = [ShotToReview(film="x", slate=slate, action="x", takes=()) for slate in slates]
    fields = by_field(shots)
    assert sorted(shot.slate for shot in fields.values()) == sorted(slates)
    assert all(name.isascii() and name.isidentifier() for name in fields)
