"""The clip store: every clip by the digest of its content, complete or absent; on this host, or in a bucket that
hosts share, before which this host's folder is a cache."""

from __future__ import annotations

import hashlib
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

_ASKED_AT_ONCE = 16
"""Questions to a bucket under way at one time."""


class Clip(Frozen):
    """A finished take in the store."""

    digest: str
    """SHA-256 of the file, in hex."""
    size: int
    """Bytes."""
    path: Path
    """Where the file is on this machine."""


class Receipt(Frozen):
    """What the ledger is told of a clip once it is in the store, kept while the clip is on its way into the bucket."""

    key: str
    """Of the take."""
    task: str
    """What the service calls the order."""
    cost: Money | None = None


class Undelivered(Frozen):
    """A clip that is on this host alone, because the bucket was away when it came."""

    receipt: Receipt
    digest: str


class ClipStore:
    """Clips in a folder, named by content. Safe for any number of processes, and with a bucket of hosts, at once.

    With a bucket a clip counts as there when the bucket has it. Raises BucketError where the bucket must be asked and
    gives no answer: that is no word on whether the clip is there.
    """

    def __init__(self, root: Path, bucket: Bucket | None = None) -> None:
        self.root, self.bucket = root, bucket
        self._arrivals = root / "arriving"
        self._is_ready = bucket is None

    def __str__(self) -> str:
        """Where the clips are, for messages."""
        return str(self.bucket or self.root)

    @contextmanager
    def arriving(self, name: str) -> Iterator[Path]:
        """A place, inside the store's file system, for a clip that is on its way; its folder is gone afterwards."""
        self._arrivals.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{name[:16]}-", dir=self._arrivals) as folder:
            yield Path(folder) / "take.mp4"

    def ensure_writable(self) -> None:
        """Return when a clip can be kept; asked before one is paid for. The bucket is asked once."""
        if self.bucket and not self._is_ready:
            self.bucket.write(".storyreel", b"clips\n")
            self._is_ready = True

    def keep(self, arrived: Path, receipt: Receipt | None = None) -> Clip:
        """Move a finished file into the store; the clip is there for good when this returns.

        When the bucket is away the clip is on this host and, with a receipt, is `undelivered`.
        """
        clip = self._settle(arrived, file_digest(arrived))
        if self.bucket:
            if receipt:
                note = Undelivered(receipt=receipt, digest=clip.digest)
                write_whole(self._notice(receipt.key), note.model_dump_json(), durable=True)
            self.deliver(clip, receipt)
        return clip

    def undelivered(self, key: str, task: str) -> tuple[Clip, Receipt] | None:
        """The clip of an order that has come to this host, and was never brought to the bucket."""
        try:
            noted = Undelivered.model_validate_json(self._notice(key).read_bytes())
        except (OSError, ValidationError):
            return None
        clip = self.find_local(noted.digest) if noted.receipt.task == task else None
        return (clip, noted.receipt) if clip else None

    def deliver(self, clip: Clip, receipt: Receipt | None) -> None:
        """Bring a clip of this host into the bucket."""
        if self.bucket:
            self.bucket.put(clip.path, _name(clip.digest))
        if receipt:
            self._notice(receipt.key).unlink(missing_ok=True)

    def contains(self, digest: str) -> bool:
        """Whether a clip is there; a glance, its content is not read."""
        return bool(self.existing([digest]))

    def existing(self, digests: Iterable[str]) -> set[str]:
        """Those of the clips that are there; a glance at each."""
        wanted = {digest for digest in digests if digest}
        here = {digest for digest in wanted if self._place(digest).is_file()}
        if not self.bucket or here == wanted:
            return here
        bucket, asked = self.bucket, sorted(wanted - here)
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            sizes = list(pool.map(lambda digest: bucket.size(_name(digest)), asked))
        return here | {digest for digest, size in zip(asked, sizes, strict=True) if size}

    def find(self, digest: str) -> Clip | None:
        """A clip whose content is what its name says, brought to this host; None when it is missing or damaged."""
        return self.find_local(digest) or self._fetched(digest)

    def find_local(self, digest: str) -> Clip | None:
        """The same, on this host alone."""
        place = self._place(digest)
        try:
            if file_digest(place) != digest:
                return None
            return Clip(digest=digest, size=place.stat().st_size, path=place)
        except FileNotFoundError:
            return None

    def on_this_host(self, clip: Clip) -> Clip:
        """A clip that may have been found on another host, where it is on this one."""
        return clip.model_copy(update={"path": self._place(clip.digest)})

    def _fetched(self, digest: str) -> Clip | None:
        if not self.bucket or not digest:
            return None
        with self.arriving(digest) as place:
            if not self.bucket.get(_name(digest), place) or file_digest(place) != digest:
                return None
            return self._settle(place, digest)

    def _settle(self, arrived: Path, digest: str) -> Clip:
        """Move a file whose digest is known into place on this host."""
        place = self._place(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        size = arrived.stat().st_size
        place_file(arrived, place, durable=True)
        return Clip(digest=digest, size=size, path=place)

    def _notice(self, key: str) -> Path:
        return self.root / "undelivered" / f"{key}.json"

    def _place(self, digest: str) -> Path:
        return self.root / _name(digest)


def _name(digest: str) -> str:
    """Where a clip is below the store's root, here and in the bucket alike."""
    return f"{digest[:2]}/{digest}.mp4"


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
