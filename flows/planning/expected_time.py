"""Estimates the time of a run, by the durations of earlier takes and the limits of takes at once."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Sequence

from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import PlannedTake
from storyreel.tasks.providers import load
from storyreel.tasks.providers.models import limits_of


def expected_seconds(takes: Sequence[PlannedTake], history: History) -> float | None:
    """Seconds until the last missing clip is made, by the median time of each model and the limits of takes at once.

    None if a model that is needed was never used.
    """
    missing = list({take.identity: take for take in takes if take.state != "cached"}.values())
    models = {(take.request.provider, take.request.model) for take in missing}
    took = {model: history.experience(*model) for model in models}
    seconds = {model: experience.median for model, experience in took.items() if experience}
    if len(seconds) < len(models):
        return None
    limits = {(name, model): limits_of(load(name), model) for name, model in models}
    free = {limit: most for each in limits.values() for limit, most in each.items()}
    waiting: dict[str, deque[PlannedTake]] = defaultdict(deque)
    unmade = {take.identity for take in missing}
    after: dict[str, list[PlannedTake]] = defaultdict(list)
    for take in missing:
        for before in unmade.intersection(take.needs):
            after[before].append(take)
    running: list[tuple[float, int, PlannedTake]] = []
    now, begun = 0.0, 0

    def enter(take: PlannedTake, number: int) -> None:
        """Take a place of each limit from this one on, as a run does, and begin; else wait for one."""
        nonlocal begun
        model = take.request.provider, take.request.model
        for place, limit in enumerate(limits[model]):
            if place < number:
                continue
            if not free[limit]:
                waiting[limit].append(take)
                return
            free[limit] -= 1
        begun += 1
        heapq.heappush(running, (now + seconds[model], begun, take))

    for take in missing:
        if not unmade.intersection(take.needs):
            enter(take, 0)
    while running:
        now, _, done = heapq.heappop(running)
        unmade.discard(done.identity)
        for limit in limits[done.request.provider, done.request.model]:
            free[limit] += 1
            if waiting[limit]:
                free[limit] -= 1
                following = waiting[limit].popleft()
                names = list(limits[following.request.provider, following.request.model])
                enter(following, names.index(limit) + 1)
        for take in after.pop(done.identity, ()):
            if not unmade.intersection(take.needs):
                enter(take, 0)
    return now
