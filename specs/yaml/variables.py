"""Fills in `${name}` in texts from the storyboard's `vars` and from `--set`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from operator import is_
from typing import NamedTuple

from storyreel.specs.language.values import LONGEST_TEXT
from storyreel.specs.problems.phrases import listed, shown, suggestion
from storyreel.specs.problems.problem import MOST_PROBLEMS, KeyPath, Problem
from storyreel.specs.yaml.syntax import control_character
from storyreel.specs.yaml.tree import Entry, Node, Scalar, parse_scalar

_USE = re.compile(r"\$(?P<literal>\$)?\{(?P<name>[^{}\n]*)(?P<end>\}?)")


def fill(root: Node, set_vars: Mapping[str, str], file: str) -> tuple[Node, list[Problem]]:
    """The tree with its variables filled in, and the problems of variables. `$${` becomes `${`."""
    declared = root.entries.get("vars")
    problems = _undeclared(root, declared, set_vars, file)
    if declared:
        values = _overridden(declared.node, set_vars)
        problems += _control_characters(declared.node, set_vars, file)
        for name, entry in declared.node.entries.items():
            if _uses(entry.node.value):
                message = f"the variable `{shown(name)}` uses another; variables are plain texts"
                problems.append(Problem(entry.node.position(file), message, "use both where the text is needed"))
        root = root.with_children(root.entries | {"vars": declared.with_node(values)})
    filler = _Filler({name: entry.node.value for name, entry in values.entries.items()} if declared else {}, file)
    entries = {
        key: entry if key == "vars" else entry.with_node(filler.filled(entry.node))
        for key, entry in root.entries.items()
    }
    return (root.with_children(entries) if root.entries else root), problems + filler.problems


class Use(NamedTuple):
    """A use of a variable in a tree that is not filled in."""

    name: str
    path: KeyPath
    is_alone: bool
    """Whether the value is the variable and nothing else, as in `takes: ${takes}`."""


def uses(root: Node) -> Iterator[Use]:
    """Every use of a variable, in the order of the file. What aliases repeat is looked at once."""
    seen: set[int] = set()
    open_: list[tuple[KeyPath, Node]] = [((), root)]
    while open_:
        path, node = open_.pop()
        if isinstance(node.value, str):
            for found in _USE.finditer(node.value):
                if not found["literal"] and found["end"]:
                    yield Use(found["name"], path, found[0] == node.value)
        elif isinstance(node.value, list | dict) and id(node) not in seen:
            seen.add(id(node))
            inside: list[tuple[str | int, Node]] = list(enumerate(node.items))
            inside += [(key, entry.node) for key, entry in node.entries.items()]
            open_ += [((*path, step), child) for step, child in reversed(inside) if (*path, step) != ("vars",)]


def _undeclared(root: Node, declared: Entry | None, set_vars: Mapping[str, str], file: str) -> list[Problem]:
    node = declared.node if declared else root
    known = list(declared.node.entries) if declared else []
    otherwise = f"declared are {listed(known, 'and')}" if known else "declare it under `vars`"
    return [
        Problem(
            node.position(file),
            f"`--set {shown(name)}=…` sets a variable that the storyboard does not declare",
            suggestion(name, known, otherwise),
        )
        for name in set_vars
        if name not in known
    ]


def _control_characters(variables: Node, set_vars: Mapping[str, str], file: str) -> list[Problem]:
    """Control characters in values of `--set`; the parser has refused those of the file."""
    return [
        Problem(entry.node.position(file), f"`--set {name}=…` brings in the control character {sign}", "remove it")
        for name, entry in variables.entries.items()
        if name in set_vars and (sign := control_character(set_vars[name]))
    ]


def _overridden(variables: Node, set_vars: Mapping[str, str]) -> Node:
    if not variables.entries:
        return variables
    return variables.with_children(
        {
            name: entry.with_node(entry.node.with_scalar(set_vars[name])) if name in set_vars else entry
            for name, entry in variables.entries.items()
        }
    )


def _uses(value: object) -> bool:
    return isinstance(value, str) and any(not found["literal"] for found in _USE.finditer(value))


class _Filler:
    """Fills in texts. A node that aliases repeat is filled in once."""

    def __init__(self, values: Mapping[str, object], file: str) -> None:
        self.problems: list[Problem] = []
        self._values = {name: as_text(value) for name, value in values.items()}
        self._file = file
        self._done: dict[int, tuple[Node, Node]] = {}

    def filled(self, node: Node) -> Node:
        if not isinstance(node.value, list | dict) and not (isinstance(node.value, str) and "${" in node.value):
            return node
        # Keeps the old node beside the new one, or its id could be reused.
        if id(node) not in self._done:
            self._done[id(node)] = (
                node,
                self._text(node, node.value) if isinstance(node.value, str) else self._around(node),
            )
        return self._done[id(node)][1]

    def _around(self, node: Node) -> Node:
        """A list or mapping with its values filled in; itself if none of them changed."""
        if node.items:
            items = [self.filled(item) for item in node.items]
            return node if all(map(is_, items, node.items)) else node.with_children(items)
        entries = {key: entry.with_node(self.filled(entry.node)) for key, entry in node.entries.items()}
        return node if all(map(is_, entries.values(), node.entries.values())) else node.with_children(entries)

    def _text(self, node: Node, text: str) -> Node:
        # A text that is too long already is left for validation to refuse.
        uses = list(_USE.finditer(text)) if len(text) <= LONGEST_TEXT else []
        room = MOST_PROBLEMS - len(self.problems)
        found = (problem for use in uses if (problem := self._problem(node, use)))
        if problems := list(islice(found, max(1, room))):
            self.problems += problems[:room]
            return node
        # Checked before the text is built: many uses of a long variable could exhaust memory.
        length = len(text) + sum(len(self._replacement(use)) - len(use[0]) for use in uses)
        if length > LONGEST_TEXT:
            message = f"with its variables this text has {length} characters, at most {LONGEST_TEXT}"
            self.problems.append(Problem(node.position(self._file), message))
            return node.with_scalar("…")
        full = _USE.sub(self._replacement, text)
        return node.with_scalar(_number(full) if node.is_plain and len(uses) == 1 and uses[0][0] == text else full)

    def _replacement(self, use: re.Match[str]) -> str:
        return use[0][1:] if use["literal"] else self._values[use["name"]]

    def _problem(self, node: Node, use: re.Match[str]) -> Problem | None:
        name = use["name"]
        if use["literal"] or (name in self._values and use["end"]):
            return None
        at = node.position(self._file)
        if not use["end"]:
            return Problem(at, "a `${` is not closed", "write `${name}`, or `$${` for the signs themselves")
        otherwise = f"declared are {listed(self._values, 'and')}" if self._values else "declare it under `vars`"
        return Problem(at, f"unknown variable `${{{shown(name)}}}`", suggestion(name, self._values, otherwise))


def as_text(value: object) -> str:
    """A scalar as text; empty for a value of another type, which validation reports."""
    if isinstance(value, str):
        return value
    return str(getattr(value, "text", value)) if isinstance(value, int | float) else ""


def _number(text: str) -> Scalar:
    """The number that a text is, else the text: for a `${takes}` alone and without quotes."""
    value = parse_scalar(text)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text
