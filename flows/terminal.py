"""The terminal. Text on it is text: no markup, no command to the terminal, no secret."""

from __future__ import annotations

import codecs
import errno
import os
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from storyreel.specs.foreign_text import printable
from storyreel.specs.secrets import hidden

_COMMANDS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_PLAIN: Mapping[str, str] = MappingProxyType(
    dict(zip("✓✗·•–×→━─╸╺│’‘“”", "+x---x>----|''\"\"", strict=True)) | {"…": "...", "—": "--", "→": "->"}
)
"""ASCII in place of our own signs."""


class Terminal(Console):
    """A console that shows every text as it is, whoever wrote it: brackets are brackets.

    Only a `rich.text.Text` has a style; make one of foreign text with `styled`.
    """

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = False, **options: Any) -> None:
        super().__init__(stderr=stderr, soft_wrap=soft_wrap, markup=False, highlight=False, emoji=False, **options)

    def outlast(self) -> None:
        """From now on lose what cannot be written, and go on: the terminal may be closed while a film is made."""
        self.file = outlasting(self.file)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text that a string becomes, in a line or in a cell of a table."""
        return super().render_str(legible(text), **(options | {"markup": False, "highlight": False, "emoji": False}))

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of anything that is printed, without a command to the terminal that came in another way."""
        for segment in super().render(renderable, options):
            if segment.control or not _COMMANDS.search(segment.text):
                yield segment
            else:
                yield Segment(_COMMANDS.sub(lambda found: printable(found[0]), segment.text), segment.style)


class _OutlastingStream:
    """A text stream that loses what cannot be written to it: its reader has gone, its terminal, or the space on a disk.

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
            # Or what is buffered would fail once more when the process ends, and change its exit code.
            with suppress(OSError), Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())


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


def legible(text: str) -> str:
    """The text as the terminal shows it, for what is printed in another way, such as a question."""
    return printable(hidden(text))


def styled(*parts: str | tuple[str, str]) -> Text:
    """A text of parts, each alone or with its style: `styled(("note:", "yellow"), " ", warning)`."""
    return Text.assemble(*(legible(part) if isinstance(part, str) else (legible(part[0]), part[1]) for part in parts))
