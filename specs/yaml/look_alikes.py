"""Characters that look like YAML's signs and are others: full-width colons, typographic quotes, no-break spaces.

Keyboards, word processors and web pages write them. In a text they are right; where YAML expects a sign of its own they
make the parser stop later, or the keys unknown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

_SPACES = "\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_NOTHING = "\xad\u200b-\u200f\u2060\ufeff"
_DOUBLE_QUOTES, _SINGLE_QUOTES = "“”„‟«»＂″", "‘’‚‛＇′"
_COLONS = "：﹕︓∶ː꞉"
_BRACKETS: dict[str, str | int | None] = {"［": "[", "］": "]", "｛": "{", "｝": "}", "，": ","}

_BLANK = rf"[ {_SPACES}{_NOTHING}]"
_KEY = rf"^{_BLANK}*(?:-{_BLANK}+)*[\"'{_DOUBLE_QUOTES}]?[^\W\d][\w-]*[\"'{_DOUBLE_QUOTES}]?"
_QUOTES_OF_YAML = str.maketrans(dict.fromkeys(_DOUBLE_QUOTES, '"') | dict.fromkeys(_SINGLE_QUOTES, "'"))
_INDENT, _SPACE, _HYPHEN = "indent with spaces", "write a space", "begin each item of a list with `- `"

_AROUND = f"[{_SPACES}{_NOTHING}{_DOUBLE_QUOTES}{_SINGLE_QUOTES}]+"
_ODD = f"[{_SPACES}{_NOTHING}{_DOUBLE_QUOTES}{_SINGLE_QUOTES}{_COLONS}\u2010-\u2015\u2212\uff01-\uff5e]"
_ODD_ENDS = f"^{_AROUND}|{_AROUND}$"


class LookAlike(NamedTuple):
    """A sign in a line that is probably meant as another one."""

    column: int
    """From 1."""
    message: str
    hint: str
    mended: str
    """The line as it is probably meant."""

    @property
    def is_indentation(self) -> bool:
        """Whether it is in the white space that a line begins with."""
        return self.hint == _INDENT


_PATTERNS = (
    (rf"^ *([{_SPACES}{_NOTHING}]+)", "the indentation contains {sign}", _INDENT),
    (rf"^{_BLANK}*([‐‑‒–—―−﹣－•·・]){_BLANK}", "`{raw}` is {sign}, not a hyphen", _HYPHEN),
    (rf"^{_BLANK}*-([{_SPACES}{_NOTHING}])", "after the `-` is {sign}", _SPACE),
    (rf"{_KEY}{_BLANK}*([{_COLONS}])", "`{raw}` is {sign}", "write `:` and a space"),
    (rf"{_KEY}:([{_SPACES[1:]}{_NOTHING}])", "after the `:` is {sign}", _SPACE),
    (rf"{_KEY}(:)[^\s:/]", "after the `:` a space is missing", "write `key: value`"),
    (rf"^{_BLANK}*(＃)", "`{raw}` is {sign}", "write `#`"),
    (
        rf"(?:^|[:,\-\[{{]){_BLANK}*([{_DOUBLE_QUOTES}{_SINGLE_QUOTES}])",
        "`{raw}` is no quote that YAML knows",
        "write straight quotes, `\"`",
    ),
    (f"([{''.join(map(str, _BRACKETS))}])", "`{raw}` is {sign}", "write brackets and commas of ASCII"),
)  # fmt: skip
"""Expressions, messages and hints. Compiled when a file is wrong: that takes longer than reading a small one."""


def look_alikes(line: str) -> Iterator[LookAlike]:
    """The look-alikes in a line, in places where YAML expects a sign of its own."""
    for pattern, message, hint in _PATTERNS:
        if found := re.search(pattern, line):
            signs = found[1]
            text = message.format(raw=signs[0], sign=name(signs[0]))
            yield LookAlike(found.start(1) + 1, text, hint, _mended(line, found))


def name(sign: str) -> str:
    """A character for a message: `U+FF1A (fullwidth colon)`; `a tab`."""
    return "a tab" if sign == "\t" else f"U+{ord(sign):04X} ({unicodedata.name(sign, 'no name').lower()})"


def odd_character(text: str) -> str:
    """The first look-alike in a short text, for a message; empty if there is none."""
    found = re.search(_ODD, text)
    return name(found[0]) if found else ""


def foreign_letter(key: str) -> str:
    """The first letter of a key that is not ASCII, for a message: a Cyrillic `е` looks like `e`. Empty if all are."""
    return next((name(sign) for sign in key if not sign.isascii()), "")


def bare(key: str) -> tuple[str, str]:
    """A key without look-alikes of spaces and quotes around it, and the first of those; empty if there is none."""
    found = re.search(_ODD_ENDS, key)
    return (re.sub(_ODD_ENDS, "", key), found[0][0]) if found else (key, "")


def is_space(sign: str) -> bool:
    """Whether a character has the width of a space."""
    return re.fullmatch(f"[{_SPACES}]", sign) is not None


def _mended(line: str, found: re.Match[str]) -> str:
    signs = found[1]
    before, after = line[: found.start(1)], line[found.end(1) :]
    if signs[0] in _COLONS + ":":
        return f"{before}: {after}"
    if signs[0] in _BRACKETS:
        return line.translate(str.maketrans(_BRACKETS))
    if signs[0] in _DOUBLE_QUOTES + _SINGLE_QUOTES:
        return line.translate(_QUOTES_OF_YAML)
    if signs[0] == "＃":
        return ""
    if re.fullmatch(f"[{_SPACES}{_NOTHING}]+", signs):
        return before + "".join("  " if sign == "\t" else " " if is_space(sign) else "" for sign in signs) + after
    return f"{before}-{after}"
