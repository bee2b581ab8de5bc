"""Is a clip whole, is it what was ordered, and is it any good?

`verify` is asked of every clip that comes: one that is not whole is fetched again. `inspect_clip` is asked of a clip
that is whole, and only tells: what is paid is kept, whatever it looks like.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

from PIL import Image

from storyreel.specs.frozen import Frozen
from storyreel.tasks.inspection.detect import PictureBounds, Span, black, cuts, frozen
from storyreel.tasks.inspection.integrity import whole
from storyreel.tasks.inspection.measure import Loudness, Measured, measure
from storyreel.tasks.inspection.similarity import compared
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import Probe, probe
from storyreel.tasks.media.stills import open_still
from storyreel.tasks.providers import load
from storyreel.tasks.providers.request import Request

_WAY = 1
"""Counts up when inspecting changes in a way that its bounds do not show."""

_NEAR_PICTURE = (512, 288)
"""Pixels at which a first frame is read: enough for a thumbnail with a part cut off."""


class Bounds(Frozen):
    """From where on something is a finding."""

    picture: PictureBounds = PictureBounds()

    short_frames: int = 3
    """By which a clip may be shorter than sold: Wan makes pictures in fours and one (`frame_num` is 4n+1 in its
    generate.py), so that 120 become 117 or 121."""
    off_pixels: int = 16
    """By which a side may be off, and is conformed: 1280×704 or 1920×1088, whole blocks of an encoder or a model."""
    off_class: float = 1.3
    """Times that the area may be larger or smaller where the clip takes its first frame's shape; 720p and 1080p
    are 2.25 apart."""
    off_ratio: float = 1.1
    """Times that the shape may be wider or narrower than that of the first frame."""

    first_frame_unlike: float = 0.45
    """In structure; see `Unlike`."""
    first_frame_colour: float = 30
    """In levels. Warmed or faded by a tenth and more: up to 22; red and blue exchanged: 46 on the average."""

    silent_peak: float = -60
    """dBTP. Below it, nothing is heard beside a voice."""
    loudest: float = -5
    """LUFS. EBU R 128 asks for -23; 18 above it there is nothing left but clipping."""
    highest_peak: float = 1
    """dBTP. EBU R 128 allows -1; lossy coding adds up to two (EBU Tech 3343)."""


BOUNDS = Bounds()

What = Literal["frames", "size", "black", "frozen", "silent", "cut", "first frame", "loudness"]

_GRAVITY: tuple[frozenset[What], ...] = (
    frozenset({"frames", "black", "size"}),
    frozenset({"cut", "frozen", "first frame"}),
    frozenset({"silent", "loudness"}),
)
"""What is gravest first: there is no picture, or not the one that fits; it does not play as it was meant; its sound,
which can be replaced or turned down in the cut."""


class Finding(Frozen):
    """Something about a clip that its author should know."""

    what: What
    detail: str
    """In words: `black from 1.2 s to 2.0 s`."""


class Inspection(Frozen):
    """What a clip is, and what was found."""

    findings: tuple[Finding, ...]
    frames: int
    seconds: Fraction
    width: int
    height: int
    """Pixels as they are seen: turned, and square."""
    loudness: float | None
    """Integrated, in LUFS; None without sound, and where there is too little of it to tell."""

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


async def verify(clip: Path, request: Request) -> None:
    """Decode all of a clip that has just come. Raises MediaError when it is not whole: then it is fetched again."""
    try:
        await whole(clip)
    except MediaError as damage:
        # Where the file lies on its way into the store says nothing to anybody.
        message = damage.message.replace(str(clip), f"the clip from {request.provider}")
        raise MediaError(message, hint=damage.hint) from damage


async def inspect_clip(
    clip: Path, request: Request, *, first_frame: Path | None = None, wants_sound: bool = False
) -> Inspection:
    """Look at a whole clip as a viewer would: is it what was ordered, and is it any good?

    `first_frame` is the picture that it was to begin with. Whatever the clip shows, it is told and not raised:
    MediaError is for what is no clip or no picture.
    """
    seen = await asyncio.to_thread(probe, clip)
    picture = await asyncio.to_thread(open_still, first_frame, _NEAR_PICTURE) if first_frame else None
    measured = await measure(seen)
    return await asyncio.to_thread(_inspected, seen, measured, request, picture, wants_sound)


def inspection_key(
    clip_digest: str, request: Request, first_frame_digest: str, wants_sound: bool, ffmpeg_version: str
) -> str:
    """SHA-256, in hex, of all that decides what `inspect_clip` finds: equal recipes find the same.

    `first_frame_digest` is empty where no picture was given.
    """
    ordered = [str(request.seconds), request.width, request.height, _follows_first_frame(request)]
    facts = ["inspect", _WAY, BOUNDS.model_dump(mode="json"), clip_digest, ordered, first_frame_digest, wants_sound,
             ffmpeg_version]  # fmt: skip
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def best_take(inspections: Sequence[Inspection]) -> int:
    """Which of several takes is the best: the one with the fewest grave findings, then with the fewest mild ones.

    Of equals it is the last: it was made because an earlier one did not please. Raises ValueError without any.
    """
    if not inspections:
        raise ValueError("there are no takes to choose from")
    return min(range(len(inspections)), key=lambda take: (_gravity(inspections[take]), -take))


def _gravity(inspection: Inspection) -> tuple[int, ...]:
    """How many findings of each kind, the gravest first."""
    kinds = Counter(finding.what for finding in inspection.findings)
    return tuple(sum(kinds[what] for what in kind) for kind in _GRAVITY)


def _inspected(
    seen: Probe, measured: Measured, request: Request, picture: Image.Image | None, wants_sound: bool
) -> Inspection:
    width, height = _shown_size(seen)
    findings = [
        *_missing_frames(seen, request),
        *_wrong_size(width, height, request, picture),
        *_faults_of_picture(measured, seen),
        *(_unlike_first_frame(measured, Fraction(width, height), picture) if picture else ()),
        *_faults_of_sound(seen, measured.loudness, wants_sound),
    ]
    return Inspection(
        findings=tuple(findings),
        frames=seen.frames,
        seconds=seen.seconds,
        width=width,
        height=height,
        loudness=measured.loudness.integrated if measured.loudness else None,
    )


def _missing_frames(seen: Probe, request: Request) -> Iterator[Finding]:
    sold = round(request.seconds * seen.rate)
    if seen.frames < sold - BOUNDS.short_frames:
        of = f"{seen.frames} of {sold} frames, {_s(seen.seconds)} of {_s(request.seconds)}"
        yield Finding(what="frames", detail=of)


def _shown_size(seen: Probe) -> tuple[int, int]:
    width, height = round(seen.width * seen.sar), seen.height
    return (height, width) if seen.rotation in (90, 270) else (width, height)


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
    """Whether the clip takes its first frame's shape; a service that is not installed any more is not known to."""
    if request.first_frame is None:
        return False
    try:
        return load(request.provider).capabilities[request.mode].follows_first_frame
    except LookupError:
        return False


