"""Checks of the files and addresses that a storyboard names: they exist, and are of the right kind.

Only the first bytes of a file are read; nothing is decoded and nothing is fetched. Files outside of the storyboard's
folder lie elsewhere when a storyboard was packed and brought to another machine: see `packed_path`.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable
from difflib import get_close_matches
from enum import Enum
from itertools import islice
from pathlib import Path, PureWindowsPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from storyreel.specs.file_kind import FONTS, HEAD, IMAGES, SOUNDS, VIDEOS, VOICES, FileKind, file_kind, other_kind
from storyreel.specs.problems.phrases import reason, shown

Wrong = tuple[str, str]
"""A mistake in a source, and a hint (may be empty)."""

_MEGABYTE = 1_000_000
_NEIGHBOURS = 500
_MOST_GUESSES = 50
_LFS = b"version https://git-lfs"

NOT_BESIDE = "one from an address or a form names files in its folder or below it, and http(s) addresses"
"""Hint for a source that leads elsewhere."""

_DOTS = re.compile(r"[. ]{2,}(?:[?#;].*)?", re.DOTALL)
"""Part of a path that some system takes for `..`: some cut off spaces and dots at its end, some what follows a sign."""
_MOST_DECODINGS = 5

ELSEWHERE = ".elsewhere"
"""Folder, beside an unpacked storyboard, of the files that it names outside of its own folder."""


def is_outside(source: str) -> bool:
    """Whether a local source, as written, is outside of the storyboard's folder: `../x.png`, `/sets/x.png`."""
    # A Windows path has all parts of a POSIX path, and drives.
    path = PureWindowsPath(source)
    return bool(path.anchor) or ".." in path.parts or path.parts[:1] == (ELSEWHERE,)


def leads_away(source: str) -> bool:
    """Whether a local source, as written, might lead out of the storyboard's folder on some host or file system.

    Names in addresses are decoded by some servers and clients, more than once by some; a backslash is a slash to some,
    and to fsspec `::` begins another address.
    """
    for _ in range(_MOST_DECODINGS):
        odd = "\\" in source or "::" in source or any(sign < " " or sign == "\x7f" for sign in source)
        if odd or is_outside(source) or any(_DOTS.fullmatch(part) for part in source.split("/")):
            return True
        decoded = unquote(source)
        if decoded == source:
            return False
        source = decoded
    return True


def leads_out(source: str, target: Path, folder: Path) -> bool:
    """Whether a source that stands for the file `target` is outside of a folder, by its name or by a link.

    What was packed with the storyboard, and lies in `.elsewhere`, is inside.
    """
    try:
        if leads_away(source) and not (target.is_relative_to(folder / ELSEWHERE) and target.exists()):
            return True
        return not target.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return True


def packed_path(source: str) -> str:
    """The path of a local source relative to the folder of an unpacked storyboard.

    A source inside the folder keeps its path. One outside is in `.elsewhere`, under the digest of its path as written,
    so that the storyboard needs no change and no path leads out of the folder.
    """
    if not is_outside(source):
        return source
    name = PureWindowsPath(source).name.replace("..", "")
    return f"{ELSEWHERE}/{hashlib.sha256(source.encode()).hexdigest()[:16]}/{name or 'file'}"


class _Limits(NamedTuple):
    what: str
    megabytes: int | None
    kinds: tuple[FileKind, ...]
    remote: bool

    @property
    def most_bytes(self) -> int:
        """Bytes that are brought of a file from another host; of music what a WAV of two hours has."""
        return self.megabytes * _MEGABYTE if self.megabytes else 2_000 * _MEGABYTE


class SourceKind(Enum):
    """Requirements of a source. The sizes are DashScope's limits; the other services take no more."""

    IMAGE = _Limits("an image (PNG, JPEG, WebP, BMP or AVIF)", 20, IMAGES, True)
    VIDEO = _Limits("a video (MP4 or MOV)", 100, VIDEOS, True)
    VOICE = _Limits("a voice (WAV or MP3)", 15, VOICES, True)
    MUSIC = _Limits("a sound file (WAV, MP3, M4A, AAC, FLAC, Ogg, AIFF, CAF or W64)", None, SOUNDS, False)
    SOUND = _Limits("a recording (WAV, MP3, M4A, AAC, FLAC, Ogg, AIFF, CAF or W64)", None, SOUNDS, False)
    FONT = _Limits("a font (TTF, OTF or TTC)", None, FONTS, False)
    LUT = _Limits("a colour table (.cube)", None, (), False)


