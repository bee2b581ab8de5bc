"""A YAML file as a tree in which every value has its position.

Built from the parser's events, so that tags, duplicate keys, endless nesting and aliases that multiply are refused
before any value is made. Scalars are those of YAML 1.2's core schema, narrowed: `null`, `~` and nothing; `true` and
`false`; whole numbers without leading zeros; decimals. All else is text, `16:9` and `no` too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

import yaml

from storyreel.specs.problems.phrases import shown
from storyreel.specs.problems.problem import MOST_PROBLEMS, KeyPath, Position, Problem
from storyreel.specs.yaml.look_alikes import bare, is_space, name
from storyreel.specs.yaml.pairs import event_reader
from storyreel.specs.yaml.syntax import DEEPEST, TOO_DEEP, control_character, explain, look_alike_in, unprintable

HEAVIEST = 20_000_000
"""The greatest weight of a file, see `Node.weight`: some 500,000 keys and values."""
MOST_KEYS = 1000
"""Most keys of one mapping: the largest is the cast of a film."""

_EACH = 32
_WORDS: Mapping[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")


class FloatLiteral(float):
    """A decimal that keeps its source text, for fields that are texts or exact amounts."""

    text: str

    def __new__(cls, text: str) -> FloatLiteral:
        number = super().__new__(cls, text)
        number.text = text
        return number


Scalar = str | int | float | bool | None


class Node(NamedTuple):
    """A value, its position (line and column from 1), and its weight."""

    value: Scalar | list[Node] | dict[str, Entry]
    line: int
    column: int
    weight: int
    """Its characters, plus 32 for each key and value in it; what aliases and defaults repeat is counted each time."""
    is_plain: bool = False
    """Whether it is a scalar written without quotes."""

    @property
    def entries(self) -> dict[str, Entry]:
        """Its keys, if it is a mapping; else none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """Its elements, if it is a list; else none."""
        return self.value if isinstance(self.value, list) else []

    def child(self, step: str | int) -> Node | None:
        """The value of a key or an index; None if there is none."""
        if isinstance(step, str):
            entry = self.entries.get(step)
            return entry.node if entry else None
        return self.items[step] if step < len(self.items) else None

    def at(self, path: KeyPath) -> Node | None:
        """The value at a path; None if there is none."""
        node: Node | None = self
        for step in path:
            node = node.child(step) if node else None
        return node

    def position(self, file: str) -> Position:
        """Its position in a file."""
        return Position(file, self.line, self.column)

    def with_children(self, value: list[Node] | dict[str, Entry]) -> Node:
        """The same list or mapping with other contents."""
        return Node(value, self.line, self.column, _weight(value))

    def with_scalar(self, value: Scalar) -> Node:
        """A scalar at the same position."""
        return Node(value, self.line, self.column, _weight(value))

    def to_python(self) -> Any:
        """The value as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: entry.node.to_python() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [node.to_python() for node in self.value]
        return self.value


class Entry(NamedTuple):
    """A key's position, and its value."""

    line: int
    column: int
    node: Node

    def with_node(self, node: Node) -> Entry:
        """The same key with another value; itself if it has that value already."""
        return self if node is self.node else Entry(self.line, self.column, node)


class Positions(Mapping[KeyPath, Position]):
    """The position in the file of every value of a tree, by its path."""

    def __init__(self, file: str, root: Node) -> None:
        self._file, self._root = file, root

    def __getitem__(self, path: KeyPath) -> Position:
        if node := self._root.at(path):
            return node.position(self._file)
        raise KeyError(path)

    def key(self, path: KeyPath) -> Position:
        """The position of a key rather than of its value."""
        around = self._root.at(path[:-1])
        if around and (entry := around.entries.get(str(path[-1]))):
            return Position(self._file, entry.line, entry.column)
        return self.nearest(path)

    def nearest(self, path: KeyPath) -> Position:
        """The position of a value, or of the innermost existing value around it."""
        return next(self[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self)

    def __iter__(self) -> Iterator[KeyPath]:
        return _paths((), self._root)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def parse(text: str, file: str, beginning: str = "") -> tuple[Node | None, list[Problem]]:
    """The tree of a file's text, and what is wrong with it as YAML. Without a tree there is at least one problem.

    `beginning` says how such a file begins: the hint for one that is empty.
    """
    if problem := unprintable(text, file):
        return None, [problem]
    builder = _TreeBuilder(text, file)
    try:
        root = builder.document(beginning)
        if root.is_plain and (problem := look_alike_in(text, root.line, file)):
            # Without a single `:` the whole file is one text.
            return None, [*builder.problems, problem]
        return root, builder.problems
    except yaml.YAMLError as error:
        return None, [*builder.problems, explain(error, text, file)]
    except _Refused as refused:
        return None, [*builder.problems, refused.problem]


def parse_scalar(text: str) -> Scalar:
    """The value of a plain scalar, one without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "-0123456789":
        if _WHOLE.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return FloatLiteral(text)
    return text


def place(event: Any) -> tuple[int, int]:
    """Line and column of a parser event, from 1."""
    return event.start_mark.line + 1, event.start_mark.column + 1


def _weight(value: Scalar | list[Node] | dict[str, Entry]) -> int:
    weight = _EACH
    if isinstance(value, dict):
        weight += sum(_EACH + len(key) + entry.node.weight for key, entry in value.items())
    elif isinstance(value, list):
        weight += sum(node.weight for node in value)
    elif isinstance(value, str):
        weight += len(value)
    return weight


def _paths(here: KeyPath, node: Node) -> Iterator[KeyPath]:
    yield here
    for key, entry in node.entries.items():
        yield from _paths((*here, key), entry.node)
    for number, item in enumerate(node.items):
        yield from _paths((*here, number), item)


class _Refused(Exception):
    """The tree cannot be built beyond this problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem)


