"""The subtitles of a film in one language: which text is shown over which frames.

A subtitle is shown while its words are heard, and longer where that is needed to read it and nothing else is shown. It
is not over a cut if its text can be parted there, or if the line reaches over it by half a second at most.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise, zip_longest
from typing import Literal

from storyreel.specs.timing import FrameRate
from storyreel.tasks.subtitles.breaking import USUAL, Broken, Measure, is_wide

SHORTEST = Fraction(5, 6)
"""Seconds that a subtitle is shown at least, if there is room."""
GAP = 2
"""Frames between one subtitle and the next, by which it is seen that the text has changed."""
_OVER = Fraction(1, 2)
"""Seconds by which a line may reach over a cut without its subtitle doing so."""
_ASIDE = Fraction(3, 4)
"""Seconds between a cut and the place of the text where it is parted for it, at most."""
_FASTER = Fraction(23, 20)
"""Ratio by which a part of a line may be read faster than the whole, if that is fast already."""

Rule = Literal["fast", "cut", "gap", "lost"]
"""`fast`: too little time to read it. `cut`: shown over a cut. `gap`: the next one follows without a pause. `lost`:
there is no time to show it."""


@dataclass(frozen=True, slots=True)
class SaidLine:
    """A text that is heard, with its place in the film."""

    shot: str
    text: str
    first: int
    """Frame of the film."""
    end: int


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle over the frames `[first, end)` of the film."""

    first: int
    end: int
    lines: tuple[str, ...]
    shot: str
    """The slate of the shot in which it is said."""

    @property
    def frames(self) -> int:
        """Number of frames for which it is shown."""
        return self.end - self.first

    @property
    def text(self) -> str:
        """Its lines in one."""
        return " ".join(self.lines)


@dataclass(frozen=True, slots=True)
class Departure:
    """A rule of reading that a subtitle cannot keep."""

    rule: Rule
    cue: Cue
    letters_a_second: int = 0
    """Letters a second that it needs, if it is too fast."""
    comfortable: int = 0
    """Letters a second that are comfortable, for one that is too fast."""


def make_cues(
    lines: Sequence[SaidLine],
    cuts: Sequence[int],
    frames: int,
    rate: FrameRate,
    measure: Measure = USUAL,
    *,
    language: str = "",
    is_adjusted: bool = True,
) -> tuple[tuple[Cue, ...], tuple[Departure, ...]]:
    """The subtitles of lines in the order of the film, and the rules that they cannot keep.

    `cuts` are the first frames of shots. Without `is_adjusted` each is shown just while it is heard. No two are shown
    at the same time.
    """
    maker = _Maker(sorted(cuts), frames, rate, measure, language)
    ordered = sorted(lines, key=lambda line: line.first)
    following = [line.first for line in ordered[1:]] + [frames]
    free = [
        maker.free_until(line.end, after) if is_adjusted else line.end
        for line, after in zip(ordered, following, strict=True)
    ]
    cues = [cue for line, until in zip(ordered, free, strict=True) for cue in maker.of_line(line, until)]
    shown, lost = maker.apart(sorted(cues, key=lambda cue: cue.first))
    if is_adjusted:
        shown = maker.spaced(maker.prolonged(shown))
    found = [*lost, *maker.departures(shown, GAP if is_adjusted else 0)]
    return tuple(shown), tuple(sorted(found, key=lambda one: one.cue.first))


