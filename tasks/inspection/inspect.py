"""Find the faults of an intact clip. Findings are only reported: a paid clip is kept, whatever it shows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Literal

from PIL import Image

from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import counted
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.storyboard import Mode
from storyreel.specs.timing import FrameRate
from storyreel.tasks.inspection.detect import Span
from storyreel.tasks.inspection.examine import PICTURE_BOUNDS, Examination, examination_of
from storyreel.tasks.inspection.measure import Loudness
from storyreel.tasks.inspection.picture import STILL_BOUNDS, Picture, picture_of
from storyreel.tasks.inspection.similarity import compare
from storyreel.tasks.inspection.speech import SPEECH_BOUNDS, Speech, speech_of
from storyreel.tasks.media.probe import Probe
from storyreel.tasks.media.stills import open_still
from storyreel.tasks.providers import load
from storyreel.tasks.providers.models import find_capability
from storyreel.tasks.providers.request import Request
from storyreel.tasks.storage.clips import ClipStore, cache_key

_VERSION = 2
"""Part of the cache key; increased when findings change and the bounds do not show it."""

_FIRST_FRAME_SIZE = (512, 288)
"""Pixels at which a first frame is read: enough for a thumbnail of a part of it."""


class Bounds(Frozen):
    """Thresholds beyond which a measurement is a finding."""

    short_frames: int = 3
    """Frames that may be missing: Wan makes 4n+1 frames (`frame_num` in its generate.py), so 120 become 117 or 121."""
    slow_part: Fraction = Fraction(1, 2)
    """Part of the film's frame rate; at half of it movement is seen in steps."""
    longest_frame: float = 0.2
    """Seconds for which a frame may stay in a clip of uneven frames, unless all stay that long."""
    longest_stands_out: int = 3
    """Ratio of that frame to the usual one."""
    off_pixels: int = 16
    """Pixels by which a side may differ: 1280×704 and 1920×1088 are whole blocks of an encoder or a model."""
    off_class: float = 1.3
    """Factor by which the area may differ if the clip has the shape of its first frame; 720p to 1080p is 2.25."""
    off_ratio: float = 1.1
    """Factor by which the ratio may differ from that of the first frame."""

    first_frame_unlike: float = 0.45
    """See `Difference.structure`."""
    first_frame_colour: float = 30
    """See `Difference.colour`. Warmed or faded by a tenth and more: up to 22; red and blue swapped: 46 on average."""

    silent_peak: float = -60
    """dBTP. Below it, nothing is audible beside a voice."""
    loudest: float = -5
    """LUFS. EBU R 128 asks for -23; 18 above that everything clips."""
    highest_peak: float = 1
    """dBTP. EBU R 128 allows -1; lossy coding adds up to two (EBU Tech 3343)."""


BOUNDS = Bounds()

What = Literal[
    "frames",
    "size",
    "black",
    "blank",
    "damage",
    "frozen",
    "cut",
    "first frame",
    "timing",
    "silent",
    "loudness",
    "colour",
    "length",
]

_SEVERITY: tuple[frozenset[What], ...] = (
    frozenset({"frames", "black", "blank", "size", "damage", "length"}),
    frozenset({"cut", "frozen", "first frame", "timing"}),
    frozenset({"silent", "loudness", "colour"}),
)
"""Kinds of findings, the worst first: no usable picture; one that does not play as intended; what can be mended."""


class Needed(Frozen):
    """The frames of a take that the cut needs."""

    frames: int
    """Frames of the take that are used, at the film's rate."""
    rate: FrameRate
    """Of the film."""


class Wanted(Frozen):
    """The wishes of a film for the clip of a take, beside what was ordered."""

    first_frame: Path | None = None
    """The file of the picture that it should begin with; None if there is none, or it cannot be had."""
    sound: bool = False
    """Whether its sound is used."""
    needed: Needed | None = None
    """None if all frames will do."""


class Finding(Frozen):
    """A fault in a clip, for its author."""

    what: What
    detail: str
    """As text: `black from 1.2 s to 2.0 s`."""
    remedy: str = ""
    """A change in the storyboard that helps, besides another take; empty if there is none."""


class Inspection(Frozen):
    """Facts about a clip, and the findings; a still is one frame that lasts no time, speech has none."""

    findings: tuple[Finding, ...]
    frames: int
    seconds: Fraction
    width: int
    height: int
    """Square pixels as displayed, after rotation."""
    loudness: float | None
    """Integrated, in LUFS; None without sound, or with less than 400 ms of it."""


async def inspect_clip(clip: Path, request: Request, wanted: Wanted, clips: ClipStore | None = None) -> Inspection:
    """The findings in a clip; one of the store `clips` is decoded only if it was never examined. Of a still, in its
    picture, of a spoken line, in its sound.

    Raises MediaError if it, or the first frame that is wanted, cannot be read.
    """
    if request.mode is Mode.STILL:
        return _inspected_still(await asyncio.to_thread(picture_of, clip), request)
    if request.mode is Mode.SPEECH:
        return _inspected_speech(await speech_of(clip), request)
    first = wanted.first_frame
    picture = await asyncio.to_thread(open_still, first, _FIRST_FRAME_SIZE) if first else None
    seen = await examination_of(clip, clips)
    return await asyncio.to_thread(_inspection, seen, request, picture, wanted)


