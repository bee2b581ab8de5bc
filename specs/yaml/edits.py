"""Edits YAML text in place: the keys of a mapping, and the end of a list. Indices count characters from 0."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Set
from typing import Any, NamedTuple, Self

import yaml

from storyreel.specs.problems.problem import Position
from storyreel.specs.yaml.pairs import events
from storyreel.specs.yaml.tree import FloatLiteral, Scalar, parse, place

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""A line break of YAML 1.1, as PyYAML counts lines."""

_BREAKS = "\r\n\x85\u2028\u2029"
_BLANK = f" \t{_BREAKS}"
_COMMENT = f"#[^{_BREAKS}]*"

_ANCHOR = re.compile(rf"&\S+\s+(?:{_COMMENT}\s+)*")
"""An anchor, and what is between it and its value."""

_HEADER = re.compile(rf"[|>]\S*(?P<comment>[ \t]+{_COMMENT})?")
"""The first line of a block scalar."""

_COMMA = re.compile(rf"[ \t]*,[ \t]*(?:{_COMMENT})?[{_BLANK}]+")
"""The rest of a line after its last key, in a flow mapping."""

_ESCAPED = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""A character that double quotes hold as an escape only."""

NewValue = Scalar | Mapping[str, Scalar]
Place = tuple[int, int]
"""A place in a file: line and column, from 1."""
NewValues = Mapping[str, NewValue]
"""New values of a mapping's keys, each a scalar or a mapping of scalars; None removes a key."""


class TextEdit(NamedTuple):
    """The replacement of the characters `[start, end)` by `new`. Sorts in the order of the text."""

    start: int
    end: int
    rank: int
    """Order of edits that insert at one index."""
    new: str
    key: str
    before: str
    """The value as it was written; empty for a new key."""
    after: str
    """The value as it is written now; empty for a key that is removed."""


class KeySpan(NamedTuple):
    """A key and its value in the text. `[start, end)` is the value without its anchor."""

    key: str
    key_start: int
    key_quote: str
    start: int
    end: int
    style: str
    """The value's first sign if it is `"`, `'`, `|` or `>`; else empty."""
    anchor: str
    """The anchor's name; empty if the value has none."""


