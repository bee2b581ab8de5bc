"""Lines of plain text on standard output and error, and what those streams take. Most commands need no more."""

from __future__ import annotations

import codecs
import errno
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

from storyreel.specs.foreign_text import printable
from storyreel.specs.secrets import hidden

_COMMANDS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_PLAIN: Mapping[str, str] = MappingProxyType(
    dict(zip("✓✗·•–×→━─╸╺│’‘“”", "+x---x>----|''\"\"", strict=True)) | {"…": "...", "—": "--", "→": "->"}
)
"""ASCII in place of our own signs."""


def print_line(text: str, stream: IO[str] | None = None) -> None:
    """Print text on standard output, or on this stream, as the terminal shows it; its lines are not broken."""
    print(without_commands(legible(text).replace("\r\n", "\n")), file=stream, flush=True)


class _OutlastingStream:
    """A text stream that drops what it cannot write, because its reader or terminal has gone or a disk is full.

    After that of a reader or of a terminal, nothing is written to its file descriptor any more.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        if error.errno in (errno.EPIPE, errno.EIO):
            _discard(self._stream)


def _discard(stream: IO[str]) -> None:
    """Drop what is buffered, and all that follows: at the end it would fail again, and change the exit
    code."""
    with suppress(OSError), Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def is_all_written() -> bool:
    """Whether standard output and error have taken all that was printed, at the end; the rest is given up."""
    lost = False
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:  # None where it was closed
                stream.flush()
        except OSError:
            lost = True
            _discard(stream)
    return not lost


def outlasting(stream: IO[str]) -> IO[str]:
    """The stream, such that it raises no OSError. rich ends the process when the reader of its output has gone."""
    return stream if isinstance(stream, _OutlastingStream) else cast("IO[str]", _OutlastingStream(stream))


def make_output_plain() -> None:
    """Let standard output and error take any text: what their encoding does not have is written in ASCII.

    Windows' consoles and pipes have cp1252, gbk or cp437; a machine without a locale has ASCII.
    """
    codecs.register_error("storyreel", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="storyreel")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Handles an error of encoding."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(sign: str) -> str:
    if "\u2800" <= sign <= "\u28ff":  # of the wheel that turns while something is waited for
        return "*"
    return _PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode()


def without_commands(text: str) -> str:
    """The text with each sign escaped that is a command to the terminal."""
    return _COMMANDS.sub(lambda found: printable(found[0]), text)


def legible(text: str) -> str:
    """The text as the terminal shows it, for what is printed in another way, such as a question."""
    return printable(hidden(text))
