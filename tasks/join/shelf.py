"""Encoded pieces that hosts share, so that what one has conformed another one joins.

A piece can always be made, so nothing here fails: while the bucket is away pieces are made on each host, and the bucket
is asked again after a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from storyreel.tasks.bucket import Bucket, BucketError
from storyreel.tasks.join.pieces import RECORD, Piece, intact_in
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.stills import open_still

AnyPiece = TypeVar("AnyPiece", bound=Piece)
Result = TypeVar("Result")

_PAUSE = 60.0
"""Seconds for which a bucket that gave no answer is not asked again."""
_LARGEST_RECORD = 1 << 20


class Shelf:
    """The pieces in a bucket, each in a folder that its recipe names. Its record comes last and makes it whole."""

    def __init__(self, vault: Bucket) -> None:
        self._vault = vault
        self._until = 0.0
        self.trouble = ""
        """What kept pieces from being shared, the last time that something did."""

    def fetch(self, kind: type[AnyPiece], name: str, folder: Path, take: Path | None) -> AnyPiece | None:
        """Bring a piece into a folder; None when it is not there whole, or cannot be had now."""
        place = self._vault.inside(_place(name))

        def bring() -> AnyPiece | None:
            record = place.read(RECORD, _LARGEST_RECORD)
            if record is None:
                return None
            piece = kind.model_validate_json(record)
            names = [path.name for path in piece.own_files]
            if any(path != Path(path.name) for path in piece.own_files):
                return None  # it would lead out of the folder
            if not all(place.get(file, folder / file) for file in names):
                return None
            return piece if intact_in(piece, folder, take) else None

        return self._tried(bring)

    def put_up(self, piece: Piece, name: str, folder: Path) -> None:
        """Share a piece that lies in a folder."""
        place = self._vault.inside(_place(name))

        def put() -> None:
            for file in piece.own_files:
                place.put(folder / file, file.name)
            place.put(folder / RECORD, RECORD)

        self._tried(put)

    def fetch_picture(self, name: str, into: Path) -> bool:
        """Bring a still; False when it is not there whole, or cannot be had now."""
        return bool(self._tried(lambda: self._vault.get(f"frames/{name}", into) and _can_be_seen(into)))

    def put_up_picture(self, file: Path, name: str) -> None:
        """Share a still."""
        self._tried(lambda: self._vault.put(file, f"frames/{name}"))

    def _tried(self, attempt: Callable[[], Result]) -> Result | None:
        if time.monotonic() < self._until:
            return None
        try:
            return attempt()
        except ValidationError:
            return None  # of another storyreel, or damaged: it is replaced
        except BucketError as error:
            self.trouble = error.message
            self._until = time.monotonic() + _PAUSE
            return None


def _can_be_seen(picture: Path) -> bool:
    try:
        open_still(picture, (16, 16))
    except MediaError:
        return False
    return True


def _place(name: str) -> str:
    return f"{name[:2]}/{name}"
