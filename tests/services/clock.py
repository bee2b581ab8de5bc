"""The emulators' clock, which a test can advance."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))


class Clock:
    """This machine's time plus what a test added, or a stopped time."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._stopped: float | None = None

    def now(self) -> float:
        """Seconds since 1970."""
        return (time.time() if self._stopped is None else self._stopped) + self._ahead

    def stop(self) -> None:
        """Stop the clock; from here on only `forward` advances it."""
        self._stopped = time.time()

    def forward(self, *, hours: float = 0, seconds: float = 0) -> None:
        """Advance the emulator's clock."""
        self._ahead += hours * 3600 + seconds


def utc(at: float) -> str:
    """`2026-04-02T12:00:00.000Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(at % 1 * 1000):03d}Z"


def beijing(at: float) -> str:
    """`2026-04-02 12:00:00.000`, in UTC+8, without the zone."""
    return datetime.fromtimestamp(at, BEIJING).strftime("%Y-%m-%d %H:%M:%S.") + f"{int(at % 1 * 1000):03d}"
