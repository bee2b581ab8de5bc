"""A shot as it stands in a storyboard's text: where its keys are, to the character, and what is put in their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from storyreel.specs.problems.problem import Position
from storyreel.specs.yaml.tree import parse

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""Where YAML ends a line."""

_BREAKS = "\r\n\x85\u2028\u2029"
_BLANK = f" \t{_BREAKS}"
_COMMENT = f"#[^{_BREAKS}]*"

_NAME = re.compile(rf"&\S+\s+(?:{_COMMENT}\s+)*")
"""The name that others use a value by, and what stands between it and the value."""

_HEADER = re.compile(rf"[|>]\S*(?P<comment>[ \t]+{_COMMENT})?")
"""The first line of a text that is written as a block."""

_COMMA = re.compile(rf"[ \t]*,[ \t]*(?:{_COMMENT})?[{_BLANK}]+")
"""What is left of a line behind the last of its keys in braces."""

_ESCAPED = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What stands in double quotes only as an escape."""

NewValues = Mapping[str, int | str | None]
"""What keys of a shot shall say; None takes back what is said."""


class TextEdit(NamedTuple):
    """What takes the place of some characters, in the order of the text."""

    start: int
    end: int
    rank: int
    """Orders what is put at one place."""
    new: str
    key: str
    before: str
    """The value as it was written; empty for a key that was not there."""
    after: str
    """The value as it is written now; empty for a key that is gone."""


class KeySpan(NamedTuple):
    """A key and its value. The value's characters are those from start to end, without its name."""

    key: str
    key_start: int
    key_quote: str
    start: int
    end: int
    style: str
    """The sign that the value begins with, `"`, `'`, `|` or `>`; empty for one without."""
    name: str
    """The name that others may use the value by; empty for none."""


class ShotText:
    """The shot that begins at a place of a text. Without entries it is not written there as a mapping."""

    def __init__(self, text: str, where: Position) -> None:
        self.entries: dict[str, KeySpan] = {}
        self._text, self._is_flow = text, False
        events = _events(text)
        for event in events:
            if isinstance(event, yaml.MappingStartEvent) and _place(event) == (where.line, where.column):
                self.entries = {entry.key: entry for entry in _entries(text, events)}
                self._is_flow = bool(event.flow_style)
                return

    def edits(self, wishes: NewValues, inherited: bool) -> list[TextEdit]:
        """What makes the shot say what is wished. `inherited` says whether it says something else where it is silent,
        so that a word is taken back by `null` rather than by leaving it out."""
        gone = {key for key, wish in wishes.items() if wish is None and not inherited}
        found = [self._changed(entry, wishes[key], key in gone) for key, entry in self.entries.items() if key in wishes]
        missing = {key: wish for key, wish in wishes.items() if key not in self.entries and key not in gone}
        return sorted([*found, *self._inserted(missing, gone)]) if self.entries else []

    def users(self, entry: KeySpan) -> list[int]:
        """The lines in which a value is used again by its name."""
        lines = []
        for event in _events(self._text):
            if event.start_mark.index >= entry.end and entry.name and getattr(event, "anchor", None) == entry.name:
                if isinstance(event, yaml.AliasEvent):
                    lines.append(_place(event)[0])
                else:  # from here on the name is another's
                    break
        return lines

    def _changed(self, entry: KeySpan, wish: int | str | None, is_gone: bool) -> TextEdit:
        before = self._text[entry.start : entry.end]
        if is_gone and (span := self._removable(entry)):
            return TextEdit(*span, 0, "", entry.key, before, "")
        new = after = value(wish, entry.style, self._is_flow)
        if entry.style in ("|", ">") and (header := _HEADER.match(before)):
            new += header["comment"] or ""
        if not before and self._text[entry.start - 1] == ":":
            new = f" {new}"
        return TextEdit(entry.start, entry.end, 0, new, entry.key, before, after)

    def _removable(self, entry: KeySpan) -> tuple[int, int] | None:
        """The characters that go with a key; None where a comment would go with it, or nothing stands before it."""
        if self._is_flow:
            before = [other.end for other in self.entries.values() if other.end <= entry.key_start]
            gap = self._text[before[-1] : entry.key_start] if before else "#"
            return (before[-1], entry.end) if "#" not in gap else None
        start, end = _line(self._text, entry.key_start)
        around = self._text[start : entry.key_start] + self._text[entry.end : end]
        return (start, end) if self._is_on_a_line(entry) and not around.strip(_BLANK) else None

    def _inserted(self, missing: NewValues, gone: set[str]) -> Iterator[TextEdit]:
        """New keys, in a row behind one that stays, in its manner."""
        if not missing:
            return
        neighbour = self._neighbour([entry for key, entry in self.entries.items() if key not in gone])
        place, before, after = self._behind(neighbour)
        quote = neighbour.key_quote
        for rank, (key, wish) in enumerate(missing.items(), 1):
            new = value(wish, "", self._is_flow)
            yield TextEdit(place, place, rank, f"{before}{quote}{key}{quote}: {new}{after}", key, "", new)

    def _behind(self, entry: KeySpan) -> tuple[int, str, str]:
        """Where another key is put behind one that is there, and what comes before and after it."""
        start, end = _line(self._text, entry.key_start)
        indent, rest, line_break = (
            self._text[start : entry.key_start],
            self._text[entry.end : end],
            _break(self._text, end),
        )
        has_line = not indent.strip()
        if not self._is_flow:
            indent = " " * len(indent)
            return (end, indent, line_break) if rest.endswith(line_break) else (end, line_break + indent, "")
        if has_line and _COMMA.fullmatch(rest):
            return end, indent, f",{line_break}"
        return entry.end, f",{line_break}{indent}" if has_line and not rest.strip(_BLANK) else ", ", ""

    def _neighbour(self, entries: list[KeySpan]) -> KeySpan:
        """The key behind which new ones are written: `takes` comes before `circled`, and both behind all that is
        short, before texts and lists of several lines."""
        short = [entry for entry in entries if self._is_flow or self._is_on_a_line(entry)] or entries
        takes = [entry for entry in short if entry.key == "takes"]
        circled = self.entries.get("circled")
        before = [entry for entry in short if circled and entry.key_start < circled.key_start]
        return (takes or before or short)[-1]

    def _is_on_a_line(self, entry: KeySpan) -> bool:
        """Whether key and value stand on one line, and end on it."""
        return not _BREAK.search(self._text, entry.key_start, entry.end)


