"""The forms of a suspended run, the questions that are stored with it, and the reading of answers."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from prefect.input import RunInput
from pydantic import BaseModel, Field, create_model

from storyreel.flows.markdown import escape, link_address
from storyreel.flows.player.links import Links
from storyreel.flows.review.model import ShotToReview, TakeToReview
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.slates import owner_of
from storyreel.specs.money import Money
from storyreel.specs.problems.phrases import counted
from storyreel.tasks.ledger.purchase import NewVerdict, Word
from storyreel.tasks.strips import strip_jpeg

_MOST_AMOUNT = 1e12
"""The most that a budget may be, as in a storyboard."""
_SIDE = 240
"""Pixels at the longer side of each frame of a take's picture, where there is room for it."""
_ROOM = 500_000
"""Most bytes of all pictures in one form: the UI loads a form whole."""
_MOST_PICTURES = 200
"""Takes in one form; a longer one has no pictures."""

Decision = Literal["approve", "retake", "later"]


class Question(Frozen):
    """A question as it was shown. It is stored with the run, so that an answer means what was shown then."""

    number: int
    """From 1; a run that is suspended again asks under the next number."""
    shots: dict[str, ShotToReview] = Field(default={})
    """The shots that wait, by their fields in the form."""
    money: Money | None = None
    """The cost of the whole run, if it asks for that."""


class ShotAnswer(BaseModel):
    decision: Decision = "later"
    take: int = 0
    note: str = ""
    action: str = ""


class BudgetAnswer(BaseModel):
    decision: Literal["approve", "stop"]
    amount: float | None = Field(None, ge=0, le=_MOST_AMOUNT)


def review_form(question: Question, problems: Mapping[str, str], house: Path, links: Links) -> type[RunInput]:
    """The form for the shots that wait; sent unchanged it decides nothing. `problems` are those of the last answer.

    `house` is the folder of the takes' pictures.

    Takes are described in the fields of their shots: Prefect's page hides the text above a long form (seen with 3.9.1).
    """
    fields: dict[str, Any] = {"by": (str, Field("", title="Your name", json_schema_extra={"position": 0}))}
    takes = sum(len(shot.takes) for shot in question.shots.values())
    room = _ROOM // takes if 0 < takes <= _MOST_PICTURES else 0
    for position, (name, shot) in enumerate(question.shots.items(), 1):
        answer = _answer_model(name, shot)
        text = _description(shot, problems.get(shot.slate, ""), house, links, room)
        field = Field(answer(), title=_title(shot), description=text, json_schema_extra={"position": position})
        fields[name] = (answer, field)
    form = create_model("Review", __base__=RunInput, **fields)
    words = Counter({"clip": "shot", "speech": "line"}.get(shot.kind, "still") for shot in question.shots.values())
    kinds = [(words[word], word) for word in ("still", "line", "shot")]
    waiting = " and ".join(counted(number, kind) for number, kind in kinds if number)
    verb = "waits" if len(question.shots) == 1 else "wait"
    return form.with_initial_data(description=f"{waiting} {verb} for approval.")


def budget_form(question: Question, why: str, purchases: str) -> type[RunInput]:
    """The form for a run that would exceed its budget. It cannot be sent without a decision."""
    assert question.money
    paragraphs = "\n\n".join(map(escape, why.splitlines()))
    costs = f"It would buy {purchases}; the whole run then costs **{question.money.exactly}**."
    choices = "approve: the run continues. stop: it ends, and nothing more is bought."
    amount = Field(
        float(question.money.amount),
        title=f"The most that this run may cost in all, in {question.money.currency}",
        ge=0,
        le=_MOST_AMOUNT,
        description="It replaces every other limit of this run.",
        json_schema_extra={"position": 1},
    )
    text = f"{paragraphs}\n\n{costs}\n\n{choices}"
    decision = Field(title="Decision", description=text, json_schema_extra={"position": 0})
    fields: dict[str, Any] = {"decision": (Literal["approve", "stop"], decision), "amount": (float, amount)}
    form = create_model("Budget", __base__=RunInput, **fields)
    return form.with_initial_data(description="This run would exceed its budget.")


