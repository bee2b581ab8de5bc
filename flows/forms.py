"""The forms in which a suspended run asks people, what is kept of the question, and what an answer means."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from prefect.input import RunInput
from pydantic import BaseModel, Field, create_model

from flows.waiting import Seen, Waiting
from specs.frozen import Frozen
from specs.money import Money
from tasks.media.errors import MediaError
from tasks.media.thumbnail import thumbnail
from tasks.store.ledger import Judged, Word

_WIDTH = 240
"""Pixels of a take's picture in a form."""
_MOST_PICTURES = 60
"""In one form, which the UI loads whole: some 8 KB each."""

Decision = Literal["approve", "retake", "later"]


class Asked(Frozen):
    """A question as it was asked, kept beside the run: an answer means what was shown, whatever is planned by then."""

    number: int
    """From 1: a run that is suspended again asks anew."""
    shots: dict[str, Waiting] = Field(default={})
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


def of_shots(asked: Asked, complaints: Sequence[str]) -> type[RunInput]:
    """The form for the shots that wait. Whoever sends it as it is decides nothing."""
    fields: dict[str, Any] = {"by": (str, Field("", title="Your name", json_schema_extra={"position": 0}))}
    for place, (name, shot) in enumerate(asked.shots.items(), 1):
        about = _about(name, shot)
        fields[name] = (about, Field(about(), title=f"Shot {shot.slate}", json_schema_extra={"position": place}))
    form = create_model("Review", __base__=RunInput, **fields)
    return form.with_initial_data(description=_described(asked.shots.values(), complaints))


def of_money(asked: Asked, excess: str, buying: str) -> type[RunInput]:
    """The form for a run that would pass its budget. One of the two decisions must be made."""
    assert asked.money
    fields: dict[str, Any] = {
        "decision": (
            Literal["approve", "stop"],
            Field(title="Decision", description="approve: it goes on. stop: it ends, and nothing more is bought."),
        ),
        "amount": (
            float,
            Field(
                float(asked.money.amount),
                title=f"The most that this run may cost in all, in {asked.money.currency}",
                ge=0,
                description="It stands for every other limit of this run.",
            ),
        ),
    }
    form = create_model("Budget", __base__=RunInput, **fields)
    text = f"## This run would pass its budget\n\n{_plain(excess)}\n\nIt would buy {buying}; the whole run then costs "
    return form.with_initial_data(description=f"{text}**{asked.money.exactly}**.\n")


def named(shots: Iterable[Waiting]) -> dict[str, Waiting]:
    """Shots by their fields: `shot_1B`; a slate that is no name of a field is spelled as one."""
    found: dict[str, Waiting] = {}
    for shot in shots:
        name = f"shot_{re.sub(r'[^A-Za-z0-9]', '_', shot.slate)}"
        found[f"{name}_{len(found)}" if name in found else name] = shot
    return found


def judged(asked: Asked, answer: Mapping[str, Any]) -> Iterator[tuple[Waiting, list[Judged]]]:
    """What an answer says of each shot that was asked for and is not left for later."""
    by = str(answer.get("by") or "").strip() or "somebody in Prefect"
    for name, shot in asked.shots.items():
        said = AboutShot.model_validate(answer.get(name) or {})
        note, action = said.note.strip(), " ".join(said.action.split())
        if said.decision == "approve":
            yield shot, shot.judged(Word.APPROVED, said.take or shot.best, note, by=by)
        elif said.decision == "retake":
            yield shot, shot.judged(Word.RETAKE, note=note, action=action, by=by)


def approved(asked: Asked, answer: Mapping[str, Any]) -> Money | None:
    """The amount that a run may cost by an answer; None when it is to stop."""
    assert asked.money
    said = AboutMoney.model_validate(answer)
    if said.decision == "stop":
        return None
    return Money(amount=Decimal(str(said.amount)), currency=asked.money.currency)


def _about(name: str, shot: Waiting) -> type[BaseModel]:
    numbers: Any = Literal[tuple(take.take for take in shot.takes)]
    fields: dict[str, Any] = {
        "decision": (Decision, Field("later", title="Decision")),
        "take": (numbers, Field(shot.best, title="The take to approve")),
        "note": (str, Field("", title="Note")),
        "action": (str, Field("", title="New action", description="With retake; empty: the same once more.")),
    }
    return create_model(f"About_{name}", **fields)


def _described(shots: Iterable[Waiting], complaints: Sequence[str]) -> str:
    """The takes that wait, with a picture of each, in Markdown."""
    lines = [f"- **{_plain(complaint)}**" for complaint in complaints]
    left = _MOST_PICTURES
    for shot in shots:
        lines += ["", f"## {_plain(shot.slate)}", "", _plain(shot.action), "", "| | take | state | from | seen in it |"]
        lines.append("| --- | --- | --- | --- | --- |")
        for take in shot.takes:
            picture = _picture(take) if left > 0 else ""
            left -= bool(picture)
            cells = (picture, str(take.take), take.word, _from(take), _plain(take.found))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _from(take: Seen) -> str:
    return f"{take.service}, {take.cost}" if take.cost and take.cost.amount else take.service


def _picture(take: Seen) -> str:
    """A clip's picture inside the text; none of a clip that is gone meanwhile."""
    try:
        held = base64.b64encode(thumbnail(take.clip, _WIDTH)).decode()
    except (MediaError, OSError):
        return ""
    return f"![take {take.take}](data:image/jpeg;base64,{held})"


def _plain(text: str) -> str:
    """Words that are nothing but words in Markdown, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", " ".join(text.split()))
