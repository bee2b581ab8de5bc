"""A timeline as FCPXML: takes are auditions of which the first is picked, scenes chapter markers, findings markers.

Written by Apple's reference of FCPXML 1.11 (developer.apple.com/documentation/professional-video-applications, read
2026-11-29): times are rational seconds that are whole frames, transitions lie over the cut and use the handles.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from storyreel.flows.handover.timeline import (
    AS_IT_IS,
    LaidFile,
    Level,
    Mark,
    Media,
    Timeline,
    TimelineShot,
    TimelineTake,
)

VERSION = "1.11"
_FILM = "r1"
"""The id of the film's format."""
FADE = "Fade To Color"
_DISSOLVE = "Cross Dissolve"
_EFFECTS = {
    _DISSOLVE: "FxPlug:4731E73A-8DAC-4113-9A30-AE85B1761265",
    FADE: "FxPlug:F779C565-486D-4633-8035-0374B4DB8F5C",
}
"""Final Cut's own transitions; the colour is black unless it is named. Without one it makes an effect that does nothing
(projects of Final Cut Pro 10.6 and DaVinci Resolve in public repositories, read 2026-11-29)."""
_SOURCE_RATES = {
    Fraction(24000, 1001): "23.98", Fraction(24): "24", Fraction(25): "25", Fraction(30000, 1001): "29.97",
    Fraction(30): "30", Fraction(48): "48", Fraction(50): "50", Fraction(60000, 1001): "59.94", Fraction(60): "60",
}  # fmt: skip
"""The rates that `conform-rate` can name (FCPXML 1.10 DTD, read 2026-11-29)."""


def write_fcpxml(timeline: Timeline, url_of: Callable[[Path], str]) -> str:
    """The text of the file."""
    root = _Writer(timeline, url_of).root()
    ElementTree.indent(root, " ")
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n\n{body}\n'