_CONVERT = {
    SourceKind.IMAGE: "save it as PNG or JPEG",
    SourceKind.VIDEO: "save it as MP4",
    SourceKind.VOICE: "save it as WAV",
    SourceKind.MUSIC: "save it as WAV or MP3",
    SourceKind.SOUND: "save it as WAV or MP3",
    SourceKind.FONT: "save it as TTF or OTF",
    SourceKind.LUT: "export it as .cube",
}
"""Advice about a file of another kind."""


class SourceChecker:
    """Checks the sources of one storyboard, each once.

    `confined_to` is the folder that no local source may be outside of; None if any file may be named.
    """

    def __init__(self, resolve: Callable[[str], Path | str], confined_to: Path | None = None) -> None:
        self._resolve, self._confined_to = resolve, confined_to
        self._seen: dict[tuple[str, SourceKind], Wrong | None] = {}
        self._names: dict[Path, list[str]] = {}
        self._missing = 0

    def wrong_with(self, source: str, kind: SourceKind) -> Wrong | None:
        """The mistake in a source, given as written; None if there is none."""
        if (source, kind) not in self._seen:
            self._seen[source, kind] = self._check(source, self._resolve(source), kind)
        return self._seen[source, kind]

    def _check(self, source: str, target: Path | str, kind: SourceKind) -> Wrong | None:
        if isinstance(target, str):
            return _wrong_address(target) if kind.value.remote else (f"`{shown(target)}` is not local", "download it")
        if self._confined_to and leads_out(source, target, self._confined_to):
            return f"`{shown(source)}` is not beside the storyboard", NOT_BESIDE
        try:
            return _wrong_file(shown(source), target, kind)
        except (FileNotFoundError, NotADirectoryError):
            return f"`{shown(source)}` does not exist", self._hint(source, target)
        except (OSError, ValueError) as error:
            return f"`{shown(source)}` cannot be read: {reason(error)}", ""

    def _hint(self, source: str, path: Path) -> str:
        """A hint for a missing file. Only the first are compared with their neighbours: thousands may be missing."""
        if source.startswith("~"):
            return "`~` is not expanded; write the path from the storyboard's folder"
        self._missing += 1
        if self._missing <= _MOST_GUESSES and len(path.name) <= 60:
            near = get_close_matches(path.name, self._neighbours(path.parent), 1)
            if near:
                return f"did you mean `{Path(source).with_name(near[0])}`?"
        return "paths are relative to the storyboard's folder"

    def _neighbours(self, folder: Path) -> list[str]:
        if folder not in self._names:
            try:
                self._names[folder] = [path.name for path in islice(folder.iterdir(), _NEIGHBOURS)]
            except OSError:
                self._names[folder] = []
        return self._names[folder]


def _wrong_file(source: str, path: Path, kind: SourceKind) -> Wrong | None:
    limits = kind.value
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        return f"`{source}` is {what}, not {limits.what}", ""
    if not status.st_size:
        return f"`{source}` is empty", ""
    if limits.megabytes and status.st_size > limits.megabytes * _MEGABYTE:
        size = f"{status.st_size / _MEGABYTE:.1f} MB"
        return f"`{source}` has {size}, services take at most {limits.megabytes} MB", "make it smaller"
    with path.open("rb") as file:
        head = file.read(HEAD)
    found = file_kind(head)
    # A colour table is text, which begins in no certain way; it is read when the film is planned.
    is_text = found is None and not other_kind(head) and b"\0" not in head and not head.startswith(_LFS)
    if found in limits.kinds or (kind is SourceKind.LUT and is_text):
        return None
    if head.startswith(_LFS):
        return f"`{source}` is only a pointer of Git LFS", "run `git lfs pull`"
    if what := other_kind(head):
        return f"`{source}` is {what}, not {limits.what}", _CONVERT.get(kind, "")
    really = next((f"; it looks like {other.value.what}" for other in SourceKind if found in other.value.kinds), "")
    return f"`{source}` is not {limits.what}{really}", ""


def _wrong_address(address: str) -> Wrong | None:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"`{shown(address)}` is not a valid address", "write http(s)://host/path"
    if parts.scheme.lower() not in ("http", "https"):
        return f"`{shown(address)}` is not an http or https address", "give an http(s) address or a path"
    if not host or any(sign.isspace() for sign in address):
        return f"`{shown(address)}` is not a valid address", "write http(s)://host/path, without spaces"
    return None
