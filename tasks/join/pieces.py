"""Encoded pieces of a film on disk: made once, complete or absent, checked before they are used again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from pydantic import ValidationError

from storyreel.specs.frozen import Frozen
from storyreel.tasks.clips import file_digest
from storyreel.tasks.files import folder_beside, place_folder

if TYPE_CHECKING:
    from storyreel.tasks.join.shelf import Shelf

RECORD = "piece.json"
"""What a piece says of itself, beside its files."""


class Piece(Frozen):
    """Encoded picture that a film is put together from."""

    picture: Path
    picture_digest: str
    """SHA-256, in hex."""
    frames: int
    delay: int
    """Frames by which decoding must run ahead of showing."""
    signature: str
    """Of the picture; see `storyreel.tasks.media.probe.signature`."""

    @property
    def files(self) -> dict[Path, str]:
        """Every file of the piece and its SHA-256."""
        return {self.picture: self.picture_digest}

    @property
    def own_files(self) -> tuple[Path, ...]:
        """The files that were made for the piece."""
        return tuple(self.files)

    def intact(self) -> bool:
        """Whether all files are there and are what they were. Reads them."""
        try:
            return all(file_digest(path) == digest for path, digest in self.files.items())
        except OSError:
            return False

    def placed(self, folder: Path, take: Path | None) -> Self:
        """The piece with the names of its files taken as names in a folder; `take` is the clip that it was made of,
        where it is made of one alone."""
        return self.model_copy(update={"picture": folder / self.picture})


AnyPiece = TypeVar("AnyPiece", bound=Piece)


async def made_once(
    kind: type[AnyPiece],
    into: Path,
    make: Callable[[Path], Awaitable[AnyPiece]],
    *,
    take: Path | None = None,
    shelf: Shelf | None = None,
) -> AnyPiece:
    """The piece that the folder `into` holds, or another host has shared on the `shelf`; made where it is nowhere
    whole.

    `make` writes into the folder that it is given and names those files without a folder. The folder `into` appears
    complete or not at all, also beside other processes that make the same.
    """
    if found := await asyncio.to_thread(_found, kind, into, take):
        return found
    into.parent.mkdir(parents=True, exist_ok=True)
    with folder_beside(into) as workshop:
        fresh = workshop / "fresh"
        fresh.mkdir()
        piece = await asyncio.to_thread(shelf.fetch, kind, into.name, fresh, take) if shelf else None
        is_new = piece is None
        if piece is None:
            for left in fresh.iterdir():
                left.unlink()
            piece = await make(fresh)
        await asyncio.to_thread(_keep, piece, fresh, into, take)
    if shelf and is_new:
        await asyncio.to_thread(shelf.put_up, piece, into.name, into)
    return piece.placed(into, take)


def intact_in(piece: Piece, folder: Path, take: Path | None) -> bool:
    """Whether a piece, as it was recorded, is whole in a folder."""
    return piece.placed(folder, take).intact()


def _found(kind: type[AnyPiece], folder: Path, take: Path | None) -> AnyPiece | None:
    try:
        piece = kind.model_validate_json((folder / RECORD).read_bytes()).placed(folder, take)
    except (OSError, ValidationError):
        return None
    return piece if piece.intact() else None


def _keep(piece: Piece, fresh: Path, into: Path, take: Path | None) -> None:
    (fresh / RECORD).write_text(piece.model_dump_json(indent=1), encoding="utf-8")
    place_folder(fresh, into, lambda: _found(type(piece), into, take) is not None, durable=True)
