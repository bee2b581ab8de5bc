"""Messages for a text that is not valid YAML, with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, islice

import yaml

from storyreel.specs.problems.phrases import shown
from storyreel.specs.problems.problem import Position, Problem
from storyreel.specs.yaml.look_alikes import look_alikes
from storyreel.specs.yaml.pairs import events

DEEPEST = 50
"""Most levels of nesting in a file."""
TOO_DEEP = (f"this is nested more than {DEEPEST} deep", "eight levels are enough for any file")
"""Message and hint for a file with more."""

_BREAK = "\r\n|[\n\r\x85\u2028\u2029]"
"""A line break of YAML. str.splitlines also breaks lines at other characters."""
_LINES_BEFORE = 4
"""Lines in which a look-alike is searched for; those are mended, and the text up to there is read again."""
_MOST_TO_TRY = 1_000_000
"""Characters."""
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_VALUE = r"(?:[:,\-]\s+|[\[{]\s*|^\s*)(?=[{@`%\[\"'])"

_GOES_ON = r"\{[^{}]*\}\s*[^\s,}\]#]|\[[^\[\]]*\]\s*[^\s,}\]#]"
"""A closed bracket with more text after it."""

_REQUOTE = {
    "'": "write it in double quotes, or every apostrophe in it twice",
    '"': 'write it in single quotes, or `\\\\"` for a quote in it',
}

_OPENED = ("found unexpected end of stream", "did not find expected ',' or")
"""Parser errors that are about where something was opened, not about where the parser stopped."""

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

_HINTS = (
    ("mapping values are not allowed", "put the text in quotes"),
    ("expected alphabetic or numeric", "put a text that begins so in quotes"),
    ("exceeded maximum nesting depth", TOO_DEEP[1]),
    ("invalid Unicode character escape", "write the character itself"),
    ("unknown escape character", "write `\\\\` for a backslash, or use single quotes"),
)


def unprintable(text: str, file: str) -> Problem | None:
    """A problem at the first character that YAML does not allow; None if there is none."""
    found = _UNPRINTABLE.search(text)
    if not found:
        return None
    before = re.split(_BREAK, text[: found.start()])
    line, column = len(before), len(before[-1]) + 1
    return Problem(Position(file, line, column), f"the file contains the character U+{ord(found[0]):04X}", "remove it")


def control_character(text: str) -> str:
    """The first control character of a value, as `U+0007`; empty if there is none. Escapes can bring them in."""
    found = _CONTROL.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def explain(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """An error of the parser as a problem."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return Problem(Position(file, 1, 1), "this is not YAML")
    complaint = str(getattr(error, "problem", None) or "")
    line = _line(text, mark.line)
    if problem := _look_alike(text, mark, file):
        return problem
    # At a text that should have been quoted, the parser stops at its first character, or after its first bracket.
    start = _value_before(line, mark.column)
    if start is not None and line[start] in "{[" and "${" in line:
        where = Position(file, mark.line + 1, line.index("${") + 1)
        return Problem(where, "inside brackets the `{` of `${` opens another", 'put the text in quotes: "${…}"')
    if start is not None and (unquoted := _unquoted(line[start:], complaint)):
        return Problem(Position(file, mark.line + 1, start + 1), *unquoted)
    opened = getattr(error, "context_mark", None)
    if opened and any(words in complaint for words in _OPENED):
        mark = opened
    what = next((meaning for words, meaning in _MEANINGS if words in complaint), "this is not YAML")
    hint = next((hint for words, hint in _HINTS if words in complaint), "")
    # The parser stops at the digits of an escape.
    column = mark.column - 1 if "invalid Unicode character escape" in complaint else mark.column + 1
    return Problem(Position(file, mark.line + 1, column), what, hint)


def look_alike_in(text: str, line: int, file: str) -> Problem | None:
    """A problem at the first look-alike of a sign in a line, by its number from 1; None if it has none."""
    one = next(look_alikes(_line(text, line - 1)), None)
    return one and Problem(Position(file, line, one.column), one.message, one.hint)


def _look_alike(text: str, mark: yaml.Mark, file: str) -> Problem | None:
    """The look-alike of a sign, in the line where the parser stopped or shortly before, without which it would go on.

    One that changes nothing is part of a text, and not what is wrong.
    """
    lines = re.split(_BREAK, text)[: mark.line + 2]
    written = [number for number in range(min(mark.line + 1, len(lines))) if lines[number].strip(" ")]
    found = {number: one for number in written[-_LINES_BEFORE:] for one in look_alikes(lines[number])}
    each = [(number, one) for number in reversed(found) for one in look_alikes(lines[number])]
    every = {number: one.mended for number, one in found.items()}
    # By how many spaces a tab is to be replaced is not known.
    here = ((mark.line, one) for one in look_alikes(_line(text, mark.line)) if one.is_indentation)
    number, one = next(
        chain(
            ((number, one) for number, one in each if _goes_on(lines, {number: one.mended}, mark)),
            islice(found.items(), 1 if len(every) > 1 and _goes_on(lines, every, mark) else 0),
            here,
        ),
        (0, None),
    )
    return one and Problem(Position(file, number + 1, one.column), one.message, one.hint)


def _goes_on(lines: list[str], mended: Mapping[int, str], mark: yaml.Mark) -> bool:
    """Whether the parser gets beyond the place where it stopped, when some lines are written otherwise."""
    if sum(map(len, lines)) > _MOST_TO_TRY:
        return False
    try:
        for _ in events("\n".join(mended.get(number, line) for number, line in enumerate(lines))):
            pass
    except yaml.YAMLError as error:
        stopped = getattr(error, "problem_mark", None) or mark
        return bool((stopped.line, stopped.column) > (mark.line, mark.column + 2))
    return True


def _line(text: str, number: int) -> str:
    """A line of a text by its number from 0; empty after the last."""
    lines = re.split(_BREAK, text)
    return lines[number] if number < len(lines) else ""


def _value_before(line: str, column: int) -> int | None:
    """The column of the value that the parser stopped in: at `column`, else the first one before it."""
    starts = [found.end() for found in re.finditer(_VALUE, line) if found.end() <= column]
    return column if column in starts else next(iter(starts), None)


def _unquoted(value: str, complaint: str) -> tuple[str, str] | None:
    """Message and hint for a text that needs quotes; None if the value is something else."""
    sign = value[0]
    if sign in "{[" and not re.match(_GOES_ON, value):
        return None
    if sign in "\"'":
        goes_on = value.count(sign) > 1 and "did not find expected" in complaint
        return ("the text goes on behind its closing quote", _REQUOTE[sign]) if goes_on else None
    return f"{_OPENERS[sign]}, so `{shown(value, 40)}` is not a text", "put a text that begins so in quotes"
