"""Writing files and folders so that a reader, or the next start after a crash, finds them complete or not at all.

Everything is made under a temporary name in the folder of its destination and renamed. With `durable=True` content and
names are also flushed to the disk, so that they survive a power cut.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(path: Path, text: str, *, durable: bool = False, private: bool = False) -> None:
    """Write a text file in UTF-8, replacing an existing one, and create its folders; `private` as of `keep_private`.

    Raises OSError.
    """
    make_folder(path.parent, durable=durable)
    with replacing(path, durable=durable) as fresh:
        fresh.write_text(text, encoding="utf-8")
        if private:
            fresh.chmod(0o600)
    if private:
        keep_private(path)


def create_secret(path: Path, text: str) -> None:
    """Write a file that only this user can read, in a folder of the same kind, unless it is there by then."""
    make_private_folder(path.parent)
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        write_whole(fresh, text, durable=True, private=True)
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # another process was faster
        except OSError:  # a file system without hard links
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def replace_content(path: Path, before: bytes, after: bytes) -> bool:
    """Replace a file's content, whole or not at all; False if it no longer holds `before`. Raises OSError.

    The file keeps its mode and its owner, and a link stays a link.
    """
    file = path.resolve()
    # Replacing needs no permission on the file itself; this raises if the file may not be written to.
    with file.open("r+b"):
        status = file.stat()
    with replacing(file) as fresh:
        fresh.write_bytes(after)
        with suppress(OSError, AttributeError):  # only root may change owners, and not every system has them
            os.chown(fresh, status.st_uid, status.st_gid)
        shutil.copymode(file, fresh)
        sync(fresh)  # takes time, so it comes before the check
        if is_changed := file.read_bytes() != before:
            fresh.unlink()
    return not is_changed


def make_folder(path: Path, *, durable: bool = False) -> None:
    """Create a folder and those above it, unless they exist. Raises OSError."""
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    path.mkdir(parents=True, exist_ok=True)
    if durable:
        for folder in missing:
            sync(folder.parent)


def mark_of(part: Path) -> Path:
    """The file beside an unfinished download that tells of which version it is a part, and so that it can go on."""
    return part.with_suffix(".etag")


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path with the name of `path`; the file that the block writes there replaces `path`.

    `path` stays as it was if the block raises or writes nothing. Other temporary files may go beside the yielded path.
    """
    with folder_beside(path) as folder:
        fresh = folder / path.name
        yield fresh
        if fresh.exists():
            place_file(fresh, path, durable=durable)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield an empty folder for what may be lost; removed with its content at the end."""
    with tempfile.TemporaryDirectory(prefix="storyreel-") as folder:
        yield Path(folder)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Yield an empty folder on the file system of `path`, to make it in; removed with its content at the end."""
    # A thread of a cancelled run may still be writing into it.
    with tempfile.TemporaryDirectory(
        prefix=f".{path.stem.lstrip('.')[:16]}-", dir=path.parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def place_file(fresh: Path, into: Path, *, durable: bool = False) -> None:
    """Rename a finished file, replacing an existing one. Raises OSError."""
    if durable:
        sync(fresh)
    fresh.replace(into)
    if durable:
        sync(into.parent)


def place_folder(fresh: Path, into: Path, is_whole: Callable[[], bool], *, durable: bool = False) -> bool:
    """Rename a finished folder of files; False if another process was faster and its folder `is_whole`.

    An existing folder that is damaged is moved beside `fresh`. Raises OSError.
    """
    if durable:
        for path in (*fresh.iterdir(), fresh):
            sync(path)
    while True:
        try:
            fresh.rename(into)
            break
        except OSError:
            if not into.is_dir():
                raise
        if is_whole():
            return False
        into.rename(fresh.with_name(f"damaged-{os.urandom(4).hex()}"))
    if durable:
        sync(into.parent)
    return True


def make_private_folder(path: Path) -> None:
    """Create a folder for this user alone, or for the group as of `keep_private`, unless it exists. Raises OSError."""
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        if path.parent.stat().st_mode & stat.S_IWGRP:
            path.chmod(0o770)


def keep_private(path: Path) -> None:
    """Take a file or folder from others and, unless it is shared with the group, from the group.

    A folder that its group may write to was made for a team: there the group may read and write. What belongs to
    another user stays as it is.
    """
    with suppress(OSError):
        mode = path.stat().st_mode
        shared = (mode if stat.S_ISDIR(mode) else path.parent.stat().st_mode) & stat.S_IWGRP
        wanted = stat.S_IMODE(mode | 0o060 if shared else mode & ~0o070) & ~0o007
        if stat.S_IMODE(mode) != wanted:
            path.chmod(wanted)


def sync(path: Path) -> None:
    """Flush a file's content, or the names in a folder, to the disk. Windows cannot flush a folder and need not."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