def _is_near(one: float, other: float, times: float) -> bool:
    return other / times <= one <= other * times


def _faults_of_picture(measured: Measured, seen: Probe) -> Iterator[Finding]:
    moments, bounds = measured.moments, BOUNDS.picture
    for span in black(moments, bounds):
        yield Finding(what="black", detail=f"black {_when(span, seen)}")
    for span in frozen(moments, bounds):
        yield Finding(what="frozen", detail=f"nothing moves {_when(span, seen)}")
    for at in cuts(moments, bounds):
        yield Finding(what="cut", detail=f"cuts to another picture at {_s(at)}")


def _unlike_first_frame(measured: Measured, ratio: Fraction, picture: Image.Image) -> Iterator[Finding]:
    if not measured.moments:
        return
    unlike = compared(measured.moments[0].thumbnail, ratio, picture.convert("RGB"))
    if unlike.structure > BOUNDS.first_frame_unlike:
        yield Finding(what="first frame", detail="begins with another picture than the first frame that was given")
    elif unlike.colour > BOUNDS.first_frame_colour:
        yield Finding(what="first frame", detail="begins in other colours than the first frame that was given")


def _faults_of_sound(seen: Probe, loudness: Loudness | None, wants_sound: bool) -> Iterator[Finding]:
    if not seen.has_sound or loudness is None:
        if wants_sound:
            yield Finding(what="silent", detail="there is no sound")
    elif loudness.peak <= BOUNDS.silent_peak:
        if wants_sound:
            yield Finding(what="silent", detail="the sound is silent all through")
    elif loudness.integrated is not None and loudness.integrated > BOUNDS.loudest:
        yield Finding(what="loudness", detail=f"far too loud: {loudness.integrated:.1f} LUFS")
    elif loudness.peak > BOUNDS.highest_peak:
        yield Finding(what="loudness", detail=f"too loud at its peaks: {loudness.peak:+.1f} dBTP")


def _when(span: Span, seen: Probe) -> str:
    if span.start <= 0 and span.end >= float(seen.seconds) - 1e-3:
        return "all through"
    return f"from {_s(span.start)} to {_s(span.end)}"


def _s(seconds: float | Fraction) -> str:
    return f"{float(seconds):.1f} s"
