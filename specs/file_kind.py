"""The kind of a media file, by its first bytes. Its name may say something else."""

from __future__ import annotations

from typing import NamedTuple

HEAD = 64
"""First bytes of a file that `file_kind` needs at most."""


class FileKind(NamedTuple):
    """A kind of file: its media type (IANA), and the suffix of its name, with the dot."""

    media_type: str
    suffix: str


PNG = FileKind("image/png", ".png")
JPEG = FileKind("image/jpeg", ".jpg")
BMP = FileKind("image/bmp", ".bmp")
WEBP = FileKind("image/webp", ".webp")
AVIF = FileKind("image/avif", ".avif")
MP4 = FileKind("video/mp4", ".mp4")
QUICKTIME = FileKind("video/quicktime", ".mov")
WAV = FileKind("audio/wav", ".wav")
MP3 = FileKind("audio/mpeg", ".mp3")
M4A = FileKind("audio/mp4", ".m4a")
AAC = FileKind("audio/aac", ".aac")
FLAC = FileKind("audio/flac", ".flac")
OGG = FileKind("audio/ogg", ".ogg")
AIFF = FileKind("audio/aiff", ".aiff")
CAF = FileKind("audio/x-caf", ".caf")
W64 = FileKind("audio/x-w64", ".w64")
TTF = FileKind("font/ttf", ".ttf")
OTF = FileKind("font/otf", ".otf")
TTC = FileKind("font/collection", ".ttc")

IMAGES, VIDEOS, VOICES = (PNG, JPEG, WEBP, BMP, AVIF), (MP4, QUICKTIME), (WAV, MP3)
SOUNDS = (WAV, MP3, M4A, AAC, FLAC, OGG, AIFF, CAF, W64, MP4)
FONTS = (TTF, OTF, TTC)

_BY_START = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"BM", BMP),
    (b"ID3", MP3),
    (b"fLaC", FLAC),
    (b"OggS", OGG),
    (b"caff", CAF),
    (b"riff\x2e\x91\xcf\x11", W64),
    (b"\0\1\0\0\0", TTF),
    (b"true\0", TTF),
    (b"OTTO\0", OTF),
    (b"ttcf\0", TTC),
)
_WAVES = (b"RIFF", b"RF64", b"BW64")
"""Beginnings of WAV files; the last two are for more than 4 GB (EBU Tech 3306, ITU-R BS.2088)."""
_BY_RIFF_FORM = {b"WEBP": WEBP, b"WAVE": WAV}
_BY_BRAND = {b"qt  ": QUICKTIME, b"M4A ": M4A, b"M4B ": M4A}
_STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
"""Brands of pictures in such a box: HEIF (ISO 23008-12), and AVIF in it."""
_OTHERS: tuple[tuple[bytes | tuple[bytes, ...], str], ...] = (
    ((b"GIF87a", b"GIF89a"), "a GIF picture"),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "a TIFF picture or a camera's raw file"),
    (b"8BPS", "a Photoshop picture"),
    ((b"\xff\x0a", b"\0\0\0\x0cJXL "), "a JPEG XL picture"),
    ((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
    ((b"\0\0\1\0", b"\0\0\2\0"), "an icon"),
    (b"v/1\1", "an OpenEXR picture"),
    (b"%pdf", "a PDF"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM file"),
    (b"\0\0\1\xba", "an MPEG video"),
    (b"0&\xb2u\x8ef\xcf\x11", "a Windows Media file"),
    (b"MThd", "a MIDI file, which has notes and no sound"),
    (b"#!AMR", "an AMR sound file"),
    ((b"wOFF", b"wOF2"), "a font for the web"),
    ((b"PK\3\4", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!"), "an archive"),
    ((b"<svg", b"<?xml"), "an SVG picture or other XML"),
    ((b"<!doctype", b"<html"), "a web page"),
    ((b"{", b"["), "JSON"),
)
"""Beginnings of files of other kinds, of texts in lower case."""
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""Boxes other than `ftyp` that a file may begin with (ISO 14496-12; Apple's QuickTime File Format)."""


def file_kind(head: bytes) -> FileKind | None:
    """The kind of a file that begins with `head`, at least 12 bytes; None if unknown."""
    for start, kind in _BY_START:
        if head.startswith(start):
            return kind
    if head.startswith(_WAVES):
        return _BY_RIFF_FORM.get(head[8:12])
    if head.startswith(b"FORM"):
        return AIFF if head[8:12] in (b"AIFF", b"AIFC") else None
    box, brand = head[4:8], head[8:12]
    if box == b"ftyp":
        if brand in _STILL_BRANDS:
            return AVIF if _is_avif(head) else None
        return _BY_BRAND.get(brand, MP4)
    return QUICKTIME if box in _QUICKTIME_BOXES else _mpeg_audio(head)


def other_kind(head: bytes) -> str:
    """The name of a kind of file that is not used, for a message: `a GIF picture`; empty if unknown."""
    if head[4:8] == b"ftyp":
        is_heif = head[8:12] in _STILL_BRANDS and not _is_avif(head)
        return "a HEIC picture" if is_heif else ""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"RIFF"):
        return "an AVI video" if head[8:12] == b"AVI " else ""
    return next((what for starts, what in _OTHERS if head.startswith(starts) or text.startswith(starts)), "")


def _is_avif(head: bytes) -> bool:
    """Whether AVIF is among the brands of a file's first box."""
    length = int.from_bytes(head[:4], "big")
    brands = head[8 : min(length, len(head))]
    return any(brands[at : at + 4] in (b"avif", b"avis") for at in range(0, len(brands), 4))


def _mpeg_audio(head: bytes) -> FileKind | None:
    """MP3 or AAC by the header of the first frame: eleven set bits, then the layer, 01 for MP3; 00 is ADTS, of AAC."""
    if len(head) < 2 or head[0] != 0xFF:
        return None
    if head[1] & 0xE6 == 0xE2:
        return MP3
    return AAC if head[1] & 0xF6 == 0xF0 else None
