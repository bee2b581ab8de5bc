"""The clip store: every clip by the digest of its content, complete or absent."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from specs.frozen import Frozen


class Clip(Frozen):
    """A finished take in the store."""

    digest: str
    """SHA-256 of the file, in hex."""
    size: int
    """Bytes."""
    path: Path
    """Where the file is on this machine."""


class ClipStore:
    """Clips in a folder, named by content. Safe for any number of processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._arrivals = root / "arriving"

    @contextmanager
    def arriving(self, name: str) -> Iterator[Path]:
        """A place, inside the store's file system, for a clip that is on its way; its folder is gone afterwards."""
        self._arrivals.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{name[:16]}-", dir=self._arrivals) as folder:
            yield Path(folder) / "take.mp4"

    def keep(self, arrived: Path) -> Clip:
        """Move a finished file into the store; the clip is there for good when this returns."""
        digest = file_digest(arrived)
        place = self._place(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        size = arrived.stat().st_size
        _sync(arrived)
        arrived.replace(place)
        _sync(place.parent)
        return Clip(digest=digest, size=size, path=place)

    def holds(self, digest: str) -> bool:
        """Whether a clip is there; a glance, its content is not read."""
        return self._place(digest).is_file()

    def find(self, digest: str) -> Clip | None:
        """A clip whose content is what its name says; None when it is missing or damaged."""
        place = self._place(digest)
        try:
            if file_digest(place) != digest:
                return None
            return Clip(digest=digest, size=place.stat().st_size, path=place)
        except FileNotFoundError:
            return None

    def _place(self, digest: str) -> Path:
        return self.root / digest[:2] / f"{digest}.mp4"


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
