"""How long a run will take: the takes that are not there, as many at once as their services bear, each in its turn."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from storyreel.flows.planning.model import History, PlannedTake
from storyreel.tasks.providers import load


def expected_seconds(takes: Sequence[PlannedTake], history: History) -> float | None:
    """Seconds until the last clip is there, by how long each model took before.

    `takes` are in an order in which none stands before the one it continues. None when one of the models that are
    needed has never made anything.
    """
    made = {(take.request.provider, take.request.model) for take in takes if take.state != "cached"}
    known = {of: history.experience(*of) for of in made}
    if any(experience is None for experience in known.values()):
        return None
    free: dict[str, list[float]] = {name: [0.0] * load(name).concurrency_limit() for name, _ in made}
    ends: dict[str, float] = {}
    for take in takes:
        experience = known.get((take.request.provider, take.request.model))
        if take.state == "cached" or experience is None:
            continue
        slots = free[take.request.provider]
        begin = max(slots[0], ends.get(take.continues or "", 0.0))
        heapq.heapreplace(slots, begin + experience.median)
        ends[take.identity] = begin + experience.median
    return max(ends.values(), default=0.0)
