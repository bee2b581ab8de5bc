"""The clip store: clips in a folder, named by the digest of their content, each complete or absent.

Hosts may share a bucket. The folder of each host is then a cache of it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money
from storyreel.tasks.bucket import Bucket
from storyreel.tasks.files import place_file, write_whole

_CONCURRENT_REQUESTS = 16
"""Requests to a bucket at one time."""


class Clip(Frozen):
    """A finished take in the store."""

    digest: str
    """SHA-256 of the file, in hex."""
    size: int
    """Bytes."""
    path: Path
    """Where the file is on this machine."""


class Receipt(Frozen):
    """A clip's facts for the ledger, kept on disk until the clip is in the bucket."""

    key: str
    """The take's key."""
    task: str
    """The service's id of the order."""
    cost: Money | None = None


class Undelivered(Frozen):
    """A clip that is not in the bucket yet, as stored on disk."""

    receipt: Receipt
    digest: str


class ClipStore:
    """The clips of a user. Safe for any number of processes at once, with a bucket also of hosts.

    A clip exists if it is in the folder or in the bucket. Every method that must ask the bucket raises BucketError if
    that fails, as it is then not known whether the clip exists.
    """

    def __init__(self, root: Path, bucket: Bucket | None = None) -> None:
        self.root, self.bucket = root, bucket
        self._arrivals = root / "arriving"
        self._is_ready = bucket is None

    def __str__(self) -> str:
        return str(self.bucket or self.root)

    @contextmanager
    def arriving(self, name: str) -> Iterator[Path]:
        """Yield a temporary path on the store's file system to download a clip to; its folder is removed at the end."""
        self._arrivals.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{name[:16]}-", dir=self._arrivals) as folder:
            yield Path(folder) / "take.mp4"

    def ensure_writable(self) -> None:
        """Check that the bucket can be written to, once. Call before a clip is bought."""
        if self.bucket and not self._is_ready:
            self.bucket.write(".storyreel", b"clips\n")
            self._is_ready = True

    def keep(self, arrived: Path, receipt: Receipt | None = None) -> Clip:
        """Move a file into the store, flushed to the disk, and upload it to the bucket.

        If the upload fails, the clip is on this host only and, with a receipt, is found by `undelivered`.
        """
        clip = self._place(arrived, file_digest(arrived))
        if self.bucket:
            if receipt:
                note = Undelivered(receipt=receipt, digest=clip.digest)
                write_whole(self._receipt(receipt.key), note.model_dump_json(), durable=True)
            self.deliver(clip, receipt)
        return clip

    def undelivered(self, key: str, task: str) -> tuple[Clip, Receipt] | None:
        """The clip and the receipt of an order that were stored on this host only, None if there are none."""
        try:
            note = Undelivered.model_validate_json(self._receipt(key).read_bytes())
        except (OSError, ValidationError):
            return None
        clip = self.find_local(note.digest) if note.receipt.task == task else None
        return (clip, note.receipt) if clip else None

    def deliver(self, clip: Clip, receipt: Receipt | None) -> None:
        """Upload a clip of this host to the bucket and delete its receipt."""
        if self.bucket:
            self.bucket.put(clip.path, _name(clip.digest))
        if receipt:
            self._receipt(receipt.key).unlink(missing_ok=True)

    def contains(self, digest: str) -> bool:
        """Whether a clip exists. Its content is not checked."""
        return bool(self.existing([digest]))

    def existing(self, digests: Iterable[str]) -> set[str]:
        """Those of the clips that exist. Their content is not checked."""
        wanted = {digest for digest in digests if digest}
        local = {digest for digest in wanted if self._path(digest).is_file()}
        if not self.bucket or local == wanted:
            return local
        bucket, others = self.bucket, sorted(wanted - local)
        with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as pool:
            sizes = list(pool.map(lambda digest: bucket.size(_name(digest)), others))
        return local | {digest for digest, size in zip(others, sizes, strict=True) if size}

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

    def on_this_host(self, clip: Clip) -> Clip:
        """The clip with its path on this host, also if it was found on another."""
        return clip.model_copy(update={"path": self._path(clip.digest)})

    def _download(self, digest: str) -> Clip | None:
        if not self.bucket or not digest:
            return None
        with self.arriving(digest) as path:
            if not self.bucket.get(_name(digest), path) or file_digest(path) != digest:
                return None
            return self._place(path, digest)

    def _place(self, arrived: Path, digest: str) -> Clip:
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        size = arrived.stat().st_size
        place_file(arrived, path, durable=True)
        return Clip(digest=digest, size=size, path=path)

    def _receipt(self, key: str) -> Path:
        return self.root / "undelivered" / f"{key}.json"

    def _path(self, digest: str) -> Path:
        return self.root / _name(digest)


def _name(digest: str) -> str:
    """The path of a clip below the store's root and in the bucket."""
    return f"{digest[:2]}/{digest}.mp4"


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_key(*facts: object) -> str:
    """SHA-256, in hex, of facts as JSON."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
