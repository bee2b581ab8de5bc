"""Check that a clip is complete and undamaged: all boxes, all packets, all frames and all sound."""

from __future__ import annotations

import asyncio
from pathlib import Path

import ffmpeg

from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.decoder import opened
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.probe import Probe, open_clip, probe, sound_stream

_AGAIN = "download or copy it again"


async def check_integrity(clip: Path, name: str) -> None:
    """Decode all of a clip. Raises MediaError, with `name` for the file, if it is cut short or damaged.

    Picture and sound have no checksums, so damage shows only if decoding fails. ffmpeg finds nine of ten flips of 64
    bytes, more than PyAV in the same time (measured), and a file that crashes a decoder ends only the child process.
    """
    try:
        await _decode(clip)
    except MediaError as error:
        raise MediaError(error.message.replace(str(clip), name), hint=error.hint, next=error.next) from error


async def is_intact(clip: Path) -> bool:
    """Whether all of a clip can be decoded. False also if ffmpeg fails for another reason."""
    try:
        await _decode(clip)
    except MediaError:
        return False
    return True


async def _decode(clip: Path) -> None:
    await asyncio.to_thread(find_ffmpeg)
    facts = await asyncio.to_thread(_read, clip)
    source = opened(facts)
    streams = [source[str(number)] for number in (facts.stream, facts.sound) if number is not None]
    decoded = ffmpeg.output(*streams, "-", f="null").global_args("-xerror")
    try:
        await run(decoded, seconds=facts.seconds)
    except MediaError as error:
        raise MediaError(f"{clip} is damaged: a part of its picture or sound cannot be decoded", hint=_AGAIN) from error


def _read(clip: Path) -> Probe:
    facts = probe(clip)
    if facts.missing:
        promised = facts.frames + facts.missing
        raise MediaError(f"{clip} is cut short: it has {facts.frames} of its {promised} frames", hint=_AGAIN)
    if facts.lost_sound:
        raise MediaError(f"{clip} is damaged: nothing of its sound can be decoded", hint=_AGAIN)
    _count_sound(clip)
    _follow_boxes(clip)
    return facts


def _count_sound(clip: Path) -> None:
    """Compare the number of sound packets with the header. `probe` does the same for the picture."""
    with open_clip(clip) as file:
        if stream := sound_stream(file):
            present = sum(1 for packet in file.demux(stream) if packet.size)
            if present < stream.frames:
                raise MediaError(
                    f"{clip} is cut short: it has {present} of its {stream.frames} sound packets", hint=_AGAIN
                )


def _follow_boxes(clip: Path) -> None:
    """Check that no box reaches beyond the end of an MP4 (ISO/IEC 14496-12, 4.2); other bytes may follow the last."""
    size = clip.stat().st_size
    with clip.open("rb") as file:
        at = 0
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            if at == 0 and head[4:8] != b"ftyp":
                return
            length = int.from_bytes(head[:4], "big")
            if length == 1:  # The length follows, in 64 bits.
                length = int.from_bytes(head[8:16], "big")
            if length < 8:  # 0: the box reaches to the end of the file. 1 to 7: not a box.
                return
            at += length
    if at > size:
        raise MediaError(f"{clip} is cut short: it has {size} of at least {at} bytes", hint=_AGAIN)
