"""Emits Prefect events of a run, on which automations can act.

The resource is the film, `storyreel.film.<slug>`, or a shot, `storyreel.film.<slug>.shot.<slate>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from prefect.events import emit_event

from storyreel.flows.names import slug
from storyreel.flows.planning.model import PlannedTake
from storyreel.flows.production.outcomes import MadeTake
from storyreel.flows.production.report import Rendering
from storyreel.specs.foreign_text import printable
from storyreel.specs.money import Money
from storyreel.specs.secrets import hidden


def emit_shot_finished(
    title: str, take: PlannedTake, made: MadeTake, cost: Money | None, *, is_estimate: bool, play: str
) -> None:
    """Emit `storyreel.shot.finished` for a take that was made in this run; `play` is the address that plays it."""
    payload = {
        **_take(take, made.candidate.request.provider),
        "model": made.candidate.request.model,
        "seconds": float(made.candidate.request.seconds),
        "cost": _amount(cost),
        "cost_is_estimate": is_estimate,
        "clip": made.clip.digest,
        "play": play,
        "findings": [finding.detail for finding in made.inspection.findings] if made.inspection else [],
    }
    _emit("storyreel.shot.finished", title, payload, take.shot)


def emit_shot_stopped(title: str, take: PlannedTake, how: Literal["failed", "unknown"], reason: str) -> None:
    """Emit `storyreel.shot.failed`, or `storyreel.shot.unknown` if it is unknown whether the service has the order."""
    service = take.request.provider
    summary = f"{take.shot} take {take.take}, {service}: {reason}"
    _emit(f"storyreel.shot.{how}", title, {**_take(take, service), "reason": reason, "summary": summary}, take.shot)


def emit_question(title: str, asks: Literal["review.requested", "budget.exceeded"], payload: Mapping[str, Any]) -> None:
    """Emit `storyreel.review.requested` or `storyreel.budget.exceeded`: a run is suspended until a person answers."""
    _emit(f"storyreel.{asks}", title, dict(payload))


def emit_sequence_finished(title: str, rendering: Rendering) -> None:
    """Emit `storyreel.sequence.finished`."""
    payload = {
        "sequence": hidden(str(rendering.sequence)),
        "play": rendering.play,
        "frames": rendering.frames,
        "fps": rendering.fps,
        "seconds": float(rendering.seconds),
        "spent": [_amount(money) for money in rendering.spent],
        "spent_is_estimate": rendering.is_estimate,
        "spent_unpriced": rendering.unpriced,
        "stand_ins": rendering.stand_ins,
        "shots": len({take.shot for take in rendering.shots}),
        "is_draft": rendering.is_draft,
        "summary": rendering.in_words,
    }
    _emit("storyreel.sequence.finished", title, payload)


def _take(take: PlannedTake, service: str) -> dict[str, Any]:
    return {
        "shot": take.shot,
        "take": take.take,
        "kind": take.kind,
        "scene": take.scene,
        "service": service,
        "key": take.key,
    }


def _emit(event: str, title: str, payload: dict[str, Any], shot: str = "") -> None:
    film, title = f"storyreel.film.{slug(title)}", printable(title)
    resource = {"prefect.resource.id": f"{film}.shot.{shot}" if shot else film, "prefect.resource.name": title}
    if shot:
        resource |= {"prefect.resource.name": f"{title} {shot}", "storyreel.shot": shot}
    emit_event(event, resource=resource | {"storyreel.film": title}, payload=payload)


def _amount(money: Money | None) -> dict[str, Any] | None:
    return money.model_dump(mode="json") if money else None
