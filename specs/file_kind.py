"""The kind of a media file, by its first bytes. Its name may say something else."""

from __future__ import annotations

from typing import NamedTuple

HEAD = 32
"""First bytes of a file that `file_kind` needs at most."""


class FileKind(NamedTuple):
    """A kind of file: its media type (IANA), and the suffix of its name, with the dot."""

    media_type: str
    suffix: str


PNG = FileKind("image/png", ".png")
JPEG = FileKind("image/jpeg", ".jpg")
BMP = FileKind("image/bmp", ".bmp")
WEBP = FileKind("image/webp", ".webp")
MP4 = FileKind("video/mp4", ".mp4")
QUICKTIME = FileKind("video/quicktime", ".mov")
WAV = FileKind("audio/wav", ".wav")
MP3 = FileKind("audio/mpeg", ".mp3")
M4A = FileKind("audio/mp4", ".m4a")
AAC = FileKind("audio/aac", ".aac")
FLAC = FileKind("audio/flac", ".flac")
OGG = FileKind("audio/ogg", ".ogg")

IMAGES, VIDEOS, VOICES = (PNG, JPEG, WEBP, BMP), (MP4, QUICKTIME), (WAV, MP3)
SOUNDS = (WAV, MP3, M4A, AAC, FLAC, OGG, MP4)

_BY_START = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"BM", BMP),
    (b"ID3", MP3),
    (b"fLaC", FLAC),
    (b"OggS", OGG),
)
_BY_RIFF_FORM = {b"WEBP": WEBP, b"WAVE": WAV}
_BY_BRAND = {b"qt  ": QUICKTIME, b"M4A ": M4A, b"M4B ": M4A}
_STILL_BRANDS = (b"heic", b"heix", b"mif1", b"avif")
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""Boxes other than `ftyp` that a file may begin with (ISO 14496-12; Apple's QuickTime File Format)."""


def file_kind(head: bytes) -> FileKind | None:
    """The kind of a file that begins with `head`, at least 12 bytes; None if unknown."""
    for start, kind in _BY_START:
        if head.startswith(start):
            return kind
    if head.startswith(b"RIFF"):
        return _BY_RIFF_FORM.get(head[8:12])
    box, brand = head[4:8], head[8:12]
    if box == b"ftyp":
        return None if brand in _STILL_BRANDS else _BY_BRAND.get(brand, MP4)
    return QUICKTIME if box in _QUICKTIME_BOXES else _mpeg_audio(head)


def _mpeg_audio(head: bytes) -> FileKind | None:
    """MP3 or AAC by the header of the first frame: eleven set bits, then the layer, 01 for MP3; 00 is ADTS, of AAC."""
    if len(head) < 2 or head[0] != 0xFF:
        return None
    if head[1] & 0xE6 == 0xE2:
        return MP3
    return AAC if head[1] & 0xF6 == 0xF0 else None
