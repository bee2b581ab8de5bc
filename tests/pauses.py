"""Pauses of tests between two looks at what they wait for."""

from __future__ import annotations

from collections.abc import Iterator

PATIENCE = 300
"""Seconds that anything here may take on a slow machine."""


def growing_pauses(first: float = 0.2, longest: float = 1.0) -> Iterator[float]:
    """Seconds between two looks: most of what is asked is a server, which other tests need, too."""
    while True:
        yield first
        first = min(first * 1.3, longest)