class MappingText:
    """The text of the mapping at a position. `keys` is empty if it is not written there as a mapping."""

    def __init__(self, text: str, where: Position) -> None:
        found = next(_mappings_at(text, {(where.line, where.column)}), None)
        self._text = text
        self.keys: dict[str, KeySpan] = found[1] if found else {}
        self._is_flow = found is not None and found[2]

    @classmethod
    def at_each(cls, text: str, places: Set[Place]) -> dict[Place, Self]:
        """The mappings at these places, of which none is inside of another, in one reading of the text."""
        mappings = {}
        for where, keys, is_flow in _mappings_at(text, places):
            mapping = cls.__new__(cls)
            mapping._text, mapping.keys, mapping._is_flow = text, keys, is_flow
            mappings[where] = mapping
        return mappings

    def edits(self, values: NewValues, inherited: bool) -> list[TextEdit]:
        """The edits, in the order of the text. A removed key that is `inherited` from defaults becomes `null`."""
        removed = {key for key, value in values.items() if value is None and not inherited}
        changed = [self._changed(span, values[key], key in removed) for key, span in self.keys.items() if key in values]
        missing = {key: value for key, value in values.items() if key not in self.keys and key not in removed}
        return sorted([*changed, *self._inserted(missing, removed)]) if self.keys else []

    def is_alias(self, key: str) -> bool:
        """Whether the value of a key is written as an alias: it stands elsewhere."""
        span = self.keys.get(key)
        return span is not None and self._text[span.start] == "*"

    def alias_lines(self, span: KeySpan) -> list[int]:
        """The lines of the aliases of a value."""
        lines = []
        for event in events(self._text):
            if event.start_mark.index >= span.end and span.anchor and getattr(event, "anchor", None) == span.anchor:
                if isinstance(event, yaml.AliasEvent):
                    lines.append(place(event)[0])
                else:  # from here on the anchor is another value's
                    break
        return lines

    def _changed(self, span: KeySpan, value: NewValue, is_removed: bool) -> TextEdit:
        before = self._text[span.start : span.end]
        if is_removed and (removable := self._removable(span)):
            return TextEdit(*removable, 0, "", span.key, before, "")
        new = after = self._as_yaml(value, span.key_quote, span.style)
        if span.style in ("|", ">") and (header := _HEADER.match(before)):
            new += header["comment"] or ""
        if not before and self._text[span.start - 1] == ":":
            new = f" {new}"
        return TextEdit(span.start, span.end, 0, new, span.key, before, after)

    def _as_yaml(self, value: NewValue, quote: str, style: str = "") -> str:
        """A value of the mapping, beside a key in these quotes: in JSON a new text and the keys of a mapping have them,
        too."""
        is_json = self._is_flow and quote == '"'
        return as_yaml(value, style or (quote if is_json else ""), self._is_flow, quote if is_json else "")

    def _removable(self, span: KeySpan) -> tuple[int, int] | None:
        """The characters to remove with a key; None if a comment would go with it, or it has no key before it."""
        if self._is_flow:
            before = [other.end for other in self.keys.values() if other.end <= span.key_start]
            gap = self._text[before[-1] : span.key_start] if before else "#"
            return (before[-1], span.end) if "#" not in gap else None
        start, end = _line(self._text, span.key_start)
        around = self._text[start : span.key_start] + self._text[span.end : end]
        return (start, end) if self._is_on_a_line(span) and not around.strip(_BLANK) else None

    def _inserted(self, missing: NewValues, removed: set[str]) -> Iterator[TextEdit]:
        """New keys, after one that stays and in its style."""
        if not missing:
            return
        neighbour = self._neighbour([span for key, span in self.keys.items() if key not in removed])
        index, before, after = self._behind(neighbour)
        quote = neighbour.key_quote
        for rank, (key, value) in enumerate(missing.items(), 1):
            new = self._as_yaml(value, quote)
            yield TextEdit(index, index, rank, f"{before}{quote}{key}{quote}: {new}{after}", key, "", new)

    def _behind(self, span: KeySpan) -> tuple[int, str, str]:
        """The place for a new key after an existing one: the index, and the text before and after the key."""
        start, end = _line(self._text, span.key_start)
        indent, rest = self._text[start : span.key_start], self._text[span.end : end]
        line_break = _break(self._text, end)
        has_line = not indent.strip()
        if not self._is_flow:
            indent = " " * len(indent)
            return (end, indent, line_break) if rest.endswith(line_break) else (end, line_break + indent, "")
        if has_line and _COMMA.fullmatch(rest):
            return end, indent, f",{line_break}"
        return span.end, f",{line_break}{indent}" if has_line and not rest.strip(_BLANK) else ", ", ""

    def _neighbour(self, spans: list[KeySpan]) -> KeySpan:
        """The key to write new ones after: `takes` comes before `circled`, and both after the last key of one line."""
        short = [span for span in spans if self._is_flow or self._is_on_a_line(span)] or spans
        takes = [span for span in short if span.key == "takes"]
        circled = self.keys.get("circled")
        before = [span for span in short if circled and span.key_start < circled.key_start]
        return (takes or before or short)[-1]

    def _is_on_a_line(self, span: KeySpan) -> bool:
        return not _BREAK.search(self._text, span.key_start, span.end)


def _mappings_at(text: str, places: Set[Place]) -> Iterator[tuple[Place, dict[str, KeySpan], bool]]:
    """The keys of each mapping at one of these places, and whether it is in braces."""
    every = events(text)
    for event in every:
        if isinstance(event, yaml.MappingStartEvent) and (where := place(event)) in places:
            yield where, {span.key: span for span in _key_spans(text, every)}, bool(event.flow_style)


def append(text: str, key: str, *more: NewValues) -> str:
    """The text with more mappings at the end of the list that is the value of a key of its root.

    The list may be written in lines or in brackets, be empty or missing. A text that has it in another way comes back
    as it is; whether the new text says what it should is for the caller to check.
    """
    found = _list_span(text, key)
    if found is None or not more:
        return text
    if found.is_flow:
        written = ", ".join(
            f"{{{', '.join(f'{name}: {as_yaml(value, is_flow=True)}' for name, value in values.items())}}}"
            for values in more
        )
        comma = "" if found.is_empty else ", "
        return f"{text[: found.end]}{comma}{written}{text[found.end :]}"
    line_break, indent = _first_break(text), " " * found.column
    end = _line(text, found.end)[1]
    head = text[:end] if not end or _BREAK.fullmatch(text[end - 1 : end]) else text[:end] + line_break
    begins = f"{key}:{line_break}" if found.is_missing else ""
    blocks = (
        f"{indent}- " + f"{indent}  ".join(f"{name}: {as_yaml(value)}{line_break}" for name, value in values.items())
        for values in more
    )
    return f"{head}{begins}{''.join(blocks)}{text[end:]}"


