"""Whether a picture, sound, video or font that a film names can be read to its end: half a download cannot."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.grading.cube import check_cube
from storyreel.tasks.media.probe import open_clip, probe
from storyreel.tasks.media.stills import open_still

_NEAR = (64, 64)
"""Pixels. A JPEG is read to its end at any size, and faster at a small one."""
_EXACT = frozenset(("wav", "w64", "aiff", "caf", "flac", "mov", "mp4", "m4a"))
"""Containers that say exactly how long their sound is."""
_MISSING = Fraction(1)
"""Seconds by which a sound may end early: encoders count their last, incomplete frame."""
_DAMAGED_PART = Fraction(1, 10)
"""So many of its packets may be damaged: the first of a stream that was cut out of another often is."""

_HEAD = 128
_STREAMED = 0x7FFFF000
"""From here on a size is that of a program that wrote a WAV into a pipe, and did not know it."""
_XING = tuple(4 + side + checksum for side in (9, 17, 32) for checksum in (0, 2))
"""Offsets at which the header may be in a frame, by MPEG version and channels."""
_SLACK = 4096
"""Bytes by which a size in a file may be wrong: of a padding that was not written, or a tag that was cut off."""
_TAIL, _ZEROS = 1 << 20, 512
"""Bytes at the end of a file that are looked at, and how many zeros are no accident."""


def check_picture(file: Path) -> None:
    """Return if a picture can be decoded. Raises MediaError."""
    open_still(file, _NEAR)
    if _ends_in_zeros(file):
        raise MediaError(f"{file} ends in zeros: only the first part of it was downloaded", hint="download it again")


def check_sound(file: Path) -> None:
    """Return if a file has a sound that can be decoded to its end. Raises MediaError."""
    whole_sound(file)


def whole_sound(file: Path) -> Fraction:
    """The seconds of a sound that can be decoded to its end. Raises MediaError."""
    if (told := _told_bytes(file)) > (present := file.stat().st_size) + _SLACK:
        raise MediaError(f"{file} is cut short: it has {present:,} of {told:,} bytes", hint="download or copy it again")
    with open_clip(file, to_decode=True) as opened:
        if not opened.streams.audio:
            raise MediaError(f"{file} has no sound in it", hint="record or export it again, or name another file")
        stream = opened.streams.audio[0]
        promised = _promised_seconds(opened, stream)
        seconds = _decoded_seconds(opened, stream, file)
    if promised is not None and seconds + _MISSING < promised:
        lengths = f"{float(seconds):.4g} of its {float(promised):.4g} s"
        raise MediaError(f"{file} is cut short: it has {lengths}", hint="download or copy it again")
    return seconds


def decodable_sound(file: Path) -> Fraction:
    """The seconds of a sound that can be decoded, of a file that may be damaged. Raises MediaError if there are
    none."""
    with open_clip(file, to_decode=True) as opened:
        if not opened.streams.audio:
            raise MediaError(f"{file} has no sound in it", hint="record or export it again, or name another file")
        return _decoded_seconds(opened, opened.streams.audio[0], file, most_damaged=1)


def check_font(file: Path) -> None:
    """Return if letters can be drawn in a font. Raises MediaError."""
    from storyreel.tasks.media.text.font_file import faces  # needs Pillow's fonts, which few films name

    faces(file)


def check_video(file: Path) -> None:
    """Return if a video has all the frames that it says, and the first can be decoded. Raises MediaError."""
    found = probe(file)
    if found.missing:
        frames = f"{found.frames} of its {found.frames + found.missing} frames"
        raise MediaError(f"{file} is cut short: it has {frames}", hint="download or copy it again")


CHECKS: dict[str, Callable[[Path], None]] = {
    "IMAGE": check_picture, "VIDEO": check_video, "VOICE": check_sound, "MUSIC": check_sound,
    "SOUND": check_sound, "LUT": check_cube, "FONT": check_font,
}  # fmt: skip
"""The check of a source, by the name of its `specs.sources.SourceKind`."""


def _told_bytes(file: Path) -> int:
    """The size that a file says it has, 0 if it says none. ffmpeg believes the file system instead."""
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    if head.startswith((b"RIFF", b"FORM")):
        size = int.from_bytes(head[4:8], "little" if head.startswith(b"RIFF") else "big")
        return size + 8 if size < _STREAMED else 0
    if head.startswith(b"riff\x2e\x91\xcf\x11"):
        return int.from_bytes(head[16:24], "little")
    with file.open("rb") as opened:
        # The tag before the first frame of an MP3; its length has seven bits a byte.
        first = 10 + sum((byte & 127) << 7 * n for n, byte in enumerate(head[9:5:-1])) if head[:3] == b"ID3" else 0
        opened.seek(first)
        frame = opened.read(_HEAD)
    # The header of Xing or LAME is behind the frame's own, its side information and perhaps a checksum.
    at = next((at for at in _XING if frame[at : at + 4] in (b"Xing", b"Info")), 0)
    # Flags: 1 if the number of frames follows, 2 if that of bytes, counted from this frame.
    if not at or not frame[at + 7] & 2:
        return 0
    after = at + 8 + 4 * (frame[at + 7] & 1)
    return first + int.from_bytes(frame[after : after + 4], "big")


def _decoded_seconds(
    opened: InputContainer, stream: AudioStream, file: Path, most_damaged: Fraction | int = _DAMAGED_PART
) -> Fraction:
    samples = packets = damaged = 0
    for packet in opened.demux(stream):
        packets += 1
        try:
            samples += sum(frame.samples for frame in packet.decode())
        except FFmpegError:
            damaged += 1
    if not samples or damaged > most_damaged * packets:
        raise MediaError(f"{file} is damaged: its sound cannot be decoded", hint="download or export it again")
    return Fraction(samples, stream.codec_context.sample_rate)


def _promised_seconds(opened: InputContainer, stream: AudioStream) -> Fraction | None:
    """The length that the container gives; None if that is a guess."""
    if not set(opened.format.name.split(",")) & _EXACT:
        return None
    if stream.duration is not None and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(opened.duration, av.time_base) if opened.duration else None


def _ends_in_zeros(file: Path) -> bool:
    """Whether a JPEG's end is zeros where its last marker should be: room that a download reserved and did not fill.

    Its decoder only warns of that. Zeros after the marker are harmless.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        if opened.read(2) != b"\xff\xd8":
            return False
        opened.seek(max(0, size - _TAIL))
        tail = opened.read()
    content = tail.rstrip(b"\0")
    return len(tail) - len(content) >= _ZEROS and not content.endswith(b"\xff\xd9")
