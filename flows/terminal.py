"""The terminal. Text on it is text: no markup, no command to the terminal, no secret."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from storyreel.flows.output import legible, outlasting, without_commands

_LEAST_TEXT = 14
"""Columns of the terminal that a text in a table has at least."""


class Terminal(Console):
    """A console that shows every text as it is, also text from outside: brackets are brackets.

    Only a `rich.text.Text` has a style; make one of foreign text with `styled`.
    """

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = False, **options: Any) -> None:
        super().__init__(stderr=stderr, soft_wrap=soft_wrap, markup=False, highlight=False, emoji=False, **options)

    def outlast(self) -> None:
        """From now on drop what cannot be written: the terminal may be closed while a film is made."""
        self.file = outlasting(self.file)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text that a string becomes, in a line or in a cell of a table."""
        return super().render_str(legible(text), **(options | {"markup": False, "highlight": False, "emoji": False}))

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of anything that is printed, without a command to the terminal that came in another way."""
        for segment in super().render(renderable, options):
            plain = segment.text if segment.control else without_commands(segment.text)
            yield segment if plain == segment.text else Segment(plain, segment.style)


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
    needed = -1
    for number, column in enumerate(columns):
        width = max([cell_len(column.name), *(_cell_width(row.cells[number]) for row in rows)])
        # Two of padding and one between columns.
        needed += 3 + min(width, _LEAST_TEXT if column.is_text else column.most or width)
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
