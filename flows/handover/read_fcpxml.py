"""Reads a cut from FCPXML."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from storyreel.flows.handover.cut_file import text_of
from storyreel.flows.handover.edited import CutBuilder, EditedCut, NotImported, TransitionKind, is_fade
from storyreel.flows.handover.names import TakeNames
from storyreel.specs.timing import FrameRate

_SECONDS = re.compile(r"-?\d{1,15}(\.\d{1,9}|/\d{1,15})?")
"""A number that is quickly computed: `1e999999999` is not."""
_CLIPS = frozenset({"asset-clip", "clip", "video", "ref-clip"})


def read_fcpxml(file: Path, rate: FrameRate, names: TakeNames) -> EditedCut:
    """The cut that the spine of the one sequence has; of auditions, the picked clips. Raises NotImported."""
    root = _root(file)
    sequences = [
        spine for spine in root.iter("spine") if spine in {each.find("spine") for each in root.iter("sequence")}
    ]
    if len(sequences) != 1:
        raise NotImported(f"{file} has {len(sequences)} sequences, and a storyboard has one cut")
    sources = {
        asset.get("id", ""): (media.get("src", "") if (media := asset.find("media-rep")) is not None else "")
        for asset in root.iter("asset")
    }
    return _Reader(rate, names, sources).cut(sequences[0])


def _root(file: Path) -> Element:
    text = text_of(file)
    if "<!ENTITY" in text:  # a few bytes of which may stand for gigabytes
        raise NotImported(f"{file} defines entities, which are not read")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise NotImported(f"{file} cannot be read as FCPXML: {error}") from error


class _Reader:
    """Turns the items of a spine into shots."""

    def __init__(self, rate: FrameRate, names: TakeNames, sources: dict[str, str]) -> None:
        self._rate, self._names, self._sources = rate, names, sources
        self._builder = CutBuilder(rate)

    def cut(self, spine: Element) -> EditedCut:
        position: Fraction | None = None
        for item in spine:
            if item.tag == "transition":
                begin, length = self._time(item, "offset"), self._time(item, "duration")
                at = begin if position is None else position
                kind: TransitionKind = "fade" if is_fade(item.get("name", "")) else "dissolve"
                before = self._frames(at - begin, item)
                self._builder.transition(kind, before, self._frames(length, item) - before)
                continue
            shown = item[0] if item.tag == "audition" and len(item) else item
            offset = self._time(item if item.get("offset") else shown, "offset") if position is None else position
            position = offset + self._time(shown, "duration")
            self._add(shown)
        return self._builder.cut()

    def _add(self, clip: Element) -> None:
        name, frames = clip.get("name", clip.tag), self._frames(self._time(clip, "duration"), clip)
        named = self._names.find(*self._names_of(clip))
        if clip.tag == "gap" and named is None:
            self._builder.foreign(name, "is empty; the language has no black")
        elif (clip.tag not in _CLIPS and clip.tag != "gap") or named is None:
            self._builder.foreign(name, "is no take of the film")
        elif clip.find("timeMap") is not None:
            self._held(clip, named.slate, frames)
        else:
            self._builder.shot(named.slate, named.take, self._frames(self._time(clip, "start"), clip), frames)

    def _held(self, clip: Element, slate: str, frames: int) -> None:
        values = {point.get("value") for point in clip.iter("timept")}
        if len(values) == 1:
            self._builder.held(slate, frames)
        else:
            self._builder.foreign(clip.get("name", slate), "has another speed")

    def _names_of(self, clip: Element) -> tuple[str, ...]:
        name = re.sub(r" \(held\)$", "", clip.get("name", ""))
        inner = [clip, *clip.iter("video"), *clip.iter("asset-clip")]
        addresses = [self._sources.get(each.get("ref", ""), "") for each in inner]
        return (*[address for address in addresses if address][:1], name)

    def _time(self, item: Element, key: str) -> Fraction:
        """A time in seconds, `1001/24000s`; 0 if it is not written."""
        text = item.get(key, "0s").removesuffix("s")
        try:
            if _SECONDS.fullmatch(text):
                return Fraction(text)
        except ZeroDivisionError:
            pass
        self._builder.foreign(item.get("name", item.tag), f"has a `{key}` that is no time")
        return Fraction(0)

    def _frames(self, seconds: Fraction, item: Element) -> int:
        frames = self._rate.nearest_frames(seconds)
        if abs(seconds - self._rate.seconds(frames)) * self._rate.exact > Fraction(1, 100):
            self._builder.foreign(item.get("name", item.tag), "has a time between two frames of the film")
        return frames
