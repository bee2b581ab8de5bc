"""The fields of a form."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.flows.player.links import Links
from storyreel.flows.review.forms import Question, approved_budget, by_field, review_form, verdicts_in
from storyreel.flows.review.model import ShotToReview, TakeToReview
from storyreel.specs.money import Money
from storyreel.tasks.ledger.purchase import Word
from storyreel.tasks.storage.clips import ClipStore
from tests.tasks.storage.test_pictures import encoded, kept


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


def test_a_form_shows_each_still_as_what_it_is_with_its_picture_and_nothing_is_decided_by_sending_it(
    tmp_path: Path,
) -> None:
    pictures = [kept(ClipStore(tmp_path), encoded(seed=number)).path for number in (1, 2)]
    takes = [
        TakeToReview(take=n, key=str(n) * 64, state="wfa", service="dashscope", cost=None, clip=clip)
        for n, clip in enumerate(pictures, 1)
    ]
    shots = [
        ShotToReview(film="x", slate="1A@still", kind="still", action="The stair", takes=tuple(takes)),
        ShotToReview(film="x", slate="1A@last-still", kind="last still", action="The lamp", takes=tuple(takes[:1])),
        ShotToReview(film="x", slate="1B", action="She waits.", takes=()),
    ]
    question = Question(number=1, shots=by_field(shots))
    form = review_form(question, {}, tmp_path / "house", Links("http://player", b"secret"))
    assert list(question.shots) == ["shot_1A_still", "shot_1A_last_still", "shot_1B"]
    fields = form.model_json_schema()["properties"]
    assert [fields[name]["title"] for name in question.shots] == ["Still of 1A", "Last still of 1A", "Shot 1B"]
    told = fields["shot_1A_still"]["description"]
    assert told.count("data:image/jpeg;base64,") == told.count("[show take ") == 2 and "The stair" in told
    answer = {"shot_1A_still": {"decision": "approve", "take": 2}, "shot_1B": {}}
    ((_, verdicts),) = verdicts_in(question, answer)
    assert [(one.slate, one.take, one.word) for one in verdicts] == [("1A@still", 2, Word.APPROVED)]