class _ListSpan(NamedTuple):
    """A list in the text."""

    end: int
    """Behind its last item; of a list without one behind its bracket, of a missing one behind all other text."""
    column: int = 2
    """Of the dashes."""
    is_flow: bool = False
    is_empty: bool = True
    is_missing: bool = False


def _list_span(text: str, key: str) -> _ListSpan | None:
    """The list at a key of the root; None if the root is no mapping in lines, or the value no list."""
    every = events(text)
    root = next((event for event in every if isinstance(event, yaml.NodeEvent)), None)
    if not isinstance(root, yaml.MappingStartEvent) or root.flow_style:
        return None
    while not isinstance(name := next(every), yaml.MappingEndEvent):
        first = next(every)
        end, depth, count = first.end_mark.index, _depth(first), 0
        while depth:
            event = next(every)
            depth += _depth(event)
            count += depth > 0
            # A collection in lines ends where the next token begins.
            if depth and event.end_mark.index > event.start_mark.index:
                blank = getattr(event, "style", None) in ("|", ">")
                end = len(text[: event.end_mark.index].rstrip(_BLANK)) if blank else event.end_mark.index
        if name.value == key:
            is_list = isinstance(first, yaml.SequenceStartEvent)
            return _ListSpan(end, place(first)[1] - 1, bool(first.flow_style), not count) if is_list else None
    return _ListSpan(len(text), is_missing=True)


def _first_break(text: str) -> str:
    """The first line break of a text; a line feed if it has none."""
    found = _BREAK.search(text)
    return found[0] if found else "\n"


def apply_edits(text: str, edits: list[TextEdit]) -> str:
    """The text with edits made, which are sorted and do not overlap."""
    pieces, index = [], 0
    for edit in edits:
        pieces += [text[index : edit.start], edit.new]
        index = edit.end
    return "".join([*pieces, text[index:]])


def as_yaml(value: NewValue, style: str = "", is_flow: bool = False, key_quote: str = "") -> str:
    """A value as YAML: a text in quotes of the given style if they can hold it, else in those that it needs. A mapping
    is in braces, its keys in `key_quote`."""
    if isinstance(value, Mapping):
        pairs = (f"{key_quote}{key}{key_quote}: {as_yaml(one, style, is_flow=True)}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, FloatLiteral):
        return value.text
    if not isinstance(value, str):
        return "null" if value is None else str(value)
    single = "'" + value.replace("'", "''") + "'"
    for written in {"'": [single], '"': []}.get(style, [value]):
        root, problems = parse(f"{{action: {written}}}" if is_flow else f"action: {written}", "")
        if root is not None and not problems and root.to_python() == {"action": value}:
            return written
    return _ESCAPED.sub(lambda sign: f"\\u{ord(sign[0]):04X}", json.dumps(value, ensure_ascii=False))


def _key_spans(text: str, every: Iterator[Any]) -> Iterator[KeySpan]:
    """The keys of the mapping that the last event began, in its order."""
    while not isinstance(key := next(every), yaml.MappingEndEvent):
        first = last = next(every)
        depth = _depth(first)
        while depth:
            last = next(every)
            depth += _depth(last)
        yield _key_span(text, key, first, last)


def _depth(event: Any) -> int:
    """The change of depth by an event: 1, 0 or -1."""
    return isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)


def _key_span(text: str, key: Any, first: Any, last: Any) -> KeySpan:
    start, end = first.start_mark.index, last.end_mark.index
    anchor = "" if isinstance(first, yaml.AliasEvent) else first.anchor or ""
    if anchor and (found := _ANCHOR.match(text, start, end)):
        start = found.end()
    style = getattr(first, "style", None) or ""
    if style in ("|", ">"):  # the parser ends such a text where the next token begins
        end = start + len(text[start:end].rstrip(_BLANK))
    return KeySpan(key.value, key.start_mark.index, key.style or "", start, end, style, anchor)


def _line(text: str, index: int) -> tuple[int, int]:
    """The start of the line around an index, and of the next line."""
    start = 1 + max(text.rfind(sign, 0, index) for sign in _BREAKS)
    found = _BREAK.search(text, index)
    return start, found.end() if found else len(text)


def _break(text: str, end: int) -> str:
    """The last line break before an index; a line feed if there is none."""
    at = max(text.rfind(sign, 0, end) for sign in _BREAKS)
    return "\n" if at < 0 else "\r\n" if text[at] == "\n" and text[at - 1 : at] == "\r" else text[at]