class _Writer:
    """Writes the resources of a timeline once each, and refers to them."""

    def __init__(self, timeline: Timeline, url_of: Callable[[Path], str]) -> None:
        self._timeline, self._url_of = timeline, url_of
        self._root = Element("fcpxml", version=VERSION)
        self._resources = SubElement(self._root, "resources")
        self._formats: dict[tuple[Fraction, tuple[int, int]], str] = {}
        self._assets: dict[Path, str] = {}
        self._effects: dict[str, str] = {}
        self._ids = 0

    def root(self) -> Element:
        timeline, rate = self._timeline, self._timeline.rate.exact
        film = self._format(rate, timeline.size)
        assert film == _FILM
        event = SubElement(SubElement(self._root, "library"), "event", name=timeline.title)
        project = SubElement(event, "project", name=timeline.title)
        sequence = SubElement(
            project, "sequence", format=film, duration=self._time(timeline.frames), tcStart=self._time(timeline.start),
            tcFormat="NDF", audioLayout="stereo", audioRate="48k",
        )  # fmt: skip
        spine = SubElement(sequence, "spine")
        for shot, following in pairwise((*timeline.shots, None)):
            assert shot
            if not shot.event.start and shot.event.fade_in:
                self._transition(spine, FADE, 0, shot.event.fade_in)
            self._shot(spine, shot)
            event_ = shot.event
            if event_.dissolve_out:
                self._transition(spine, _DISSOLVE, event_.end - event_.dissolve_out // 2, event_.dissolve_out)
            elif event_.fade_out or (following and following.event.fade_in):
                after = following.event.fade_in if following else 0
                self._transition(spine, FADE, event_.end - event_.fade_out, event_.fade_out + after)
        return self._root

    def _shot(self, spine: Element, shot: TimelineShot) -> None:
        """A clip, or an audition of all takes with the circled one first; then the frames that are held."""
        others = [take for take in shot.takes if take is not shot.take and take.media]
        around = SubElement(spine, "audition") if others and shot.take.media else spine
        clip = self._clip(around, shot, shot.take, shot.played)
        for take in others if around is not spine else ():
            self._clip(around, shot, take, max(1, min(shot.event.frames, take.frames - take.first)))
        for lane, files in enumerate(self._timeline.lanes, 1):
            for laid in files:
                if shot.event.start <= laid.start < shot.event.end:
                    self._laid(clip, shot, laid, -lane)
        for mark in self._timeline.marks:
            if shot.event.start <= mark.start < shot.event.end:
                self._mark(clip, shot, mark)
        if shot.held:
            self._held(spine, shot)

    def _clip(self, around: Element, shot: TimelineShot, take: TimelineTake, frames: int) -> Element:
        name = f"{shot.slate} {take.name}"
        place = {"offset": self._film_time(shot.event.start), "name": name, "duration": self._time(frames)}
        if take.media is None:
            gap = SubElement(around, "gap", place | {"start": self._time(take.first)})
            SubElement(gap, "note").text = f"{name} is not made"
            return gap
        kind = {} if take.media.has_sound and shot.is_heard else {"srcEnable": "video"}
        clip = SubElement(
            around, "asset-clip",
            {"ref": self._asset(take.media, name), **place, "start": self._time(take.first), "tcFormat": "NDF", **kind},
        )  # fmt: skip
        SubElement(clip, "note").text = f"{take.provider} {take.model}, seed {take.seed}, key {take.key}"
        self._conform(clip, take.media)
        if not kind:
            self._level(clip, shot.level)
        return clip

    def _conform(self, clip: Element, media: Media) -> None:
        """At another frame rate than the film's, a clip still plays as fast as it was made."""
        if media.rate != self._timeline.rate.exact:
            names = _SOURCE_RATES.get(media.rate)
            SubElement(clip, "conform-rate", {"scaleEnabled": "0"} | ({"srcFrameRate": names} if names else {}))

    def _level(self, clip: Element, level: Level) -> None:
        if level == AS_IT_IS:
            return
        volume = SubElement(clip, "adjust-volume", amount=f"{level.gain:g}dB")
        fades = {"fadeIn": level.fade_in, "fadeOut": level.fade_out}
        if any(fades.values()):
            amount = SubElement(volume, "param", name="amount")
            for name, frames in fades.items():
                if frames:
                    SubElement(amount, name, type="linear", duration=self._time(frames))

    def _held(self, spine: Element, shot: TimelineShot) -> None:
        """The last frame of a take, for as long as it lacks frames."""
        if shot.take.media is None:
            return
        last, length = self._time(shot.take.frames - 1), self._time(shot.held)
        clip = SubElement(
            spine, "asset-clip", ref=self._asset(shot.take.media, shot.slate), name=f"{shot.slate} (held)",
            offset=self._film_time(shot.event.start + shot.played), start="0s", duration=length, srcEnable="video",
        )  # fmt: skip
        self._conform(clip, shot.take.media)
        times = SubElement(clip, "timeMap")
        for time in ("0s", length):
            SubElement(times, "timept", time=time, value=last, interp="linear")

    def _laid(self, clip: Element, shot: TimelineShot, laid: LaidFile, lane: int) -> None:
        """A sound file, connected to the clip in which it begins; in a lane nothing overlaps."""
        at = shot.take.first + laid.start - shot.event.start
        connected = SubElement(
            clip, "asset-clip", ref=self._asset(laid.media, laid.name), lane=str(lane), name=laid.name,
            offset=self._time(at), start=self._time(laid.from_), duration=self._time(laid.end - laid.start),
        )  # fmt: skip
        self._level(connected, laid.level)

    def _mark(self, clip: Element, shot: TimelineShot, mark: Mark) -> None:
        at = shot.take.first + mark.start - shot.event.start
        words = ": ".join(filter(None, (mark.name, mark.note)))
        place = {"start": self._time(at), "duration": self._time(1), "value": words}
        if mark.kind == "scene":
            SubElement(clip, "chapter-marker", place | {"posterOffset": "0s"})
        else:
            SubElement(clip, "marker", place)

    def _transition(self, spine: Element, effect: str, start: int, frames: int) -> None:
        if effect not in self._effects:
            self._effects[effect] = self._id()
            SubElement(self._resources, "effect", id=self._effects[effect], name=effect, uid=_EFFECTS[effect])
        place = {"offset": self._film_time(start), "duration": self._time(frames)}
        over = SubElement(spine, "transition", {"name": effect, **place})
        SubElement(over, "filter-video", ref=self._effects[effect], name=effect)

    def _asset(self, media: Media, name: str) -> str:
        """The id of a file."""
        if media.file not in self._assets:
            seconds = _rational(Fraction(max(1, round(media.seconds * media.rate))) / media.rate)
            kind = {"hasAudio": "1", "audioSources": "1", "audioChannels": "2", "audioRate": "48000"}
            facts = {"id": self._id(), "name": name, "start": "0s", "duration": seconds}
            if media.size != (0, 0):
                facts |= {"hasVideo": "1", "videoSources": "1", "format": self._format(media.rate, media.size)}
            if media.has_sound:
                facts |= kind
            asset = SubElement(self._resources, "asset", facts)
            SubElement(asset, "media-rep", kind="original-media", src=self._url_of(media.file))
            self._assets[media.file] = facts["id"]
        return self._assets[media.file]

    def _format(self, rate: Fraction, size: tuple[int, int]) -> str:
        """The id of a format."""
        if (rate, size) not in self._formats:
            self._formats[rate, size] = self._id()
            SubElement(
                self._resources, "format", id=self._formats[rate, size], frameDuration=_rational(1 / rate),
                width=str(size[0]), height=str(size[1]), colorSpace="1-1-1 (Rec. 709)",
            )  # fmt: skip
        return self._formats[rate, size]

    def _id(self) -> str:
        self._ids += 1
        return f"r{self._ids}"

    def _film_time(self, frame: int) -> str:
        """A frame of the film, as its timecode counts."""
        return self._time(self._timeline.start + frame)

    def _time(self, frames: int) -> str:
        return _rational(self._timeline.rate.seconds(frames))


def _rational(seconds: Fraction) -> str:
    """Seconds as `1001/24000s`, `4s`."""
    return f"{seconds.numerator}s" if seconds.denominator == 1 else f"{seconds.numerator}/{seconds.denominator}s"
