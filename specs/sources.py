"""The files and addresses that a storyboard points at: are they there, and are they what they are said to be?

A file's first bytes say what it is; nothing is decoded and nothing is fetched. A storyboard that has travelled finds
beside it what it names elsewhere: see `packed_path`.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from difflib import get_close_matches
from enum import Enum
from itertools import islice
from pathlib import Path, PureWindowsPath
from typing import NamedTuple
from urllib.parse import urlsplit

from storyreel.specs.file_kind import (
    AAC,
    BMP,
    FLAC,
    HEAD,
    JPEG,
    M4A,
    MP3,
    MP4,
    OGG,
    PNG,
    QUICKTIME,
    WAV,
    WEBP,
    FileKind,
    file_kind,
)
from storyreel.specs.problems.phrases import reason, shown

Wrong = tuple[str, str]
"""What is wrong with a source, and what to do."""

_MEGABYTE = 1_000_000
_NEIGHBOURS = 500
_MOST_GUESSES = 50
_LFS = b"version https://git-lfs"

ELSEWHERE = ".elsewhere"
"""In the folder of a storyboard that has travelled: what it names outside of that folder."""


def is_outside(source: str) -> bool:
    """Whether a local source leads out of the storyboard's folder as it is written: `../x.png`, `/sets/x.png`."""
    # A path of Windows has all that one of ours has, and drives.
    path = PureWindowsPath(source)
    return bool(path.anchor) or ".." in path.parts or path.parts[:1] == (ELSEWHERE,)


def packed_path(source: str) -> str:
    """Where a local source lies in the folder of a storyboard that has travelled: where it says, if that is in there;
    else in `.elsewhere`, under the digest of what is written, so that the storyboard reads unchanged and whatever
    it says leads nowhere else."""
    if not is_outside(source):
        return source
    name = PureWindowsPath(source).name.replace("..", "")
    return f"{ELSEWHERE}/{hashlib.sha256(source.encode()).hexdigest()[:16]}/{name or 'file'}"


class _Limits(NamedTuple):
    what: str
    megabytes: int | None
    kinds: tuple[FileKind, ...]
    remote: bool

    def fits(self, kind: FileKind | None) -> bool:
        return kind in self.kinds


class SourceKind(Enum):
    """What a source is to be. The sizes are the most that DashScope takes of each, the others take no more."""

    IMAGE = _Limits("an image (PNG, JPEG, WebP or BMP)", 20, (PNG, JPEG, WEBP, BMP), True)
    VIDEO = _Limits("a video (MP4 or MOV)", 100, (MP4, QUICKTIME), True)
    VOICE = _Limits("a voice (WAV or MP3)", 15, (WAV, MP3), True)
    MUSIC = _Limits("a sound file (WAV, MP3, M4A, AAC, FLAC or Ogg)", None, (WAV, MP3, M4A, AAC, FLAC, OGG, MP4), False)


class SourceChecker:
    """Looks at the sources of one storyboard, at each once."""

    def __init__(self, resolve: Callable[[str], Path | str]) -> None:
        self._resolve = resolve
        self._seen: dict[tuple[str, SourceKind], Wrong | None] = {}
        self._names: dict[Path, list[str]] = {}
        self._missing = 0

    def wrong_with(self, source: str, kind: SourceKind) -> Wrong | None:
        """What is wrong with a source as it is written; None when it can be used."""
        if (source, kind) not in self._seen:
            self._seen[source, kind] = self._look(source, self._resolve(source), kind)
        return self._seen[source, kind]

    def _look(self, source: str, place: Path | str, kind: SourceKind) -> Wrong | None:
        if isinstance(place, str):
            return _wrong_address(place) if kind.value.remote else (f"`{shown(place)}` is not local", "download it")
        try:
            return _wrong_file(shown(source), place, kind)
        except (FileNotFoundError, NotADirectoryError):
            return f"`{shown(source)}` is not there", self._remedy(source, place)
        except (OSError, ValueError) as error:
            return f"`{shown(source)}` cannot be read: {reason(error)}", ""

    def _remedy(self, source: str, place: Path) -> str:
        """What the author may have meant; looked for only now and then, a film may miss thousands of files."""
        if source.startswith("~"):
            return "`~` is not expanded; write the path beside the storyboard"
        self._missing += 1
        if self._missing <= _MOST_GUESSES and len(place.name) <= 60:
            near = get_close_matches(place.name, self._neighbours(place.parent), 1)
            if near:
                return f"did you mean `{Path(source).with_name(near[0])}`?"
        return "a path is taken from the storyboard's folder"

    def _neighbours(self, folder: Path) -> list[str]:
        if folder not in self._names:
            try:
                self._names[folder] = [path.name for path in islice(folder.iterdir(), _NEIGHBOURS)]
            except OSError:
                self._names[folder] = []
        return self._names[folder]


def _wrong_file(source: str, place: Path, kind: SourceKind) -> Wrong | None:
    limits = kind.value
    status = place.stat()
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        return f"`{source}` is {what}, not {limits.what}", ""
    if not status.st_size:
        return f"`{source}` is empty", ""
    if limits.megabytes and status.st_size > limits.megabytes * _MEGABYTE:
        size = f"{status.st_size / _MEGABYTE:.1f} MB"
        return f"`{source}` has {size}, services take at most {limits.megabytes} MB", "make it smaller"
    with place.open("rb") as file:
        head = file.read(HEAD)
    found = file_kind(head)
    if limits.fits(found):
        return None
    if head.startswith(_LFS):
        return f"`{source}` is only a pointer of Git LFS", "run `git lfs pull`"
    really = next((f"; it looks like {other.value.what}" for other in SourceKind if other.value.fits(found)), "")
    return f"`{source}` is not {limits.what}{really}", ""


def _wrong_address(address: str) -> Wrong | None:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"`{shown(address)}` is no address", "write http(s)://host/path"
    if parts.scheme.lower() not in ("http", "https"):
        return f"`{shown(address)}` is not reached by http or https", "give an http(s) address or a path"
    if not host or any(sign.isspace() for sign in address):
        return f"`{shown(address)}` is no address", "write http(s)://host/path, without spaces"
    return None
