"""A timeline as OpenTimelineIO: each shot a clip whose takes are named media references, the circled one active."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from storyreel.flows.handover.timeline import LaidFile, Level, Mark, Media, Timeline, TimelineShot, TimelineTake

OWN = "storyreel"
"""The key of this program in OTIO's metadata."""
FADE = "Fade through black"
HELD = "held"

_ADAPTERS: Mapping[str, tuple[str, dict[str, bool]]] = {
    "fcp7": ("fcp_xml", {}), "aaf": ("AAF", {"use_empty_mob_ids": True}),
}  # fmt: skip
"""The plug-ins by forms, with their options."""
_FCP7 = "fcp_xml"
"""The key of the plug-in for Final Cut Pro 7 in OTIO's metadata: what lies there it writes as it is (1.0.0)."""
_AAF_DISSOLVE = "0c3bea40-fc05-11d2-8a29-0050040ef7d2"
"""Video Dissolve among the effects of the AAF Edit Protocol."""

UrlOf = Callable[[Path], str]
"""The address of a file, as the timeline is to name it."""

_COLOURS = {
    "scene": otio.schema.MarkerColor.BLUE,
    "finding": otio.schema.MarkerColor.RED,
    "title": otio.schema.MarkerColor.GREEN,
    "subtitle": otio.schema.MarkerColor.YELLOW,
}


def to_otio(timeline: Timeline, url_of: UrlOf) -> otio.schema.Timeline:
    """The timeline: a track of picture, one of the clips' own sound, and those of all other sound files.

    A transition does not change the running time: it lies over the cut, and uses the handles of both clips.
    """
    rate = float(timeline.rate.exact)
    made = otio.schema.Timeline(timeline.title, global_start_time=RationalTime(timeline.start, rate))
    made.metadata[OWN] = {"width": timeline.size[0], "height": timeline.size[1], "fps": str(timeline.rate)}
    picture = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    sound = otio.schema.Track("A1", kind=otio.schema.TrackKind.Audio)
    for track in (picture, sound):
        track.extend(_items(timeline, url_of, rate, is_sound=track is sound))
    picture.markers.extend(_marker(mark, rate) for mark in timeline.marks if mark.kind != "finding")
    made.tracks.extend([picture, sound])
    made.tracks.extend(_laid(number, lane, url_of, rate) for number, lane in enumerate(timeline.lanes, 2))
    return made


def write_otio(timeline: Timeline, url_of: UrlOf) -> str:
    """The timeline as the text of an `.otio` file."""
    text = otio.adapters.write_to_string(to_otio(timeline, url_of), "otio_json")
    return f"{text}\n"


def write_with_adapter(timeline: Timeline, form: str, into: Path) -> None:
    """Write the timeline in a form of which a plug-in of OpenTimelineIO knows. These forms have no relative paths.

    Raises LookupError if the plug-in is missing, and ValueError if it cannot write the timeline.
    """
    name, options = _ADAPTERS[form]
    if name not in otio.adapters.available_adapter_names():
        raise LookupError("its plug-in is missing; `pip install 'storyreel[editors]'`")
    made = to_otio(timeline, Path.as_uri)
    if form == "aaf":
        _without_fades(made)
        _with_facts_for_aaf(made)
    else:
        _with_facts_for_fcp7(made)
    try:
        otio.adapters.write_to_file(made, str(into), adapter_name=name, **options)
    except Exception as error:  # Plug-ins raise any error: AAF's AttributeError, FCP's KeyError.
        raise ValueError(f"the plug-in {name} says {error!r}") from error


def _without_fades(made: otio.schema.Timeline) -> None:
    """Take out the fades through black, which the plug-in for AAF cannot write."""
    for track in made.tracks:
        for place in reversed(range(len(track))):
            if isinstance(track[place], otio.schema.Transition) and track[place].name == FADE:
                del track[place]


def _with_facts_for_fcp7(made: otio.schema.Timeline) -> None:
    """Give fades the effects that the form has of them, and clips of sound the filter for their level.

    At the ends of the film, and where there is a fade at one side of a cut alone, it is a dissolve from or to black.
    """
    for fade in made.find_children(descended_from_type=otio.schema.Transition):
        if fade.name == FADE and fade.in_offset.value and fade.out_offset.value:
            fade.name = "Dip to Color Dissolve"
            fade.metadata[_FCP7] = {"effect": _fcp7_effect(fade.name, fade.name, "transition", "video")}
        elif fade.name == FADE:
            fade.name = "Cross Dissolve"
    for number, clip in enumerate(made.find_clips()):
        clip.metadata[OWN]["number"] = number  # of two that are equal the plug-in would write one
    for track in made.audio_tracks():
        for clip in track.find_clips():
            if gain := clip.metadata[OWN].get("gain_db"):
                level = {"parameterid": "level", "name": "Level", "value": f"{10 ** (gain / 20):.6f}"}
                effect = _fcp7_effect("Audio Levels", "audiolevels", "filter", "audio")
                clip.metadata[_FCP7] = {"filter": {"effect": effect | {"parameter": level}}}


def _fcp7_effect(name: str, effect: str, kind: str, media: str) -> dict[str, Any]:
    return {"name": name, "effectid": effect, "effecttype": kind, "mediatype": media}


