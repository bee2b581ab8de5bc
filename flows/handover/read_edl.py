"""Reads a cut from an edit decision list of CMX 3600."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from storyreel.flows.handover.cut_file import text_of
from storyreel.flows.handover.edited import CutBuilder, EditedCut, NotImported
from storyreel.flows.handover.names import Named, TakeNames
from storyreel.specs.frozen import Trusted
from storyreel.specs.timing import FrameRate

_TIMECODE = r"(\d\d[:;.]\d\d[:;.]\d\d[:;.]\d\d)"
_EVENT = re.compile(
    rf"(?P<number>\d{{1,6}})\s+(?P<reel>\S+)\s+(?P<channel>\S+)\s+(?P<how>C|D|W\d+|K\S*)\s+(?P<length>\d+)?\s*"
    rf"{_TIMECODE}\s+{_TIMECODE}\s+{_TIMECODE}\s+{_TIMECODE}\s*"
)
_DROPS = re.compile(r"^FCM:\s*DROP|\d\d[:;]\d\d[:;]\d\d;\d\d", re.MULTILINE | re.IGNORECASE)
"""A list, or one of its times, that leaves out numbers of frames."""
_SPEED = re.compile(r"M2\s+\S+\s+(?P<speed>-?[0-9.]+)\s+\S+")
_SAME_SPEED = 0.1
"""Frames a second: some programs write the speed of every clip."""
_PICTURE = re.compile(r"B|(?:A+\d*/)?V(?P<track>\d*)(?:/?A\d*)*")
"""The channels with picture: `V`, `V2`, `AA/V`, `VA1`, `B` for both."""
_TITLE = re.compile(r"^TITLE:[ \t]*(.*?)\s*$", re.MULTILINE)
_BLACK = "BL"


class _Line(Trusted):
    """An event's line, with the comments behind it. Times are frames."""

    reel: str
    track: str
    """The number of its track of picture; empty if the list does not say."""
    how: str
    length: int
    first: int
    end: int
    start: int
    until: int
    names: tuple[str, ...]
    """The names of the clip in its comments, the most exact first."""
    speed: float | None = None


def read_edl(file: Path, rate: FrameRate, names: TakeNames) -> EditedCut:
    """The cut that a list has. A dissolve of D frames lies over the cut, D // 2 of them before it.

    Raises NotImported.
    """
    text = text_of(file, is_exact=False)
    if _DROPS.search(text):
        raise NotImported(f"{file} counts drop frames", hint="export it with non-drop timecode")
    lines = list(_lines(text, rate))
    if above := sorted({line.track for line in lines} - {"", "1"}):
        raise NotImported(
            f"{file} has picture on V{', V'.join(above)} too, and a storyboard has one track of it",
            hint="move all clips of picture onto one track",
        )
    if not lines:
        raise NotImported(f"{file} has no events of picture", hint="is it an EDL of CMX 3600?")
    title = _TITLE.search(text)
    return _Reader(rate, names).cut(lines, title[1] if title else "")


def _lines(text: str, rate: FrameRate) -> Iterator[_Line]:
    found: list[_Line] = []
    for written in text.splitlines():
        if match := _EVENT.fullmatch(written.strip()):
            if (channel := _PICTURE.fullmatch(match["channel"].upper())) is None:
                continue
            times = [_frame(timecode, rate) for timecode in match.groups()[-4:]]
            found.append(
                _Line(
                    reel=match["reel"], track=channel["track"] or "", how=match["how"],
                    length=int(match["length"] or 0), first=times[0], end=times[1], start=times[2], until=times[3],
                    names=(),
                )
            )  # fmt: skip
        elif found and (speed := _SPEED.fullmatch(written.strip())):
            found[-1] = found[-1].model_copy(update={"speed": float(speed["speed"])})
        elif found and (comment := re.fullmatch(r"\*\s*(FROM|TO) CLIP NAME:\s*(.*)", written.strip())):
            # Of a dissolve the name of the incoming clip comes second.
            kept = () if comment[1] == "TO" else found[-1].names
            found[-1] = found[-1].model_copy(update={"names": (comment[2], *kept)})
        elif found and (comment := re.fullmatch(r"\*\s*SOURCE FILE:\s*(.*)", written.strip())):
            found[-1] = found[-1].model_copy(update={"names": (*found[-1].names, comment[1])})
    yield from found


class _Reader:
    """Turns the lines of a list into shots; it knows the take of each reel once it was named."""

    def __init__(self, rate: FrameRate, names: TakeNames) -> None:
        self._rate, self._names, self._builder = rate, names, CutBuilder(rate)
        self._of_reel: dict[str, Named] = {}
        self._fade_out, self._from_black = 0, False

    def cut(self, lines: list[_Line], title: str) -> EditedCut:
        self._builder.title = title
        position = lines[0].start
        for line, following in pairwise((*lines, None)):
            assert line
            if line.start != position:
                self._builder.foreign(line.reel, "does not begin where the shot before ends")
            position = line.until
            if line.how not in ("C", "D"):
                self._builder.foreign(line.reel, "comes with a wipe or a key")
            elif line.reel == _BLACK:
                self._black(line)
            elif line.first != line.end or line.start != line.until:
                self._shot(line, following)
        self._builder.transition("fade", self._fade_out, 0)
        return self._builder.cut()

    def _black(self, line: _Line) -> None:
        """The fade to black behind the shot before: it goes on until it is black."""
        if line.start == line.until:
            self._from_black = True
            return
        if line.how != "D" or line.length != line.until - line.start:
            self._builder.foreign(line.reel, "is black for some time; the language has no black")
            return
        self._builder.longer(line.length)
        self._fade_out = line.length

    def _shot(self, line: _Line, following: _Line | None) -> None:
        named = self._named(line)
        if named is None:
            self._builder.foreign(next(iter(line.names), line.reel), "is no take of the film")
            return
        frames, first = line.until - line.start, line.first
        if line.speed == 0 and line.how == "C":
            self._builder.held(named.slate, frames)
            return
        if line.speed is not None and abs(line.speed - self._rate.nominal) > _SAME_SPEED:
            goes_on = following and following.how == "C" and self._named(following) == named
            if not (following and goes_on and line.how == "D" and frames == line.length):
                self._builder.foreign(named.slate, "has another speed")
                return
            # It is slower because the take lacks frames for the transition: the last ones, or the first.
            ends_within = following.speed == 0 and (self._from_black or line.first)
            first = line.first if ends_within else line.end - frames
        before = 0
        if line.how == "D" and not self._from_black:
            before = line.length // 2
            self._builder.longer(before)
            self._builder.transition("dissolve", before, line.length - before)
        elif line.how == "D" or self._fade_out:
            self._builder.transition("fade", self._fade_out, line.length if line.how == "D" else 0)
        self._fade_out, self._from_black = 0, False
        self._builder.shot(named.slate, named.take, first + before, frames - before)

    def _named(self, line: _Line) -> Named | None:
        if named := self._names.find(*line.names, line.reel):
            self._of_reel[line.reel] = named
        return named or self._of_reel.get(line.reel)


def _frame(timecode: str, rate: FrameRate) -> int:
    hours, minutes, seconds, frames = map(int, re.split("[:;.]", timecode))
    if frames >= rate.nominal or max(minutes, seconds) > 59:
        raise NotImported(f"{timecode} is no timecode at {rate} fps", hint="export it at the rate of the film")
    return ((hours * 60 + minutes) * 60 + seconds) * rate.nominal + frames