def inspection_key(request: Request, wanted: Wanted) -> str:
    """SHA-256, in hex, of all that the findings in a clip depend on, besides the clip."""
    ordered = [str(request.seconds), request.width, request.height, _follows_first_frame(request)]
    first = request.first_frame.digest if request.first_frame and wanted.first_frame else ""
    used = wanted.needed.model_dump(mode="json") if wanted.needed else None
    bounds = [bounds.model_dump(mode="json") for bounds in (BOUNDS, PICTURE_BOUNDS)]
    if request.mode is Mode.STILL:
        return cache_key("inspect", STILL_BOUNDS.model_dump(mode="json"), ordered)
    if request.mode is Mode.SPEECH:
        return cache_key("inspect", SPEECH_BOUNDS.model_dump(mode="json"), request.prompt)
    return cache_key("inspect", _VERSION, bounds, ordered, first, wanted.sound, used)


def best_take(inspections: Sequence[Inspection]) -> int:
    """Index of the take with the fewest severe, then mild findings; of equals the last. Raises ValueError if empty."""
    if not inspections:
        raise ValueError("there are no takes to choose from")
    return min(range(len(inspections)), key=lambda take: (_severity(inspections[take]), -take))


def _severity(inspection: Inspection) -> tuple[int, ...]:
    """Number of findings of each kind, the worst first."""
    kinds = Counter(finding.what for finding in inspection.findings)
    return tuple(sum(kinds[what] for what in kind) for kind in _SEVERITY)


def _inspection(seen: Examination, request: Request, picture: Image.Image | None, wanted: Wanted) -> Inspection:
    facts = seen.facts
    width, height = facts.shown_size
    findings = [
        *_damage(seen),
        *_missing_frames(facts, request, wanted.needed),
        *_uneven_times(facts, wanted.needed),
        *_foreign_colours(facts),
        *_wrong_size(width, height, request, picture),
        *_picture_faults(seen),
        *(_differs_from_first_frame(seen, Fraction(width, height), picture) if picture else ()),
        *_sound_faults(facts, seen.loudness, wanted.sound),
    ]
    return Inspection(
        findings=tuple(findings),
        frames=facts.frames,
        seconds=facts.seconds,
        width=width,
        height=height,
        loudness=seen.loudness.integrated if seen.loudness else None,
    )


def _inspected_still(picture: Picture, request: Request) -> Inspection:
    findings: list[Finding] = []
    if picture.is_damaged:
        findings.append(Finding(what="damage", detail="damaged: a part of it cannot be decoded; what can be is used"))
    if picture.is_blank:
        findings.append(Finding(what="blank", detail="blank: nearly one colour all over"))
    if not picture.fits(request.width, request.height):
        detail = f"{picture.width}×{picture.height} instead of {request.width}×{request.height}"
        findings.append(Finding(what="size", detail=detail))
    return Inspection(
        findings=tuple(findings),
        frames=1,
        seconds=Fraction(0),
        width=picture.width,
        height=picture.height,
        loudness=None,
    )


def _inspected_speech(speech: Speech, request: Request) -> Inspection:
    findings: list[Finding] = []
    lasts = f"lasts {_s(speech.seconds)}"
    if speech.is_damaged:
        findings.append(Finding(what="damage", detail="damaged: a part of it cannot be decoded; what can be is used"))
    if speech.is_silent:
        findings.append(Finding(what="silent", detail="the sound is silent all through"))
    elif speech.is_too_short(request.prompt):
        findings.append(Finding(what="length", detail=f"{lasts}, too short for its line: a part of it is missing"))
    elif speech.is_too_long(request.prompt):
        findings.append(Finding(what="length", detail=f"{lasts}, far longer than its line takes to say"))
    loudness = speech.loudness.integrated if speech.loudness else None
    return Inspection(findings=tuple(findings), frames=0, seconds=speech.seconds, width=0, height=0, loudness=loudness)


def _damage(seen: Examination) -> Iterator[Finding]:
    facts = seen.facts
    if not seen.is_damaged:
        return
    if facts.missing:
        of = f"{facts.frames} of its {counted(facts.frames + facts.missing, 'frame')} are in the file"
        yield Finding(what="damage", detail=f"cut short: {of}")
        return
    if facts.lost_sound:
        yield Finding(what="damage", detail="damaged: nothing of its sound can be decoded")
    lost = facts.frames - seen.decoded
    if lost > 0 or not facts.lost_sound:
        what = f"{lost} of {counted(facts.frames, 'frame')}" if lost > 0 else "a part of its picture or sound"
        yield Finding(what="damage", detail=f"damaged: {what} cannot be decoded; what can be is used")


