"""The cut: which frames of the film each shot fills, and what its take must bring for that.

The running time is the sum of the shots' lengths; a transition never changes it. A dissolve of D frames lies
around the cut: it begins D // 2 frames before it, so the incoming shot needs D // 2 frames more at its head and
the outgoing one the rest of D at its tail. These extra frames are the handles. A fade uses the shot's own frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specs.problems import Position, Problem, StoryboardError
from specs.storyboard import Shot, Storyboard, Transition
from specs.timing import Duration, FrameRate


@dataclass(frozen=True, slots=True)
class Event:
    """One shot in the cut. All counts are frames at the film's rate."""

    shot: str
    start: int
    """First frame in the film."""
    frames: int
    """Length in the cut."""
    dissolve_in: int = 0
    """Whole length of the dissolve around its first cut; 0 for none."""
    dissolve_out: int = 0
    fade_in: int = 0
    """Frames from black at its head, its own."""
    fade_out: int = 0

    @property
    def end(self) -> int:
        """The frame after its last one in the film."""
        return self.start + self.frames

    @property
    def head(self) -> int:
        """Handle frames needed before its first frame."""
        return self.dissolve_in // 2

    @property
    def tail(self) -> int:
        """Handle frames needed after its last frame."""
        return self.dissolve_out - self.dissolve_out // 2

    @property
    def with_handles(self) -> int:
        """Frames from the first handle to the last."""
        return self.head + self.frames + self.tail


@dataclass(frozen=True, slots=True)
class Cut:
    """The whole film, shot by shot."""

    rate: FrameRate
    events: tuple[Event, ...]

    @property
    def frames(self) -> int:
        """Running time in frames."""
        return self.events[-1].end


@dataclass(frozen=True, slots=True)
class EditPoints:
    """Which frames of a take are used, and how. Counts are frames at the film's rate.

    A conformed clip has `total` frames: `hold_head` copies of the first used frame, the used frames, `hold_tail`
    copies of the last. Its first `join_in` and last `join_out` frames lie under a dissolve.
    """

    first: int
    """First frame of the take that is used."""
    frames: int
    """How many frames of the take are used."""
    hold_head: int = 0
    hold_tail: int = 0
    join_in: int = 0
    join_out: int = 0
    fade_in: int = 0
    fade_out: int = 0

    @property
    def total(self) -> int:
        """Frames of the conformed clip."""
        return self.hold_head + self.frames + self.hold_tail

    @property
    def body(self) -> tuple[int, int]:
        """The conformed clip's frames `[first, last)` that no dissolve touches."""
        return self.join_in, self.total - self.join_out


Anchor = Literal["free", "first", "last"]
"""Which frame of the take must be in the cut: any, its first (the shot continues another), its last (another
shot continues this one)."""


def lay(storyboard: Storyboard) -> Cut:
    """The cut of a storyboard. Raises StoryboardError where a shot is too short for what meets in it."""
    rate, shots = storyboard.format.fps, storyboard.all_shots
    problems: list[Problem] = []
    lengths = [_frames(storyboard, shot, "duration", shot.duration, rate, problems) for shot in shots]
    meetings = [_transition_frames(storyboard, shot, rate, problems) for shot in shots]
    ending = _ending_frames(storyboard, rate, problems)
    events, start = [], 0
    for number, (shot, frames) in enumerate(zip(shots, lengths, strict=True)):
        fade_in, dissolve_in = _entering(shots[number].transition, meetings[number], number == 0)
        fade_out, dissolve_out = (ending, 0)
        if number + 1 < len(shots):
            fade_out, dissolve_out = _leaving(shots[number + 1].transition, meetings[number + 1])
        event = Event(shot.shot, start, frames, dissolve_in, dissolve_out, fade_in, fade_out)
        problems += _too_short(storyboard, event)
        events.append(event)
        start += frames
    if storyboard.all_shots[0].transition.type == "dissolve":
        where = storyboard.where_shot(shots[0].shot, "transition")
        problems.append(Problem(where, "the first shot has nothing to dissolve from", "write transition: fade"))
    if problems:
        raise StoryboardError(problems)
    return Cut(rate, tuple(events))


def edit_points(event: Event, available: int, anchor: Anchor) -> EditPoints:
    """Where a take of `available` frames is used for an event; edge frames are held for what it lacks.

    Real handles are taken as far as the take has frames to spare, at the tail first.
    """
    spare = max(0, available - event.frames)
    tail = min(event.tail, spare) if anchor != "last" else 0
    head = min(event.head, spare - tail) if anchor != "first" else 0
    first = max(0, available - event.frames - head) if anchor == "last" else 0
    used = min(head + event.frames + tail, available - first)
    return EditPoints(
        first=first,
        frames=used,
        hold_head=event.head - head,
        hold_tail=event.with_handles - (event.head - head) - used,
        join_in=event.dissolve_in,
        join_out=event.dissolve_out,
        fade_in=event.fade_in,
        fade_out=event.fade_out,
    )


def _entering(transition: Transition, frames: int, is_first: bool) -> tuple[int, int]:
    """Frames of fade and of dissolve at the head of the shot that the transition leads into."""
    if transition.type == "fade":
        return (frames if is_first else frames - frames // 2), 0
    return 0, frames


def _leaving(transition: Transition, frames: int) -> tuple[int, int]:
    """Frames of fade and of dissolve at the tail of the shot that the transition leads out of."""
    return (frames // 2, 0) if transition.type == "fade" else (0, frames)


def _too_short(storyboard: Storyboard, event: Event) -> list[Problem]:
    """A shot must keep one frame of its own between what meets at its two ends."""
    needed = (
        (event.dissolve_in - event.head) + event.dissolve_out // 2 + event.fade_in + event.fade_out + 1
    )
    if event.frames >= needed:
        return []
    return [
        Problem(
            storyboard.where_shot(event.shot, "transition"),
            f"shot {event.shot} has {event.frames} frames, too few for the transitions at its ends, "
            f"which need {needed}",
            "make the shot longer or the transitions shorter",
        )
    ]


def _transition_frames(
    storyboard: Storyboard, shot: Shot, rate: FrameRate, problems: list[Problem]
) -> int:
    transition = shot.transition
    if transition.type == "cut":
        return 0
    length = transition.duration or Duration("0.5s")
    return _frames(storyboard, shot, "transition", length, rate, problems)


def _ending_frames(storyboard: Storyboard, rate: FrameRate, problems: list[Problem]) -> int:
    if storyboard.ending.type == "cut":
        return 0
    length = storyboard.ending.duration or Duration("0.5s")
    return _whole_frames(length, rate, storyboard.where("ending"), "the ending", problems)


def _frames(
    storyboard: Storyboard, shot: Shot, field: str, length: Duration, rate: FrameRate, problems: list[Problem]
) -> int:
    where = storyboard.where_shot(shot.shot, field)
    return _whole_frames(length, rate, where, f"the {field} of shot {shot.shot}", problems)


def _whole_frames(
    length: Duration, rate: FrameRate, where: Position, what: str, problems: list[Problem]
) -> int:
    """Frames of a length, at least 1; a length that has none is noted as a problem and counts as 1."""
    try:
        frames = length.frames(rate)
    except ValueError as error:
        problems.append(Problem(where, str(error)))
        return 1
    if frames < 1:
        problems.append(Problem(where, f"{what} is {length}, less than one frame at {rate} fps"))
    return max(1, frames)
