"""A bucket: a folder that hosts share, on any file system of fsspec, such as `s3://films/clips` or a mounted disk.

A file in it is complete or absent, even if its writer is killed. Files that other hosts write are seen at once, as
no cached listing is used. Calls block; a run makes them in threads.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from storyreel.specs.errors import StoryreelError
from storyreel.specs.secrets import MARK, hidden, passwords

_SETTINGS = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError")
"""Names of botocore's errors that the user must correct. They share no base class but the root of all its errors."""

_VERSIONS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "created")
"""The keys by which file systems of fsspec name a file's version, the surest first."""
_BLOCK = 4 << 20
"""Bytes that are read at once of a file whose size is bounded."""
_S3_PART = 8 << 20
"""Bytes of a part of an upload. s3fs sends files of two or more parts in parts, each with a checksum."""
_S3_AT_ONCE = 4
"""Parts of one file in flight, which are all in memory."""


class BucketError(StoryreelError):
    """A bucket cannot be used."""


class BucketUnavailable(BucketError):
    """A bucket that does not answer, or answers with an error that may pass."""


class BucketUnusable(BucketError):
    """The bucket or its settings must be changed first."""


class FileTooLarge(BucketUnusable):
    """A file is larger than the caller takes."""


class FileState(NamedTuple):
    """The present content of a file, without reading it."""

    size: int
    """Bytes."""
    version: str
    """Another one if the file was replaced: the tag that the store gives its content, else the time of the change."""


