"""Colour tables in .cube files: the keys of Adobe's "Cube LUT Specification 1.0", and what DaVinci Resolve adds, ranges
and two tables in one file (github.com/cameramanben/LUTCalc/issues/7, read 2026-11-29), and tables of video range
(resolve.cafe/developers/luts, read 2026-11-30).

The file is read here, whole and strictly, and ffmpeg gets a table of one form: its own parser skips what it does not
know, does not shift a domain that begins elsewhere than at 0, and names no line.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.grading.white import Triple
from storyreel.tasks.storage.digests import file_digest

_SIZES = {1: (2, 65_536), 3: (2, 129)}
"""Fewest and most points of an axis, by dimensions; of 1D those of the specification."""
_BLACK, _WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
VIDEO_BLACK, VIDEO_WHITE = 64 / 1023, 940 / 1023
"""Black and white in video range (ITU-R BT.709-6, 4.6), in parts of all that ten bits hold."""
_LARGEST = 256 << 20
"""Bytes; the largest table has a quarter of it."""
_HINT = "export the table again as .cube"


class Table(NamedTuple):
    """A table of one or three dimensions; the first axis, of red, changes fastest."""

    dimensions: int
    size: int
    """Points of an axis."""
    low: Triple = _BLACK
    """The colour of the first point."""
    high: Triple = _WHITE
    """The colour of the last point."""
    gives_video: bool = False
    """Whether the colours that it gives are in video range."""
    rows: str = ""
    """A line each, as they are written: as numbers a large table would fill fifty megabytes."""

    @property
    def length(self) -> int:
        """The number of rows that it must have."""
        return int(self.size**self.dimensions)

    @property
    def has_own_domain(self) -> bool:
        """Whether its axes are not from 0 to 1."""
        return (self.low, self.high) != (_BLACK, _WHITE)

    def write(self, into: Path) -> None:
        """Write it as a .cube file, with axes from 0 to 1."""
        into.write_text(f"LUT_{self.dimensions}D_SIZE {self.size}\n{self.rows}", encoding="ascii")


def check_cube(file: Path) -> None:
    """Return if a file is a colour table. Raises MediaError, which names the line."""
    if (size := file.stat().st_size) > _LARGEST:
        raise MediaError(f"{file} is no colour table: it has {size / 1e6:,.0f} MB", hint=_HINT)
    read_cube(file, file_digest(file))


@lru_cache(8)
def read_cube(file: Path, digest: str) -> tuple[Table, ...]:
    """The tables of a file in the order in which they are applied: of one dimension, of three, or both.

    `digest` is that of the file as it was planned. Raises MediaError, also if the file has changed since.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise MediaError(f"{file} cannot be read: {error.strerror}", hint=_HINT) from error
    if hashlib.sha256(content).hexdigest() != digest:
        hint = "run the same command again, which plans with the file as it is now"
        raise MediaError(f"{file} was changed after the film was planned", hint=hint)
    return _Reader(file).read(content.decode("utf-8-sig", errors="replace"))