def by_field(shots: Iterable[ShotToReview]) -> dict[str, ShotToReview]:
    """Shots by the names of their fields, `shot_1B`; characters that a name cannot have become underscores."""
    found: dict[str, ShotToReview] = {}
    for shot in shots:
        name = plain = f"shot_{re.sub(r'[^A-Za-z0-9]', '_', shot.slate)}"
        number = 1
        while name in found:
            number += 1
            name = f"{plain}_{number}"
        found[name] = shot
    return found


def verdicts_in(question: Question, answer: Mapping[str, Any]) -> Iterator[tuple[ShotToReview, list[NewVerdict]]]:
    """The verdicts that an answer gives on each shot of the question; a shot left for later has none."""
    by = str(answer.get("by") or "").strip() or "unnamed, in Prefect"
    for name, shot in question.shots.items():
        given = ShotAnswer.model_validate(answer.get(name) or {})
        note, action = given.note.strip(), " ".join(given.action.split())
        if given.decision == "approve":
            yield shot, shot.verdicts(Word.APPROVED, given.take or shot.best, note, by=by)
        elif given.decision == "retake":
            yield shot, shot.verdicts(Word.RETAKE, note=note, action=action, by=by)


def approved_budget(question: Question, answer: Mapping[str, Any]) -> Money | None:
    """The amount that an answer allows the run to cost; None if it stops the run.

    The form shows the amount that is needed as the default, and Prefect's server adds no default to an answer.
    """
    assert question.money
    given = BudgetAnswer.model_validate(answer)
    if given.decision == "stop":
        return None
    if given.amount is None:
        return question.money
    return Money(amount=Decimal(str(given.amount)), currency=question.money.currency)


def _title(shot: ShotToReview) -> str:
    """The title of a shot's field: `Shot 1A`, `Last still of 1A`."""
    if shot.kind == "speech":
        return f"Line {shot.slate}"
    return f"Shot {shot.slate}" if shot.kind == "clip" else f"{shot.kind.capitalize()} of {owner_of(shot.slate)}"


def _answer_model(name: str, shot: ShotToReview) -> type[BaseModel]:
    numbers: Any = Literal[tuple(take.take for take in shot.takes)]
    fields: dict[str, Any] = {
        "decision": (Decision, Field("later", title="Decision")),
        **({"take": (numbers, Field(shot.best, title="The take to approve"))} if len(shot.takes) > 1 else {}),
        "note": (str, Field("", title="Note")),
    }
    if shot.kind != "speech":  # its words are those of the storyboard
        again = "With retake; empty: the same once more."
        fields["action"] = (str, Field("", title="New action", description=again))
    return create_model(f"About_{name}", **fields)


def _description(shot: ShotToReview, problem: str, house: Path, links: Links, room: int) -> str:
    """The takes of a shot as Markdown paragraphs: Prefect's page drops single line ends.

    A picture has at most `room` bytes.
    """
    paragraphs = [f"**{escape(problem)}**" if problem else "", escape(shot.action)]
    for take in shot.takes:
        remarks = f": {escape(take.remarks)}" if take.remarks else ""
        cost = f", {take.cost}" if take.cost and take.cost.amount else "" if take.cost else ", price unknown"
        address = links.take(take.clip.stem, shot.slate, take.take)
        verb = "play" if shot.kind in ("clip", "speech") else "show"
        play = f"[{verb} take {take.take}]({link_address(address)})" if address else ""
        line = f"take {take.take}, {take.state_in_words}, {take.service}{cost}{remarks}"
        paragraphs += [_picture(take, house, room), line, play]
    return "\n\n".join(filter(None, paragraphs))


def _picture(take: TakeToReview, house: Path, room: int) -> str:
    """First, middle and last frame of a clip, or a still; empty if there is no room, or it cannot be read any more."""
    picture = strip_jpeg(take.clip, house, _SIDE, room) if room else b""
    return f"![take {take.take}](data:image/jpeg;base64,{base64.b64encode(picture).decode()})" if picture else ""
