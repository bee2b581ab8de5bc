"""When to look at a service's task again: soon enough that a finished clip is noticed, seldom enough for the service.

A look every tenth of the time that has passed notices a clip within a tenth of what it took; for short jobs the looks
are three seconds apart. How long the model took before says where looks are worth most: none long before the fastest
has ever been done.
"""

from __future__ import annotations

from storyreel.specs.frozen import Frozen

SHORTEST_PAUSE = 3.0
"""Seconds between looks at a job that has just begun."""
LONGEST_PAUSE = 60.0
"""Seconds between looks at most, however long a job has taken."""
_SHARE = 0.1
"""Of the time that has passed, what may pass until the next look."""
_SURELY_NOT = 0.5
"""Before this share of the fastest time ever seen, a look is not worth its while."""


class PastDurations(Frozen):
    """How long a model took before, in seconds from order to clip."""

    fastest: float
    median: float


def next_poll(elapsed: float, floor: float, before: PastDurations | None, pace: float | None = None) -> float:
    """Seconds until the next look at a task that was ordered `elapsed` seconds ago.

    Never under the service's `floor`. As long as nothing is known of its model, the looks grow apart up to the `pace`
    that the service advises, and no further.
    """
    longest = LONGEST_PAUSE if before or not pace else max(SHORTEST_PAUSE, pace)
    pause = min(max(SHORTEST_PAUSE, elapsed * _SHARE), longest)
    if before and elapsed < before.fastest * _SURELY_NOT:
        pause = max(pause, before.fastest * _SURELY_NOT - elapsed)
    return max(floor, pause)