class _Reader:
    """Reads one file, and remembers the line for errors."""

    def __init__(self, file: Path) -> None:
        self._file, self._line = file, 0
        self._sizes: dict[int, int] = {}
        self._ranges: dict[int, tuple[Triple, Triple]] = {}
        self._low, self._high = _BLACK, _WHITE
        self._video = set[str]()
        """`IN`, `OUT`: where the colours are in video range."""

    def read(self, content: str) -> tuple[Table, ...]:
        rows: list[str] = []
        tables: tuple[Table, ...] = ()
        for words in self._lines(content):
            if words[0][0].isalpha():
                if rows:
                    raise self._wrong(f"`{words[0][:30]}` is below the first row of the table")
                self._key(*words)
                continue
            if not rows:
                tables = self._empty_tables()
                wanted = sum(table.length for table in tables)
            self._triple(words)
            rows.append(f"{' '.join(words)}\n")
            if len(rows) > wanted:
                raise self._wrong(f"this is row {len(rows):,} of a table that has {wanted:,}")
        if not rows or len(rows) < wanted:
            expected = f" of {wanted:,}" if rows else ""
            raise self._wrong(f"the table ends after {len(rows):,}{expected} rows")
        return tuple(_filled(tables, rows))

    def _lines(self, content: str) -> Iterator[list[str]]:
        """The words of each line that has any; the line is noted."""
        for self._line, line in enumerate(content.splitlines(), 1):
            if (words := line.split()) and not words[0].startswith("#"):
                yield words

    def _key(self, key: str, *values: str) -> None:
        match key:
            case "TITLE":
                return
            case "LUT_1D_SIZE" | "LUT_3D_SIZE":
                self._size(int(key[4]), *values)
            case "DOMAIN_MIN":
                self._low = self._triple(values)
            case "DOMAIN_MAX":
                self._high = self._triple(values)
            case "LUT_IN_VIDEO_RANGE" | "LUT_OUT_VIDEO_RANGE":
                if values:
                    raise self._wrong(f"`{key}` stands alone on its line")
                self._video.add(key.split("_")[1])
            case "LUT_1D_INPUT_RANGE" | "LUT_3D_INPUT_RANGE":
                if len(values) != 2:
                    raise self._wrong(f"`{key}` needs two numbers")
                low, high = (self._number(value) for value in values)
                self._ranges[int(key[4])] = (low,) * 3, (high,) * 3
            case _:
                raise self._wrong(f"`{key[:30]}` is no key of a .cube file, or one that is not known here")

    def _size(self, dimensions: int, *values: str) -> None:
        fewest, most = _SIZES[dimensions]
        written = " ".join(values)[:30]
        if len(values) != 1 or not (written.isascii() and written.isdigit()) or not fewest <= int(written) <= most:
            raise self._wrong(f"the size of the table is `{written}`, not a whole number from {fewest} to {most}")
        if dimensions in self._sizes:
            raise self._wrong("the size of the table is written twice")
        self._sizes[dimensions] = int(written)

    def _empty_tables(self) -> tuple[Table, ...]:
        """The tables without their rows, once the first row is there."""
        if not self._sizes:
            raise self._wrong("the table begins, and no line before it says its size; write `LUT_3D_SIZE 33`")
        tables = [Table(each, self._sizes[each], *self._ranges.get(each, ())) for each in sorted(self._sizes)]
        if not self._ranges.keys() & self._sizes:
            tables[0] = tables[0]._replace(low=self._low, high=self._high)
        if "IN" in self._video:
            if tables[0].has_own_domain:
                raise self._wrong("the table has a range of its own, and `LUT_IN_VIDEO_RANGE` gives it another one")
            ends = (-VIDEO_BLACK, 1 - VIDEO_BLACK)
            low, high = (((end / (VIDEO_WHITE - VIDEO_BLACK),) * 3) for end in ends)
            tables[0] = tables[0]._replace(low=low, high=high)
        if "OUT" in self._video:
            tables[-1] = tables[-1]._replace(gives_video=True)
        for table in tables:
            if any(low >= high for low, high in zip(table.low, table.high, strict=True)):
                raise self._wrong("the table's range ends at or below its beginning")
        return tuple(tables)

    def _triple(self, words: list[str] | tuple[str, ...]) -> Triple:
        if len(words) != 3:
            raise self._wrong(f"there {'is 1 word' if len(words) == 1 else f'are {len(words)} words'}, not 3 numbers")
        red, green, blue = (self._number(word) for word in words)
        return red, green, blue

    def _number(self, word: str) -> float:
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or "_" in word or not word.isascii():
            raise self._wrong(f"`{word[:30]}` is not a number")
        return number

    def _wrong(self, what: str) -> MediaError:
        return MediaError(f"{self._file} is no colour table, at line {self._line}: {what}", hint=_HINT)


def _filled(tables: tuple[Table, ...], rows: list[str]) -> Iterator[Table]:
    begin = 0
    for table in tables:
        yield table._replace(rows="".join(rows[begin : begin + table.length]))
        begin += table.length
