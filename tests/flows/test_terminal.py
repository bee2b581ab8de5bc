"""On the terminal a text is a text, whoever wrote it: no markup, no command to the terminal, no secret."""

from __future__ import annotations

import io
import os
import pty
import re
import unicodedata
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from storyreel.flows.output import outlasting, print_line
from storyreel.flows.terminal import Column, Row, Terminal, print_rows, styled

FOREIGN = st.text(st.characters(exclude_categories=()) | st.sampled_from("[]/\\:\x1b\x9b\ud83d\u202e\r"), max_size=40)
MARKUP = (
    "Act [/one] of",
    "[red]sale[/red]",
    "[link=https://a.example]x[/link]",
    "[/]",
    ":smile:",
    "[b",
    "\\[x]",
    "[@click=f]",
)
PACKAGES = ("flows", "tasks", "specs")


def printed(*things: object, width: int = 400) -> str:
    """The output on a terminal with colours, without the colours of this program."""
    file = io.StringIO()
    terminal = Terminal(file=file, width=width, force_terminal=True, color_system="standard")
    for thing in things:
        terminal.print(thing, soft_wrap=not isinstance(thing, Table))
    return re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())


def in_table(cell: object, title: str = "") -> Table:
    table = Table(title=title)
    table.add_column("head")
    table.add_row(cell)  # type: ignore[arg-type]
    return table


@pytest.mark.parametrize("text", MARKUP)
def test_brackets_are_brackets(text: str) -> None:
    for thing in (text, styled(("note:", "yellow"), " ", text), in_table(text), in_table("x" * 60, title=text)):
        assert text in printed(thing)


@given(FOREIGN)
def test_nothing_that_is_printed_commands_the_terminal_or_stops_the_program(text: str) -> None:
    for thing in (text, Text(text), styled((text, "bold")), in_table(text), in_table(Text(text)), in_table("", text)):
        told = printed(thing)
        told.encode()
        assert not [sign for sign in told if unicodedata.category(sign) == "Cc" and sign not in "\n\t"]
        assert not set(told) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(FOREIGN)
@example("a\r\nb\r\r\n")
def test_a_plain_line_is_what_the_terminal_shows(text: str) -> None:
    plain, text = io.StringIO(), text.replace("\t", " ")  # which rich expands, and a terminal itself
    print_line(text, plain)
    assert plain.getvalue() == printed(text)


def test_rows_lose_no_sign_on_a_terminal_of_any_width() -> None:
    columns = [*(Column(f"head{number}") for number in range(6)), Column("why", is_text=True)]
    cells = [f"[{number}abcdefgh]" for number in range(6)]
    for width in range(30, 130):
        file = io.StringIO()
        print_rows(Terminal(file=file, width=width), columns, [Row([*cells, "made before, the picture is there"])])
        told = file.getvalue().split()
        assert {*cells[1:], "before,", "picture"} <= {word.rstrip(",") for word in told} | set(told), width


def test_no_secret_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIYI_API_KEY", "sk-0123456789")
    for thing in ("the key sk-0123456789", in_table("postgresql://me:sk-0123456789@db/films?password=x")):
        assert "sk-0123456789" not in printed(thing)


def test_every_module_prints_by_the_terminal_and_none_writes_markup() -> None:
    root = Path(__file__).parents[2]
    for module in (path for name in PACKAGES for path in (root / name).rglob("*.py") if path.name != "terminal.py"):
        source = module.read_text(encoding="utf-8")
        for construct in (
            "rich.console import Console",
            "from_markup",
            "markup=True",
            "[/bold]",
            "[/red]",
            "rich.print",
        ):
            assert construct not in source, f"{module}: {construct}"


def closed_pipe() -> int:
    """A file descriptor of a pipe whose reading end is closed."""
    read, write = os.pipe()
    os.close(read)
    return write


def closed_terminal() -> int:
    """A file descriptor of a terminal whose window is closed."""
    window, terminal = pty.openpty()
    os.close(window)
    return terminal


@pytest.mark.parametrize("closed", [closed_pipe, closed_terminal, lambda: os.open("/dev/full", os.O_WRONLY)])
def test_a_terminal_outlasts_its_reader(closed: Callable[[], int]) -> None:
    file = os.fdopen(closed(), "w")
    terminal = Terminal(file=file)
    terminal.outlast()
    terminal.outlast()
    for _ in range(3):
        terminal.print("1A take 1: done")
        outlasting(file).write("more" * 100_000)
        outlasting(file).flush()
    # What is left over does not fail when the process ends; on a full disk it may.
    with suppress(OSError) if Path("/dev/full").samefile(f"/dev/fd/{file.fileno()}") else nullcontext():
        file.close()
