"""The terminal. Text on it is text: no markup, no command to the terminal, no secret."""

from __future__ import annotations

import codecs
import errno
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Literal, NamedTuple, cast

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from storyreel.specs.foreign_text import printable
from storyreel.specs.secrets import hidden

_COMMANDS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_PLAIN: Mapping[str, str] = MappingProxyType(
    dict(zip("✓✗·•–×→━─╸╺│’‘“”", "+x---x>----|''\"\"", strict=True)) | {"…": "...", "—": "--", "→": "->"}
)
"""ASCII in place of our own signs."""
_LEAST_TEXT = 14
"""Columns of the terminal that a text in a table has at least."""


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


class Column(NamedTuple):
    """A column of `print_rows`."""

    name: str
    justify: Literal["left", "right"] = "left"
    is_text: bool = False
    """Whether its cells may be broken into lines."""
    most: int | None = None
    """The most columns of the terminal that a cell has; a longer one ends in `…`."""


class Row(NamedTuple):
    """A row of `print_rows`."""

    cells: Sequence[str | Text]
    is_last: bool = False
    """Whether a line is drawn below it."""
    title: str = ""
    """The first line of its paragraph; by default its first cell."""
    told: int = 1
    """The number of cells that the title has said."""


def print_rows(console: Console, columns: Sequence[Column], rows: Sequence[Row], title: str = "") -> None:
    """Print rows as a table or, where the terminal is too narrow for it, a paragraph for each."""
    if _width(columns, rows) <= console.width:
        console.print(_table(title, columns, rows))
        return
    if title:
        console.print(styled((title, "bold")), "")
    for row in rows:
        _print_paragraph(console, columns, row)
    console.print()


def _table(title: str, columns: Sequence[Column], rows: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title or None, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(
            column.name,
            justify=column.justify,
            no_wrap=not column.is_text,
            overflow="ellipsis" if column.most else "fold",
            min_width=_LEAST_TEXT if column.is_text else None,
            max_width=column.most,
        )
    for row in rows:
        table.add_row(*row.cells, end_section=row.is_last)
    return table


def _width(columns: Sequence[Column], rows: Sequence[Row]) -> int:
    """The columns of the terminal that a table needs in which only texts are broken into lines."""
    needed = 0
    for number, column in enumerate(columns):
        width = max([cell_len(column.name), *(_cell_width(row.cells[number]) for row in rows)])
        needed += 2 + min(width, _LEAST_TEXT if column.is_text else column.most or width)
    return needed


def _cell_width(cell: str | Text) -> int:
    return max(map(cell_len, str(cell).split("\n")))


def _print_paragraph(console: Console, columns: Sequence[Column], row: Row) -> None:
    """Print the title of a row, and below it its values after the names of their columns."""
    console.print(row.title or row.cells[0])
    values: list[str | tuple[str, str]] = []
    for column, cell in zip(columns[row.told :], row.cells[row.told :], strict=True):
        if text := str(cell).replace("\n", " "):
            style = str(cell.style) if isinstance(cell, Text) else ""
            values += [", " if values else "", (column.name, "dim"), " ", (text, style)]
    console.print(Padding(styled(*values), (0, 0, 0, 2)))
