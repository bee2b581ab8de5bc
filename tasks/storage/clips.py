"""The clip store: clips, pictures and speech in a folder, named by the digest of their content, complete or absent.

Hosts may share a bucket. The folder of each host is then a cache of it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.storage.bucket import Bucket, BucketError
from storyreel.tasks.storage.clip_names import (
    is_picture,
    is_sound,
    possible_names,
    stored_files,
    stored_name,
    suffix_of,
)
from storyreel.tasks.storage.digests import file_digest, note_digest
from storyreel.tasks.storage.files import make_folder, mark_of, place_file, replacing, write_whole

_CONCURRENT_REQUESTS = 16
"""Requests to a bucket at one time."""


class Clip(Frozen):
    """A finished take in the store: a clip, of a still its picture, of a spoken line its sound."""

    digest: str
    """SHA-256 of the file, in hex."""
    size: int
    """Bytes."""
    path: Path
    """The path of the file on this machine."""

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, not a video."""
        return is_picture(self.path)

    @property
    def is_sound(self) -> bool:
        """Whether it is speech, not a video."""
        return is_sound(self.path)


AnyClip = TypeVar("AnyClip", bound=Clip)


class Receipt(Frozen):
    """Facts about a clip for the ledger. On disk from before the clip is stored until the ledger has them."""

    key: str
    """The take's key."""
    task: str
    """The service's id of the order."""
    cost: Money | None = None
    digest: str = ""
    """SHA-256 of the clip, in hex; set by the store."""


class SetAside(Frozen):
    """A damaged download."""

    path: Path
    seconds: float
    """Since it came for the first time."""


