"""A folder that hosts share, on any file system that fsspec reaches: `s3://films/clips`, a mounted disk.

A file in it is complete or absent, whoever dies while writing it. What others wrote is seen at once: nothing is taken
from a listing that was read before. Calls block; a run makes them in threads.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_SETTINGS = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError")
"""What botocore calls errors that only the user can mend; they derive from nothing but its own root."""

_S3_PART = 8 << 20
"""Bytes of a part of an upload; s3fs sends what has two parts or more in parts, each with a checksum of its own."""
_S3_AT_ONCE = 4
"""Parts of one file under way, which are all held in memory."""


class BucketError(Exception):
    """A shared folder cannot be used. `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(f"{message}\nnext: {hint}" if hint else message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.hint)


class BucketUnavailable(BucketError):
    """It did not answer, or not as it should; later it may."""


class BucketUnusable(BucketError):
    """It, or what is set for it, must be changed first."""


class Bucket:
    """A folder of a file system. `variable` is the environment's name for it, for messages; may be empty.

    The file system is looked up anew for each use, in fsspec's own store of them: it keeps one a process, and what
    a process has opened is of no use to a child that was forked from it.
    """

    def __init__(self, url: str, variable: str = "") -> None:
        self.url = url
        self._variable = variable

    def inside(self, name: str) -> Bucket:
        """A folder in it."""
        return Bucket(self.address(name), self._variable)

    def address(self, name: str) -> str:
        """The address of a file in it."""
        return f"{self.url.rstrip('/')}/{name}"

    def size(self, name: str) -> int | None:
        """Bytes of a file, as it is now; None when it is not there. Raises BucketError."""
        with self._trouble("cannot be looked into"):
            system, place = self._place(name)
            system.invalidate_cache(place)
            try:
                found = system.info(place)
            except (FileNotFoundError, NotADirectoryError):
                return None
            return int(found["size"]) if found["type"] == "file" else None

    def put(self, file: Path, name: str) -> None:
        """Bring a file there, whole, in the place of one that may be there. Raises BucketError."""
        sent = file.stat().st_size
        with self._trouble(f"did not take {file.name}"):
            system, place = self._place(name)
            if _is_object_store(system):
                system.put_file(str(file), place, **_in_parts(system))
            else:
                _put_beside(system, file, place)
        arrived = self.size(name)
        if arrived != sent:
            raise BucketUnavailable(f"{self} did not take {file.name} whole: it has {arrived} bytes of {sent}")

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, whole. Raises BucketError."""
        with self._trouble(f"did not take {name}"):
            system, place = self._place(name)
            if _is_object_store(system):
                system.pipe_file(place, content)
            else:
                _beside(system, place, lambda beside: system.pipe_file(beside, content))

    def get(self, name: str, into: Path) -> bool:
        """Fetch a file; False when it is not there. What came is to be held against its digest. Raises BucketError."""
        with self._trouble(f"did not give {name}"):
            system, place = self._place(name)
            try:
                system.get_file(place, str(into))
            except (FileNotFoundError, NotADirectoryError):
                if not into.parent.is_dir():
                    raise
                return False
            return True

    def read(self, name: str, most: int) -> bytes | None:
        """A small file's content, at most so many bytes of it; None when it is not there. Raises BucketError."""
        with self._trouble(f"did not give {name}"):
            system, place = self._place(name)
            try:
                content: bytes = system.cat_file(place, start=0, end=most)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            return content

    def link(self, name: str, seconds: int) -> str:
        """An address at which anybody can fetch a file for so long. Raises BucketError."""
        with self._trouble(f"did not sign a link to {name}"):
            system, place = self._place(name)
            try:
                return str(system.sign(place, expiration=seconds))
            except NotImplementedError as error:
                hint = "use a bucket that can, such as s3://"
                raise BucketUnusable(f"{self} cannot give links to its files", hint) from error

    def remove(self, name: str) -> None:
        """Take a file away, if it is there. Raises BucketError."""
        with self._trouble(f"did not remove {name}"):
            system, place = self._place(name)
            with suppress(FileNotFoundError):
                system.rm_file(place)

    def __str__(self) -> str:
        """The address without user, password and token, after the name of the variable that gives it."""
        address = without_password(self.url)
        return f"{self._variable} ({address})" if self._variable else address

    def _place(self, name: str) -> tuple[Any, str]:
        # A tenth of a second to import, and needed by few.
        import fsspec

        system, folder = fsspec.url_to_fs(self.url)
        return system, f"{folder.rstrip('/')}/{name}" if name else folder

    @contextmanager
    def _trouble(self, what: str) -> Iterator[None]:
        """Tell what cannot be done now from what never can."""
        try:
            yield
        except BucketError:
            raise
        except ImportError as error:
            package = "pip install 'storyreel[s3]'" if self.url.startswith("s3") else "install it beside storyreel"
            raise BucketUnusable(f"{self} needs a package that is not here: {error}", package) from error
        except (PermissionError, FileNotFoundError, NotImplementedError, ValueError) as error:
            raise BucketUnusable(f"{self} {what}: {_said(error)}", "storyreel doctor") from error
        except Exception as error:
            # A file system of fsspec's may raise whatever its library does.
            if type(error).__name__ in _SETTINGS:
                raise BucketUnusable(f"{self} {what}: {_said(error)}", "set the bucket's credentials") from error
            raise BucketUnavailable(f"{self} {what}: {_said(error)}") from error


def without_password(url: str) -> str:
    """An address without the user, password, query and fragment in it, so that it can be shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.scheme else url
    return bare.rstrip("/")


def _is_object_store(system: Any) -> bool:
    """Whether a file appears whole or not at all. Where moving is no copying there are files, which grow."""
    from fsspec import AbstractFileSystem

    return type(system).mv is AbstractFileSystem.mv


def _in_parts(system: Any) -> dict[str, int]:
    protocols = (system.protocol,) if isinstance(system.protocol, str) else system.protocol
    return {"chunksize": _S3_PART, "max_concurrency": _S3_AT_ONCE} if "s3" in protocols else {}


def _put_beside(system: Any, file: Path, place: str) -> None:
    _beside(system, place, lambda beside: system.put_file(str(file), beside))


def _beside(system: Any, place: str, write: Any) -> None:
    """Write under another name, then move into place."""
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


def _said(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join((str(error) or type(error).__name__).split())[:200]
