"""Whether a folder takes files, before anything is made for it; and the words for one that does not."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from storyreel.specs.errors import StoryreelError
from storyreel.specs.problems.phrases import reason
from storyreel.tasks.storage.files import folder_beside, place_file

_TRIAL = 1 << 20
"""Bytes that are written to try a folder: a disk or a quota that is full may still take an empty file."""
_MB = 1_000_000
_WITHOUT_NAME = frozenset(
    getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "ESTALE", "EACCES", "EPERM")
)
"""Errors of a file for which the operating system may give no name, as it does not for a write. Windows has not all."""


class DiskError(StoryreelError):
    """A file or folder of this host cannot be written or read: there is no room, no right, or something in the way."""

    @classmethod
    def of(cls, error: OSError, otherwise: Path | str = "") -> DiskError:
        """The error in words; `otherwise` is the path if the operating system names none."""
        paths = [path for path in (error.filename2, error.filename, otherwise) if isinstance(path, str | os.PathLike)]
        path = next((os.fspath(path) for path in paths if os.fspath(path)), "a file")
        return cls(f"{path}: {reason(error)}", next="storyreel doctor")


def is_of_disk(error: BaseException) -> bool:
    """Whether an OSError is about a file, and not about a connection or a process."""
    return isinstance(error, OSError) and (bool(error.filename) or error.errno in _WITHOUT_NAME)


def try_folder(folder: Path, what: str, hint: str, names: Iterable[str] = ("trial",), least: int = 0) -> None:
    """Return if files of these names can be written into a folder and `least` bytes are free. Leaves nothing behind.

    A folder that does not exist is tried as one with a name of its own in the nearest that does: a folder that was made
    and removed again could be taken from another process that has begun to use it. Raises DiskError: `what` is kept in
    the folder, `hint` says how to choose another one.
    """
    place = f"{what} cannot be written to {folder}"
    if blocked := _blocked(folder):
        raise DiskError(f"{place}: {blocked}", hint=hint)
    try:
        with _standing_in_for(folder) as tried:
            for name in names:
                if (tried / name).is_dir():
                    raise DiskError(f"{place}: {name} in it is a folder, where a file goes", hint=hint)
                _try_name(tried / name)
            free = shutil.disk_usage(tried).free
    except OSError as error:
        raise DiskError(f"{place}: {reason(error)}", hint=hint) from error
    if free < least:
        sizes = f"{free / _MB:,.0f} MB are free, at least {least / _MB:,.0f} MB are needed"
        raise DiskError(f"{place}: {sizes}", hint=f"make room, or {hint}")


@contextmanager
def in_words(folder: Path) -> Iterator[None]:
    """Errors of the disk inside the context become DiskError; `folder` is named if the operating system names none."""
    try:
        yield
    except OSError as error:
        if not is_of_disk(error):
            raise
        raise DiskError.of(error, folder) from error


@contextmanager
def _standing_in_for(folder: Path) -> Iterator[Path]:
    """Yield the folder if it exists, else a temporary one whose names are as long, in the nearest that exists."""
    existing = next(part for part in (folder, *folder.parents) if part.is_dir())
    if existing == folder:
        yield folder
        return
    with folder_beside(existing / "trial") as beside:
        trial = beside / folder.relative_to(existing)
        trial.mkdir(parents=True)
        yield trial


def _blocked(folder: Path) -> str:
    """The obstacle to creating a folder; empty if there is none."""
    for part in (folder, *folder.parents):
        try:
            if part.is_dir():
                return ""
            it = "it" if part == folder else str(part)
            if part.is_symlink() and not part.exists():
                return f"{it} is a link to {part.readlink()}, which does not exist"
            if part.exists():
                return f"{it} is a file, not a folder"
        except OSError as error:
            return reason(error)
    return ""


def _try_name(path: Path) -> None:
    """Write, rename and remove a file of this name beside the real one."""
    with folder_beside(path) as beside:
        fresh = beside / path.name
        with fresh.open("wb") as file:
            file.write(bytes(_TRIAL))
            file.flush()
            os.fsync(file.fileno())
        # Renamed as the real one will be; not to its name, which may be in use.
        trial = path.with_name(f".{beside.name[-8:]}.trial")
        try:
            place_file(fresh, trial)
        finally:
            trial.unlink(missing_ok=True)
