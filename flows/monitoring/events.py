"""What a run tells the world, as Prefect's events: automations can act on them.

The resource is the film, `storyreel.film.<slug>`, or a shot of it, `storyreel.film.<slug>.shot.<slate>`; Prefect
relates each event to its flow run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from prefect.events import emit_event

from storyreel.flows.names import slug
from storyreel.flows.planning.model import PlannedTake
from storyreel.flows.production.outcomes import MadeTake
from storyreel.flows.production.report import Rendering
from storyreel.specs.money import Money


def shot_finished(title: str, take: PlannedTake, made: MadeTake, cost: Money | None, *, is_estimate: bool) -> None:
    """A take was made in this run, and is in the store."""
    payload = {
        **_what(take, made.way.request.provider),
        "model": made.way.request.model,
        "seconds": float(made.way.request.seconds),
        "cost": _amount(cost),
        "cost_is_estimate": is_estimate,
        "clip": made.clip.digest,
        "findings": [finding.detail for finding in made.inspection.findings] if made.inspection else [],
    }
    _emit("storyreel.shot.finished", title, payload, take.shot)


def shot_stopped(title: str, take: PlannedTake, how: Literal["failed", "unknown"], reason: str) -> None:
    """A take could not be made, or nobody can know whether its service has the order."""
    _emit(f"storyreel.shot.{how}", title, {**_what(take, take.request.provider), "reason": reason}, take.shot)


def sequence_finished(title: str, made: Rendering) -> None:
    """The film is there."""
    payload = {
        "sequence": str(made.sequence),
        "frames": made.frames,
        "fps": made.fps,
        "seconds": float(made.seconds),
        "spent": _amounts(made.spent),
        "spent_is_estimate": made.is_estimate,
        "stand_ins": made.stand_ins,
    }
    _emit("storyreel.sequence.finished", title, payload)


def _what(take: PlannedTake, service: str) -> dict[str, Any]:
    return {"shot": take.shot, "take": take.take, "scene": take.scene, "service": service, "key": take.key}


def _emit(event: str, title: str, payload: dict[str, Any], shot: str = "") -> None:
    film = f"storyreel.film.{slug(title)}"
    resource = {"prefect.resource.id": f"{film}.shot.{shot}" if shot else film, "prefect.resource.name": title}
    if shot:
        resource |= {"prefect.resource.name": f"{title} {shot}", "storyreel.shot": shot}
    emit_event(event, resource=resource | {"storyreel.film": title}, payload=payload)


def _amount(money: Money | None) -> dict[str, Any] | None:
    return money.model_dump(mode="json") if money else None


def _amounts(sums: Sequence[Money]) -> list[dict[str, Any]]:
    return [money.model_dump(mode="json") for money in sums]
