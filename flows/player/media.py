"""Files that are played, heard or seen: their size and version, and any part of their content, from disk or bucket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from storyreel.specs.file_kind import IMAGES, MP4, VIDEOS, VOICES
from storyreel.specs.storyboard import is_remote
from storyreel.tasks.storage.bucket import Bucket
from storyreel.tasks.storage.clips import ClipStore

_BLOCK = 1 << 20
"""Bytes that are read at once."""


class Medium(NamedTuple):
    """A file that can be played, heard, or seen."""

    suffix: str
    """The suffix of its name, with the dot."""
    size: int
    """Bytes."""
    version: str
    """The version of its content: another one if the file was replaced."""
    open: Callable[[], AbstractContextManager[BinaryIO]]

    @property
    def media_type(self) -> str:
        """Its type for HTTP."""
        kinds = (*IMAGES, *VOICES, *VIDEOS)
        return next((kind.media_type for kind in kinds if kind.suffix == self.suffix), MP4.media_type)

    @property
    def is_picture(self) -> bool:
        return self.media_type.startswith("image/")

    @property
    def is_sound(self) -> bool:
        return self.media_type.startswith("audio/")

    async def part(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` in blocks. Raises OSError and BucketError, also if the file is shorter.

        No thread is held while the receiver of the blocks is busy.
        """
        file = self.open()
        reader = await asyncio.to_thread(file.__enter__)
        try:
            await asyncio.to_thread(reader.seek, start)
            while start < end:
                block = await asyncio.to_thread(reader.read, min(_BLOCK, end - start))
                if not block:
                    raise OSError("the file has become shorter")
                start += len(block)
                yield block
        finally:
            # Not in a thread: a request whose caller has gone is cancelled, and may not wait.
            file.__exit__(None, None, None)


def clip_medium(clips: ClipStore, digest: str) -> Medium | None:
    """A clip of the store or its bucket, None if it does not exist. Raises BucketError."""
    match clips.source(digest):
        case None:
            return None
        case Path() as file:
            return _on_disk(file)
        case bucket, name:
            return _in_bucket(bucket, name)


def medium_at(place: str) -> Medium | None:
    """The file at a path or an address, None if there is none. Raises BucketError."""
    if not is_remote(place):
        return _on_disk(Path(place))
    folder, _, name = place.rpartition("/")
    return _in_bucket(Bucket(folder), name)


def _on_disk(file: Path) -> Medium | None:
    try:
        status = file.stat()
    except OSError:
        return None
    if not file.is_file():
        return None
    return Medium(file.suffix, status.st_size, f"{status.st_size:x}-{status.st_mtime_ns:x}", lambda: file.open("rb"))


def _in_bucket(bucket: Bucket, name: str) -> Medium | None:
    state = bucket.state(name)
    if state is None:
        return None
    return Medium(
        PurePosixPath(name).suffix, state.size, f"{state.size:x}-{state.version}", lambda: bucket.reading(name)
    )
