"""A file is what its first bytes say, and one that is not used is called by its name."""

from __future__ import annotations

import struct

import pytest

from storyreel.specs.file_kind import (
    AIFF,
    AVIF,
    CAF,
    HEAD,
    M4A,
    MP4,
    QUICKTIME,
    W64,
    WAV,
    FileKind,
    file_kind,
    other_kind,
)


def box(brand: bytes, *compatible: bytes) -> bytes:
    return struct.pack(">I", 16 + 4 * len(compatible)) + b"ftyp" + brand + bytes(4) + b"".join(compatible) + bytes(40)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RF64\xff\xff\xff\xffWAVEds64", WAV),
        (b"BW64\xff\xff\xff\xffWAVEds64", WAV),
        (b"RIFF\x24\0\0\0WAVEfmt ", WAV),
        (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0", W64),
        (b"FORM\0\0\0\x20AIFFCOMM", AIFF),
        (b"FORM\0\0\0\x20AIFCFVER", AIFF),
        (b"caff\0\1\0\0desc", CAF),
        (box(b"avif", b"mif1", b"miaf"), AVIF),
        (box(b"mif1", b"mif1", b"avif", b"miaf"), AVIF),
        (box(b"isom", b"iso2", b"avc1", b"mp41"), MP4),
        (box(b"M4A ", b"isom"), M4A),
        (box(b"qt  "), QUICKTIME),
    ],
)
def test_a_kind_is_known_by_its_first_bytes(head: bytes, kind: FileKind) -> None:
    assert file_kind(head[:HEAD]) is kind
    assert not other_kind(head[:HEAD])


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (box(b"heic", b"mif1", b"heic"), "a HEIC picture"),
        (box(b"mif1", b"mif1", b"heic"), "a HEIC picture"),
        (b"GIF89a" + bytes(20), "a GIF picture"),
        (b"II*\0" + bytes(20), "a TIFF picture or a camera's raw file"),
        (b"\x1aE\xdf\xa3" + bytes(20), "a Matroska or WebM file"),
        (b"RIFF\x24\0\0\0AVI LIST", "an AVI video"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>", "a web page"),
        (b'{"error": "not found"}', "JSON"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "an SVG picture or other XML"),
        (b"%PDF-1.7 and more", "a PDF"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(head: bytes, what: str) -> None:
    assert file_kind(head[:HEAD]) is None
    assert other_kind(head[:HEAD]) == what


def test_words_are_no_kind_of_file() -> None:
    assert file_kind(b"just words, many of them") is None and not other_kind(b"just words, many of them")
