"""Encoded pieces of a film on disk: made once, complete or absent, checked before they are used again, shared by hosts.

A piece can always be made again, so sharing never fails: while the bucket cannot be reached, each host makes its own.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from pydantic import ValidationError

from storyreel.specs.frozen import Frozen
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.probe import probe
from storyreel.tasks.storage.bucket import Bucket, BucketError
from storyreel.tasks.storage.digests import file_digest, note_digest
from storyreel.tasks.storage.files import folder_beside, place_folder
from storyreel.tasks.threads import in_threads

RECORD = "piece.json"
"""The file in a piece's folder that holds its model."""
_LARGEST_RECORD = 1 << 20
"""Bytes."""
_PAUSE = 60.0
"""Seconds before a bucket that could not be reached is tried again."""

Result = TypeVar("Result")


class Piece(Frozen, ABC):
    """Encoded picture or sound that is joined into a film without being encoded again."""

    @property
    @abstractmethod
    def files(self) -> dict[Path, str]:
        """Every file of the piece and its SHA-256, in hex."""

    @abstractmethod
    def in_folder(self, folder: Path, take: Path | None) -> Self:
        """The piece with its files in a folder. `take` is the clip that it was made from, if it was made from one."""

    @property
    def made_files(self) -> tuple[Path, ...]:
        """The files that were made for the piece, without the take itself."""
        return tuple(self.files)

    def is_intact(self) -> bool:
        """Whether all files exist and have their digests. Reads them."""
        try:
            return all(file_digest(path) == digest for path, digest in self.files.items())
        except OSError:
            return False


class PicturePiece(Piece):
    """Encoded frames."""

    picture: Path
    picture_digest: str
    """SHA-256, in hex."""
    frames: int
    delay: int
    """Frames by which decoding must run ahead of presentation."""
    signature: str
    """Of the picture; see `storyreel.tasks.media.probe.signature`."""

    @property
    def files(self) -> dict[Path, str]:
        """The picture and its SHA-256, in hex."""
        return {self.picture: self.picture_digest}

    def in_folder(self, folder: Path, take: Path | None) -> Self:
        """The piece with its picture in a folder."""
        return self.model_copy(update={"picture": folder / self.picture})


AnyPicture = TypeVar("AnyPicture", bound=PicturePiece)


async def encoded_piece(
    kind: type[AnyPicture], picture: Path, frames: int, signature: str, what: str, hint: str
) -> AnyPicture:
    """The piece of a picture that was just encoded, named without its folder.

    Raises MediaError unless it has `frames` frames and this signature; `what` is its name in the message.
    """
    result = await asyncio.to_thread(probe, picture)
    if result.frames != frames or result.signature != signature:
        message = f"{what} has {result.frames} frames instead of {frames}, or is encoded differently"
        raise MediaError(message, hint=hint)
    return kind(
        picture=Path(picture.name),
        picture_digest=await asyncio.to_thread(file_digest, picture),
        frames=frames,
        delay=result.delay,
        signature=result.signature,
    )


class SoundPiece(Piece):
    """Sound in one file."""

    sound: Path
    sound_digest: str
    """SHA-256, in hex."""

    @property
    def files(self) -> dict[Path, str]:
        """The file and its SHA-256, in hex."""
        return {self.sound: self.sound_digest}

    def in_folder(self, folder: Path, take: Path | None) -> Self:
        """The piece with its file in a folder."""
        return self.model_copy(update={"sound": folder / self.sound})


AnyPiece = TypeVar("AnyPiece", bound=Piece)


async def find_or_make(
    kind: type[AnyPiece],
    into: Path,
    make: Callable[[Path], Awaitable[AnyPiece]],
    *,
    take: Path | None = None,
    shared: SharedPieces | None = None,
) -> AnyPiece:
    """The intact piece in the folder `into`, else a copy of the one another host has shared, else a new one.

    `make` writes files into the folder it is given and returns a piece that names them without a folder. `into`
    appears complete or not at all, even if several processes make the same piece.
    """
    if found := await asyncio.to_thread(_find, kind, into, take):
        return found
    async with in_threads(_workshop(into)) as fresh:
        piece = await asyncio.to_thread(shared.download, kind, into.name, fresh, take) if shared else None
        is_new = piece is None
        if piece is None:
            piece = await make(fresh)
        await asyncio.to_thread(_store, piece, fresh, into, take)
    if shared and is_new:
        await asyncio.to_thread(shared.upload, piece, into.name, into)
    return piece.in_folder(into, take)


