"""The cut: the frames of the film that each shot fills, and the frames of its take that this needs.

The running time is the sum of the shots' lengths; a transition never changes it. A dissolve of D frames begins
D // 2 frames before the cut, so the incoming shot needs D // 2 frames more at its head and the outgoing shot the rest
of D at its tail. These extra frames are the handles. A fade uses the shot's own frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import Shot, Storyboard, Transition
from storyreel.specs.timing import Duration, FrameRate


class Event(NamedTuple):
    """One shot in the cut. All counts are frames at the film's rate."""

    shot: str
    start: int
    """First frame in the film."""
    frames: int
    """Length in the cut."""
    dissolve_in: int = 0
    """Length of the dissolve around the cut at its start; 0 if none."""
    dissolve_out: int = 0
    """Length of the dissolve around the cut at its end; 0 if none."""
    fade_in: int = 0
    """Own frames that come up from black, from the first."""
    fade_out: int = 0
    source: int | None = None
    """The frame of its take with which it begins; None if that is chosen by the handles that it needs."""
    of_take: int | None = None
    """Frames that its take must have beside handles, where that is not its length in the cut."""

    @property
    def take_frames(self) -> int:
        """Frames that its take must have beside handles, whatever the cut uses of them."""
        return self.frames if self.of_take is None else self.of_take

    @property
    def end(self) -> int:
        """The frame of the film after its last one."""
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
        """Its frames and all its handle frames."""
        return self.head + self.frames + self.tail


class Cut(NamedTuple):
    """The shots of a film in order, with their frames."""

    rate: FrameRate
    events: tuple[Event, ...]

    @property
    def frames(self) -> int:
        """Running time in frames."""
        return self.events[-1].end

    def at_rate(self, rate: FrameRate) -> Cut:
        """The same cut at another rate: each border is the frame nearest to its time, so that differences never add up.

        Transitions have the nearest number of frames, or fewer where a shot would keep none of its own. Raises
        ValueError for a shot that is shorter than a frame at that rate.
        """
        if rate == self.rate:
            return self
        borders = [rate.frame_at(self.rate, start) for start in (*(event.start for event in self.events), self.frames)]
        dissolves = [rate.frame_at(self.rate, event.dissolve_in) for event in self.events] + [0]
        events = []
        for number, event in enumerate(self.events):
            start, frames = borders[number], borders[number + 1] - borders[number]
            if frames < 1:
                raise ValueError(f"shot {event.shot} is shorter than a frame at {rate} fps")
            fades = [rate.frame_at(self.rate, event.fade_in), rate.frame_at(self.rate, event.fade_out)]
            while sum(_own_frames(*dissolves[number : number + 2], *fades)) >= frames:
                longest = max(*dissolves[number : number + 2], *fades)
                if longest in fades:
                    fades[fades.index(longest)] -= 1
                else:
                    dissolves[dissolves.index(longest, number)] -= 1
            events.append((start, frames, fades))
        return Cut(
            rate,
            tuple(
                event._replace(
                    start=start,
                    frames=frames,
                    dissolve_in=dissolves[number],
                    dissolve_out=dissolves[number + 1],
                    fade_in=fades[0],
                    fade_out=fades[1],
                    source=None if event.source is None else rate.frame_at(self.rate, event.source),
                    of_take=None if event.of_take is None else rate.frame_at(self.rate, event.of_take),
                )
                for number, (event, (start, frames, fades)) in enumerate(zip(self.events, events, strict=True))
            ),
        )


class EditPoints(NamedTuple):
    """The frames of a take that are used. Counts are frames at the film's rate.

    A conformed clip has `total` frames: `hold_head` copies of the first used frame, the used frames, `hold_tail`
    copies of the last used frame. Its first `join_in` and last `join_out` frames are part of a dissolve.
    """

    first: int
    """First frame of the take that is used."""
    frames: int
    """Number of frames of the take that are used."""
    hold_head: int = 0
    hold_tail: int = 0
    join_in: int = 0
    join_out: int = 0
    fade_in: int = 0
    fade_out: int = 0

    def within(self, available: int) -> EditPoints:
        """The edit points in a take of `available` frames: as many frames, earlier if it has fewer than planned, and
        from its first one if it has fewer than are used."""
        return self._replace(first=max(0, min(self.first, available - self.frames)))

    @property
    def total(self) -> int:
        """Frames of the conformed clip."""
        return self.hold_head + self.frames + self.hold_tail

    @property
    def body(self) -> tuple[int, int]:
        """The frames `[first, last)` of the conformed clip that are part of no dissolve."""
        return self.join_in, self.total - self.join_out


