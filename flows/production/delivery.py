"""Delivers a finished film: into a folder of this host, or to an address. A file there is complete or absent."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

from storyreel.flows.planning.model import Plan
from storyreel.flows.production.film_folder import (
    MANIFEST,
    FilmSource,
    check_folder,
    deliverable_files,
    film_folder,
    subtitle_files,
)
from storyreel.specs.storyboard import is_remote
from storyreel.tasks.home import Home
from storyreel.tasks.settings import HOME
from storyreel.tasks.storage.bucket import Bucket, BucketError
from storyreel.tasks.storage.disk import in_words, try_folder

_FIRST, _LAST = "sequence.mp4", MANIFEST
TIMELINE = "sequence.otio"
"""The cut for editing programs."""
_OPTIONAL = ("sequence.srt", "sequence.vtt")
"""Files that not every run writes; those of an earlier run are removed."""
_FILES = (_FIRST, _LAST, *_OPTIONAL, TIMELINE, "contact-sheet.jpg")
_CLIP_BYTES = _FILM_BYTES = 200_000
"""Bytes a second that a clip or a film has at least: its sound alone, raw as it is joined, has 192,000."""


class Delivery:
    """The folder a film is made in, and the bucket it is delivered to, if any."""

    def __init__(self, folder: Path, source: FilmSource, bucket: Bucket | None = None) -> None:
        self.folder = folder
        self._source, self._bucket = source, bucket

    def destination(self, name: str) -> Path | str:
        """The place of a file of the film after delivery: an absolute path, or an address."""
        return self._bucket.address(name) if self._bucket else self.folder.absolute() / name

    def check(self, least: int) -> None:
        """Return if a film of at least so many bytes can be delivered; called before anything is bought.

        Raises BucketError and DiskError.
        """
        if self._bucket:
            self._bucket.write(".storyreel", b"a film is to come\n")
            self._bucket.remove(".storyreel")
        hint = "make it writable" if self._bucket else "name another folder with --out"
        try_folder(self.folder, "the film", hint, _FILES, least)

    def claim(self) -> None:
        """Check again whose film is there, just before it is replaced. Raises FolderTaken and BucketError."""
        check_folder(self._bucket.url if self._bucket else self.folder, self._source)

    def deliver(self) -> None:
        """Copy all files to the bucket, the sequence first, and last the manifest. Raises BucketError."""
        if not self._bucket:
            return
        files = {file.name: file for file in self.folder.iterdir() if file.is_file() and not file.name.startswith(".")}
        before = subtitle_files(self._bucket.url)
        for name in sorted(files, key=lambda name: (name != _FIRST, name == _LAST, name)):
            self._bucket.keep(name, files[name])
        for name in {*_OPTIONAL, *before}:
            if name not in files:
                self._bucket.remove(name)

    def deliver_files(self, names: Iterable[str]) -> None:
        """Copy these files, named within the folder, to the bucket. Raises BucketError."""
        for name in names if self._bucket else ():
            assert self._bucket
            self._bucket.keep(name, self.folder / name)

    def fetch(self, name: str, size: int) -> None:
        """Copy a file that was delivered to the bucket into the folder, if it has so many bytes and can be had.

        No two signatures have the same bytes: a film in which nothing has changed stays as it was delivered.
        """
        with suppress(BucketError):  # The film is made again; its delivery reports a bucket that cannot be reached.
            if self._bucket and self._bucket.size(name) == size:
                self._bucket.get(name, self.folder / name)

    def remove_deliverables(self, kept: Iterable[str]) -> dict[str, str]:
        """Remove the deliverables of the film there that are none of it any more; called before its manifest is
        replaced. Returns the files of the others, by their names. Raises BucketError."""
        earlier = deliverable_files(self._bucket.url if self._bucket else self.folder)
        for name in earlier.keys() - set(kept):
            for file in earlier[name]:
                if self._bucket:
                    self._bucket.remove(file)
                else:
                    (self.folder / file).unlink(missing_ok=True)
        return {name: files[0] for name, files in earlier.items() if name in set(kept) and files}


def try_destination(out: str | Path | None, source: FilmSource, plan: Plan, home: Home) -> str | Path:
    """The folder or address for a film, tried before anything is bought, as the home is. See `film_folder`.

    Raises FolderTaken, DiskError and BucketError.
    """
    chosen = film_folder(out, source)
    with open_delivery(chosen, source, home) as delivery:
        delivery.check(_film_bytes(plan))
        check_home(home, plan)
    return chosen


def _film_bytes(plan: Plan) -> int:
    """The bytes that a film and the deliverables of it that are made have at least."""
    seconds = plan.cut.rate.seconds(plan.cut.frames)
    rates = (each.written.bits_per_second or 0 for each in plan.deliverables if each.is_made)
    return round(seconds * (_FILM_BYTES + sum(_FILM_BYTES + rate // 8 for rate in rates)))


def check_home(home: Home, plan: Plan) -> None:
    """Return if the clips of a plan can be kept. Raises DiskError."""
    seconds = sum((take.request.seconds for take in plan.takes if take.state != "cached"), Fraction())
    try_folder(home.root, "clips and ledger", f"set {HOME} to another folder", least=round(seconds * _CLIP_BYTES))


@contextmanager
def open_delivery(out: str | Path, source: FilmSource, home: Home) -> Iterator[Delivery]:
    """Deliver to `out`, a folder or an address. A film for an address is made in a temporary folder of the home.

    Errors of the disk inside the context become DiskError.
    """
    if not is_remote(str(out)):
        with in_words(Path(out)):
            yield Delivery(Path(out), source)
        return
    delivering = home.root / "delivering"
    with in_words(delivering):
        delivering.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=delivering, ignore_cleanup_errors=True) as folder:
            yield Delivery(Path(folder), source, Bucket(str(out)))