@contextmanager
def _workshop(into: Path) -> Iterator[Path]:
    """An empty folder beside `into`, which is removed with its content at the end unless it was moved."""
    into.parent.mkdir(parents=True, exist_ok=True)
    with folder_beside(into) as workshop:
        (workshop / "fresh").mkdir()
        yield workshop / "fresh"


def _find(kind: type[AnyPiece], folder: Path, take: Path | None) -> AnyPiece | None:
    try:
        piece = kind.model_validate_json((folder / RECORD).read_bytes()).in_folder(folder, take)
    except (OSError, ValidationError):
        return None
    return piece if piece.is_intact() else None


def _store(piece: Piece, fresh: Path, into: Path, take: Path | None) -> None:
    (fresh / RECORD).write_text(piece.model_dump_json(indent=1), encoding="utf-8")
    made = piece.in_folder(fresh, take)
    for path in made.made_files:  # as they are seen in their place at once
        note_digest(path, made.files[path])
    place_folder(fresh, into, lambda: _find(type(piece), into, take) is not None, durable=True)


class SharedPieces:
    """Pieces in a bucket that hosts share. A piece exists once its record, uploaded last, does."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._paused_until = 0.0
        self.last_error = ""
        """Message of the last failure to share; empty if there was none."""

    def download(self, kind: type[AnyPiece], name: str, folder: Path, take: Path | None) -> AnyPiece | None:
        """Copy a piece into an empty folder. Returns None, and leaves it empty, if it is missing or damaged, or the
        bucket cannot be reached."""
        place = self._bucket.inside(_place(name))

        def download() -> AnyPiece | None:
            record = place.read(RECORD, _LARGEST_RECORD)
            if record is None:
                return None
            piece = kind.model_validate_json(record)
            if any(path != Path(path.name) for path in piece.made_files):
                return None  # The record names a file outside the folder.
            if not all(place.get(path.name, folder / path.name) for path in piece.made_files):
                return None
            return piece if piece.in_folder(folder, take).is_intact() else None

        piece = self._try(download)
        if piece is None:
            for partial in folder.iterdir():
                partial.unlink()
        return piece

    def upload(self, piece: Piece, name: str, folder: Path) -> None:
        """Share a piece that is in a folder."""
        place = self._bucket.inside(_place(name))

        def upload() -> None:
            for file in piece.made_files:
                place.put(folder / file, file.name)
            place.put(folder / RECORD, RECORD)

        self._try(upload)

    def note(self, name: str, file: str, text: str) -> None:
        """Share a small file of what was made under a key."""
        self._try(lambda: self._bucket.inside(_place(name)).write(file, text.encode()))

    def noted(self, name: str, file: str) -> bytes | None:
        """The small file that was shared under a key; None if there is none, or the bucket cannot be reached."""
        return self._try(lambda: self._bucket.inside(_place(name)).read(file, _LARGEST_RECORD))

    def _try(self, attempt: Callable[[], Result]) -> Result | None:
        if time.monotonic() < self._paused_until:
            return None
        try:
            return attempt()
        except ValidationError:
            return None  # Damaged, or written by another version: it is replaced.
        except BucketError as error:
            self.last_error = error.message
            self._paused_until = time.monotonic() + _PAUSE
            return None


def _place(name: str) -> str:
    return f"{name[:2]}/{name}"


class HouseCache(NamedTuple):
    """The pieces of all films on this host, and those that hosts share."""

    folder: Path
    shared: SharedPieces | None = None
    """None if they share none."""

    def folder_of(self, key: str) -> Path:
        """The folder of the piece with this cache key."""
        return self.folder / _place(key)