class ClipStore:
    """The clips of a user. Safe for any number of processes at once, with a bucket also of hosts.

    A clip exists if it is in the folder or in the bucket. Every method that must ask the bucket raises BucketError if
    that fails, as it is then not known whether the clip exists.
    """

    def __init__(self, root: Path, bucket: Bucket | None = None) -> None:
        self.root, self.bucket = root, bucket
        self._arrivals = root / "arriving"
        self._shares_what_is_beside = bucket is not None
        self._is_ready = bucket is None

    def __str__(self) -> str:
        return str(self.bucket or self.root)

    @contextmanager
    def arriving(self, name: str, *, may_continue: bool = False) -> Iterator[Path]:
        """Yield a temporary path on the store's file system to download a clip to; its folder is removed at the end.

        With `may_continue` a part of a clip that has a mark beside it, as of `mark_of`, is left to the next such call.
        """
        self._arrivals.mkdir(parents=True, exist_ok=True)
        left = self._arrivals / f"{name[:16]}-unfinished" / "take.mp4"
        with tempfile.TemporaryDirectory(prefix=f"{name[:16]}-", dir=self._arrivals) as folder:
            place = Path(folder) / "take.mp4"
            if may_continue:
                _move_unfinished(left, place)
                with suppress(OSError):
                    left.parent.rmdir()
            try:
                yield place
            finally:
                if may_continue:
                    _move_unfinished(place, left)

    def ensure_writable(self) -> None:
        """Check that the bucket can be written to, once. Call before a clip is bought."""
        if self.bucket and not self._is_ready:
            self.bucket.write(".storyreel", b"clips\n")
            self._is_ready = True

    def keep(self, arrived: Path, receipt: Receipt | None = None) -> Clip:
        """Move a file into the store, flushed to the disk, and upload it to the bucket.

        A receipt is stored first and stays until `discard`: whatever happens in between, the clip is found by
        `receipts` and `kept`. If the upload fails, the clip is on this host only.
        """
        digest = file_digest(arrived)
        if receipt:
            told = receipt.model_copy(update={"digest": digest})
            write_whole(self._receipt(told), told.model_dump_json(), durable=True, private=True)
        clip = self._place(arrived, digest)
        self.deliver(clip)
        return clip

    def deliver(self, clip: Clip) -> None:
        """Upload a clip of this host to the bucket, if there is one."""
        if self.bucket:
            self.bucket.put(clip.path, _name_of(clip))

    def receipts(self, key: str = "") -> list[Receipt]:
        """The receipts of a take, or all: clips of this host that the ledger may not have yet. Raises no error."""
        found = []
        folder = self.root / "receipts"
        for file in sorted(folder.glob(f"{key}*.json")) if folder.is_dir() else ():
            with suppress(OSError, ValidationError):
                found.append(Receipt.model_validate_json(file.read_bytes()))
        return found

    def unnoted(self) -> list[Receipt]:
        """The receipts whose clips are complete on this host. Reads these clips, of which there are few."""
        return [one for one in self.receipts() if self.find_local(one.digest) or any(self._arrived(one))]

    def kept(self, receipt: Receipt) -> Clip | None:
        """The clip of a receipt; None if it never got here, or is damaged.

        A run that was killed right after it had stored the receipt has left the clip where it arrived. It is copied
        from there, as that run may be another that is not killed.
        """
        if clip := self.find(receipt.digest):
            return clip
        for left in self._arrived(receipt):
            with suppress(FileNotFoundError), self.arriving(receipt.key) as copy:
                shutil.copyfile(left, copy)
                if file_digest(copy) == receipt.digest:
                    return self._place(copy, receipt.digest)
        return None

    def keep_beside(self, digest: str, suffix: str, write: Callable[[Path], object]) -> None:
        """Let `write` make a file from a clip, to be kept beside it with its own suffix and shared with other hosts.

        It can be made again: nothing is raised if there is no room for it, or the bucket cannot be reached.
        """
        kept = self._beside(digest, suffix)
        with suppress(OSError):
            make_folder(kept.parent)
            with replacing(kept) as fresh:
                write(fresh)
            self._share(lambda bucket: bucket.put(kept, _name_beside(kept)))

    def beside(self, digest: str, suffix: str) -> Path | None:
        """A file that was made from a clip, from this host or another; None if there is none, or it cannot be had."""
        kept = self._beside(digest, suffix)
        if not kept.is_file() and self.bucket:
            with suppress(OSError):
                make_folder(kept.parent)
                with replacing(kept) as fresh:
                    self._share(lambda bucket: bucket.get(_name_beside(kept), fresh))
        return kept if kept.is_file() else None

    def _beside(self, digest: str, suffix: str) -> Path:
        """The path of a clip or a picture with another suffix, whether it exists or not."""
        return (self.root / stored_name(digest)).with_suffix(suffix)

    def _share(self, attempt: Callable[[Bucket], object]) -> None:
        """Do something with the bucket, unless it could not be reached before."""
        if self.bucket and self._shares_what_is_beside:
            try:
                attempt(self.bucket)
            except BucketError:
                self._shares_what_is_beside = False

    def discard(self, receipt: Receipt) -> None:
        """Delete a receipt: the ledger has its clip, or there is no such clip."""
        self._receipt(receipt).unlink(missing_ok=True)

    def set_aside(self, arrived: Path, key: str) -> SetAside:
        """Copy a damaged download to where a person can look at it, and say for how long the same bytes have come."""
        folder, name = self.root / "damaged", f"{key[:16]}-{file_digest(arrived)[:16]}{suffix_of(arrived)}"
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.glob(f"{key[:16]}-*"):
            if other.name != name:
                other.unlink(missing_ok=True)
        with suppress(FileExistsError), (folder / name).open("xb") as copy, arrived.open("rb") as source:
            shutil.copyfileobj(source, copy)
        return SetAside(path=folder / name, seconds=time.time() - (folder / name).stat().st_mtime)

    def forget_damaged(self, key: str) -> None:
        """Delete what was set aside of a take."""
        for file in (self.root / "damaged").glob(f"{key[:16]}-*"):
            file.unlink(missing_ok=True)

    def contains(self, digest: str) -> bool:
        """Whether a clip exists. Its content is not checked."""
        return bool(self.existing([digest]))

    def existing(self, digests: Iterable[str]) -> set[str]:
        """The digests of the clips that exist. Their content is not checked."""
        wanted = {digest for digest in digests if digest}
        local = {digest for digest in wanted if self._path(digest).is_file()}
        if not self.bucket or local == wanted:
            return local
        bucket, others = self.bucket, sorted(wanted - local)
        # Imported late: without a bucket nothing is asked in threads.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
            found = list(pool.map(lambda digest: _name_in(bucket, digest), others))
        return local | {digest for digest, name in zip(others, found, strict=True) if name}

    def files(self) -> list[Path]:
        """The files of all clips, pictures and sounds on this host, in a fixed order."""
        return stored_files(self.root)

    def find(self, digest: str) -> Clip | None:
        """A clip with the right content, downloaded if necessary; None if it does not exist or is damaged."""
        return self.find_local(digest) or self._download(digest)

    def find_local(self, digest: str) -> Clip | None:
        """A clip with the right content on this host; None if it does not exist here or is damaged."""
        path = self._path(digest)
        try:
            if file_digest(path) != digest:
                return None
            return Clip(digest=digest, size=path.stat().st_size, path=path)
        except FileNotFoundError:
            return None

    def source(self, digest: str) -> Path | tuple[Bucket, str] | None:
        """The file of a clip on this host, else the bucket that has it and its name there; None if it does not exist.

        Its content is not checked.
        """
        file = self._path(digest)
        if file.is_file():
            return file
        name = _name_in(self.bucket, digest) if self.bucket else None
        return (self.bucket, name) if self.bucket and name else None

    def on_this_host(self, clip: AnyClip) -> AnyClip:
        """The clip with its path on this host, also if it was found on another."""
        return clip.model_copy(update={"path": self.root / _name_of(clip)})

    def _download(self, digest: str) -> Clip | None:
        if not self.bucket or not digest:
            return None
        with self.arriving(digest) as path:
            if not any(self.bucket.get(name, path) for name in possible_names(digest)) or file_digest(path) != digest:
                return None
            return self._place(path, digest)

    def _place(self, arrived: Path, digest: str) -> Clip:
        path = self.root / stored_name(digest, suffix_of(arrived))
        make_folder(path.parent, durable=True)
        size = arrived.stat().st_size
        place_file(arrived, path, durable=True)
        note_digest(path, digest)
        return Clip(digest=digest, size=size, path=path)

    def _arrived(self, receipt: Receipt) -> Iterator[Path]:
        """Downloads that killed runs have left and that are the clip of a receipt."""
        for file in sorted(self._arrivals.glob(f"{receipt.key[:16]}-*/*.mp4")):
            with suppress(FileNotFoundError):
                if file_digest(file) == receipt.digest:
                    yield file

    def _receipt(self, receipt: Receipt) -> Path:
        # A take may have several orders, and a service's id may have letters that no file name has.
        order = hashlib.sha256(receipt.task.encode(errors="surrogatepass")).hexdigest()[:16]
        return self.root / "receipts" / f"{receipt.key}-{order}.json"

    def _path(self, digest: str) -> Path:
        """The file with a content; where a clip's would be if there is none."""
        places = [self.root / name for name in possible_names(digest)]
        return next((place for place in places if place.is_file()), places[0])


