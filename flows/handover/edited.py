"""A cut as it comes back from an editing program: the shots in their order, the part of each take, the transitions."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import isfinite
from typing import Literal

from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Trusted
from storyreel.specs.problems.phrases import abridged
from storyreel.specs.timing import FrameRate

TransitionKind = Literal["cut", "dissolve", "fade"]


class NotImported(StoryreelError):
    """A timeline cannot be read, or says what a storyboard cannot."""


def is_fade(name: str) -> bool:
    """Whether a transition of this name goes through black: `Fade To Color`, `Dip to Black`."""
    return name.lower().startswith(("fade", "dip"))


class EditedShot(Trusted):
    """A shot in the cut. Frames are those of the film's rate."""

    slate: str
    take: int | None
    """The number of its take; None if the timeline does not say."""
    first: int
    """The frame of the take with which it begins."""
    frames: int


class EditedTransition(Trusted):
    """A transition over a cut."""

    kind: TransitionKind
    before: int
    """Frames before the cut."""
    after: int
    """Frames behind it."""

    @property
    def frames(self) -> int:
        """Its length."""
        return self.before + self.after


class EditedCut(Trusted):
    """The cut of a film."""

    rate: FrameRate
    shots: tuple[EditedShot, ...]
    transitions: tuple[EditedTransition | None, ...]
    """Before the first shot, between all, and behind the last: one more than shots. None for a cut."""
    title: str = ""
    """The name of the timeline."""
    notes: tuple[str, ...] = ()
    """Notes on everything that was read otherwise than it is written."""


class CutBuilder:
    """Collects the items of a timeline in their order, and says what a storyboard has no words for."""

    def __init__(self, rate: FrameRate) -> None:
        self._rate = rate
        self._shots: list[EditedShot] = []
        self._transitions: list[EditedTransition | None] = [None]
        self._rounded: dict[str, None] = {}
        self._not_read: dict[str, None] = {}
        self._other_rate = ""
        self.title = ""
        self.problems: list[str] = []

    def is_counted_as(self, rate: float | Fraction) -> bool:
        """Whether frames of this rate are those of the film: its own, or what its timecode counts, 24 for 23.976."""
        if round(rate) != self._rate.nominal:
            return False
        if abs(float(rate) - float(self._rate.exact)) > _ROUNDED_RATE:
            self._other_rate = f"{float(rate):g}"
        return True

    def frames(self, given: float | Fraction, name: str) -> int:
        """A time in frames of the film. One that is nearly that of a frame was rounded by a program, and is noted."""
        if not isfinite(given):
            self.foreign(name, "has a time that is no number")
            return 0
        time = float(given)
        frames = round(time)
        if abs(time - frames) > _NEAR:
            self.foreign(name, f"has a time between two frames of the film: {time:.2f}")
        elif abs(time - frames) > _EXACT:
            self._rounded[name] = None
        return frames

    def not_read(self, what: str) -> None:
        """Note something in the timeline that is left out."""
        self._not_read[what] = None

    def shot(self, slate: str, take: int | None, first: int, frames: int) -> None:
        """Add a shot. Frames that go on where the shot before ends belong to that one."""
        if not 0 < frames <= _LONGEST or abs(first) > _LONGEST:
            self.problems.append(f"{slate} begins at frame {first:g} and has {frames:g} frames")
        before = self._shots[-1] if self._shots and self._transitions[-1] is None else None
        if before and (before.slate, before.take, before.first + before.frames) == (slate, take, first):
            self.longer(frames)
            return
        self._shots.append(EditedShot(slate=slate, take=take, first=first, frames=frames))
        self._transitions.append(None)

    def held(self, slate: str, frames: int) -> None:
        """Add frames for which the last frame of the shot before stands."""
        if not self._shots or self._shots[-1].slate != slate:
            self.problems.append(f"a held frame of {slate} does not follow {slate}")
            return
        self.longer(frames)

    def longer(self, frames: int) -> None:
        """Add frames to the shot before."""
        if self._shots:
            last = self._shots[-1]
            self._shots[-1] = last.model_copy(update={"frames": last.frames + frames})

    def transition(self, kind: TransitionKind, before: int, after: int) -> None:
        """Set the transition over the cut behind the last item."""
        if before or after:
            self._transitions[-1] = EditedTransition(kind=kind, before=before, after=after)

    def foreign(self, name: str, what: str) -> None:
        """Add an item that is no take of the film."""
        self.problems.append(f"`{name}` {what}")

    def cut(self) -> EditedCut:
        """The cut. Raises NotImported with all that a storyboard cannot say."""
        twice = sorted({shot.slate for shot in self._shots if sum(one.slate == shot.slate for one in self._shots) > 1})
        self.problems += [f"{slate} is there more than once, and a shot is in the cut once" for slate in twice]
        if not self._shots:
            self.problems.append("it has no shots")
        if self.problems:
            listed = "; ".join(self.problems[:_MOST])
            more = f"; and {len(self.problems) - _MOST} more" if len(self.problems) > _MOST else ""
            raise NotImported(f"the timeline says what a storyboard cannot: {listed}{more}")
        return EditedCut(
            rate=self._rate, shots=tuple(self._shots), transitions=tuple(self._transitions), title=self.title,
            notes=tuple(self._notes()),
        )  # fmt: skip

    def _notes(self) -> Iterator[str]:
        if self._other_rate:
            rates = f"{self._other_rate} frames a second, the film has {self._rate}"
            yield f"the timeline counts {rates}: each of its frames was taken as one of the film"
        if self._rounded:
            yield f"times that lie beside a frame were taken as that of the nearest one: {abridged(self._rounded)}"
        if self._not_read:
            yield f"this of the timeline is not read: {abridged(self._not_read)}"


_EXACT, _NEAR = 0.01, 0.25
"""Frames: as far as floating point goes; and as far as it is certain which frame is meant."""
_ROUNDED_RATE = 0.01
"""Frames a second: 23.98 is how programs write 23.976."""
_LONGEST = 999_999
"""Frames of the longest shot (`specs.timing.Duration`)."""
_MOST = 10
"""Problems that are listed."""