class _TreeBuilder:
    """Builds nodes from parser events. `problems` are those that it can go on from; at others it raises _Refused."""

    def __init__(self, text: str, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._next = event_reader(text)
        self._anchors: dict[str, Node | None] = {}
        self._weight = 0

    def document(self, beginning: str) -> Node:
        """The one document of the file."""
        self._next()
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            self._refuse(start, "the file is empty", beginning)
        root = self._node(self._next(), 1)
        self._next()
        if not isinstance(second := self._next(), yaml.StreamEndEvent):
            self._refuse(second, "a second document begins here", "a file holds one document; remove the `---`")
        return root

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent) and event.tag is None and event.anchor is None:
            return self._scalar(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            self._note(event, f"the tag `{shown(event.tag)}` is not read", "remove it; only plain values are used here")
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        else:
            if depth > DEEPEST:
                self._refuse(event, *TOO_DEEP)
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            node = self._mapping(event, depth) if is_mapping else self._sequence(event, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _scalar(self, event: Any) -> Node:
        text, mark = event.value, event.start_mark
        weight = _EACH + len(text)
        self._add_weight(weight, event)
        if not event.style:
            return Node(parse_scalar(text), mark.line + 1, mark.column + 1, weight, True)
        if sign := control_character(text):
            self._note(event, f"this text contains the control character {sign}", "remove it")
        return Node(text, mark.line + 1, mark.column + 1, weight)

    def _sequence(self, event: Any, depth: int) -> Node:
        before = self._weight
        self._add_weight(_EACH, event)
        items: list[Node] = []
        while not isinstance(inner := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(inner, depth + 1))
        return Node(items, *place(event), self._weight - before)

    def _mapping(self, event: Any, depth: int) -> Node:
        before = self._weight
        self._add_weight(_EACH, event)
        entries: dict[str, Entry] = {}
        while not isinstance(inner := self._next(), yaml.MappingEndEvent):
            key = self._key(inner, depth)
            node = self._node(self._next(), depth + 1)
            if key is None:
                continue
            if first := entries.get(key):
                self._note(inner, f"`{shown(key)}` is written twice, first in line {first.line}", "keep one of the two")
                continue
            if len(entries) == MOST_KEYS:
                self._refuse(inner, f"this mapping has more than {MOST_KEYS} keys", "split the file")
            entries[key] = Entry(*place(inner), node)
        return Node(entries, *place(event), self._weight - before)

    def _key(self, event: Any, depth: int) -> str | None:
        """A key in composed letters (NFC); None, and a problem noted, for one that is no text."""
        if isinstance(event, yaml.ScalarEvent) and event.tag is None and not event.anchor:
            self._add_weight(_EACH + len(event.value), event)
            if event.value.isascii() and event.value.isidentifier():
                return str(event.value)  # as nearly all are
            key, sign = bare(event.value)
            if sign and not event.style and is_space(sign) and event.value.startswith(sign):
                # A key that belongs elsewhere: what follows would only repeat that.
                self._refuse(event, f"the indentation contains {name(sign)}", "indent with spaces")
            if sign:
                self._note(event, f"beside the key `{shown(key)}` is {name(sign)}", f"write `{shown(key)}:`")
            # Two keys that differ only in how an accent is written look alike, so they are the same.
            return unicodedata.normalize("NFC", key)
        self._node(event, depth + 1)
        self._note(event, "a key is one word, without tag, anchor or brackets", "put a text that is a key in quotes")
        return None

    def _alias(self, event: Any) -> Node:
        known = self._anchors.get(event.anchor)
        if known is None:
            inside = event.anchor in self._anchors
            what = "is inside the value that it names" if inside else f"has no `&{shown(event.anchor)}` before it"
            hint = "put a text that begins with `*` in quotes" if not inside else "write the value out"
            self._refuse(event, f"the alias `*{shown(event.anchor)}` {what}", hint)
        self._add_weight(known.weight, event)
        return known

    def _add_weight(self, weight: int, event: Any) -> None:
        self._weight += weight
        if self._weight > HEAVIEST:
            message = "up to here the file holds more than is read, what aliases repeat counted each time"
            self._refuse(event, message, "use fewer aliases, or split the file")

    def _note(self, event: Any, message: str, hint: str) -> None:
        if len(self.problems) == MOST_PROBLEMS - 1:
            self._refuse(event, message, hint)
        self.problems.append(self._problem(event, message, hint))

    def _refuse(self, event: Any, message: str, hint: str) -> NoReturn:
        raise _Refused(self._problem(event, message, hint))

    def _problem(self, event: Any, message: str, hint: str) -> Problem:
        line, column = place(event)
        return Problem(Position(self._file, line, column), message, hint)
