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
    """The text of a file, by its byte order mark, else as its XML declares, else UTF-8.

    Not `is_exact` takes other letters as unknown signs. Raises NotImported.
    """
    try:
        if not file.is_file():
            raise NotImported(f"{file} is no file" if file.exists() else f"{file} does not exist")
        if file.stat().st_size > _LARGEST:
            raise NotImported(f"{file} is larger than {_LARGEST >> 20} MB")
        data = file.read_bytes()
    except OSError as error:
        raise NotImported(f"{file} cannot be read: {reason(error)}") from error
    declared = _DECLARED.match(data)
    codec = "utf-16" if data[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else declared[1].decode() if declared else "utf-8"
    try:
        return data.decode(codec, "strict" if is_exact else "replace").removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise NotImported(f"{file} cannot be read as {codec}: {error}") from error
