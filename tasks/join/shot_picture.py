"""The picture of a shot for the contact sheet, decoded once and kept with the other pieces of the film."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.pieces import HouseCache, PicturePiece, Piece, find_or_make
from storyreel.tasks.media.contact_sheet import shot_picture
from storyreel.tasks.media.ffmpeg import in_thread
from storyreel.tasks.storage.clips import cache_key
from storyreel.tasks.storage.digests import file_digest

_VERSION = 1
"""Part of the cache key; increased when the picture changes and its facts do not show it."""


class ShotPicture(Piece):
    """A frame of a clip, as JPEG."""

    picture: Path
    picture_digest: str
    """SHA-256, in hex."""

    @property
    def files(self) -> dict[Path, str]:
        """The picture and its SHA-256, in hex."""
        return {self.picture: self.picture_digest}

    def in_folder(self, folder: Path, take: Path | None) -> Self:
        """The piece with its picture in a folder."""
        return self.model_copy(update={"picture": folder / self.picture})


async def find_shot_picture(
    clip: PicturePiece, frame: int, length: int, rate: FrameRate, size: tuple[int, int], cache: HouseCache
) -> bytes:
    """The picture of a piece by `shot_picture`, from the house cache or decoded. Raises MediaError."""

    async def make(folder: Path) -> ShotPicture:
        file = folder / "picture.jpg"
        drawn = await in_thread(lambda _: shot_picture(clip.picture, frame, length, rate, size))
        await asyncio.to_thread(file.write_bytes, drawn)
        return ShotPicture(picture=Path(file.name), picture_digest=await asyncio.to_thread(file_digest, file))

    key = cache_key("shot picture", _VERSION, clip.picture_digest, frame, length, str(rate.exact), size)
    found = await find_or_make(ShotPicture, cache.folder_of(key), make)
    return await asyncio.to_thread(found.picture.read_bytes)
