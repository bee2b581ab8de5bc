"""A timeline as an edit decision list of CMX 3600: its picture, with cuts, dissolves, fades and held frames.

The form has one track of picture, reels of eight letters and no paths: what it cannot say is in comments, which editing
programs show and keep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from storyreel.flows.handover.timeline import Timeline, TimelineShot
from storyreel.specs.timing import FrameRate

_REEL = 8
"""Letters of a reel's name (CMX 3600; longer ones are cut by readers)."""
_BLACK = "BL"
_MOST_EVENTS = 9999


def write_edl(timeline: Timeline) -> str:
    """The text of the list. Raises ValueError if it has more events than the form can number."""
    return "\n".join((f"TITLE: {_plain(timeline.title)}", "FCM: NON-DROP FRAME", "", *_Writer(timeline).lines(), ""))


class _Writer:
    """Numbers the events of a timeline, and names its reels."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline, self._rate = timeline, timeline.rate
        self._number = 0
        self._reels = _reels(timeline)

    def lines(self) -> Iterator[str]:
        for before, shot in pairwise((None, *self._timeline.shots)):
            assert shot
            yield from self._shot(before, shot)
            yield from self._marks(shot)

    def _shot(self, before: TimelineShot | None, shot: TimelineShot) -> Iterator[str]:
        """The events of a shot: the transition into it, its own frames, those that are held, and its fade to black."""
        event, take = shot.event, shot.take
        outgoing = before if event.dissolve_in else None
        length = event.dissolve_in if outgoing else event.fade_in
        # The dissolve into the next shot belongs to that one's event.
        until = event.end - event.dissolve_out // 2 - event.fade_out
        record = event.start - (event.head if outgoing else 0)
        first = take.first - (event.head if outgoing else 0)
        if outgoing:
            yield from self._from(outgoing, outgoing.take.first + outgoing.event.frames - event.head, record)
        elif length:
            yield self._line(_BLACK, "C", 0, 0, record, record, new=True)
        how = f"D    {length:03}" if length else "C"
        begin, end = max(0, first), min(first + length, take.frames)
        if length and end - begin != length:
            # Frames that the take lacks: those of the transition are slower, or stand.
            begin, end = min(begin, take.frames - 1), max(0, end)
            yield self._line(self._reel(shot), how, begin, end, record, record + length)
            yield self._speed(shot, (end - begin) / length, begin)
            yield from self._names(outgoing, shot)
            record, first, length, how, outgoing = record + length, first + length, 0, "C", None
        if played := max(0, min(until - record, take.frames - first)):
            yield self._line(self._reel(shot), how, first, first + played, record, record + played, new=not length)
            yield from self._names(outgoing, shot)
        if record + played < until:
            last = take.frames - 1
            held = until - record - played
            yield self._line(self._reel(shot), "C", last, last + held, record + played, until, new=True)
            yield self._speed(shot, 0, last)
            yield from self._names(None, shot)
        if event.fade_out:
            yield from self._from(shot, take.first + event.frames - event.fade_out, until)
            yield self._line(_BLACK, f"D    {event.fade_out:03}", 0, event.fade_out, until, until + event.fade_out)

    def _speed(self, shot: TimelineShot, part: float, frame: int) -> str:
        """The speed of the event before, as a part of the film's; the first of its frames follows."""
        speed = f"{part * self._rate.nominal:05.1f}"
        return f"M2   {self._reel(shot):<8}       {speed}                {self._timecode(frame)}"

    def _from(self, shot: TimelineShot, frame: int, record: int) -> Iterator[str]:
        """The line of no length that names the outgoing side of a transition."""
        frame = min(frame, shot.take.frames - 1)
        yield self._line(self._reel(shot), "C", frame, frame, record, record, new=True)

    def _line(self, reel: str, how: str, first: int, end: int, start: int, until: int, *, new: bool = False) -> str:
        self._number += new
        if self._number > _MOST_EVENTS:
            raise ValueError(f"an EDL numbers {_MOST_EVENTS} events; write the film as otio or fcpxml")
        times = (first, end, self._timeline.start + start, self._timeline.start + until)
        return f"{self._number:03}  {reel:<8} V     {how:<8} {' '.join(map(self._timecode, times))}"

    def _names(self, before: TimelineShot | None, shot: TimelineShot) -> Iterator[str]:
        if before:
            yield f"* FROM CLIP NAME: {_name(before)}"
            yield f"* TO CLIP NAME: {_name(shot)}"
        else:
            yield f"* FROM CLIP NAME: {_name(shot)}"
        if media := shot.take.media:
            yield f"* SOURCE FILE: {_plain(str(media.file))}"

    def _marks(self, shot: TimelineShot) -> Iterator[str]:
        for mark in self._timeline.marks:
            if shot.event.start <= mark.start < shot.event.end:
                colour = {"scene": "BLUE", "finding": "RED", "title": "GREEN", "subtitle": "YELLOW"}[mark.kind]
                words = _plain(": ".join(filter(None, (mark.name, mark.note))))
                yield f"* LOC: {self._timecode(self._timeline.start + mark.start)} {colour:<7} {words}"

    def _reel(self, shot: TimelineShot) -> str:
        return self._reels[shot.slate, shot.circled]

    def _timecode(self, frame: int) -> str:
        return _timecode(self._rate, frame)


def _timecode(rate: FrameRate, frame: int) -> str:
    return rate.timecode(max(0, frame))


def _name(shot: TimelineShot) -> str:
    """`1A take 2`, by which the list is read back."""
    return f"{shot.slate} {shot.take.name}"


def _reels(timeline: Timeline) -> dict[tuple[str, int], str]:
    """A name of at most eight letters for each take in the cut, no two alike."""
    found: dict[tuple[str, int], str] = {}
    taken = {_BLACK, "AX"}
    for number, shot in enumerate(timeline.shots, 1):
        plain = re.sub(r"[^A-Za-z0-9_]", "", shot.slate)
        name = f"{plain}_T{shot.circled}"
        if not plain or len(name) > _REEL or name.upper() in taken:
            name = f"S{number:05}"
        taken.add(name.upper())
        found[shot.slate, shot.circled] = name
    return found


def _plain(text: str) -> str:
    """A text in one line."""
    return " ".join(text.split())
