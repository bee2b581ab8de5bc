"""Reads the text of a timeline that another program has written."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from storyreel.flows.handover.edited import NotImported
from storyreel.specs.problems.phrases import reason

_LARGEST = 64 << 20
"""Bytes."""
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{1,99}encoding=["']([\w.-]{1,40})["']""")


def text_of(file: Path, *, is_exact: bool = True) -> str:
    """The text of a file: UTF-16, as its XML declares, or UTF-8; else, unless it must be exact, Windows' Latin letters.

    Raises NotImported.
    """
    try:
        if not file.is_file():
            raise NotImported(f"{file} is no file" if file.exists() else f"{file} does not exist")
        if file.stat().st_size > _LARGEST:
            raise NotImported(f"{file} is larger than {_LARGEST >> 20} MB")
        data = file.read_bytes()
    except OSError as error:
        raise NotImported(f"{file} cannot be read: {reason(error)}") from error
    codec = _codec(data)
    try:
        return data.decode(codec).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        if not is_exact:
            return data.decode("cp1252", "replace")
        raise NotImported(f"{file} cannot be read as {codec}: {error}") from error


def _codec(data: bytes) -> str:
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    # The first letter of each form is one of ASCII: in UTF-16 without a mark it is a byte beside a zero.
    if b"\0" in data[:2]:
        return "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    declared = _DECLARED.match(data)
    return declared[1].decode() if declared else "utf-8"
