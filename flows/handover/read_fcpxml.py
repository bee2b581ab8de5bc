"""Reads a cut from FCPXML."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
_CLIPS = frozenset({"asset-clip", "clip", "video"})
_COMPOUND = {"ref-clip": "a compound clip", "mc-clip": "a multicam clip", "sync-clip": "a synchronized clip"}
_ON_TOP = _CLIPS | {*_COMPOUND, "audition", "spine"}
"""Elements that cover the picture of the clip to which they are connected."""
_FILTERS = ("filter-video", "filter-video-mask")


def read_fcpxml(file: Path, rate: FrameRate, names: TakeNames) -> EditedCut:
    """The cut that the spine of the one sequence has; of auditions, the picked clips. Raises NotImported."""
    root = _root(file)
    projects = list(root.iter("project")) or [root]  # the others are those of compound clips
    sequences = [sequence for project in projects for sequence in project.iter("sequence")]
    spine = sequences[0].find("spine") if len(sequences) == 1 else None
    if spine is None:
        raise NotImported(f"{file} has {len(sequences)} sequences, and a storyboard has one cut")
    return _Reader(rate, names, root, sequences[0]).cut(spine, projects[0].get("name", ""))


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

    def __init__(self, rate: FrameRate, names: TakeNames, root: Element, sequence: Element) -> None:
        self._names, self._builder = names, CutBuilder(rate)
        self._assets = {asset.get("id", ""): asset for asset in root.iter("asset")}
        steps = {each.get("id"): self._time(each, "frameDuration") for each in root.iter("format")}
        step = steps.get(sequence.get("format"), Fraction(0))
        self._nominal = rate.nominal
        self._rate = 1 / step if step and self._builder.is_counted_as(1 / step) else rate.exact
        """Frames a second of the film, as the sequence counts them."""

    def cut(self, spine: Element, title: str) -> EditedCut:
        self._builder.title = title
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
        self._look_at_connected(clip)
        if clip.tag in _COMPOUND:
            self._builder.foreign(name, f"is {_COMPOUND[clip.tag]}; break it apart")
        elif clip.tag == "gap" and named is None:
            self._builder.foreign(name, "is empty; the language has no black")
        elif (clip.tag not in _CLIPS and clip.tag != "gap") or named is None:
            self._builder.foreign(name, "is no take of the film")
        elif clip.get("enabled") == "0":
            self._builder.foreign(name, "is switched off; take it out")
        elif (start := self._start(clip)) is None:
            self._held(clip, named.slate, frames)
        else:
            self._builder.shot(named.slate, named.take, self._frames(start, clip), frames)

    def _look_at_connected(self, clip: Element) -> None:
        """Refuse pictures that lie over a clip, and note what else of it is not read."""
        for item in clip:
            name = item.get("name", item.tag)
            if item.tag in _FILTERS:
                self._builder.not_read(f"the effect {name} of {clip.get('name', clip.tag)}")
            elif item.get("enabled") == "0" or not item.get("lane", "0").lstrip("+").isdecimal():
                continue
            elif item.tag == "title":
                self._builder.not_read(f"the title {name}")
            elif item.tag in _ON_TOP and int(item.get("lane", "0").lstrip("+")) > 0 and self._is_seen(item):
                self._builder.foreign(name, "lies over the picture, and a storyboard has one track of picture")

    def _is_seen(self, item: Element) -> bool:
        asset = self._assets.get(item.get("ref", ""))
        has_sound_alone = asset is not None and asset.get("hasVideo") != "1"
        return not (item.get("srcEnable") == "audio" or has_sound_alone)

    def _start(self, clip: Element) -> Fraction | None:
        """The time of its file with which a clip begins; None if it has another speed than its file."""
        asset = self._assets.get(next((ref for ref, _ in self._media_of(clip)), ""))
        start = self._time(clip, "start") - (self._time(asset, "start") if asset is not None else 0)
        rate = clip.find("conform-rate")
        is_scaled = rate is not None and rate.get("scaleEnabled", "1") == "1" and rate.get("srcFrameRate")
        if rate is not None and is_scaled and round(self._time(rate, "srcFrameRate")) != self._nominal:
            return None
        times = clip.find("timeMap")
        if times is None:
            return start
        points = [(self._time(point, "time"), self._time(point, "value")) for point in times.iter("timept")]
        shifts = {value - time for time, value in points}
        return start + shifts.pop() if len(shifts) == 1 and len(points) > 1 else None

    def _held(self, clip: Element, slate: str, frames: int) -> None:
        values = {point.get("value") for point in clip.iter("timept")}
        if len(values) == 1:
            self._builder.held(slate, frames)
        else:
            self._builder.foreign(clip.get("name", slate), "has another speed")

    def _names_of(self, clip: Element) -> tuple[str, ...]:
        name = re.sub(r" \(held\)$", "", clip.get("name", ""))
        return (*[address for _, address in self._media_of(clip)][:1], name)

    def _media_of(self, clip: Element) -> Iterator[tuple[str, str]]:
        """The files of a clip: the ids of their assets, and their addresses."""
        for each in (clip, *clip.iter("video"), *clip.iter("asset-clip")):
            asset = self._assets.get(each.get("ref", ""))
            media = asset.find("media-rep") if asset is not None else None
            if media is not None and media.get("src"):
                yield each.get("ref", ""), media.get("src", "")

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
        return self._builder.frames(seconds * self._rate, item.get("name", item.tag))
