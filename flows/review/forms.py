"""The forms in which a suspended run asks people, what is kept of the question, and what an answer means."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

from prefect.input import RunInput
from pydantic import BaseModel, Field, create_model

from storyreel.flows.review.model import ShotToReview, TakeToReview
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.ledger.ledger import NewVerdict, Word
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import thumbnail

_WIDTH = 240
"""Pixels of a take's picture in a form."""
_MOST_PICTURES = 60
"""In one form, which the UI loads whole: some 8 KB each."""

Decision = Literal["approve", "retake", "later"]


class Question(Frozen):
    """A question as it was asked, kept beside the run: an answer means what was shown, whatever is planned by then."""

    number: int
    """From 1: a run that is suspended again asks anew."""
    shots: dict[str, ShotToReview] = Field(default={})
    """By their fields in the form, the shots that waited."""
    money: Money | None = None
    """What the run would cost in all, where it asked for that."""


class AboutShot(BaseModel):
    """What somebody says of one shot."""

    decision: Decision = "later"
    take: int = 0
    note: str = ""
    action: str = ""


class AboutMoney(BaseModel):
    """What somebody says of the costs."""

    decision: Literal["approve", "stop"]
    amount: float = 0


def review_form(asked: Question, complaints: Mapping[str, str]) -> type[RunInput]:
    """The form for the shots that wait, each beside its takes. Whoever sends it as it is decides nothing.

    `complaints` say by slate what was wrong with the last answer. What is to be seen stands at the shots, as Prefect's
    page lets the text above a long form shrink to nothing (seen with 3.9.1).
    """
    fields: dict[str, Any] = {"by": (str, Field("", title="Your name", json_schema_extra={"position": 0}))}
    left = _MOST_PICTURES
    for place, (name, shot) in enumerate(asked.shots.items(), 1):
        about, shows = _about(name, shot), left >= len(shot.takes)
        left -= len(shot.takes) if shows else 0
        seen = _described(shot, complaints.get(shot.slate, ""), shows)
        said = Field(about(), title=f"Shot {shot.slate}", description=seen, json_schema_extra={"position": place})
        fields[name] = (about, said)
    form = create_model("Review", __base__=RunInput, **fields)
    wait = "1 shot waits" if len(asked.shots) == 1 else f"{len(asked.shots)} shots wait"
    return form.with_initial_data(description=f"{wait} for approval.")


def budget_form(asked: Question, excess: str, buying: str) -> type[RunInput]:
    """The form for a run that would pass its budget. One of the two decisions must be made."""
    assert asked.money
    why = "\n\n".join(map(_plain, excess.splitlines()))
    costs = f"It would buy {buying}; the whole run then costs **{asked.money.exactly}**."
    ways = "approve: it goes on. stop: it ends, and nothing more is bought."
    amount = Field(
        float(asked.money.amount),
        title=f"The most that this run may cost in all, in {asked.money.currency}",
        ge=0,
        description="It stands for every other limit of this run.",
        json_schema_extra={"position": 1},
    )
    decision = Field(title="Decision", description=f"{why}\n\n{costs}\n\n{ways}", json_schema_extra={"position": 0})
    fields: dict[str, Any] = {"decision": (Literal["approve", "stop"], decision), "amount": (float, amount)}
    form = create_model("Budget", __base__=RunInput, **fields)
    return form.with_initial_data(description="This run would pass its budget.")


def by_field(shots: Iterable[ShotToReview]) -> dict[str, ShotToReview]:
    """Shots by their fields: `shot_1B`; a slate that is no name of a field is spelled as one."""
    found: dict[str, ShotToReview] = {}
    for shot in shots:
        name = f"shot_{re.sub(r'[^A-Za-z0-9]', '_', shot.slate)}"
        found[f"{name}_{len(found)}" if name in found else name] = shot
    return found


def verdicts_in(asked: Question, answer: Mapping[str, Any]) -> Iterator[tuple[ShotToReview, list[NewVerdict]]]:
    """What an answer says of each shot that was asked for and is not left for later."""
    by = str(answer.get("by") or "").strip() or "somebody in Prefect"
    for name, shot in asked.shots.items():
        said = AboutShot.model_validate(answer.get(name) or {})
        note, action = said.note.strip(), " ".join(said.action.split())
        if said.decision == "approve":
            yield shot, shot.judged(Word.APPROVED, said.take or shot.best, note, by=by)
        elif said.decision == "retake":
            yield shot, shot.judged(Word.RETAKE, note=note, action=action, by=by)


def approved_budget(asked: Question, answer: Mapping[str, Any]) -> Money | None:
    """The amount that a run may cost by an answer; None when it is to stop."""
    assert asked.money
    said = AboutMoney.model_validate(answer)
    if said.decision == "stop":
        return None
    return Money(amount=Decimal(str(said.amount)), currency=asked.money.currency)


def _about(name: str, shot: ShotToReview) -> type[BaseModel]:
    numbers: Any = Literal[tuple(take.take for take in shot.takes)]
    fields: dict[str, Any] = {
        "decision": (Decision, Field("later", title="Decision")),
        **({"take": (numbers, Field(shot.best, title="The take to approve"))} if len(shot.takes) > 1 else {}),
        "note": (str, Field("", title="Note")),
        "action": (str, Field("", title="New action", description="With retake; empty: the same once more.")),
    }
    return create_model(f"About_{name}", **fields)


def _described(shot: ShotToReview, complaint: str, shows: bool) -> str:
    """The takes of a shot, with a picture of each, as paragraphs in Markdown: single line ends are lost on the page."""
    paragraphs = [f"**{_plain(complaint)}**" if complaint else "", _plain(shot.action)]
    for take in shot.takes:
        remarks = f": {_plain(take.remarks)}" if take.remarks else ""
        paragraphs += [_picture(take) if shows else "", f"take {take.take}, {take.word}, {_from(take)}{remarks}"]
    return "\n\n".join(filter(None, paragraphs))


def _from(take: TakeToReview) -> str:
    return f"{take.service}, {take.cost}" if take.cost and take.cost.amount else take.service


def _picture(take: TakeToReview) -> str:
    """A clip's picture inside the text; none of a clip that is gone meanwhile."""
    try:
        held = base64.b64encode(thumbnail(take.clip, _WIDTH)).decode()
    except (MediaError, OSError):
        return ""
    return f"![take {take.take}](data:image/jpeg;base64,{held})"


def _plain(text: str) -> str:
    """Words that are nothing but words in Markdown, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", " ".join(text.split()))
