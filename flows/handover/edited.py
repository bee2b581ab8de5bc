"""A cut as it comes back from an editing program: the shots in their order, the part of each take, the transitions."""

from __future__ import annotations

from typing import Literal

from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Trusted
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


class CutBuilder:
    """Collects the items of a timeline in their order, and says what a storyboard has no words for."""

    def __init__(self, rate: FrameRate) -> None:
        self._rate = rate
        self._shots: list[EditedShot] = []
        self._transitions: list[EditedTransition | None] = [None]
        self.problems: list[str] = []

    def shot(self, slate: str, take: int | None, first: int, frames: int) -> None:
        """One more shot. Frames that go on where the shot before ends belong to that."""
        if not 0 < frames <= _LONGEST or abs(first) > _LONGEST:
            self.problems.append(f"{slate} begins at frame {first:g} and has {frames:g} frames")
        before = self._shots[-1] if self._shots and self._transitions[-1] is None else None
        if before and (before.slate, before.take, before.first + before.frames) == (slate, take, first):
            self.longer(frames)
            return
        self._shots.append(EditedShot(slate=slate, take=take, first=first, frames=frames))
        self._transitions.append(None)

    def held(self, slate: str, frames: int) -> None:
        """So many frames for which the last frame of the shot before stands."""
        if not self._shots or self._shots[-1].slate != slate:
            self.problems.append(f"a held frame of {slate} does not follow {slate}")
            return
        self.longer(frames)

    def longer(self, frames: int) -> None:
        """So many frames more of the shot before."""
        if self._shots:
            last = self._shots[-1]
            self._shots[-1] = last.model_copy(update={"frames": last.frames + frames})

    def transition(self, kind: TransitionKind, before: int, after: int) -> None:
        """The transition over the cut behind what came last."""
        if before or after:
            self._transitions[-1] = EditedTransition(kind=kind, before=before, after=after)

    def foreign(self, name: str, what: str) -> None:
        """An item that is no take of the film."""
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
        return EditedCut(rate=self._rate, shots=tuple(self._shots), transitions=tuple(self._transitions))


_LONGEST = 999_999
"""Frames of the longest shot (`specs.timing.Duration`)."""
_MOST = 10
"""Problems that are listed."""