def _move_unfinished(part: Path, to: Path) -> None:
    """Move a part of a clip with its mark; without a mark, nothing. Of two processes one gets it."""
    if not mark_of(part).exists():
        return
    with suppress(FileNotFoundError):
        to.parent.mkdir(exist_ok=True)
        mark_of(part).rename(mark_of(to))
        part.rename(to)


def _name_of(clip: Clip) -> str:
    """The path of a clip below the store's root, of this host or another, and in the bucket."""
    return stored_name(clip.digest, clip.path.suffix)


def _name_in(bucket: Bucket, digest: str) -> str | None:
    """The name in a bucket of the content with this digest; None if it is not there."""
    return next((name for name in possible_names(digest) if bucket.size(name)), None)


def _name_beside(kept: Path) -> str:
    """The name in the bucket of a file that was made from a clip, where what can be made again is."""
    return f"house/{kept.parent.name}/{kept.name}"


def file_named_by_digest(folder: Path) -> Path | None:
    """A file in a folder whose name, without its suffix, is the digest of its content; None if there is none."""
    for path in sorted(folder.glob("*.*")):
        with suppress(OSError):
            if file_digest(path) == path.stem:
                return path
    return None


def place_by_digest(fresh: Path, folder: Path) -> Path:
    """Move a finished file into a folder, named by the digest of its content; returns its new path. Raises OSError."""
    digest = file_digest(fresh)
    into = folder / f"{digest}{fresh.suffix}"
    place_file(fresh, into)
    note_digest(into, digest)
    return into


def cache_key(*facts: object) -> str:
    """SHA-256, in hex, of facts as JSON."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
