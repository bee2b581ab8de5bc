"""A dissolve between two conformed clips, as a small piece of picture of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
from fractions import Fraction
from pathlib import Path

import ffmpeg
from ffmpeg.nodes import FilterableStream, OutputStream

from storyreel.tasks.clips import file_digest
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.pieces import Piece, SharedPieces, find_or_make
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import Progress, run
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.media.probe import probe

_WAY = 1
"""Counts up when dissolving changes in a way that its options do not show."""


class DissolveClip(Piece):
    """The frames of a dissolve; picture alone."""


def dissolve_key(outgoing: HouseClip, incoming: HouseClip, frames: int, house: HouseFormat, ffmpeg_version: str) -> str:
    """SHA-256, in hex, of all that decides what `dissolve_clips` makes: equal recipes make equal bytes."""
    facts = ["dissolve", _WAY, outgoing.picture_digest, outgoing.frames, incoming.picture_digest, frames,
             house.model_dump(mode="json"), house.picture_options(), ffmpeg_version]  # fmt: skip
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


async def dissolve_clips(
    outgoing: HouseClip,
    incoming: HouseClip,
    frames: int,
    house: HouseFormat,
    into: Path,
    *,
    progress: Progress | None = None,
    shared: SharedPieces | None = None,
) -> DissolveClip:
    """Mix the last `frames` of one clip with the first of another, in the folder `into`; or find it there, or on the
    shelf that hosts share.

    Both were conformed for a dissolve of this length, so that the first frame that is needed is a keyframe.
    Raises MediaError.
    """

    async def make(folder: Path) -> DissolveClip:
        picture = folder / "picture.mp4"
        await run(_mix(outgoing, incoming, frames, house, picture), frames=frames, progress=progress)
        result = await asyncio.to_thread(probe, picture)
        if result.frames != frames or result.signature != incoming.signature:
            raise MediaError(
                f"the dissolve from {outgoing.picture} to {incoming.picture} has {result.frames} frames instead of "
                f"{frames}, or is unlike them",
                "delete the two files named; the next render makes them again",
            )
        return DissolveClip(
            picture=Path(picture.name),
            picture_digest=await asyncio.to_thread(file_digest, picture),
            frames=frames,
            delay=result.delay,
            signature=result.signature,
        )

    return await find_or_make(DissolveClip, into, make, shared=shared)


def _mix(outgoing: HouseClip, incoming: HouseClip, frames: int, house: HouseFormat, into: Path) -> OutputStream:
    """Frame k of D is k+1 parts of D+1 the incoming one: both neighbours, pure, are the frames around it.

    `xfade` gives its first frame wholly to the outgoing clip; held once more on either side, that frame falls away.
    """
    # Without the accurate seek, which decodes from the start and drops, the demuxer goes to the keyframe before the
    # time: that of the dissolve itself.
    start = (outgoing.frames - frames + Fraction(1, 4)) / house.rate.exact
    tail = ffmpeg.input(str(outgoing.picture), threads=1, ss=f"{float(start):.6f}", noaccurate_seek=None)
    head = ffmpeg.input(str(incoming.picture), threads=1)
    mixed = ffmpeg.filter(
        [_framed(tail.video, frames, house), _framed(head.video, frames, house)],
        "xfade",
        transition="fade",
        duration=f"{float(house.rate.seconds(frames + 1)):.6f}",
        offset=0,
    )
    mixed = mixed.filter("trim", start_frame=1, end_frame=frames + 1).filter("setpts", "PTS-STARTPTS")
    return ffmpeg.output(house.finished(mixed), str(into), **house.picture_options(), **{"frames:v": frames})


def _framed(picture: FilterableStream, frames: int, house: HouseFormat) -> FilterableStream:
    """The first `frames` of a stream, at exact times, with the first and last doubled."""
    return (
        picture.filter("trim", end_frame=frames)
        .filter("setpts", f"N/({house.rate.exact})/TB")
        .filter("fps", str(house.rate.exact))
        .filter("tpad", start=1, start_mode="clone", stop=1, stop_mode="clone")
    )
