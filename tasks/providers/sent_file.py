"""Local files as they are sent or drawn: read once, and only if they are still what was planned.

A take is known by the digests of its files. What is sent is the very bytes that were compared with those digests, so
that no clip made from one picture is ever kept under the key of another.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from storyreel.specs.file_kind import HEAD, FileKind, file_kind
from storyreel.tasks.providers.errors import FileChanged, Terminal
from storyreel.tasks.providers.request import Attachment
from storyreel.tasks.storage.digests import file_digest

Result = TypeVar("Result")

_LARGEST = 200_000_000
"""Bytes; twice what any service takes. A file may have grown since it was checked."""

_HINT = "no take was made with it; run the same command again, which plans with the file as it is now"


class SentFile(NamedTuple):
    """A file with its content."""

    path: Path
    content: bytes
    digest: str
    """SHA-256 of the content, in hex."""
    kind: FileKind
    """Media type and suffix, by the content."""

    @property
    def name(self) -> str:
        """The file's name in a store, the same for equal contents: `sha256-….png`."""
        return f"sha256-{self.digest}{self.kind.suffix}"

    def data_uri(self) -> str:
        return f"data:{self.kind.media_type};base64,{base64.b64encode(self.content).decode()}"


def read_file(path: Path) -> SentFile:
    """Read a file. Raises OSError."""
    with path.open("rb") as opened:
        content = opened.read(_LARGEST)
    kind = file_kind(content[:HEAD]) or FileKind("application/octet-stream", path.suffix.lower())
    return SentFile(path, content, hashlib.sha256(content).hexdigest(), kind)


def read_planned(attachment: Attachment) -> SentFile:
    """Read the file of an attachment. Raises FileChanged if it is not what was planned, Terminal if there is none."""
    if not attachment.source:
        raise Terminal(
            "the take that it continues has no picture to begin with", hint="give it a `first_frame` instead"
        )
    file = _read(Path(attachment.source), read_file)
    _compare(file.digest, attachment)
    return file


def check_planned(attachments: Iterable[Attachment]) -> None:
    """Raise FileChanged if a local file of these is not what was planned."""
    for attachment in attachments:
        if attachment.is_local and attachment.source:
            _compare(_read(Path(attachment.source), file_digest), attachment)


def _read(path: Path, how: Callable[[Path], Result]) -> Result:
    try:
        return how(path)
    except OSError as error:
        raise FileChanged(f"{path} cannot be read any more: {error.strerror or error}", hint=_HINT) from error


def _compare(digest: str, attachment: Attachment) -> None:
    if digest != attachment.content_digest:
        raise FileChanged(f"{attachment.source} was changed after the film was planned", hint=_HINT)
