"""Reads a cut from OpenTimelineIO."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

import opentimelineio as otio

from storyreel.flows.handover.cut_file import text_of
from storyreel.flows.handover.edited import CutBuilder, EditedCut, NotImported, is_fade
from storyreel.flows.handover.names import Named, TakeNames
from storyreel.flows.handover.otio import HELD, OWN
from storyreel.specs.timing import FrameRate


def read_otio(file: Path, rate: FrameRate, names: TakeNames) -> EditedCut:
    """The cut that the one track of picture has. Raises NotImported."""
    text = text_of(file)
    _check(file, text)
    try:
        found = otio.adapters.read_from_string(text, "otio_json")
    except Exception as error:  # Its reader raises any error: OTIOError, ValueError, RuntimeError.
        raise NotImported(f"{file} cannot be read as OpenTimelineIO: {error}") from error
    if not isinstance(found, otio.schema.Timeline):
        raise NotImported(f"{file} holds no timeline")
    builder = CutBuilder(rate)
    builder.title = found.name
    picture = _picture(file, found)  # its items are gone with it
    for item in picture:
        _add(item, builder, rate, names)
    return builder.cut()


def _picture(file: Path, timeline: Any) -> Any:
    """The track of what is seen; clips that lie on several tracks, none over a transition, are brought onto one."""
    tracks = [track for track in timeline.video_tracks() if track.enabled and list(track.find_clips())]
    if not tracks:
        raise NotImported(f"{file} has no track of picture with clips")
    if len(tracks) == 1:
        return tracks[0]
    if any(isinstance(item, otio.schema.Transition) for track in tracks for item in track):
        raise NotImported(
            f"{file} has {len(tracks)} tracks of picture, and transitions on them; a storyboard has one cut",
            hint="move all clips of picture onto one track",
        )
    return otio.algorithms.flatten_stack(tracks)


def _check(file: Path, text: str) -> None:
    """Return if the text is JSON that OpenTimelineIO's parser, which is in C++, survives. Raises NotImported.

    It ends the process where JSON is nested deeply, and where `tracks` are null (0.18.1, tried 2026-11-29).
    """
    try:
        root = json.loads(text, parse_constant=_not_finite)
    except (ValueError, RecursionError) as error:
        raise NotImported(f"{file} cannot be read as OpenTimelineIO: {error}") from error
    if not isinstance(root, dict) or not isinstance(root.get("tracks"), dict):
        raise NotImported(f"{file} holds no timeline")


def _not_finite(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _add(item: Any, builder: CutBuilder, rate: FrameRate, names: TakeNames) -> None:
    if isinstance(item, otio.schema.Transition):
        before, after = (_frames(each, rate, builder, item.name) for each in (item.in_offset, item.out_offset))
        builder.transition("fade" if is_fade(item.name) else "dissolve", before, after)
    elif isinstance(item, otio.schema.Clip):
        _add_clip(item, builder, rate, names)
    elif _frames(item.duration(), rate, builder, item.name):
        is_gap = isinstance(item, otio.schema.Gap)
        what = "is empty; the language has no black" if is_gap else "is a nested sequence; break it apart"
        builder.foreign(item.name or type(item).__name__, what)


def _add_clip(clip: Any, builder: CutBuilder, rate: FrameRate, names: TakeNames) -> None:
    own = _own(clip)
    named = _take_of(clip, names)
    if named is None:
        builder.foreign(clip.name, "is no take of the film")
        return
    if not clip.enabled:
        builder.foreign(clip.name, "is switched off; take it out")
        return
    span, media = clip.trimmed_range(), getattr(clip.media_reference, "available_range", None)
    start, frames = (_frames(each, rate, builder, clip.name) for each in (span.start_time, span.duration))
    if media and media.start_time.value:  # the file has a timecode of its own
        start -= _frames(media.start_time, rate, builder, clip.name)
    then = _own(clip.media_reference) if clip.media_reference else {}
    start += names.shift(named, then.get("key"), then.get("first"))
    if own.get(HELD):
        builder.held(named.slate, frames)
        return
    if any(not isinstance(effect, otio.schema.Effect) or effect.effect_name for effect in clip.effects):
        builder.foreign(clip.name, "has effects, or another speed")
        return
    builder.shot(named.slate, named.take, start, frames)


def _take_of(clip: Any, names: TakeNames) -> Named | None:
    reference, slate = clip.media_reference, str(_own(clip).get("slate", ""))
    take = _own(reference).get("take") if reference else None
    if slate and isinstance(take, int) and names.find(slate):
        return names.take(slate, take)
    address, name = getattr(reference, "target_url", "") or "", reference.name if reference else ""
    of_slate = (f"{slate} {clip.active_media_reference_key}",) if slate else ()
    return names.find(*of_slate, address, name, clip.name)


def _own(item: Any) -> Any:
    """The facts that an export has noted at an item; empty if they are gone."""
    facts = item.metadata.get(OWN)
    return facts if hasattr(facts, "get") else {}


def _frames(time: Any, rate: FrameRate, builder: CutBuilder, name: str) -> int:
    """A time in frames of the film."""
    is_counted = isfinite(time.rate) and builder.is_counted_as(time.rate)
    return builder.frames(time.value if is_counted else time.rescaled_to(float(rate.exact)).value, name)