@dataclass(frozen=True, slots=True)
class _Maker:
    cuts: Sequence[int]
    frames: int
    rate: FrameRate
    measure: Measure
    language: str

    def free_until(self, end: int, following: int) -> int:
        """The frame up to which a subtitle may be shown longer: the next cut, or the next subtitle if it is before."""
        return max(end, min(following, *self.cuts[(cut := bisect_left(self.cuts, end)) : cut + 1], self.frames))

    def of_line(self, line: SaidLine, free: int) -> Iterator[Cue]:
        """The cues of a line, one after another in its time, parted at cuts where the text allows it.

        `free` is up to where the last of them may be shown longer.
        """
        text = Broken(line.text, self.measure, self.language)
        if not text.read[-1]:
            return  # only signs without a width
        first, end = self._within_cuts(text, line.first, max(line.end, line.first + 1))
        for start, last, begin, until in self._parted(text, first, end, max(end, free) if end == line.end else end):
            texts = text.texts(start, last)
            read, whole = text.read[start], text.read[last] - text.read[start]
            for one, (at, to) in enumerate(texts):
                places = [begin + self._share(until - begin, text.read[place] - read, whole) for place in (at, to)]
                yield Cue(places[0], until if one == len(texts) - 1 else places[1], text.lines(at, to), line.shot)

    @staticmethod
    def _share(frames: int, read: int, whole: int) -> int:
        return (2 * frames * read + whole) // (2 * whole)

    def _within_cuts(self, text: Broken, first: int, end: int) -> tuple[int, int]:
        """The frames of a line without what reaches over a cut for a moment, as far as it can be read then."""
        over, whole = self.rate.nearest_frames(_OVER), end - first
        inside = self._between(first, end)
        if inside and end - inside[-1] <= over and self._is_readable(text.read[-1], inside[-1] - first, whole, text):
            end = inside[-1]
        inside = self._between(first, end)
        if inside and inside[0] - first <= over and self._is_readable(text.read[-1], end - inside[0], whole, text):
            first = inside[0]
        return first, end

    def _parted(self, text: Broken, first: int, end: int, free: int) -> Iterator[tuple[int, int, int, int]]:
        """The stretches of a line between cuts: its parts `[start, last)` in the frames `[begin, until)`."""
        start, begin, last = 0, first, len(text.parts)
        for cut in self._between(first, end):
            if at := self._parting(text, first, end, start, begin, cut, free):
                yield start, at, begin, cut
                start, begin = at, cut
        yield start, last, begin, end

    def _parting(self, text: Broken, first: int, end: int, start: int, begin: int, cut: int, free: int) -> int | None:
        """The part before which a line is parted for a cut, never within a phrase; None if a side could not be read."""
        last, aside = len(text.parts), self.rate.nearest_frames(_ASIDE)
        whole, best = text.read[last], None
        for at in range(start + 1, last):
            place = first + self._share(end - first, text.read[at], whole)
            if abs(place - cut) > aside or text.is_inside_phrase(at):
                continue
            sides = (text.reading(start, at), cut - begin), (text.reading(at, last), free - cut)
            if all(self._is_readable(read, frames, 0, text, end - first) for read, frames in sides):
                cost = abs(place - cut) / aside * 20 + text.badness(at, last)
                best = min(best or (cost, at), (cost, at))
        return best[1] if best else None

    def _is_readable(self, read: int, frames: int, before: int, text: Broken, line: int = 0) -> bool:
        """Whether a text can be read in some frames; one of a line that is fast as a whole if it is hardly faster.

        `before` is how many frames the same text had; `line` those of the whole line that it is part of.
        """
        if before and frames < self.rate.nearest_frames(SHORTEST):
            return frames >= before * 9 // 10
        if frames <= self.rate.nearest_frames(_OVER):
            return False
        speed = Fraction(read, frames)
        usual = Fraction(text.read[-1], line or before)
        return speed <= max(self._fastest, usual * _FASTER)

    @property
    def _fastest(self) -> Fraction:
        """The amount that can be read in a frame."""
        return self.measure.second / self.rate.exact

    def _between(self, first: int, end: int) -> Sequence[int]:
        return self.cuts[bisect_right(self.cuts, first) : bisect_left(self.cuts, end)]

    def apart(self, cues: Sequence[Cue]) -> tuple[list[Cue], list[Departure]]:
        """Cues of which none is shown while another one is: those that are said at the same time share it."""
        shown: list[Cue] = []
        lost: list[Departure] = []
        for cue in cues:
            before = shown[-1] if shown else None
            if before and cue.first < before.end:
                end = min(max(cue.end, before.end), self.frames)
                both = end - before.first
                fair = self._share(both, self._read(before), self._read(before) + self._read(cue))
                enough = math.ceil(self._read(before) / self._fastest)
                at = before.first + (max(cue.first - before.first, 1) if cue.first - before.first >= enough else fair)
                at = min(max(at, before.first + 1), before.end)
                shown[-1], cue = replace(before, end=at), replace(cue, first=at, end=end)
            if cue.first >= min(cue.end, self.frames):
                lost.append(Departure("lost", cue))
            else:
                shown.append(cue)
        return shown, lost

    def prolonged(self, cues: Sequence[Cue]) -> list[Cue]:
        """Cues that are shown for as long as they are read in, up to the next one and to the next cut."""
        found = []
        for cue, following in zip_longest(cues, cues[1:]):
            needed = max(math.ceil(self._read(cue) / self._fastest), self.rate.nearest_frames(SHORTEST))
            free = self.free_until(cue.end, following.first - GAP if following else self.frames)
            found.append(replace(cue, end=max(cue.end, min(cue.first + needed, free))))
        return found

    def spaced(self, cues: Sequence[Cue]) -> list[Cue]:
        """Cues with a gap after each, where there are frames for it."""
        return [self._with_gap(cue, following) for cue, following in zip_longest(cues, cues[1:])]

    @staticmethod
    def _with_gap(cue: Cue, following: Cue | None) -> Cue:
        end = min(cue.end, following.first - GAP) if following else cue.end
        return replace(cue, end=end) if end - cue.first > GAP else cue

    def departures(self, cues: Sequence[Cue], gap: int) -> Iterator[Departure]:
        """The rules that cues do not keep."""
        for cue in cues:
            if self._read(cue) > self._fastest * cue.frames:
                wide = sum(map(is_wide, cue.text)) * 2 > len(cue.text)
                comfortable = self.measure.wide_a_second if wide else self.measure.a_second
                speed = Fraction(self._read(cue), cue.frames) / self._fastest
                yield Departure("fast", cue, math.ceil(speed * comfortable), comfortable)
            if self._between(cue.first, cue.end):
                yield Departure("cut", cue)
        yield from (Departure("gap", cue) for cue, after in pairwise(cues) if 0 <= after.first - cue.end < gap)

    def _read(self, cue: Cue) -> int:
        return self.measure.reading(cue.text)
