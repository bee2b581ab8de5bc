"""The fields of a form."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.flows.review.forms import Question, approved_budget, by_field
from storyreel.flows.review.model import ShotToReview
from storyreel.specs.money import Money


@given(st.lists(st.text("a1夜朝_2.-", min_size=1, max_size=4), min_size=1, max_size=8, unique=True))
def test_every_shot_has_a_field_of_its_own_in_the_form(slates: list[str]) -> None:
    shots = [ShotToReview(film="x", slate=slate, action="x", takes=()) for slate in slates]
    fields = by_field(shots)
    assert sorted(shot.slate for shot in fields.values()) == sorted(slates)
    assert all(name.isascii() and name.isidentifier() for name in fields)


@pytest.mark.parametrize(("answer", "amount"), [({}, "0.504"), ({"amount": 0}, "0"), ({"amount": 0.3}, "0.3")])
def test_an_approval_without_an_amount_is_of_the_amount_shown(answer: dict[str, Any], amount: str) -> None:
    question = Question(number=1, shots={}, money=Money(amount=Decimal("0.504"), currency="USD"))
    approved = approved_budget(question, {"decision": "approve", **answer})
    assert approved == Money(amount=Decimal(amount), currency="USD")