_DEFAULT = Duration("0.5s")
"""Length of a transition without a duration."""

_NONE: Mapping[str, int] = MappingProxyType({})

Anchor = Literal["free", "first", "last"]
"""The frame of a take that must be used: its first if the shot continues another, its last if another continues it."""


class CutProblem(NamedTuple):
    """A problem, and the slates of the shots whose lengths and transitions cause it."""

    shots: frozenset[str]
    problem: Problem


def build_cut(storyboard: Storyboard, spoken: Mapping[str, int] = _NONE) -> Cut:
    """The cut of a storyboard. Raises StoryboardError if a shot is too short for its transitions.

    `spoken` are the frames of the shots that last as long as what is said in them, by slate:
    `storyreel.specs.derived.lines.spoken_frames`.
    """
    events, found = _build(storyboard, spoken)
    if found:
        raise StoryboardError(wrong.problem for wrong in found)
    return Cut(storyboard.format.fps, events)


def checked_cut(storyboard: Storyboard) -> tuple[Cut | None, list[CutProblem]]:
    """The cut, and the problems that `build_cut` would raise, but for shots that last as long as what is said in them.

    The cut is None if there are any problems or such shots.
    """
    unknown = {shot.shot for shot in storyboard.all_shots if shot.lasts_as_speech}
    events, found = _build(storyboard, dict.fromkeys(unknown, 1))
    cut = None if found or unknown else Cut(storyboard.format.fps, events)
    return cut, [wrong for wrong in found if not wrong.shots & unknown]


def _build(storyboard: Storyboard, spoken: Mapping[str, int]) -> tuple[tuple[Event, ...], list[CutProblem]]:
    shots = storyboard.all_shots
    found: list[CutProblem] = []
    lengths = [
        _frames(storyboard, shot.duration, "duration", shot.shot, found)
        if isinstance(shot.duration, Duration)
        else _spoken(storyboard, shot.shot, spoken[shot.shot], found)
        for shot in shots
    ]
    transitions = [_transition_frames(storyboard, s.transition, "transition", s.shot, found) for s in shots]
    ending = _transition_frames(storyboard, storyboard.ending, "ending", "", found)
    events, start = [], 0
    for number, (shot, frames) in enumerate(zip(shots, lengths, strict=True)):
        following = shots[number + 1] if number + 1 < len(shots) else None
        fade_in, dissolve_in = _head(shot.transition, transitions[number], number == 0)
        fade_out, dissolve_out = _tail(following.transition, transitions[number + 1]) if following else (ending, 0)
        source, used = _used(storyboard, shot, frames, found)
        of_take = frames if shot.use else None
        event = Event(shot.shot, start, used, dissolve_in, dissolve_out, fade_in, fade_out, source, of_take)
        found += _too_short(storyboard, event, following)
        events.append(event)
        start += used
    if shots[0].transition.type == "dissolve":
        where = storyboard.where_shot(shots[0].shot, "transition")
        problem = Problem(where, "the first shot has nothing to dissolve from", "write `transition: fade`")
        found.append(CutProblem(frozenset({shots[0].shot}), problem))
    return tuple(events), found


def edit_points(event: Event, available: int, anchor: Anchor, given: int = 0) -> EditPoints:
    """The frames of a take of `available` ones that are used for an event; edge frames stand for those that it lacks.

    The first `given` frames are the end of the clip that it continues: they show what the film shows before the cut,
    and are used as handles alone. All other handles are taken from the take as far as it has frames to spare, at the
    tail first.
    Raises ValueError for a take without frames.
    """
    if available < 1:
        raise ValueError(f"the take of shot {event.shot} has no frames")
    given = min(given, available - 1)
    if event.source is not None:
        return _points(event, available, min(given + event.source, available - 1))
    spare = max(0, available - given - event.frames)
    tail = min(event.tail, spare) if anchor != "last" else 0
    head = min(event.head, spare - tail if anchor != "first" else given)
    first = max(0, available - event.frames - head) if anchor == "last" else 0
    if anchor == "first":
        first = given - head
    return _edit(event, first, head, min(head + event.frames + tail, available - first))


