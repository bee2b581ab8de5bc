"""Is a file whole? Every box, every packet, every picture and every sound of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import ffmpeg

from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.probe import Probe, open_clip, probe

_AGAIN = "download or copy it again"


async def whole(clip: Path) -> Probe:
    """What is in a clip, once all of it has been decoded. Raises MediaError for one that is cut short or damaged.

    Neither picture nor sound has a checksum: a flipped byte shows only where decoding stumbles over it. ffmpeg
    finds nine in ten of flips of 64 bytes, some that PyAV lets pass among them, in the same time (measured); and a
    file that crashes a decoder ends the child, not us.
    """
    await asyncio.to_thread(find_ffmpeg)
    seen = await asyncio.to_thread(_all_there, clip)
    source = ffmpeg.input(str(seen.path), threads=1)
    streams = [source["v:0"], *([source["a:0"]] if seen.has_sound else [])]
    decoded = ffmpeg.output(*streams, "-", f="null").global_args("-xerror")
    try:
        await run(decoded, seconds=seen.seconds)
    except MediaError as error:
        raise MediaError(f"{clip} is damaged: not all of its picture and sound can be decoded", hint=_AGAIN) from error
    return seen


def _all_there(clip: Path) -> Probe:
    seen = probe(clip)
    _count_sound(clip)
    _follow_boxes(clip)
    return seen


def _count_sound(clip: Path) -> None:
    """As many packets of sound as the header promises; those of the picture are counted by `probe`."""
    with open_clip(clip, to_decode=False) as file:
        for stream in file.streams.audio[:1]:
            present = sum(1 for packet in file.demux(stream) if packet.size)
            if present < stream.frames:
                raise MediaError(
                    f"{clip} is cut short: {present} of the {stream.frames} pieces of its sound are there", hint=_AGAIN
                )


def _follow_boxes(clip: Path) -> None:
    """No box of an MP4 reaches beyond the end of the file (ISO/IEC 14496-12, 4.2). Other files have no boxes.

    What follows the last box and is none itself does no harm, and is let be.
    """
    size = clip.stat().st_size
    with clip.open("rb") as file:
        at = 0
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            if at == 0 and head[4:8] != b"ftyp":
                return
            length = int.from_bytes(head[:4], "big")
            if length == 1:  # the true length follows, in 64 bits
                length = int.from_bytes(head[8:16], "big")
            if length < 8:  # 0: the box reaches to the end of the file; any other is no box
                return
            at += length
    if at > size:
        raise MediaError(f"{clip} is cut short: {size} of at least {at} bytes are there", hint=_AGAIN)
