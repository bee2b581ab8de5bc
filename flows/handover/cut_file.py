"""Reads the text of a timeline that another program has written."""

from __future__ import annotations

import re
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from storyreel.flows.handover.edited import NotImported
from storyreel.specs.problems.phrases import reason

BUNDLES = {".fcpxmld": "Info.fcpxml", ".otiod": "content.otio", ".otioz": "content.otio"}
"""Folders and archives by their endings, with the name of the timeline in them: of Final Cut Pro from 10.6 on, and of
OpenTimelineIO."""
_LARGEST = 64 << 20
"""Bytes."""
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{1,99}encoding=["']([\w.-]{1,40})["']""")


def text_of(file: Path, *, is_exact: bool = True) -> str:
    """The text of a file: UTF-16, as its XML declares, or UTF-8; else, unless it must be exact, Windows' Latin letters.

    Raises NotImported.
    """
    try:
        data = _content(file)
    except (OSError, BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        raise NotImported(f"{file} cannot be read: {reason(error)}") from error
    codec = _codec(data)
    try:
        return data.decode(codec).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        if not is_exact:
            return data.decode("cp1252", "replace")
        raise NotImported(f"{file} cannot be read as {codec}: {error}") from error


def _content(file: Path) -> bytes:
    """The bytes of a timeline, which of some programs is in a folder or an archive with its media."""
    within = BUNDLES.get(file.suffix.lower())
    if within and file.is_file():
        with ZipFile(file) as archive:
            if within not in archive.namelist():
                raise NotImported(f"{file} has no {within} in it")
            with archive.open(within) as opened:
                return _limited(file, opened.read(_LARGEST + 1))
    file = file / within if within and file.is_dir() else file
    if not file.is_file():
        raise NotImported(f"{file} is no file" if file.exists() else f"{file} does not exist")
    with file.open("rb") as opened:
        return _limited(file, opened.read(_LARGEST + 1))


def _limited(file: Path, data: bytes) -> bytes:
    if len(data) > _LARGEST:
        raise NotImported(f"{file} is larger than {_LARGEST >> 20} MB")
    return data


def _codec(data: bytes) -> str:
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    # The first letter of each form is one of ASCII: in UTF-16 without a mark it is a byte beside a zero.
    if b"\0" in data[:2]:
        return "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    declared = _DECLARED.match(data)
    return declared[1].decode() if declared else "utf-8"
