"""The content of a font file: its faces, the letters of each, and whether they are drawn in colour.

Only the tables of names and characters are read, with no library: Pillow does not tell which letters a font has.
The formats are those of the OpenType specification 1.9.1 (read 2026-11-29).
"""

from __future__ import annotations

import mmap
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageFont

from storyreel.tasks.media.errors import MediaError

ENDINGS = (".ttf", ".otf", ".ttc", ".otc")
"""Endings of the font files that are read."""

_MOST_FACES = 64
_UNICODE = {(3, 10): 0, (0, 6): 1, (0, 4): 2, (3, 1): 3, (0, 3): 4, (0, 2): 5, (0, 1): 6, (0, 0): 7}
"""Platforms and encodings of the tables of Unicode characters, the fullest first."""

if TYPE_CHECKING:
    from PIL.ImageFont import Axis

Buffer = bytes | mmap.mmap


class Coverage:
    """The characters that a face has, as ranges."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, ranges: Iterator[tuple[int, int]]) -> None:
        ordered = sorted(ranges)
        self._starts = [first for first, _ in ordered]
        self._ends = [last for _, last in ordered]

    def __contains__(self, character: str) -> bool:
        code = ord(character)
        at = bisect_right(self._starts, code) - 1
        return at >= 0 and code <= self._ends[at]

    def __bool__(self) -> bool:
        return bool(self._starts)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of a font file."""

    path: Path
    index: int
    """Its number in the file."""
    family: str
    characters: Coverage
    is_colour: bool
    """Whether its letters bring their own colours, as emoji do."""
    strike: int
    """The one size in pixels that a face of bitmaps can be drawn in; 0 for outlines, which have all sizes."""

    @property
    def is_for_emoji(self) -> bool:
        """Whether it is a font of emoji, which no other text is drawn in."""
        return self.is_colour or "emoji" in self.family.lower()

    def font(self, size: int, weight: int) -> ImageFont.FreeTypeFont:
        """The face as Pillow draws it; of a face of bitmaps in its own size. `weight` is 400 or 700 where it varies."""
        return _loaded(self.path, self.index, self.strike or size, weight)


@lru_cache(maxsize=1024)
def faces(path: Path) -> tuple[Face, ...]:
    """The faces of a font file. Raises MediaError if it is none."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = tuple(_face(path, number, content, at) for number, at in enumerate(_directories(content)))
            if not any(face.characters for face in found):
                raise ValueError("without letters that can be drawn")
            return found
    except (OSError, struct.error, ValueError, IndexError, OverflowError) as error:
        # Pillow's own OSError, for a font that it cannot use, has no text of the system's.
        if isinstance(error, OSError) and error.strerror:
            raise MediaError(f"the font {path} cannot be read: {error.strerror}") from error
        raise MediaError(f"{path} is no font that can be used", hint="give a TrueType or OpenType font") from error


@lru_cache(maxsize=512)
def _loaded(path: Path, index: int, size: int, weight: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(str(path), size, index=index)
    try:
        axes = font.get_variation_axes()
    except OSError:  # a font of one weight
        return font
    # A variable font begins at its own default, which may be its thinnest.
    font.set_variation_by_axes([_value(axis, weight) for axis in axes])
    return font


def _value(axis: Axis, weight: int) -> int:
    if axis["name"] != b"Weight":
        return axis["default"] or 0
    return min(max(weight, axis["minimum"] or 0), axis["maximum"] or weight)


def _directories(content: Buffer) -> tuple[int, ...]:
    """The offset of each face's directory."""
    if content[:4] != b"ttcf":
        return (0,)
    (count,) = struct.unpack_from(">I", content, 8)
    return struct.unpack_from(f">{min(count, _MOST_FACES)}I", content, 12)


