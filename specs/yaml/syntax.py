"""What is wrong with a file that is no YAML, in words that say what to write instead."""

from __future__ import annotations

import re

import yaml

from storyreel.specs.problems.phrases import shown
from storyreel.specs.problems.problem import Position, Problem

DEEPEST = 50
"""Levels of brackets and indentation that a file may have."""
TOO_DEEP = (f"this is nested more than {DEEPEST} deep", "eight levels are enough for any file")
"""What is wrong with a deeper one, and what to do."""

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_VALUE = re.compile(r"(?:[:,\-]\s+|[\[{]\s*|^\s*)(?=[{@`%\[\"'])")

_GOES_ON = re.compile(r"\{[^{}]*\}\s*[^\s,}\]#]|\[[^\[\]]*\]\s*[^\s,}\]#]")
"""A bracket that is closed, and after it more text."""

_REQUOTE = {
    "'": "write it in double quotes, or every apostrophe in it twice",
    '"': 'write it in single quotes, or `\\\\"` for a quote in it',
}

_OPENED = ("found unexpected end of stream", "did not find expected ',' or")
"""Complaints that are about what was opened, not about where the parser gave up."""

_OPENERS = {
    "{": "`{` opens a mapping",
    "[": "`[` opens a list",
    "@": "no text may begin with `@`",
    "`": "no text may begin with a backtick",
    "%": "no text may begin with `%`",
}

_MEANINGS = (
    ("mapping values are not allowed", "a `:` is followed by a space inside a text, or a line is indented too far"),
    ("block sequence entries are not allowed", "a list begins on the line of its key, or is indented wrongly"),
    ("found unexpected end of stream", "this quote is never closed"),
    ("unknown escape character", "in double quotes a backslash begins an escape; this one is unknown"),
    ("invalid Unicode character escape", "this escape names no character"),
    ("did not find expected ',' or", "this bracket is not closed, or a comma is missing in it"),
    ("did not find expected node content", "a bracket is opened and nothing usable follows"),
    ("did not find expected key", "this line does not fit the ones before it: an indentation or a quote is off"),
    ("expected alphabetic or numeric", "`*` and `&` stand before the name of an alias"),
    ("did not find expected '-' indicator", "this line does not fit the list before it: an indentation is off"),
    ("could not find expected ':'", "a key without `:`, or a text of several lines that is not indented"),
    ("found incompatible YAML document", "only YAML 1.1 and 1.2 are read"),
    ("exceeded maximum nesting depth", TOO_DEEP[0]),  # libyaml's own limit, 1000, as it looks ahead
    ("found unknown directive", "a line that begins with `%` is a directive, which is not read"),
)

_FIXES = (
    ("mapping values are not allowed", "put the text in quotes"),
    ("expected alphabetic or numeric", "put a text that begins so in quotes"),
    ("exceeded maximum nesting depth", TOO_DEEP[1]),
    ("unknown escape character", "write `\\\\` for a backslash, or use single quotes"),
)


def unprintable(text: str, file: str) -> Problem | None:
    """The first character of a text that no YAML may hold, if there is one."""
    found = _UNPRINTABLE.search(text)
    if not found:
        return None
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - text.rfind("\n", 0, found.start())
    return Problem(Position(file, line, column), f"the character U+{ord(found[0]):04X} stands in the file", "remove it")


def control_character(text: str) -> str:
    """The first character of a text that an escape has brought in and no prompt should hold; empty for none."""
    found = _CONTROL.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def explain(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """A parser's error as a problem."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return Problem(Position(file, 1, 1), "this is not YAML")
    said = str(getattr(error, "problem", None) or "")
    line = _line(text, mark.line)
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Problem(Position(file, mark.line + 1, 1), "a tab stands in the indentation", "indent with spaces")
    # A text that should have been quoted makes the parser stumble behind its first bracket, or on its first sign.
    start = _value_before(line, mark.column)
    if start is not None and line[start] in "{[" and "${" in line:
        where = Position(file, mark.line + 1, line.index("${") + 1)
        return Problem(where, "inside brackets the `{` of `${` opens another", 'put the text in quotes: "${…}"')
    if start is not None and (unquoted := _unquoted(line[start:], said)):
        return Problem(Position(file, mark.line + 1, start + 1), *unquoted)
    opened = getattr(error, "context_mark", None)
    if opened and any(words in said for words in _OPENED):
        mark = opened
    what = next((meaning for words, meaning in _MEANINGS if words in said), "this is not YAML")
    fix = next((fix for words, fix in _FIXES if words in said), "")
    return Problem(Position(file, mark.line + 1, mark.column + 1), what, fix)


def _line(text: str, number: int) -> str:
    """One line of a text, from 0; empty behind the last."""
    # The parser ends lines where YAML does, which str.splitlines does not.
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    return lines[number] if number < len(lines) else ""


def _value_before(line: str, column: int) -> int | None:
    """Where on a line the value begins that the parser stumbled over at a column: there, or first before it."""
    starts = [found.end() for found in _VALUE.finditer(line) if found.end() <= column]
    return column if column in starts else next(iter(starts), None)


def _unquoted(value: str, said: str) -> tuple[str, str] | None:
    """What is wrong with a value that begins like no text, and what to do; None when that is not it."""
    sign = value[0]
    if sign in "{[" and not _GOES_ON.match(value):
        return None
    if sign in "\"'":
        goes_on = value.count(sign) > 1 and "did not find expected" in said
        return ("the text goes on behind its closing quote", _REQUOTE[sign]) if goes_on else None
    return f"{_OPENERS[sign]}, so `{shown(value, 40)}` is no text", "put a text that begins so in quotes"
