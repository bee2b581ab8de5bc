"""The times at which the frames of a clip are shown, and whether they can be used."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

from av.packet import Packet
from av.video.stream import VideoStream

AnyPacket: TypeAlias = "Packet[Any]"

_USUAL_RATE = Fraction(24)
"""Frames per second of a clip that names none."""

_MOST_A_SECOND = Fraction(240)
"""Frames a second; a higher rate in a header is the container's clock, not that of the pictures."""

_SHORTEST_GAP = 2
"""Seconds between two frames that may be a fault of the clock."""


class FrameTimes:
    """The times of a clip's frames, from its packets in decoding order. Read them after the last packet."""

    def __init__(self, stream: VideoStream) -> None:
        self._tick = stream.time_base or Fraction(1)
        self._rates = [rate for rate in (stream.average_rate, stream.guessed_rate) if rate]
        self._decoded: list[int] = []
        self._shown: list[int] = []
        self._end = 0
        self.frames = 0
        """Frames that are shown."""
        self.present = 0
        """Frames in the file, with those that an edit list removes."""

    def add(self, packet: AnyPacket) -> None:
        """Add the next packet."""
        self.present += 1
        if packet.is_discard:
            return  # Removed by an edit list: decoded and not shown.
        self.frames += 1
        # Some containers, as AVI, have only decoding times.
        when = packet.pts if packet.pts is not None else packet.dts
        if packet.dts is not None:
            self._decoded.append(packet.dts)
        if when is not None:
            end = when + (packet.duration or 0)
            self._end = max(self._end, end) if self._shown else end
            self._shown.append(when)

    @cached_property
    def can_be_followed(self) -> bool:
        """Whether each frame has a time of its own, none goes back, and no gap is longer than all the rest."""
        if len(set(self._shown)) != self.frames or self._decoded != sorted(self._decoded):
            return False
        longest = max(self._steps, default=0)
        is_gap = longest * self._tick > _SHORTEST_GAP and 2 * longest > sum(self._steps)
        return not (is_gap and len(self._steps) >= 4)

    @property
    def is_steady(self) -> bool:
        """Whether all frames in the file are shown, with equal steps but for rounding to the clip's time base."""
        steps = self._steps
        is_even = not steps or max(steps) - min(steps) <= 1
        return self.can_be_followed and self.present == self.frames and is_even

    @property
    def longest(self) -> Fraction:
        """Most seconds from one frame to the next."""
        return max(self._steps, default=0) * self._tick if self.can_be_followed else 1 / self.rate

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        if not self.can_be_followed:
            # The average counts gaps and repeated times.
            return next((rate for rate in reversed(self._rates) if 1 <= rate <= _MOST_A_SECOND), _USUAL_RATE)
        if self._rates:
            return self._rates[0]
        span = (self._end - min(self._shown)) * self._tick
        return self.frames / span if span > 0 else _USUAL_RATE

    @property
    def seconds(self) -> Fraction:
        """Seconds from the first frame to the end of the last, which lasts a usual step if its packet does not say."""
        if not self.can_be_followed:
            return self.frames / self.rate
        span = (self._end - min(self._shown)) * self._tick
        return span if self._end > max(self._shown) else span + 1 / min(self.rate, _MOST_A_SECOND)

    @property
    def start(self) -> Fraction:
        """Seconds of the first frame on the clock of the file."""
        return min(self._shown) * self._tick if self.can_be_followed else Fraction(0)

    def since_first(self, when: int | None) -> Fraction:
        """Seconds from the first frame to a time in ticks; 0 if it is unknown."""
        return (when - min(self._shown)) * self._tick if when is not None and self.can_be_followed else Fraction(0)

    @property
    def delay(self) -> int:
        """Frames by which the latest picture lags behind its place in decoding order."""
        place = {when: at for at, when in enumerate(sorted(self._shown))}
        return max((decoded - place[when] for decoded, when in enumerate(self._shown)), default=0)

    @cached_property
    def _steps(self) -> list[int]:
        return [after - before for before, after in pairwise(sorted(self._shown))]
