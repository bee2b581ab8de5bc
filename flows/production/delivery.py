"""Delivers a finished film: into a folder of this host, or to an address. A file there is complete or absent."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storyreel.specs.storyboard import is_remote
from storyreel.tasks.bucket import Bucket
from storyreel.tasks.home import Home

_FIRST, _LAST = "sequence.mp4", "manifest.json"
_OPTIONAL = ("sequence.srt",)
"""Files that not every run writes; those of an earlier run are removed."""


class Delivery:
    """The folder a film is made in, and the bucket it is delivered to, if any."""

    def __init__(self, folder: Path, bucket: Bucket | None = None) -> None:
        self.folder = folder
        self._bucket = bucket

    def destination(self, name: str) -> Path | str:
        """Where a file of the film is after delivery: an absolute path, or an address."""
        return self._bucket.address(name) if self._bucket else self.folder.absolute() / name

    def check(self) -> None:
        """Return if the film can be delivered; called before anything is bought. Raises BucketError."""
        if self._bucket:
            self._bucket.write(".storyreel", b"a film is to come\n")
            self._bucket.remove(".storyreel")

    def deliver(self) -> None:
        """Copy all files to the bucket, the sequence first, and last the manifest. Raises BucketError."""
        if not self._bucket:
            return
        files = {file.name: file for file in self.folder.iterdir() if not file.name.startswith(".")}
        for name in sorted(files, key=lambda name: (name != _FIRST, name == _LAST, name)):
            self._bucket.put(files[name], name)
        for name in _OPTIONAL:
            if name not in files:
                self._bucket.remove(name)


@contextmanager
def open_delivery(out: str | Path, home: Home) -> Iterator[Delivery]:
    """Deliver to `out`, a folder or an address. A film for an address is made in a temporary folder of the home."""
    if not is_remote(str(out)):
        yield Delivery(Path(out))
        return
    delivering = home.root / "delivering"
    delivering.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=delivering) as folder:
        yield Delivery(Path(folder), Bucket(str(out)))
