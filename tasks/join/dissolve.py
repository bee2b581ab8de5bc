"""Encode the frames of a dissolve between two house clips as a piece of its own."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import ffmpeg
from ffmpeg.nodes import FilterableStream, OutputStream

from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.pieces import PicturePiece, SharedPieces, encoded_piece, find_or_make
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.storage.clips import cache_key

_VERSION = 1
"""Part of the cache key; increased when the output changes and the options do not show it."""


class DissolveClip(PicturePiece):
    """The frames of a dissolve, without sound."""


def dissolve_key(outgoing: HouseClip, incoming: HouseClip, frames: int, house: HouseFormat, ffmpeg_version: str) -> str:
    """Cache key: SHA-256, in hex, of everything that the output of `dissolve_clips` depends on."""
    clips = outgoing.picture_digest, outgoing.frames, incoming.picture_digest, frames
    return cache_key("dissolve", _VERSION, *clips, *house.facts, ffmpeg_version)


async def dissolve_clips(
    outgoing: HouseClip,
    incoming: HouseClip,
    frames: int,
    house: HouseFormat,
    into: Path,
    *,
    shared: SharedPieces | None = None,
) -> DissolveClip:
    """The dissolve in the folder `into`, copied from the ones that hosts share, or made from two house clips.

    It mixes the last `frames` of one clip with the first of the other. Both must be conformed for a dissolve of this
    length, so that its first frame in each is a keyframe. Raises MediaError.
    """

    async def make(folder: Path) -> DissolveClip:
        picture = folder / f"picture{house.suffix}"
        await run(_mix(outgoing, incoming, frames, house, picture), frames=frames)
        what = f"the dissolve from {outgoing.picture} to {incoming.picture}"
        hint = "delete these two files; the next render makes them again"
        return await encoded_piece(DissolveClip, picture, frames, incoming.signature, what, hint)

    return await find_or_make(DissolveClip, into, make, shared=shared)


def _mix(outgoing: HouseClip, incoming: HouseClip, frames: int, house: HouseFormat, into: Path) -> OutputStream:
    """The mixed frames. Frame k of D has (k+1)/(D+1) of the incoming clip: frames before and after are pure.

    `xfade` begins with a pure frame. With one frame more at both ends, that frame can be dropped.
    """
    # An accurate seek decodes from the start of the file; this one goes to the keyframe where the dissolve begins.
    start = (outgoing.frames - frames + Fraction(1, 4)) / house.rate.exact
    tail = ffmpeg.input(str(outgoing.picture), threads=1, ss=f"{float(start):.6f}", noaccurate_seek=None)
    head = ffmpeg.input(str(incoming.picture), threads=1)
    mixed = ffmpeg.filter(
        [_padded(tail.video, frames, house), _padded(head.video, frames, house)],
        "xfade",
        transition="fade",
        duration=f"{float(house.rate.seconds(frames + 1)):.6f}",
        offset=0,
    )
    mixed = mixed.filter("trim", start_frame=1, end_frame=frames + 1).filter("setpts", "PTS-STARTPTS")
    return ffmpeg.output(house.tagged(mixed), str(into), **house.picture_options(), **{"frames:v": frames})


def _padded(picture: FilterableStream, frames: int, house: HouseFormat) -> FilterableStream:
    """The first `frames` of a stream, at exact times, with the first and the last frame repeated once."""
    return (
        picture.filter("trim", end_frame=frames)
        .filter("setpts", f"N/({house.rate.exact})/TB")
        .filter("fps", str(house.rate.exact))
        .filter("tpad", start=1, start_mode="clone", stop=1, stop_mode="clone")
    )
