"""The time of the next poll of a service's task.

The pause is a tenth of the elapsed time, at least three seconds, so that a finished clip is noticed within a tenth of
the time it took. If durations of the model are known, there are no polls long before the fastest of them.
"""

from __future__ import annotations

from storyreel.specs.frozen import Frozen

SHORTEST_PAUSE = 3.0
"""Seconds between polls of a task that was just ordered."""
LONGEST_PAUSE = 60.0
"""Most seconds between polls."""
_SHARE = 0.1
"""The pause as a part of the elapsed time."""
_TOO_EARLY = 0.5
"""Part of the fastest known duration before which a task is not polled."""


class PastDurations(Frozen):
    """Known durations of a model, in seconds from order to clip."""

    fastest: float
    median: float


def next_poll(elapsed: float, floor: float, before: PastDurations | None, pace: float | None = None) -> float:
    """Seconds until the next poll of a task that was ordered `elapsed` seconds ago.

    At least `floor`, the minimum of the service. For a model without known durations, at most `pace`, which the
    service advises.
    """
    longest = LONGEST_PAUSE if before or not pace else max(SHORTEST_PAUSE, pace)
    pause = min(max(SHORTEST_PAUSE, elapsed * _SHARE), longest)
    if before and elapsed < before.fastest * _TOO_EARLY:
        pause = max(pause, before.fastest * _TOO_EARLY - elapsed)
    return max(floor, pause)