def _with_facts_for_aaf(made: otio.schema.Timeline) -> None:
    """Give dissolves the definition that AAF has of them, and all media the film's rate, which its plug-in needs."""
    rate = made.global_start_time.rate
    for clip in made.find_clips():
        for reference in clip.media_references().values():
            if found := reference.available_range:
                seconds = found.duration.to_seconds()
                reference.available_range = _range(0, max(1, round(seconds * rate)), rate)
    for dissolve in made.find_children(descended_from_type=otio.schema.Transition):
        dissolve.metadata["AAF"] = {
            "PointList": [{"Value": 0, "Time": 0}, {"Value": 1, "Time": 1}],
            "CutPoint": int(dissolve.in_offset.value),
            "OperationGroup": {
                "Operation": {
                    "Identification": _AAF_DISSOLVE, "Name": "Video Dissolve", "Description": "Video Dissolve",
                    "DataDefinition": {"Name": "Picture"}, "IsTimeWarp": False, "Bypass": 0, "NumberInputs": 2,
                    "OperationCategory": "OperationCategory_Effect",
                }
            },
        }  # fmt: skip


def _items(timeline: Timeline, url_of: UrlOf, rate: float, *, is_sound: bool) -> Iterator[otio.core.Composable]:
    """The clips of a track, with the transitions between them."""
    shots = timeline.shots
    if (first := shots[0].event.fade_in) and not is_sound:
        yield _transition(FADE, 0, first, rate)
    for shot, following in pairwise((*shots, None)):
        assert shot
        if is_sound and not (shot.is_heard and shot.take.media and shot.take.media.has_sound):
            yield otio.schema.Gap(duration=RationalTime(shot.event.frames, rate))
        else:
            clip = _clip(shot, timeline, url_of, rate)
            if is_sound:
                clip.metadata[OWN].update(_level(shot.level))
            yield clip
            if shot.held:
                yield otio.schema.Gap(duration=RationalTime(shot.held, rate)) if is_sound else _held(shot, url_of, rate)
        if is_sound:
            continue
        event, after = shot.event, following.event if following else None
        if event.dissolve_out:
            before = event.dissolve_out // 2
            yield _transition("Dissolve", before, event.dissolve_out - before, rate)
        elif event.fade_out or (after and after.fade_in):
            yield _transition(FADE, event.fade_out, after.fade_in if after else 0, rate)


def _clip(shot: TimelineShot, timeline: Timeline, url_of: UrlOf, rate: float) -> otio.schema.Clip:
    first = shot.take.first
    clip = otio.schema.Clip(shot.slate, source_range=_range(first, shot.played, rate))
    references = {take.name: _reference(shot, take, url_of, rate) for take in shot.takes}
    clip.set_media_references(references, shot.take.name)
    clip.metadata[OWN] = {"slate": shot.slate, "scene": shot.scene, "action": shot.action}
    for mark in timeline.marks:
        if mark.kind == "finding" and mark.name == shot.slate:
            clip.markers.append(_marker(mark, rate, first))
    return clip


def _held(shot: TimelineShot, url_of: UrlOf, rate: float) -> otio.schema.Clip:
    """The last frame of a take, which stands for the frames that it lacks."""
    last = max(0, shot.take.frames - 1)
    clip = otio.schema.Clip(f"{shot.slate} ({HELD})", source_range=_range(last, shot.held, rate))
    clip.set_media_references({shot.take.name: _reference(shot, shot.take, url_of, rate)}, shot.take.name)
    clip.effects.append(otio.schema.FreezeFrame(name="Freeze Frame"))
    clip.metadata[OWN] = {"slate": shot.slate, HELD: True}
    return clip


def _reference(shot: TimelineShot, take: TimelineTake, url_of: UrlOf, rate: float) -> otio.core.MediaReference:
    facts = {"take": take.number, "key": take.key, "first": take.first, "provider": take.provider,
             "model": take.model, "seed": take.seed, "prompt": take.prompt}  # fmt: skip
    name = f"{shot.slate} {take.name}"  # some readers know a file by this name alone
    if take.media is None:
        return otio.schema.MissingReference(name, _range(0, take.frames, rate), {OWN: facts})
    found = otio.schema.ExternalReference(url_of(take.media.file), _available(take.media), metadata={OWN: facts})
    found.name = name
    return found


def _available(media: Media) -> TimeRange:
    return _range(0, max(1, round(media.seconds * media.rate)), float(media.rate))


def _laid(number: int, lane: Sequence[LaidFile], url_of: UrlOf, rate: float) -> otio.schema.Track:
    track = otio.schema.Track(f"A{number}", kind=otio.schema.TrackKind.Audio)
    end = 0
    for laid in lane:
        if laid.start > end:
            track.append(otio.schema.Gap(duration=RationalTime(laid.start - end, rate)))
        reference = otio.schema.ExternalReference(url_of(laid.media.file), _available(laid.media))
        clip = otio.schema.Clip(laid.name, reference, _range(laid.from_, laid.end - laid.start, rate))
        clip.metadata[OWN] = _level(laid.level)
        track.append(clip)
        end = laid.end
    return track


def _level(level: Level) -> dict[str, float]:
    """The facts of a level: dB, and frames."""
    return {"gain_db": level.gain, "fade_in": level.fade_in, "fade_out": level.fade_out}


def _transition(name: str, before: int, after: int, rate: float) -> otio.schema.Transition:
    """A transition over `before` frames before a cut, and `after` behind it."""
    types = otio.schema.TransitionTypes
    kind = types.Custom if name == FADE else types.SMPTE_Dissolve
    return otio.schema.Transition(name, kind, RationalTime(before, rate), RationalTime(after, rate))


def _marker(mark: Mark, rate: float, at: int | None = None) -> otio.schema.Marker:
    start = mark.start if at is None else at
    return otio.schema.Marker(
        mark.name, _range(start, mark.frames, rate), _COLOURS[mark.kind], {OWN: {"kind": mark.kind}}, mark.note
    )


def _range(first: int, frames: int, rate: float) -> TimeRange:
    return TimeRange(RationalTime(first, rate), RationalTime(frames, rate))
