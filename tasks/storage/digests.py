"""SHA-256 of files. A file that this process has read, and that has not changed since, is not read again."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

_MOST = 1 << 16
"""Files that are remembered."""
_TICK, _COARSE_TICK = 20_000_000, 2_500_000_000
"""Nanoseconds within which two contents of a file may have one time: Linux counts in steps of up to 10 ms, and file
systems without fractions of a second in steps of up to 2 s (FAT)."""


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hex. Raises OSError."""
    before = _Stamp.of(path)
    if known := _Known.by_stamp.get(before):
        return known
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if before.is_settled() and _Stamp.of(path) == before:
        _Known.add(before, digest)
    return digest


def note_digest(path: Path, digest: str) -> None:
    """Remember the digest of a file that this process has just written or moved into its place. Raises OSError."""
    _Known.add(_Stamp.of(path), digest)


class _Stamp(NamedTuple):
    """Numbers of which at least one changes with the content of a file."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> Self:
        found = path.stat()
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def is_settled(self) -> bool:
        """Whether another change would have another time."""
        tick = _TICK if self.modified % 1_000_000_000 else _COARSE_TICK
        return max(self.modified, self.changed) + tick < time.time_ns()


class _Known:
    """The digests of the files that this process has read, by their stamps."""

    by_stamp: ClassVar[dict[_Stamp, str]] = {}

    @classmethod
    def add(cls, stamp: _Stamp, digest: str) -> None:
        if len(cls.by_stamp) >= _MOST:
            cls.by_stamp.clear()
        cls.by_stamp[stamp] = digest