def _points(event: Event, available: int, start: int) -> EditPoints:
    """The edit points of an event whose first frame in the cut is frame `start` of its take."""
    head = min(event.head, start)
    return _edit(event, start - head, head, min(head + event.frames + event.tail, available - start + head))


def _edit(event: Event, first: int, head: int, used: int) -> EditPoints:
    """The edit points with so many `used` frames from frame `first`, of which `head` are handles."""
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


def _head(transition: Transition, frames: int, is_first: bool) -> tuple[int, int]:
    """Frames of fade and of dissolve at the head of the shot after a transition."""
    if transition.type == "fade":
        return (frames if is_first else frames - frames // 2), 0
    return 0, frames


def _tail(transition: Transition, frames: int) -> tuple[int, int]:
    """Frames of fade and of dissolve at the tail of the shot before a transition."""
    return (frames // 2, 0) if transition.type == "fade" else (0, frames)


def _own_frames(dissolve_in: int, dissolve_out: int, fade_in: int, fade_out: int) -> tuple[int, int]:
    """The frames of a shot itself that the transitions at its two ends use."""
    return dissolve_in - dissolve_in // 2 + fade_in, dissolve_out // 2 + fade_out


def _too_short(storyboard: Storyboard, event: Event, following: Shot | None) -> Iterator[CutProblem]:
    """A problem if a shot keeps no frame between the transitions at its two ends."""
    head, tail = _own_frames(event.dissolve_in, event.dissolve_out, event.fade_in, event.fade_out)
    if event.frames > head + tail:
        return
    # Reported at the longer of the two; the one at the tail is written in the next shot, or is the ending.
    written_in, where = event.shot, storyboard.where_shot(event.shot, "transition")
    if tail > head and following:
        written_in, where = following.shot, storyboard.where_shot(following.shot, "transition")
    elif tail > head:
        where = storyboard.where("ending")
    problem = Problem(
        where,
        f"shot {event.shot} has {event.frames} frames, but the transitions at its ends need {head + tail + 1}",
        "make the shot longer or the transitions shorter",
    )
    yield CutProblem(frozenset({event.shot, written_in}), problem)


def _used(storyboard: Storyboard, shot: Shot, frames: int, found: list[CutProblem]) -> tuple[int | None, int]:
    """The frame of its take with which a shot of `frames` begins, and its length in the cut."""
    if shot.use is None:
        return None, frames
    begin = shot.use.from_
    try:
        source = begin.frames(storyboard.format.fps)
    except ValueError as error:
        found.append(CutProblem(frozenset({shot.shot}), Problem(storyboard.where_shot(shot.shot, "use"), str(error))))
        source = 0
    length = shot.use.length
    return source, _frames(storyboard, length, "use", shot.shot, found) if length else frames


def _transition_frames(
    storyboard: Storyboard, transition: Transition, field: str, slate: str, found: list[CutProblem]
) -> int:
    if transition.type == "cut":
        return 0
    return _frames(storyboard, transition.duration or _DEFAULT, field, slate, found)


def _spoken(storyboard: Storyboard, slate: str, frames: int, found: list[CutProblem]) -> int:
    if frames < 1:
        message = f"nothing of what is said is left for shot {slate}: it ends in the shots before"
        problem = Problem(storyboard.where_shot(slate, "duration"), message, "give it a length")
        found.append(CutProblem(frozenset({slate}), problem))
    return max(1, frames)


def _frames(storyboard: Storyboard, length: Duration, field: str, slate: str, found: list[CutProblem]) -> int:
    """Frames of a length of a shot, or of the film if the slate is empty. A wrong length is noted; it counts as one."""
    rate, wrong = storyboard.format.fps, ""
    try:
        frames = length.frames(rate)
        if frames < 1:
            wrong = f"the {field} is {length}, less than one frame at {rate} fps"
    except ValueError as error:
        wrong = str(error)
    if not wrong:
        return frames
    where = storyboard.where_shot(slate, field) if slate else storyboard.where(field, "duration")
    found.append(CutProblem(frozenset({slate} if slate else ()), Problem(where, wrong)))
    return 1