def apply_edits(text: str, edits: list[TextEdit]) -> str:
    """The text with something else in the place of some characters."""
    pieces, index = [], 0
    for edit in edits:
        pieces += [text[index : edit.start], edit.new]
        index = edit.end
    return "".join([*pieces, text[index:]])


def value(wish: int | str | None, style: str = "", is_flow: bool = False) -> str:
    """A value as it is written: a text in quotes of a style, if they can hold it, or in those that it needs."""
    if not isinstance(wish, str):
        return "null" if wish is None else str(wish)
    single = "'" + wish.replace("'", "''") + "'"
    for written in {"'": [single], '"': []}.get(style, [wish]):
        root, problems = parse(f"{{action: {written}}}" if is_flow else f"action: {written}", "")
        if root is not None and not problems and root.to_python() == {"action": wish}:
            return written
    return _ESCAPED.sub(lambda sign: f"\\u{ord(sign[0]):04X}", json.dumps(wish, ensure_ascii=False))


def _events(text: str) -> Iterator[Any]:
    return iter(yaml.parse(text, Loader=_LOADER))


def _place(event: Any) -> tuple[int, int]:
    """Line and column from 1, as the reader counts them."""
    return event.start_mark.line + 1, event.start_mark.column + 1


def _entries(text: str, events: Iterator[Any]) -> Iterator[KeySpan]:
    """The keys of the mapping whose beginning was the last event, in its order."""
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        first = last = next(events)
        depth = _depth(first)
        while depth:
            last = next(events)
            depth += _depth(last)
        yield _written(text, key, first, last)


def _depth(event: Any) -> int:
    """By how many levels an event leads in or out."""
    return isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)


def _written(text: str, key: Any, first: Any, last: Any) -> KeySpan:
    start, end = first.start_mark.index, last.end_mark.index
    name = "" if isinstance(first, yaml.AliasEvent) else first.anchor or ""
    if name and (found := _NAME.match(text, start, end)):
        start = found.end()
    style = getattr(first, "style", None) or ""
    if style in ("|", ">"):  # the parser lets such a text end where the next thing begins
        end = start + len(text[start:end].rstrip(_BLANK))
    return KeySpan(key.value, key.start_mark.index, key.style or "", start, end, style, name)


def _line(text: str, index: int) -> tuple[int, int]:
    """Where the line around a character begins, and where the next one does."""
    start = max((found.end() for found in _BREAK.finditer(text, 0, index)), default=0)
    found = _BREAK.search(text, index)
    return start, found.end() if found else len(text)


def _break(text: str, end: int) -> str:
    """The sign that ends the line before an index, or else the line above it."""
    breaks = _BREAK.findall(text, 0, end)
    return str(breaks[-1]) if breaks else "\n"