class Bucket:
    """A folder of a file system. `variable` is the environment variable that names it, for messages; may be empty.

    Each use asks fsspec for the file system. fsspec caches one a process, and connections do not survive a fork.
    """

    def __init__(self, url: str, variable: str = "") -> None:
        self.url = url
        self._variable = variable

    def inside(self, name: str) -> Bucket:
        """A folder in the bucket."""
        return Bucket(self.address(name), self._variable)

    def address(self, name: str) -> str:
        """The address of a file in the bucket."""
        return f"{self.url.rstrip('/')}/{name}"

    def is_inside(self, name: str) -> bool:
        """Whether a file is in the folder: on a disk of this host, a link may lead out of it. Raises BucketError."""
        with self._opened("", "cannot be read") as (system, place):
            if "file" not in ((system.protocol,) if isinstance(system.protocol, str) else system.protocol):
                return True
            folder = Path(place).resolve()
            return (folder / name).resolve().is_relative_to(folder)

    def state(self, name: str) -> FileState | None:
        """The present state of a file, None if it does not exist. Raises BucketError."""
        with self._opened(name, "cannot be read") as (system, place):
            system.invalidate_cache(place)
            try:
                found = system.info(place)
            except (FileNotFoundError, NotADirectoryError):
                return None
            version = next((str(found[mark]) for mark in _VERSIONS if found.get(mark)), "")
            return FileState(int(found["size"]), version.strip('"')) if found["type"] == "file" else None

    def size(self, name: str) -> int | None:
        """The present size of a file in bytes, None if it does not exist. Raises BucketError."""
        state = self.state(name)
        return state.size if state else None

    def put(self, file: Path, name: str) -> None:
        """Upload a file, replacing an existing one. Raises BucketError."""
        sent = file.stat().st_size
        with self._opened(name, f"did not take {file.name}") as (system, place):
            _write(system, place, lambda to: system.put_file(str(file), to, **_in_parts(system)))
        arrived = self.size(name)
        if arrived != sent:
            raise BucketUnavailable(f"{self} did not take all of {file.name}: it has {arrived} of {sent} bytes")

    def keep(self, name: str, content: bytes | Path) -> None:
        """Store content, or that of a file, unless exactly that is there. Raises BucketError."""
        if self._holds(name, content):
            return
        if isinstance(content, Path):
            self.put(content, name)
            return
        with self._opened(name, f"did not take {name}") as (system, place):
            _write(system, place, lambda to: system.pipe_file(to, content, **_in_parts(system)))
        arrived = self.size(name)
        if arrived != len(content):
            raise BucketUnavailable(f"{self} did not take all of {name}: it has {arrived} of {len(content)} bytes")

    def _holds(self, name: str, content: bytes | Path) -> bool:
        """Whether a file has this content, or that of a file, by the tag that S3 computes of it; False if the bucket
        gives no such tag."""
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        with self._opened(name, "cannot be read") as (system, place):
            system.invalidate_cache(place)
            try:
                found = system.info(place)
            except (FileNotFoundError, NotADirectoryError):
                return False
        tag = str(found.get("ETag", "")).strip('"')
        return found["size"] == size and bool(tag) and tag in _tags(content)

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, replacing an existing one. Raises BucketError."""
        with self._opened(name, f"did not take {name}") as (system, place):
            _write(system, place, lambda to: system.pipe_file(to, content))

    def get(self, name: str, into: Path, most: int | None = None) -> bool:
        """Download a file, False if it does not exist. The caller checks its digest. Raises BucketError.

        `most` is the bytes that it may have, which is checked before and while it is written: FileTooLarge.
        """
        with self._opened(name, f"did not give {name}") as (system, place):
            try:
                if most is not None:
                    return _copy(system, place, into, most)
                system.get_file(place, str(into))
            except (FileNotFoundError, NotADirectoryError):
                if not into.parent.is_dir():
                    raise
                return False
            return True

    def read(self, name: str, most: int) -> bytes | None:
        """The first `most` bytes of a file, None if it does not exist. Raises BucketError."""
        with self._opened(name, f"did not give {name}") as (system, place):
            try:
                content: bytes = system.cat_file(place, start=0, end=most)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            return content

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """Open a file to read any part of it; nothing is read ahead. Raises BucketError, inside the block too."""
        with self._opened(name, f"did not give {name}") as (system, place):
            system.invalidate_cache(place)
            with system.open(place, "rb", cache_type="none") as file:
                yield file

    def link(self, name: str, seconds: int) -> str:
        """A signed address from which a file can be downloaded for some seconds. Raises BucketError."""
        with self._opened(name, f"did not sign a link to {name}") as (system, place):
            try:
                return str(system.sign(place, expiration=seconds))
            except NotImplementedError as error:
                raise BucketUnusable(
                    f"{self} cannot give links to its files", hint="use a bucket that can, such as s3://"
                ) from error

    def remove(self, name: str) -> None:
        """Delete a file if it exists. Raises BucketError."""
        with self._opened(name, f"did not remove {name}") as (system, place), suppress(FileNotFoundError):
            system.rm_file(place)

    def __str__(self) -> str:
        """The address without user, password and token, after the name of the variable that gives it."""
        address = without_password(self.url)
        return f"{self._variable} ({address})" if self._variable else address

    def _reason(self, error: Exception) -> str:
        # A library may name the place in its own way, with the password in it.
        return hidden(_one_line(error), passwords(self.url))

    @contextmanager
    def _opened(self, name: str, what: str) -> Iterator[tuple[Any, str]]:
        """The file system and the path of a file; its errors become BucketUnusable or BucketUnavailable: `what`."""
        try:
            # Imported late: it takes a tenth of a second and most runs need no bucket.
            import fsspec

            system, folder = fsspec.url_to_fs(self.url)
            yield system, f"{folder.rstrip('/')}/{name}" if name else folder
        except BucketError:
            raise
        except ImportError as error:
            message = f"{self} needs a package that is not installed: {error}"
            if self.url.startswith("s3"):
                raise BucketUnusable(message, next="pip install 'storyreel[s3]'") from error
            raise BucketUnusable(message, hint="install it beside storyreel") from error
        except (PermissionError, FileNotFoundError, NotImplementedError, ValueError) as error:
            raise BucketUnusable(f"{self} {what}: {self._reason(error)}", next="storyreel doctor") from error
        except Exception as error:
            message = f"{self} {what}: {self._reason(error)}"
            # File systems of fsspec raise the errors of their libraries.
            if type(error).__name__ in _SETTINGS:
                raise BucketUnusable(message, hint="set the bucket's credentials") from error
            raise BucketUnavailable(message) from error


def without_password(url: str) -> str:
    """An address without the user, password, query and fragment in it, so that it can be shown."""
    return re.split("[?#]", hidden(url).replace(f"{MARK}@", ""))[0].rstrip("/")


def _in_parts(system: Any) -> dict[str, int]:
    protocols = (system.protocol,) if isinstance(system.protocol, str) else system.protocol
    return {"chunksize": _S3_PART, "max_concurrency": _S3_AT_ONCE} if "s3" in protocols else {}


def _copy(system: Any, place: str, into: Path, most: int) -> bool:
    """Copy a file of at most `most` bytes; False if it is none."""
    system.invalidate_cache(place)
    found = system.info(place)
    if found["type"] != "file":
        return False
    if (found["size"] or 0) > most:
        raise FileTooLarge(f"it has {found['size'] / 1e6:,.1f} MB, at most {most / 1e6:,.0f} MB are read")
    written = 0
    with system.open(place, "rb", block_size=_BLOCK) as source, into.open("wb") as file:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > most:
                raise FileTooLarge(f"it has more than the {most / 1e6:,.0f} MB that are read")
            file.write(block)
    return True


def _tags(content: bytes | Path) -> tuple[str, str]:
    """The tags of content in S3: its MD5, and that of the MD5s of its parts if it was sent in such."""
    whole, digests = hashlib.md5(usedforsecurity=False), list[bytes]()
    with content.open("rb") if isinstance(content, Path) else BytesIO(content) as source:
        while part := source.read(_S3_PART):
            whole.update(part)
            digests.append(hashlib.md5(part, usedforsecurity=False).digest())
    return whole.hexdigest(), f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


def _write(system: Any, place: str, write: Callable[[str], None]) -> None:
    """Write a file so that it is complete or absent: on file systems under a temporary name, then renamed."""
    from fsspec import AbstractFileSystem

    # Object stores have no `mv` of their own. Their writes are atomic.
    if type(system).mv is AbstractFileSystem.mv:
        write(place)
        return
    folder, _, name = place.rpartition("/")
    system.makedirs(folder, exist_ok=True)
    beside = f"{folder}/.{name[:40]}.{uuid.uuid4().hex}"
    try:
        write(beside)
        system.mv(beside, place)
    except BaseException:
        with suppress(Exception):
            system.rm_file(beside)
        raise


def _one_line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:200]
