"""Is this clip what was ordered?"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from tasks.media.errors import MediaError
from tasks.media.probe import Probe, probe
from tasks.providers.base import Request

_SHORT = Fraction(1, 2)
"""Seconds by which a clip may be shorter than sold; services round to their own frames."""


def verify(clip: Path, request: Request) -> Probe:
    """Look at a clip that has just come. Raises MediaError when it does not open or is not whole."""
    seen = probe(clip)
    if seen.seconds < request.seconds - _SHORT:
        raise MediaError(
            f"the clip from {request.provider} has {float(seen.seconds):.3g}s, but {float(request.seconds):.3g}s were "
            "ordered",
            "run the same command again to fetch it once more",
        )
    return seen