def _face(path: Path, index: int, content: Buffer, at: int) -> Face:
    if content[at : at + 4] not in (b"\0\1\0\0", b"OTTO", b"true"):
        raise ValueError("not a font")
    (count,) = struct.unpack_from(">H", content, at + 4)
    records = list(struct.iter_unpack(">4sIII", content[at + 12 : at + 12 + 16 * count]))
    if any(place + length > len(content) for _, _, place, length in records):
        raise ValueError("cut short")
    tables = {tag: place for tag, _, place, _ in records}
    strike = _strike(content, tables)
    family = ImageFont.truetype(str(path), strike or 20, index=index).getname()[0] or ""
    layers = _has_layers(content, tables)
    # Layers of COLR version 1 alone are beyond Pillow, and their glyphs have no outline of their own.
    is_drawn = bool(strike or layers or b"COLR" not in tables)
    characters = Coverage(iter(_characters(content, tables[b"cmap"]) if b"cmap" in tables and is_drawn else ()))
    return Face(path, index, family, characters, bool(strike or layers), strike)


def _strike(content: Buffer, tables: Mapping[bytes, int]) -> int:
    """The largest size of a face of coloured bitmaps."""
    if b"CBLC" in tables:
        at = tables[b"CBLC"]
        (count,) = struct.unpack_from(">I", content, at + 4)
        return max((content[at + 8 + 48 * number + 45] for number in range(min(count, 32))), default=0)
    if b"sbix" in tables:
        at = tables[b"sbix"]
        (count,) = struct.unpack_from(">I", content, at + 4)
        strikes = struct.unpack_from(f">{min(count, 32)}I", content, at + 8)
        return max((struct.unpack_from(">H", content, at + strike)[0] for strike in strikes), default=0)
    return 0


def _has_layers(content: Buffer, tables: Mapping[bytes, int]) -> bool:
    """Whether the face has coloured layers of COLR version 0."""
    return b"COLR" in tables and struct.unpack_from(">HH", content, tables[b"COLR"])[1] > 0


def _characters(content: Buffer, cmap: int) -> Iterator[tuple[int, int]]:
    """The ranges of characters that a face has."""
    (count,) = struct.unpack_from(">H", content, cmap + 2)
    records = (struct.unpack_from(">HHI", content, cmap + 4 + 8 * number) for number in range(count))
    known = sorted((_UNICODE[kind, code], place) for kind, code, place in records if (kind, code) in _UNICODE)
    for _, place in known:
        at = cmap + place
        (form,) = struct.unpack_from(">H", content, at)
        if form == 12:
            yield from _groups(content, at)
            return
        if form == 4:
            yield from _segments(content, at)
            return


def _groups(content: Buffer, at: int) -> Iterator[tuple[int, int]]:
    (count,) = struct.unpack_from(">I", content, at + 12)
    for first, last, glyph in struct.iter_unpack(">III", content[at + 16 : at + 16 + 12 * count]):
        if glyph or last > first:
            yield first + (not glyph), last


def _segments(content: Buffer, at: int) -> Iterator[tuple[int, int]]:
    size, _, doubled = struct.unpack_from(">HHH", content, at + 2)
    count = doubled // 2
    lasts = struct.unpack_from(f">{count}H", content, at + 14)
    begin = at + 16 + 2 * count
    firsts = struct.unpack_from(f">{count}H", content, begin)
    deltas = struct.unpack_from(f">{count}H", content, begin + 2 * count)
    offsets = struct.unpack_from(f">{count}H", content, begin + 4 * count)
    for number, (first, last, delta, offset) in enumerate(zip(firsts, lasts, deltas, offsets, strict=True)):
        if first == 0xFFFF or last < first:
            continue
        if not offset:
            yield first, last
            continue
        glyphs = begin + 4 * count + 2 * number + offset
        if glyphs + 2 * (last - first) + 2 > at + max(size, 1 << 16):
            continue
        found = struct.unpack_from(f">{last - first + 1}H", content, glyphs)
        yield from ((first + n, first + n) for n, glyph in enumerate(found) if glyph and (glyph + delta) & 0xFFFF)