def _missing_frames(facts: Probe, request: Request, needed: Needed | None) -> Iterator[Finding]:
    sold = round(request.seconds * facts.rate)
    of = f"{facts.frames} of {counted(sold, 'frame')}, {_s(facts.seconds)} of {_s(request.seconds)}"
    held = needed.frames - facts.frames_at(needed.rate) if needed else 0
    if needed and held > 0:
        shorter = ceil(needed.rate.seconds(held) * 100) / 100
        yield Finding(
            what="frames",
            detail=f"{of}; its last frame is held for the {held} that the film lacks",
            remedy=f"make the shot {shorter:.2f} s shorter" if 2 * held <= needed.frames else "",
        )
    elif facts.frames < sold - BOUNDS.short_frames:
        yield Finding(what="frames", detail=of)


def _uneven_times(facts: Probe, needed: Needed | None) -> Iterator[Finding]:
    rate = f"{float(facts.rate):.4g}"
    if not facts.has_times:
        detail = f"the times of its frames cannot be followed; they are shown evenly, {rate} a second"
        yield Finding(what="timing", detail=detail)
    elif facts.longest >= BOUNDS.longest_frame and facts.longest * facts.rate >= BOUNDS.longest_stands_out:
        yield Finding(what="timing", detail=f"moves unevenly: a frame stays for {_s(facts.longest)}")
    elif needed and facts.frames > 1 and facts.rate <= needed.rate.exact * BOUNDS.slow_part:
        yield Finding(what="timing", detail=f"moves in steps: {rate} frames a second, the film has {needed.rate}")


def _foreign_colours(facts: Probe) -> Iterator[Finding]:
    if facts.colour.dynamic_range:
        detail = f"high dynamic range ({facts.colour.dynamic_range}), converted to that of the film"
        yield Finding(what="colour", detail=detail)
    if facts.interlaced:
        yield Finding(what="colour", detail="interlaced; every other line is rebuilt")
    if facts.transparent:
        yield Finding(what="colour", detail="transparent; shown on black")


def _wrong_size(width: int, height: int, request: Request, picture: Image.Image | None) -> Iterator[Finding]:
    off = max(abs(width - request.width), abs(height - request.height))
    if off <= BOUNDS.off_pixels:
        return
    ordered = f"{request.width}×{request.height}"
    if not _follows_first_frame(request):
        yield Finding(what="size", detail=f"{width}×{height} instead of {ordered}")
    elif not _is_near(width * height, request.width * request.height, BOUNDS.off_class):
        yield Finding(what="size", detail=f"{width}×{height}, not of the class of {ordered}")
    elif picture and not _is_near(width * picture.height, height * picture.width, BOUNDS.off_ratio):
        yield Finding(what="size", detail=f"{width}×{height}, neither {ordered} nor of the first frame's shape")


def _follows_first_frame(request: Request) -> bool:
    """Whether the clip has the shape of what it begins with; False for a service or model that is not known now."""
    if not (request.first_frame or request.first_clip or request.edited):
        return False
    try:
        return find_capability(load(request.provider), request.model, request.mode).follows_first_frame
    except (LookupError, StoryboardError):  # Also if the user's file of models cannot be read: the clip is paid for.
        return False


def _is_near(one: float, other: float, factor: float) -> bool:
    return other / factor <= one <= other * factor


def _picture_faults(seen: Examination) -> Iterator[Finding]:
    for span in seen.black:
        yield Finding(what="black", detail=f"black {_when(span, seen.facts)}")
    for span in seen.frozen:
        yield Finding(what="frozen", detail=f"nothing moves {_when(span, seen.facts)}")
    for at in seen.cuts:
        yield Finding(what="cut", detail=f"cuts to another picture at {_s(at)}")


def _differs_from_first_frame(seen: Examination, ratio: Fraction, picture: Image.Image) -> Iterator[Finding]:
    if not (first := seen.first_thumbnail):
        return
    difference = compare(first, ratio, picture.convert("RGB"))
    if difference.structure > BOUNDS.first_frame_unlike:
        yield Finding(what="first frame", detail="begins with another picture than the first frame that was given")
    elif difference.colour > BOUNDS.first_frame_colour:
        yield Finding(what="first frame", detail="begins in other colours than the first frame that was given")


def _sound_faults(facts: Probe, loudness: Loudness | None, wants_sound: bool) -> Iterator[Finding]:
    if not facts.has_sound or loudness is None:
        if wants_sound:
            yield Finding(what="silent", detail="there is no sound")
    elif loudness.peak <= BOUNDS.silent_peak:
        if wants_sound:
            yield Finding(what="silent", detail="the sound is silent all through")
    elif loudness.integrated is not None and loudness.integrated > BOUNDS.loudest:
        yield Finding(what="loudness", detail=f"far too loud: {loudness.integrated:.1f} LUFS")
    elif loudness.peak > BOUNDS.highest_peak:
        yield Finding(what="loudness", detail=f"too loud at its peaks: {loudness.peak:+.1f} dBTP")


def _when(span: Span, facts: Probe) -> str:
    if span.start <= 0 and span.end >= float(facts.seconds) - 1e-3:
        return "all through"
    return f"from {_s(span.start)} to {_s(span.end)}"


def _s(seconds: float | Fraction) -> str:
    return f"{float(seconds):.1f} s"
